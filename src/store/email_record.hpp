// A message's stored facts: the row, and the record made from it.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/account.hpp"
#include "store/account_rows.hpp"

namespace mansio::store {

struct email_facts {
    email_id email = 0;
    std::uint64_t thread = 0;
    blob_id blob;
    std::uint8_t key_algorithm = 0;  ///< 0: clear
    std::string wrapped_key;
    mailbox_id first = 0;            ///< where it was put; a W row says when that is no longer all
    std::uint64_t size = 0;          ///< prefix and blob
};
/// The body of a row, not yet sealed: it may go into pages.
[[nodiscard]] std::string encode_email(email_facts const& facts, std::string_view prefix, mime::summary const& s);
/// Format 2: the body is in pages.
[[nodiscard]] std::string encode_paged_email(email_id e, std::vector<page_id> const& pages);
/// nullopt: the row itself holds the body.
[[nodiscard]] result<std::optional<std::vector<page_id>>> decode_email_pages(std::string_view row);

class stored_email final : public email_record {
public:
    /// `body`: what encode_email() made, checksum checked and taken off. Errors: broken.
    [[nodiscard]] static result<std::shared_ptr<stored_email const>> open(account_number account, std::string body);
    [[nodiscard]] email_id id() const noexcept override { return facts_.email; }
    [[nodiscard]] blob_id blob() const noexcept override { return facts_.blob; }
    [[nodiscard]] std::uint64_t thread() const noexcept override { return facts_.thread; }
    [[nodiscard]] std::string_view prefix() const noexcept override { return prefix_; }
    [[nodiscard]] std::uint64_t size() const noexcept override { return facts_.size; }
    [[nodiscard]] std::string_view envelope_text() const noexcept override { return envelope_; }
    [[nodiscard]] std::string_view body_text() const noexcept override { return body_text_; }
    [[nodiscard]] std::string_view bodystructure_text() const noexcept override { return bodystructure_; }
    [[nodiscard]] mime::summary const& summary() const override;
    [[nodiscard]] std::optional<decoded_part> decoded(std::uint32_t index) const override;
    void remember_decoded(std::uint32_t index, decoded_part what) const override;

    [[nodiscard]] account_number account() const noexcept { return account_; }
    [[nodiscard]] email_facts const& facts() const noexcept { return facts_; }
    [[nodiscard]] std::uint64_t octets() const noexcept { return sizeof *this + body_.size(); }

    stored_email() = default;

private:
    account_number account_ = 0;
    std::string body_;
    email_facts facts_;
    std::string_view prefix_, envelope_, body_text_, bodystructure_, rest_;
    mutable std::once_flag decoded_;
    mutable std::unique_ptr<mime::summary const> summary_;  ///< made when first asked for: a FETCH of wire texts never does
    mutable std::mutex decoded_mutex_;
    mutable std::map<std::uint32_t, decoded_part> decoded_parts_;  // as many as the message has parts
};

/// The record as it was given out: it remembers the mailbox through which, whose rights read() asks again.
class shown_email final : public email_record {
public:
    shown_email(std::shared_ptr<stored_email const> record, mailbox_id through) : record_(std::move(record)), through_(through) {}
    [[nodiscard]] email_id id() const noexcept override { return record_->id(); }
    [[nodiscard]] blob_id blob() const noexcept override { return record_->blob(); }
    [[nodiscard]] std::uint64_t thread() const noexcept override { return record_->thread(); }
    [[nodiscard]] std::string_view prefix() const noexcept override { return record_->prefix(); }
    [[nodiscard]] std::uint64_t size() const noexcept override { return record_->size(); }
    [[nodiscard]] std::string_view envelope_text() const noexcept override { return record_->envelope_text(); }
    [[nodiscard]] std::string_view body_text() const noexcept override { return record_->body_text(); }
    [[nodiscard]] std::string_view bodystructure_text() const noexcept override { return record_->bodystructure_text(); }
    [[nodiscard]] mime::summary const& summary() const override { return record_->summary(); }
    [[nodiscard]] std::optional<decoded_part> decoded(std::uint32_t index) const override { return record_->decoded(index); }
    void remember_decoded(std::uint32_t index, decoded_part what) const override { record_->remember_decoded(index, what); }

    [[nodiscard]] stored_email const& record() const noexcept { return *record_; }
    [[nodiscard]] mailbox_id mailbox() const noexcept { return through_; }

private:
    std::shared_ptr<stored_email const> record_;
    mailbox_id through_;
};

}  // namespace mansio::store
