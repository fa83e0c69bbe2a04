#include "imap/wire/writer.hpp"

#include <algorithm>
#include <charconv>

namespace mansio::imap::wire {

void append_number(std::string& out, std::uint64_t n)
{
    char digits[20];
    auto const end = std::to_chars(std::begin(digits), std::end(digits), n).ptr;
    out.append(digits, end);
}

void append_literal_head(std::string& out, std::uint64_t octets, bool binary)
{
    out += binary ? "~{" : "{";
    append_number(out, octets);
    out += "}\r\n";
}

void append_string(std::string& out, std::string_view s, bool utf8)
{
    auto const needs_literal = [utf8](char c) { return c == '\r' || c == '\n' || c == '\0' || (!utf8 && static_cast<unsigned char>(c) >= 0x80); };
    // Long strings as literals: some clients bound the length of a quoted one.
    if (s.size() > 1000 || std::ranges::any_of(s, needs_literal)) {
        append_literal_head(out, s.size());
        out += s;
        return;
    }
    out += '"';
    for (char const c : s) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

void append_astring(std::string& out, std::string_view s, bool utf8)
{
    // NIL unquoted would be read as none.
    auto const nil = s.size() == 3 && (s[0] | 0x20) == 'n' && (s[1] | 0x20) == 'i' && (s[2] | 0x20) == 'l';
    if (!s.empty() && !nil && std::ranges::all_of(s, is_astring_char))
        out += s;
    else
        append_string(out, s, utf8);
}

void append_list(std::string& out, std::vector<std::string> const& atoms)
{
    out += '(';
    for (auto const& a : atoms) {
        if (out.back() != '(') out += ' ';
        out += a;
    }
    out += ')';
}

}  // namespace mansio::imap::wire
