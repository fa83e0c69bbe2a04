// The small tokens that RFC 5322 fields share. For readers of mail syntax: this folder and mailauth. Nothing here recurses: comments nest by a counter.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mansio::mime::detail {

[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
/// Blanks and the line ends of folding.
[[nodiscard]] constexpr bool is_white(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
[[nodiscard]] constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
/// -1: no hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) noexcept
{
    if (is_digit(c)) return c - '0';
    char const l = to_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
/// atext of RFC 5322 §3.2.3.
[[nodiscard]] constexpr bool is_atext(char c) noexcept
{
    return is_alpha(c) || is_digit(c) || std::string_view{"!#$%&'*+-/=?^_`{|}~"}.find(c) != std::string_view::npos;
}
/// token of RFC 2045 §5.1.
[[nodiscard]] constexpr bool is_token(char c) noexcept { return c > 32 && c < 127 && std::string_view{"()<>@,;:\\\"/[]?="}.find(c) == std::string_view::npos; }
[[nodiscard]] inline bool is_ascii(std::string_view s) noexcept
{
    unsigned any = 0;
    for (char const c : s) any |= static_cast<unsigned char>(c);
    return any < 0x80;
}
[[nodiscard]] constexpr std::string_view trim_white(std::string_view s) noexcept
{
    while (!s.empty() && is_white(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_white(s.back())) s.remove_suffix(1);
    return s;
}

/// `at` stands on '(': past the matching ')', or the end. A backslash quotes what follows, if anything does.
[[nodiscard]] inline std::size_t skip_comment(std::string_view s, std::size_t at) noexcept
{
    std::size_t depth = 0;
    while (at < s.size()) {
        char const c = s[at++];
        if (c == '\\')
            at += at < s.size() ? 1 : 0;
        else if (c == '(')
            ++depth;
        else if (c == ')' && --depth == 0)
            break;
    }
    return at;
}
/// Past blanks, folding and comments (CFWS, RFC 5322 §3.2.2).
[[nodiscard]] inline std::size_t skip_cfws(std::string_view s, std::size_t at) noexcept
{
    while (at < s.size()) {
        if (is_white(s[at]))
            ++at;
        else if (s[at] == '(')
            at = skip_comment(s, at);
        else
            break;
    }
    return at;
}
/// `at` stands on '"': appends what is quoted to `out`, without the line ends of folding; past the closing quote, or the end.
[[nodiscard]] inline std::size_t read_quoted(std::string_view s, std::size_t at, std::string& out)
{
    for (++at; at < s.size(); ++at) {
        char const c = s[at];
        if (c == '"') return at + 1;
        if (c == '\r' || c == '\n') continue;  // RFC 5322 §3.2.4: folding inside a quoted string is not part of it
        if (c == '\\' && at + 1 < s.size()) ++at;
        out += s[at];
    }
    return s.size();
}
/// What stands in a comment: outer parentheses and quoting backslashes removed, folding to nothing. `at` as in skip_comment().
[[nodiscard]] inline std::string comment_text(std::string_view s, std::size_t at, std::size_t end)
{
    std::string out;
    bool const closed = end > at + 1 && s[end - 1] == ')';
    for (++at; at + (closed ? 1 : 0) < end; ++at) {
        if (s[at] == '\r' || s[at] == '\n') continue;
        if (s[at] == '\\' && at + 1 < end) ++at;
        out += s[at];
    }
    return std::string{trim_white(out)};
}

}  // namespace mansio::mime::detail
