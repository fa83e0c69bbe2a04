#include "imap/commands/search_match.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

using kind = search_key::kind;
using truth = search_program::truth;

constexpr std::uint64_t whole_message = 1U << 20U;  // read at once; larger ones part by part
constexpr std::uint64_t longest_text = 8U << 20U;   // of one part, searched

truth as_truth(bool b) noexcept { return b ? truth::yes : truth::no; }

bool holds(position_ranges const& p, std::uint32_t position) noexcept
{
    auto const it = std::ranges::upper_bound(p.ranges, position, {}, &std::pair<std::uint32_t, std::uint32_t>::first);
    return it != p.ranges.begin() && std::prev(it)->second > position;
}

/// A header value as people read it.
std::string readable(std::string_view body) { return fold(mime::decode_encoded_words(mime::unfold(body))); }

bool field_matches(search_key const& k, std::string_view name, std::string_view body)
{
    return base::equal_ignoring_case(name, k.field) && (k.needle.empty() || readable(body).contains(k.needle));
}

}  // namespace

search_match::search_match(search_program const& p, selected_mailbox const& m, store::mailbox_view const& latest, std::int64_t now)
    : program_(p),
      mailbox_(m),
      now_(now),
      keyword_indexes_(p.keys().size())
{
    for (std::size_t i = 0; i < p.keys().size(); ++i)
        for (unsigned n = 0; p.keys()[i].what == kind::keyword && n < latest.keywords().size(); ++n)
            if (base::equal_ignoring_case(latest.keywords()[n], p.keys()[i].field)) keyword_indexes_[i] = store::first_keyword + n;
}

truth search_match::index_key(search_key const& k, std::uint32_t position, store::message_entry const& e) const
{
    auto const day = [&e] { return mime::day_number(e.internal_date); };
    switch (k.what) {
    case kind::all: return truth::yes;
    case kind::set:
    case kind::uid_set: return as_truth(holds(k.positions, position));
    case kind::flag: return as_truth(e.flags.has(k.flag) == k.wanted);
    case kind::recent: return as_truth(mailbox_.is_recent(e.uid) == k.wanted);
    case kind::new_: return as_truth(mailbox_.is_recent(e.uid) && !e.flags.has(store::system_flag::seen));
    case kind::larger: return as_truth(e.size > k.number);
    case kind::smaller: return as_truth(e.size < k.number);
    // RFC 9051 §6.4.4: "disregarding time and timezone"
    case kind::before: return as_truth(day() < k.day);
    case kind::on: return as_truth(day() == k.day);
    case kind::since: return as_truth(day() >= k.day);
    // RFC 8514 §4.3: dates without time, of UTC as SAVEDATE says it
    case kind::saved_before: return as_truth(mime::day_number({e.save_date, 0}) < k.day);
    case kind::saved_on: return as_truth(mime::day_number({e.save_date, 0}) == k.day);
    case kind::saved_since: return as_truth(mime::day_number({e.save_date, 0}) >= k.day);
    case kind::modseq: return as_truth(e.modseq >= k.number);
    case kind::email_id: return as_truth(k.number != 0 && e.email == k.number);
    case kind::older: return as_truth(now_ - e.internal_date.unix_seconds >= static_cast<std::int64_t>(k.number));
    case kind::younger: return as_truth(now_ - e.internal_date.unix_seconds <= static_cast<std::int64_t>(k.number));
    default: return truth::unknown;
    }
}

truth search_match::try_index(std::uint32_t position, store::message_entry const& entry)
{
    auto const& keys = program_.keys();
    known_.assign(keys.size(), truth::unknown);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (keys[i].what == kind::keyword) {
            bool const has = keyword_indexes_[i] && entry.flags.has(*keyword_indexes_[i]);
            known_[i] = as_truth(has == keys[i].wanted);
        } else {
            known_[i] = index_key(keys[i], position, entry);
        }
    }
    return program_.evaluate(known_);
}

