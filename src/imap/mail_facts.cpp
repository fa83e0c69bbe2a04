#include "imap/mail_facts.hpp"

#include <algorithm>
#include <iterator>

#include "imap/session.hpp"
#include "imap/wire/scanner.hpp"
#include "mime/unicode.hpp"

namespace mansio::imap {
namespace {

constexpr std::size_t slice = 128;
constexpr std::size_t slice_of_index = 8192;

struct envelope_address {
    std::string name, mailbox, host;
};

// env-from = "(" 1*address ")" / nil; address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
/// Reads one address list and steps over it. Nested only as deep as the grammar.
std::optional<envelope_address> first_address(wire::scanner& in)
{
    if (!in.take('(')) {
        static_cast<void>(in.nstring());
        return std::nullopt;
    }
    std::optional<envelope_address> first;
    while (in.take('(')) {
        std::string field[4];
        for (auto& f : field) {
            static_cast<void>(in.take(' '));
            if (auto text = in.nstring(); text && *text) f = std::move(**text);
        }
        static_cast<void>(in.take(')'));
        static_cast<void>(in.take(' '));
        if (!first) first = envelope_address{std::move(field[0]), std::move(field[2]), std::move(field[3])};
    }
    static_cast<void>(in.take(')'));
    return first;
}

struct envelope_addresses {
    std::optional<envelope_address> from, to, cc;
};

// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP …
envelope_addresses read_addresses(std::string_view envelope_text)
{
    wire::scanner in{envelope_text};
    envelope_addresses out;
    static_cast<void>(in.take('('));
    static_cast<void>(in.nstring());
    static_cast<void>(in.take(' '));
    static_cast<void>(in.nstring());
    std::optional<envelope_address> lists[5];
    for (auto& list : lists) {
        static_cast<void>(in.take(' '));
        list = first_address(in);
    }
    out.from = std::move(lists[0]);
    out.to = std::move(lists[3]);
    out.cc = std::move(lists[4]);
    return out;
}

std::string mailbox_key(std::optional<envelope_address> const& a) { return a ? mime::casemap(a->mailbox) : std::string{}; }

// RFC 5957 §3
std::string display_key(std::optional<envelope_address> const& a)
{
    if (!a) return {};
    auto name = mime::decode_encoded_words(a->name);
    if (!name.empty()) return mime::casemap(name);
    if (!a->mailbox.empty() && !a->host.empty()) return mime::casemap(a->mailbox + '@' + a->host);
    return mime::casemap(a->mailbox);
}

}  // namespace

std::string normal_message_id(std::string_view id)
{
    if (!id.contains('"')) return std::string{id};
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < id.size(); ++i) {
        if (id[i] == '"')
            quoted = !quoted;
        else if (quoted && id[i] == '\\' && i + 1 < id.size())
            out += id[++i];
        else
            out += id[i];
    }
    return out;
}

std::uint64_t facts_table::chunk::id_of(std::string_view message_id) const
{
    return std::max<std::uint64_t>(1, base::short_hash(ids_, normal_message_id(message_id)));
}

void facts_table::chunk::add(store::message_entry const& entry, store::email_record const* email)
{
    mail_facts f;
    f.uid = entry.uid;
    f.sent = entry.internal_date.unix_seconds;
    auto const begin = text_.size();
    if (email != nullptr) {
        auto const& s = email->summary();
        if (s.date) f.sent = s.date->unix_seconds;
        f.reply = mime::is_reply_or_forward(s.subject);
        if (s.message_id.starts_with('<')) f.id = id_of(s.message_id);
        auto const known = references_.size();
        for (auto const& r : s.references) references_.push_back(id_of(r));
        // "If a message does not contain a References header line … use the first (if any) valid Message ID found in the In-Reply-To header line"
        if (s.references.empty() && s.in_reply_to.starts_with('<')) references_.push_back(id_of(s.in_reply_to));
        f.reference_count = static_cast<std::uint32_t>(references_.size() - known);
        auto const addresses = read_addresses(email->envelope_text());
        std::string const keys[] = {mime::casemap(s.base_subject), mailbox_key(addresses.from), mailbox_key(addresses.to),
                                    mailbox_key(addresses.cc),     display_key(addresses.from), display_key(addresses.to)};
        static_assert(std::size(keys) == mail_facts::texts);
        for (std::size_t i = 0; i < std::size(keys); ++i) {
            text_ += keys[i];
            f.ends[i] = static_cast<std::uint32_t>(text_.size() - begin);
        }
    }
    facts_.push_back(f);
}

