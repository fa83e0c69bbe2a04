#include "imap/commands/search_match.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/session.hpp"
#include "mime/unicode.hpp"

namespace mansio::imap::commands {
namespace {

using kind = search_key::kind;
using truth = search_program::truth;

constexpr std::uint64_t longest_text = 8U << 20U;  // of one part, searched

truth as_truth(bool b) noexcept { return b ? truth::yes : truth::no; }

/// A header value as people read it.
std::string readable(std::string_view body) { return mime::decode_encoded_words(mime::unfold(body)); }

bool open_keys(search_match::known const& k) noexcept { return std::ranges::find(k, truth::unknown) != k.end(); }

bool is_text(mime::part const& p) noexcept { return p.what == mime::part::kind::leaf && (p.type.empty() || p.type == "text"); }

bool has_encoding(mime::part const& p) noexcept { return p.encoding == "base64" || p.encoding == "quoted-printable"; }

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

search_match::search_match(search_program const& p, wire::number_ranges const& recent, store::mailbox_view const& latest, std::int64_t now)
    : program_(p),
      recent_(recent),
      now_(now),
      keyword_indexes_(p.keys().size())
{
    for (std::size_t i = 0; i < p.keys().size(); ++i) {
        needles_.emplace_back(p.keys()[i].needle);
        for (unsigned n = 0; p.keys()[i].what == kind::keyword && n < latest.keywords().size(); ++n)
            if (base::equal_ignoring_case(latest.keywords()[n], p.keys()[i].field)) keyword_indexes_[i] = store::first_keyword + n;
    }
}

truth search_match::index_key(search_key const& k, store::message_entry const& e) const
{
    auto const day = [&e] { return mime::day_number(e.internal_date); };
    switch (k.what) {
    case kind::all: return truth::yes;
    case kind::set:
    case kind::uid_set: return as_truth(wire::contains(k.uids, e.uid));
    case kind::flag: return as_truth(e.flags.has(k.flag) == k.wanted);
    case kind::recent: return as_truth(wire::contains(recent_, e.uid) == k.wanted);
    case kind::new_: return as_truth(wire::contains(recent_, e.uid) && !e.flags.has(store::system_flag::seen));
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

truth search_match::try_index(known& k, store::message_entry const& entry) const
{
    auto const& keys = program_.keys();
    k.assign(keys.size(), truth::unknown);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (keys[i].what == kind::keyword) {
            bool const has = keyword_indexes_[i] && entry.flags.has(*keyword_indexes_[i]);
            k[i] = as_truth(has == keys[i].wanted);
        } else {
            k[i] = index_key(keys[i], entry);
        }
    }
    return program_.evaluate(k);
}

bool search_match::field_matches(std::size_t i, std::string_view name, std::string_view body) const
{
    auto const& key = program_.keys()[i];
    return base::equal_ignoring_case(name, key.field) && (key.needle.empty() || needles_[i].found_in(readable(body)));
}

truth search_match::summary_key(std::size_t i, store::email_record const& email) const
{
    auto const& k = program_.keys()[i];
    if (k.what == kind::thread_id) return as_truth(k.number != 0 && email.thread() == k.number);
    if (cost_of(k) == search_cost::message && k.what != kind::header) return truth::unknown;
    auto const& s = email.summary();
    switch (k.what) {
    case kind::sent_before: return as_truth(s.date && mime::day_number(*s.date) < k.day);
    case kind::sent_on: return as_truth(s.date && mime::day_number(*s.date) == k.day);
    case kind::sent_since: return as_truth(s.date && mime::day_number(*s.date) >= k.day);
    case kind::header: break;
    default: return truth::unknown;
    }
    base::limits const unbounded;
    for (auto const& f : mime::parse_header(email.prefix(), unbounded).fields)
        if (field_matches(i, f.name, f.body)) return truth::yes;
    for (auto const& [name, body] : s.fields)
        if (field_matches(i, name, body)) return truth::yes;
    // Not among the kept ones, or not all of them were kept: the message decides.
    return cost_of(k) == search_cost::message || s.degraded ? truth::unknown : truth::no;
}

truth search_match::try_summary(known& k, store::email_record const& email) const
{
    for (std::size_t i = 0; i < k.size(); ++i)
        if (k[i] == truth::unknown) k[i] = summary_key(i, email);
    return program_.evaluate(k);
}

void search_match::look_in(known& k, std::string_view text, bool in_body) const
{
    auto const& keys = program_.keys();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (k[i] != truth::unknown) continue;
        if ((keys[i].what == kind::text || (in_body && keys[i].what == kind::body)) && needles_[i].found_in(text)) k[i] = truth::yes;
    }
}

/// The message's own header: fields that are not kept, and TEXT.
void search_match::look_in_header(known& k, std::string_view header, base::limits const& l) const
{
    for (std::size_t i = 0; i < k.size(); ++i) {
        if (k[i] != truth::unknown || program_.keys()[i].what != kind::header) continue;
        k[i] = truth::no;
        for (auto const& f : mime::parse_header(header, l).fields)
            if (field_matches(i, f.name, f.body)) k[i] = truth::yes;
    }
    look_in(k, readable(header), false);
}

/// A part's own header belongs to the body of the whole; the root's does not.
void search_match::look_in_part(known& k, mime::part const& p, std::string_view header, std::string_view body, base::limits const& l) const
{
    if (!is_text(p)) return;
    if (!has_encoding(p) && is_plain_ascii(body))
        look_in(k, body, true);
    else
        look_in(k, part_text(p, header, body, l), true);
}

truth search_match::try_octets(known& k, store::email_record const& email, std::string_view octets, base::limits const& l) const
{
    auto const& keys = program_.keys();
    // Most messages hold no word of a search, and most show it in their octets.
    if (hides_nothing(octets)) {
        for (std::size_t i = 0; i < keys.size(); ++i)
            if (k[i] == truth::unknown && keys[i].what != kind::header && !needles_[i].may_be_in(octets)) k[i] = truth::no;
        if (auto const t = program_.evaluate(k); t != truth::unknown) return t;
    }
    auto const& summary = email.summary();
    auto const prefix = email.prefix().size();
    auto const piece = [octets](std::uint64_t from, std::uint64_t to) {
        auto const begin = std::min<std::uint64_t>(from, octets.size());
        return octets.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(std::max(to, from) - from));
    };
    look_in_header(k, piece(0, prefix + summary.header_size), l);
    for (std::size_t i = 0; i < summary.parts.size() && open_keys(k) && program_.evaluate(k) == truth::unknown; ++i) {
        auto const& p = summary.parts[i];
        auto const header = piece(prefix + p.header_offset, prefix + p.body_offset);
        if (i != 0) look_in(k, readable(header), true);
        look_in_part(k, p, header, piece(prefix + p.body_offset, prefix + p.end_offset), l);
    }
    std::ranges::replace(k, truth::unknown, truth::no);
    return program_.evaluate(k);
}

task<result<truth>> search_match::read_and_match(known& k, store::account_ref const& account, store::email_record_ptr email, base::limits const& l) const
{
    auto const& summary = email->summary();
    auto const prefix = email->prefix().size();
    auto const header = co_await account.read(email, 0, std::min<std::uint64_t>(prefix + summary.header_size, prefix + longest_text));
    if (!header) co_return fail(header);
    look_in_header(k, *header, l);
    for (std::size_t i = 0; i < summary.parts.size() && open_keys(k) && program_.evaluate(k) == truth::unknown; ++i) {
        auto const& p = summary.parts[i];
        auto const header_length = std::min(p.body_offset - p.header_offset, longest_text);
        auto const own_header = co_await account.read(email, prefix + p.header_offset, header_length);
        if (!own_header) co_return fail(own_header);
        if (i != 0) look_in(k, readable(*own_header), true);
        if (!is_text(p)) continue;
        auto const body = co_await account.read(email, prefix + p.body_offset, std::min(p.end_offset - p.body_offset, longest_text));
        if (!body) co_return fail(body);
        look_in_part(k, p, *own_header, *body, l);
        co_await base::yield_now{};
    }
    std::ranges::replace(k, truth::unknown, truth::no);
    co_return program_.evaluate(k);
}

}  // namespace mansio::imap::commands
