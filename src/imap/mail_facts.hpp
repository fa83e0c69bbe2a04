// What SORT and THREAD look at of messages: taken from stored summaries once and kept, so that no message is opened and no summary read twice.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "store/account.hpp"

namespace mansio::imap {

class session;

/// Of one message; immutable like the message. Views point into the table's memory.
struct mail_facts {
    /// Sort keys: mime::casemap() of the text, so that comparing octets is i;unicode-casemap (RFC 5256 §7).
    enum text : std::uint8_t {
        subject,                    ///< the base subject
        from,
        to,
        cc,               ///< addr-mailbox of the first address
        display_from,
        display_to,   ///< RFC 5957 §3
        texts,
    };
    store::uid uid = 0;
    std::uint32_t reference_count = 0;
    std::int64_t sent = 0;          ///< unix seconds: of the Date field, else the internal date (RFC 5256 §2.2)
    std::uint64_t id = 0;           ///< of the Message-ID; 0: none
    std::uint64_t const* first_reference = nullptr;
    char const* octets = nullptr;
    std::array<std::uint32_t, texts> ends{};
    bool reply = false;

    [[nodiscard]] std::string_view key(text t) const noexcept
    {
        auto const begin = t == subject ? 0 : ends[t - 1U];
        return {octets + begin, ends[t] - begin};
    }
    [[nodiscard]] std::span<std::uint64_t const> references() const noexcept { return {first_reference, reference_count}; }
};

/// Facts of a mailbox's messages by UID. Only grows, by with(). Threads: safe to read on any.
class facts_table final : public store::derived {
public:
    using ptr = std::shared_ptr<facts_table const>;
    /// Facts that share their memory.
    class chunk {
    public:
        explicit chunk(base::short_hash_key const& ids) : ids_(ids) {}
        /// `email` null: it is gone; then its texts are empty. UIDs must ascend.
        void add(store::message_entry const& entry, store::email_record const* email);
        /// No more is added: from now on facts() may be asked.
        void finish();
        [[nodiscard]] std::vector<mail_facts> const& facts() const noexcept { return facts_; }
        [[nodiscard]] std::uint64_t octets() const noexcept;

    private:
        [[nodiscard]] std::uint64_t id_of(std::string_view message_id) const;
        base::short_hash_key ids_;
        std::vector<mail_facts> facts_;
        std::vector<std::uint64_t> references_;
        std::string text_;
    };
    explicit facts_table(base::short_hash_key const& ids) : ids_(ids) {}
    [[nodiscard]] base::short_hash_key const& ids() const noexcept { return ids_; }
    /// nullptr: not known yet.
    [[nodiscard]] mail_facts const* find(store::uid u) const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    [[nodiscard]] ptr with(std::shared_ptr<chunk const> more) const;
    [[nodiscard]] std::uint64_t octets() const noexcept override { return octets_; }

private:
    base::short_hash_key ids_;  ///< ids of two tables cannot be compared
    std::vector<mail_facts const*> index_;  ///< by UID
    std::vector<std::shared_ptr<chunk const>> chunks_;
    std::uint64_t octets_ = 0;
};

/// A table that has the messages at `positions` (ascending) of `view`, a mailbox of `account`: those not known yet are read, in slices. Errors: over_limit "[LIMIT]"
/// (limits.imap_sort_octets); those of account_ref::emails().
[[nodiscard]] task<result<facts_table::ptr>> load_facts(session& s, store::account_ref account, store::mailbox_view_ptr view,
                                                        std::vector<std::uint32_t> const& positions);

/// RFC 5256 §3: "implementations MUST normalize any msg-id": the same id with and without quotes is one.
[[nodiscard]] std::string normal_message_id(std::string_view id);

}  // namespace mansio::imap