void facts_table::chunk::finish()
{
    text_.shrink_to_fit();
    references_.shrink_to_fit();
    facts_.shrink_to_fit();
    std::size_t text = 0, reference = 0;
    for (auto& f : facts_) {
        f.octets = text_.data() + text;
        f.first_reference = references_.data() + reference;
        text += f.ends[mail_facts::texts - 1];
        reference += f.reference_count;
    }
}

std::uint64_t facts_table::chunk::octets() const noexcept
{
    return sizeof *this + text_.capacity() + references_.capacity() * sizeof(std::uint64_t) + facts_.capacity() * sizeof(mail_facts);
}

mail_facts const* facts_table::find(store::uid u) const noexcept
{
    auto const it = std::ranges::lower_bound(index_, u, {}, &mail_facts::uid);
    return it != index_.end() && (*it)->uid == u ? *it : nullptr;
}

facts_table::ptr facts_table::with(std::shared_ptr<chunk const> more) const
{
    auto out = std::make_shared<facts_table>(ids_);
    std::vector<mail_facts const*> added;
    for (auto const& f : more->facts()) added.push_back(&f);
    out->index_.reserve(index_.size() + added.size());
    std::ranges::merge(index_, added, std::back_inserter(out->index_), {}, &mail_facts::uid, &mail_facts::uid);
    out->chunks_ = chunks_;
    out->octets_ = octets_ + more->octets() + added.size() * sizeof(mail_facts const*) + sizeof more;
    out->chunks_.push_back(std::move(more));
    return out;
}

namespace {

/// What is known already; a table that holds more of what is gone than of what is there begins anew.
task<result<facts_table::ptr>> known_facts(session& s, store::account_ref account, store::mailbox_view_ptr view)
{
    auto const kept = co_await account.kept(view->mailbox());
    if (!kept) co_return fail(kept);
    auto table = std::dynamic_pointer_cast<facts_table const>(*kept);
    if (table && table->size() <= 2 * std::size_t{view->size()} + slice_of_index) co_return table;
    base::short_hash_key ids{};
    s.srv().random.fill(std::as_writable_bytes(std::span{ids}));
    co_return std::make_shared<facts_table const>(ids);
}

}  // namespace

task<result<facts_table::ptr>> load_facts(session& s, store::account_ref account, store::mailbox_view_ptr view, std::vector<std::uint32_t> const& positions)
{
    auto known = co_await known_facts(s, account, view);
    if (!known) co_return fail(known);
    auto table = std::move(*known);
    std::vector<std::uint32_t> missing;
    for (auto const p : positions)
        if (table->find(view->uid_at(p)) == nullptr) missing.push_back(p);
    if (missing.empty()) co_return table;
    auto made = std::make_shared<facts_table::chunk>(table->ids());
    for (std::size_t i = 0; i < missing.size(); i += slice) {
        auto const n = std::min(slice, missing.size() - i);
        std::vector<store::message_entry> entries;
        std::vector<store::email_id> ids;
        for (auto j = i; j < i + n; ++j) {
            entries.push_back(view->at(missing[j]));
            ids.push_back(entries.back().email);
        }
        auto const emails = co_await account.emails(view->mailbox(), std::move(ids));
        if (!emails) co_return fail(emails);
        for (std::size_t j = 0; j < n; ++j) made->add(entries[j], (*emails)[j].get());
        if (table->octets() + made->octets() > s.limits().imap_sort_octets) {
            s.counts().searches_refused.add();
            co_return fail(fault::kind::over_limit, "[LIMIT] too many messages to be sorted at once");
        }
        co_await base::yield_now{};
        if (!s.wanted()) co_return fail(fault::kind::closed, "connection closed");
    }
    made->finish();
    table = table->with(std::move(made));
    auto const kept = co_await account.keep(view->mailbox(), table);
    if (!kept) co_return fail(kept);
    co_return table;
}

}  // namespace mansio::imap
