#include "store/email_record.hpp"

#include "base/bytes.hpp"

namespace mansio::store {

std::string encode_email(email_facts const& facts, std::string_view prefix, mime::summary const& s)
{
    // The wire texts stand apart, so that a FETCH of them decodes nothing; the rest of the summary follows without them.
    mime::summary rest = s;
    rest.envelope_text.clear();
    rest.body_text.clear();
    rest.bodystructure_text.clear();
    base::row_writer w;
    w.u8(1).varint(facts.email).varint(facts.thread).raw(facts.blob.view()).u8(facts.key_algorithm).octets(facts.wrapped_key);
    w.varint(facts.first).varint(facts.size).octets(prefix);
    w.octets(s.envelope_text).octets(s.body_text).octets(s.bodystructure_text).octets(mime::encode(rest));
    return w.take();
}

std::string encode_paged_email(email_id e, std::vector<page_id> const& pages)
{
    base::row_writer w;
    w.u8(2).varint(e).varint(pages.size());
    for (auto const& p : pages) w.raw(p.view());
    return w.take_sealed();
}

result<std::optional<std::vector<page_id>>> decode_email_pages(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body || body->empty()) return rows::damaged("E");
    if (body->front() != 2) return std::nullopt;
    base::row_reader r{body->substr(1)};
    std::vector<page_id> pages;
    static_cast<void>(r.varint());
    auto const n = r.varint();
    for (std::uint64_t i = 0; i < n && r.ok(); ++i) {
        auto const id = page_id::from_octets(r.raw(16));
        if (id) pages.push_back(*id);
    }
    if (!r.ok() || !r.at_end()) return rows::damaged("E");
    return pages;
}

result<std::shared_ptr<stored_email const>> stored_email::open(account_number account, std::string body)
{
    auto email = std::make_shared<stored_email>();
    email->account_ = account;
    email->body_ = std::move(body);
    base::row_reader r{email->body_};
    auto& f = email->facts_;
    if (r.u8() != 1) r.spoil();
    f.email = r.varint();
    f.thread = r.varint();
    if (auto const blob = blob_id::from_octets(r.raw(16))) f.blob = *blob;
    f.key_algorithm = r.u8();
    f.wrapped_key = r.octets();
    f.first = static_cast<mailbox_id>(r.varint());
    f.size = r.varint();
    email->prefix_ = r.octets();
    email->envelope_ = r.octets();
    email->body_text_ = r.octets();
    email->bodystructure_ = r.octets();
    email->rest_ = r.octets();
    if (!r.ok() || !r.at_end() || f.size < email->prefix_.size()) return rows::damaged("E");
    if (f.key_algorithm != 0) return rows::damaged("E: a key algorithm this release does not know");
    return email;
}

mime::summary const& stored_email::summary() const
{
    std::call_once(decoded_, [this] {
        auto decoded = mime::decode_summary(rest_);
        auto s = std::make_unique<mime::summary>();
        if (decoded) {
            *s = std::move(*decoded);
        } else {
            // The checksum was right, so another release wrote it: what stands in the row itself still serves.
            s->degraded = true;
            s->size = facts_.size - prefix_.size();
        }
        s->envelope_text = envelope_;
        s->body_text = body_text_;
        s->bodystructure_text = bodystructure_;
        summary_ = std::move(s);
    });
    return *summary_;
}

std::optional<decoded_part> stored_email::decoded(std::uint32_t index) const
{
    std::scoped_lock const lock{decoded_mutex_};
    auto const it = decoded_parts_.find(index);
    return it == decoded_parts_.end() ? std::nullopt : std::optional{it->second};
}

void stored_email::remember_decoded(std::uint32_t index, decoded_part what) const
{
    std::scoped_lock const lock{decoded_mutex_};
    decoded_parts_.insert_or_assign(index, what);
}

}  // namespace mansio::store
