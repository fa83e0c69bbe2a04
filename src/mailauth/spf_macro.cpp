#include "mailauth/spf_macro.hpp"

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::size_t longest_expansion = 64U * 1024U;
constexpr std::size_t longest_name = 253;

using mime::detail::is_alpha;
using mime::detail::is_digit;
constexpr bool is_alphanum(char c) noexcept { return is_alpha(c) || is_digit(c); }

/// One macro-expand or one macro-literal (RFC 7208 §7.1).
struct piece {
    char letter = 0;  ///< of "%{…}", in lower case; 0: `literal`
    std::string_view literal;
    bool escaped = false;  ///< an upper case letter
    bool reversed = false;
    std::size_t parts = 0;  ///< 0: all
    std::string_view delimiters = ".";
};

std::optional<piece> take_braced(std::string_view& rest, spf_text kind)
{
    piece p;
    auto const end = rest.find('}');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    auto inside = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    p.escaped = inside[0] >= 'A' && inside[0] <= 'Z';
    p.letter = static_cast<char>(p.escaped ? inside[0] + ('a' - 'A') : inside[0]);
    auto const letters = kind == spf_text::explanation ? std::string_view{"slodiphvcrt"} : std::string_view{"slodiphv"};
    if (letters.find(p.letter) == std::string_view::npos) return std::nullopt;
    inside.remove_prefix(1);
    bool const counted = !inside.empty() && is_digit(inside[0]);
    while (!inside.empty() && is_digit(inside[0])) {
        p.parts = std::min<std::size_t>(p.parts * 10 + static_cast<std::size_t>(inside[0] - '0'), 1000);  // more than a name can have
        inside.remove_prefix(1);
    }
    if (counted && p.parts == 0) return std::nullopt;
    if (!inside.empty() && (inside[0] == 'r' || inside[0] == 'R')) {
        p.reversed = true;
        inside.remove_prefix(1);
    }
    if (inside.find_first_not_of(".-+,/_=") != std::string_view::npos) return std::nullopt;
    if (!inside.empty()) p.delimiters = inside;
    return p;
}

/// Takes the next piece off `rest`, which is not empty.
std::optional<piece> take_piece(std::string_view& rest, spf_text kind)
{
    piece p;
    char const c = rest[0];
    if (c != '%') {
        bool const allowed = (c > ' ' && c < 0x7f) || (c == ' ' && kind == spf_text::explanation);
        if (!allowed) return std::nullopt;
        p.literal = rest.substr(0, 1);
        rest.remove_prefix(1);
        return p;
    }
    if (rest.size() < 2) return std::nullopt;
    char const which = rest[1];
    rest.remove_prefix(2);
    switch (which) {
    case '{': return take_braced(rest, kind);
    case '%': p.literal = "%"; return p;
    case '_': p.literal = " "; return p;
    case '-': p.literal = "%20"; return p;
    default: return std::nullopt;
    }
}

std::string dotted(net::ip_address const& a)
{
    if (a.is_v4()) return a.text();
    std::string out;
    for (char const nibble : base::to_upper_ascii(base::to_hex({reinterpret_cast<char const*>(a.octets().data()), a.octets().size()}))) {
        if (!out.empty()) out += '.';
        out += nibble;
    }
    return out;
}

std::string value_of(char letter, spf_macro_values const& v)
{
    switch (letter) {
    case 's': return v.local + "@" + v.sender_domain;
    case 'l': return v.local;
    case 'o': return v.sender_domain;
    case 'd': return v.domain;
    case 'i': return dotted(v.client);
    case 'p': return v.validated;
    case 'h': return v.helo;
    case 'v': return v.client.is_v4() ? "in-addr" : "ip6";
    case 'c': return v.client.text();
    case 'r': return v.receiver;
    default: return std::to_string(v.now);
    }
}

/// Split, reversed, the rightmost parts, joined with dots (RFC 7208 §7.3).
std::string transformed(std::string const& value, piece const& p)
{
    std::vector<std::string_view> parts;
    std::string_view rest = value;
    while (true) {
        auto const end = rest.find_first_of(p.delimiters);
        parts.push_back(rest.substr(0, end));
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    if (p.reversed) std::ranges::reverse(parts);
    auto const first = p.parts == 0 || p.parts >= parts.size() ? 0 : parts.size() - p.parts;
    std::string out;
    for (auto i = first; i < parts.size(); ++i) {
        if (i != first) out += '.';
        out += parts[i];
    }
    return out;
}

/// RFC 3986 §2.3: all but the unreserved characters.
std::string url_escaped(std::string_view s)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (char const c : s) {
        if (is_alphanum(c) || std::string_view{"-._~"}.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        auto const octet = static_cast<unsigned char>(c);
        out += '%';
        out += hex[octet >> 4U];
        out += hex[octet & 15U];
    }
    return out;
}

/// toplabel: letters and digits, not digits alone, or with hyphens inside.
bool is_top_label(std::string_view label) noexcept
{
    if (label.empty() || !is_alphanum(label.front()) || !is_alphanum(label.back())) return false;
    bool const right = std::ranges::all_of(label, [](char c) { return is_alphanum(c) || c == '-'; });
    return right && std::ranges::any_of(label, [](char c) { return !is_digit(c); });
}

}  // namespace

std::optional<std::string> expand_spf_macros(std::string_view text, spf_macro_values const& v, spf_text kind)
{
    std::string out;
    while (!text.empty()) {
        auto const p = take_piece(text, kind);
        if (!p) return std::nullopt;
        if (p->letter == 0) {
            out += p->literal;
        } else {
            auto const value = transformed(value_of(p->letter, v), *p);
            out += p->escaped ? url_escaped(value) : value;
        }
        if (out.size() > longest_expansion) return std::nullopt;
    }
    return out;
}

bool is_spf_macro_string(std::string_view text, spf_text kind) noexcept
{
    while (!text.empty())
        if (!take_piece(text, kind)) return false;
    return true;
}

bool is_spf_domain_spec(std::string_view text) noexcept
{
    if (text.empty()) return false;
    bool ends_in_macro = false;
    std::size_t literals = 0;  // octets after the last macro
    for (auto rest = text; !rest.empty();) {
        auto const before = rest.size();
        bool const macro = rest[0] == '%';
        if (!take_piece(rest, spf_text::term)) return false;
        ends_in_macro = macro;
        literals = macro ? 0 : literals + before - rest.size();
    }
    if (ends_in_macro) return true;
    auto tail = text.substr(text.size() - literals);
    if (tail.ends_with('.')) tail.remove_suffix(1);
    auto const dot = tail.rfind('.');
    return dot != std::string_view::npos && is_top_label(tail.substr(dot + 1));
}

bool spf_macros_name_the_client(std::string_view text) noexcept
{
    while (!text.empty()) {
        auto const p = take_piece(text, spf_text::explanation);
        if (!p) return false;
        if (p->letter == 'p') return true;
    }
    return false;
}

std::string spf_target_name(std::string expanded)
{
    while (expanded.size() > longest_name) {
        auto const dot = expanded.find('.');
        if (dot == std::string::npos) break;
        expanded.erase(0, dot + 1);
    }
    return expanded;
}

}  // namespace mansio::mailauth