truth search_match::summary_key(search_key const& k, store::email_record const& email) const
{
    if (k.what == kind::thread_id) return as_truth(k.number != 0 && email.thread() == k.number);
    auto const& s = email.summary();
    auto const prefix = email.prefix();
    switch (k.what) {
    case kind::sent_before: return as_truth(s.date && mime::day_number(*s.date) < k.day);
    case kind::sent_on: return as_truth(s.date && mime::day_number(*s.date) == k.day);
    case kind::sent_since: return as_truth(s.date && mime::day_number(*s.date) >= k.day);
    case kind::header: break;
    default: return truth::unknown;
    }
    base::limits const unbounded;
    for (auto const& f : mime::parse_header(prefix, unbounded).fields)
        if (field_matches(k, f.name, f.body)) return truth::yes;
    for (auto const& [name, body] : s.fields)
        if (field_matches(k, name, body)) return truth::yes;
    // Not among the kept ones, or not all of them were kept: the message decides.
    return cost_of(k) == search_cost::message || s.degraded ? truth::unknown : truth::no;
}

truth search_match::try_summary(store::email_record const& email)
{
    auto const& keys = program_.keys();
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (known_[i] == truth::unknown) known_[i] = summary_key(keys[i], email);
    return program_.evaluate(known_);
}

void search_match::look_in(std::string_view folded, bool in_body)
{
    auto const& keys = program_.keys();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (known_[i] != truth::unknown) continue;
        if ((keys[i].what == kind::text || (in_body && keys[i].what == kind::body)) && folded.contains(keys[i].needle)) known_[i] = truth::yes;
    }
}

bool search_match::open_keys() const
{
    for (std::size_t i = 0; i < known_.size(); ++i)
        if (known_[i] == truth::unknown) return true;
    return false;
}

namespace {

/// Octets of one message: read once when it is small, piece by piece when not.
class message_octets {
public:
    message_octets(session& s, store::email_record_ptr email) : session_(s), email_(std::move(email)) {}
    task<result<std::string>> get(std::uint64_t from, std::uint64_t to)
    {
        if (to <= from) co_return std::string{};
        if (email_->size() > whole_message) co_return co_await session_.account().read(email_, from, to - from);
        if (!whole_) {
            auto all = co_await session_.account().read(email_, 0, email_->size());
            if (!all) co_return fail(all);
            whole_ = std::move(*all);
        }
        if (from >= whole_->size()) co_return std::string{};
        co_return whole_->substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
    }

private:
    session& session_;
    store::email_record_ptr email_;
    std::optional<std::string> whole_;
};

/// The text of a part in UTF-8; its charset stands in its own header.
std::string part_text(mime::part const& p, std::string_view header, std::string_view body, base::limits const& l)
{
    std::string charset = "us-ascii";
    auto const block = mime::parse_header(header, l);
    if (auto const* const type = mime::find_field(block, "content-type")) {
        auto const value = mime::parse_parameterized(type->body, l);
        if (auto const named = value.get("charset")) charset = *named;
    }
    return mime::decode_body(body, p.encoding, charset);
}

}  // namespace

task<result<truth>> search_match::try_message(session& s, store::email_record_ptr email)
{
    auto const& summary = email->summary();
    auto const prefix = email->prefix().size();
    message_octets octets{s, email};
    auto const header = co_await octets.get(0, std::min<std::uint64_t>(prefix + summary.header_size, prefix + longest_text));
    if (!header) co_return fail(header);
    for (std::size_t i = 0; i < known_.size(); ++i) {
        auto const& k = program_.keys()[i];
        if (known_[i] != truth::unknown || k.what != kind::header) continue;
        known_[i] = truth::no;
        for (auto const& f : mime::parse_header(*header, s.limits()).fields)
            if (field_matches(k, f.name, f.body)) known_[i] = truth::yes;
    }
    look_in(readable(*header), false);
    for (std::size_t i = 0; i < summary.parts.size() && open_keys() && program_.evaluate(known_) == truth::unknown; ++i) {
        auto const& p = summary.parts[i];
        auto const own_header = co_await octets.get(prefix + p.header_offset, prefix + std::min(p.body_offset, p.header_offset + longest_text));
        if (!own_header) co_return fail(own_header);
        if (i != 0) look_in(readable(*own_header), true);  // a part's own header belongs to the body of the whole
        if (p.what != mime::part::kind::leaf || (!p.type.empty() && p.type != "text")) continue;
        auto const body = co_await octets.get(prefix + p.body_offset, prefix + std::min(p.end_offset, p.body_offset + longest_text));
        if (!body) co_return fail(body);
        look_in(fold(part_text(p, *own_header, *body, s.limits())), true);
    }
    std::ranges::replace(known_, truth::unknown, truth::no);
    co_return program_.evaluate(known_);
}

}  // namespace mansio::imap::commands
