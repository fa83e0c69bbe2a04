// Header fields: where they stand in the message.
#include "mime/header.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {
/// Octets of the line at `at`, its line end included. A lone LF ends a line as CRLF does; a lone CR does not.
std::size_t line_length(std::string_view text, std::size_t at) noexcept
{
    auto const* const lf = static_cast<char const*>(std::memchr(text.data() + at, '\n', text.size() - at));
    return lf == nullptr ? text.size() - at : static_cast<std::size_t>(lf - text.data()) + 1 - at;
}

std::string_view without_line_end(std::string_view line) noexcept
{
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
    }
    return line;
}

/// field-name = 1*ftext, %d33-57 / %d59-126 (RFC 5322 §3.6.8); blanks before the colon are obsolete syntax (§4.5.8).
/// Zero: the line begins no field.
std::size_t name_length(std::string_view line) noexcept
{
    std::size_t n = 0;
    while (n < line.size() && line[n] > 32 && line[n] < 127 && line[n] != ':') ++n;
    return n;
}
}  // namespace

header_block parse_header(std::string_view text, base::limits const& limits)
{
    header_block out;
    out.fields.reserve(32);
    bool open = false;   // the last recorded field may go on in the next line
    bool full = false;   // a limit was reached: only the end of the header is looked for
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t const length = line_length(text, at);
        auto const raw = text.substr(at, length);
        auto const line = without_line_end(raw);
        std::size_t const begin = at;
        at += length;
        // RFC 5322 §2.1: only an empty line ends the header. A line that is no field (mbox's "From ", a missing colon) is skipped and keeps its octets.
        if (line.empty() && raw.ends_with('\n')) {
            out.has_empty_line = true;
            break;
        }
        if (full) continue;
        if (detail::is_blank(raw.front())) {  // RFC 5322 §2.2.3: a folded line
            if (open) out.fields.back().length += length;
            continue;
        }
        open = false;
        std::size_t const name = name_length(line);
        std::size_t colon = name;
        while (colon < line.size() && detail::is_blank(line[colon])) ++colon;
        if (name == 0 || colon == line.size() || line[colon] != ':') continue;
        if (out.fields.size() >= limits.header_fields || begin >= limits.header_size) {
            full = out.over_limit = true;
            continue;
        }
        out.fields.push_back({line.substr(0, name), raw.substr(colon + 1), begin, length});
        open = true;
    }
    out.body_offset = at;
    for (auto& f : out.fields) {
        auto const whole = text.substr(f.offset, f.length);
        auto const colon = static_cast<std::size_t>(f.body.data() - whole.data());
        f.body = without_line_end(whole).substr(std::min(colon, without_line_end(whole).size()));
        if (f.length > limits.header_field_size || f.offset + f.length > limits.header_size) {
            out.over_limit = true;
            f.body = f.body.substr(0, limits.header_field_size);
        }
    }
    return out;
}

field_view const* find_field(header_block const& h, std::string_view name) noexcept
{
    for (auto const& f : h.fields)
        if (base::equal_ignoring_case(f.name, name)) return &f;
    return nullptr;
}

std::string unfold(std::string_view body)
{
    std::string out;
    out.reserve(body.size());
    while (!body.empty()) {
        auto const lf = body.find('\n');
        if (lf == std::string_view::npos) {
            out += body;
            break;
        }
        auto const line = body.substr(0, lf);
        out += line.ends_with('\r') ? line.substr(0, lf - 1) : line;
        body.remove_prefix(lf + 1);
    }
    return out;
}

}  // namespace mansio::mime
