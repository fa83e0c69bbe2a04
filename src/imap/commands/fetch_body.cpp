#include "imap/commands/fetch_body.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::uint64_t piece = piece_of_message;
constexpr std::size_t copied_most = 4096;  // octets that go into the line; more go out as they are

bool wants(fetch_section const& s, std::string_view name)
{
    auto const listed = std::ranges::any_of(s.fields, [&](auto const& f) { return base::equal_ignoring_case(f, name); });
    return listed == (s.choice == fetch_section::filter::fields);
}

/// The fields clients always ask for, from the stored row: no blob is opened.
std::string from_summary(fetch_section const& s, store::email_record const& email)
{
    std::string out;
    base::limits const unbounded;  // the prefix is ours
    auto const prefix = email.prefix();
    for (auto const& f : mime::parse_header(prefix, unbounded).fields)
        if (wants(s, f.name)) out += prefix.substr(f.offset, f.length);
    for (auto const& [name, body] : email.summary().fields) {
        if (!wants(s, name)) continue;
        out += name;
        out += ':';
        out += body;
        out += "\r\n";
    }
    return out += "\r\n";
}

std::string cut_text(std::string text, fetch_section const& s)
{
    if (!s.partial) return text;
    auto const range = cut({0, text.size()}, s);
    return text.substr(static_cast<std::size_t>(range.offset), static_cast<std::size_t>(range.length));
}

void append_inline(std::string& line, fetch_section const& section, std::string_view text)
{
    line += section.label;
    line += ' ';
    wire::append_literal_head(line, text.size());
    line += text;
}

}  // namespace

mime::byte_range cut(mime::byte_range whole, fetch_section const& s) noexcept
{
    if (!s.partial) return whole;
    auto const skipped = std::min(s.partial->first, whole.length);
    return {whole.offset + skipped, std::min(s.partial->second, whole.length - skipped)};
}

section_place place_of(fetch_section const& s, store::email_record const& email)
{
    if (s.path.empty() && s.what == mime::section_kind::body) return {{}, mime::byte_range{0, email.size()}};
    auto const& summary = email.summary();
    auto const prefix = email.prefix().size();
    if (s.path.empty()) {  // the whole message's header begins with what we put before it
        auto const header = prefix + summary.header_size;
        if (s.what == mime::section_kind::text) return {{}, mime::byte_range{header, email.size() - std::min(header, email.size())}};
        if (!summary.degraded && s.in_summary()) return {from_summary(s, email), {}};
        return {{}, mime::byte_range{0, header}};
    }
    auto place = mime::locate(summary, s.path, s.what);
    if (place) place->offset += prefix;
    return {{}, place};
}

std::string filter_header(std::string_view header, fetch_section const& s, base::limits const& l)
{
    std::string out;
    for (auto const& f : mime::parse_header(header, l).fields)
        if (wants(s, f.name)) out += header.substr(f.offset, f.length);
    return out += "\r\n";
}

namespace {

/// `line` goes out first, then the octets as they are read. Once the literal is announced nothing but its octets may follow: a failure cuts the connection.
task<result<void>> stream_section(session& s, std::string& line, std::string first, mime::byte_range range, store::email_record_ptr email)
{
    auto sent = co_await s.send(line);
    if (!sent) co_return fail(sent);
    line.clear();
    sent = co_await s.send(first);
    if (!sent) co_return fail(sent);
    for (std::uint64_t done = first.size(); done < range.length;) {
        auto const octets = co_await s.selected()->account.read(email, range.offset + done, std::min(piece, range.length - done));
        if (!octets || octets->empty()) {
            s.srv().log.error("imap_fetch_cut",
                              {{"session", s.id()}, {"fault", octets ? fault{fault::kind::broken, "", "the message ends early"} : octets.error()}});
            s.abort();
            co_return fail(fault::kind::closed, "connection closed");
        }
        sent = co_await s.send(*octets);
        if (!sent) co_return fail(sent);
        done += octets->size();
    }
    co_return result<void>{};
}

}  // namespace

task<result<void>> append_section(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email)
{
    if (section.how != fetch_section::form::as_stored) co_return co_await append_binary(s, line, section, std::move(email));
    auto place = place_of(section, *email);
    if (place.ready) {
        append_inline(line, section, cut_text(std::move(*place.ready), section));
        co_return result<void>{};
    }
    if (!place.range) {
        line += section.label + " NIL";
        co_return result<void>{};
    }
    if (section.choice != fetch_section::filter::none) {
        if (place.range->length > longest_filtered_header) co_return fail(fault::kind::over_limit, "[LIMIT] the header is too long to be filtered");
        auto const header = co_await s.selected()->account.read(email, place.range->offset, place.range->length);
        if (!header) co_return fail(header);
        append_inline(line, section, cut_text(filter_header(*header, section, s.limits()), section));
        co_return result<void>{};
    }
    auto const range = cut(*place.range, section);
    co_return co_await append_octets(s, line, section.label, range, false, std::move(email));
}

task<result<void>> append_octets(session& s, std::string& line, std::string_view label, mime::byte_range range, bool binary, store::email_record_ptr email)
{
    std::string first;
    if (range.length != 0) {
        auto octets = co_await s.selected()->account.read(email, range.offset, std::min(piece, range.length));
        if (!octets) co_return fail(octets);
        if (octets->size() != std::min(piece, range.length)) co_return fail(fault::kind::broken, "internal error", "corruption: the message ends early");
        first = std::move(*octets);
    }
    line += label;
    line += ' ';
    wire::append_literal_head(line, range.length, binary);
    if (first.size() == range.length && first.size() <= copied_most) {
        line += first;
        co_return result<void>{};
    }
    co_return co_await stream_section(s, line, std::move(first), range, std::move(email));
}

}  // namespace mansio::imap::commands
