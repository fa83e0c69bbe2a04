// "value; name=value; …", RFC 2045 §5.1, with the continuations and charsets of RFC 2231.
#include "mime/parameters.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {
struct piece {
    std::string name;          // lower case, without the stars
    std::string value;         // as written, unquoted
    std::uint32_t index = 0;   // name*3
    bool numbered = false;
    bool extended = false;     // name*= or name*3*=
};

/// The value before the first ';': blanks and comments removed, lower case.
std::size_t read_value(std::string_view s, std::string& out)
{
    std::size_t at = 0;
    bool separated = false;
    for (;;) {
        std::size_t const next = detail::skip_cfws(s, at);
        separated = next != at && !out.empty();
        at = next;
        if (at >= s.size() || s[at] == ';') return at;
        // Words after the value ("text plain", a parameter that lacks its ';') are no part of it; blanks around '/' are.
        if (separated && s[at] != '/' && !out.ends_with('/')) break;
        while (at < s.size() && !detail::is_white(s[at]) && s[at] != ';' && s[at] != '(') out += detail::to_lower(s[at++]);
    }
    return at;
}

/// "name", "name*", "name*12", "name*12*" (RFC 2231 §7). False: no such thing.
bool split_name(std::string_view written, piece& p)
{
    if (written.ends_with('*')) {
        p.extended = true;
        written.remove_suffix(1);
    }
    auto const star = written.find('*');
    if (star != std::string_view::npos) {
        auto const digits = written.substr(star + 1);
        // No leading zeros, and nobody sends a parameter in more pieces than this.
        if (digits.empty() || digits.size() > 4 || !std::ranges::all_of(digits, detail::is_digit) || (digits.size() > 1 && digits[0] == '0')) return false;
        for (char const d : digits) p.index = p.index * 10 + static_cast<std::uint32_t>(d - '0');
        p.numbered = true;
        written = written.substr(0, star);
    }
    if (written.empty()) return false;
    p.name = base::to_lower_ascii(written);
    return true;
}

/// Does a parameter begin at `at`: a token and '='? (RFC 2231's own examples, and mailers, forget the ';' before it.)
bool parameter_begins(std::string_view s, std::size_t at) noexcept
{
    std::size_t end = at;
    while (end < s.size() && detail::is_token(s[end])) ++end;
    return end != at && end < s.size() && s[end] == '=';
}

/// A value without quotes: up to ';', or to blanks that another parameter follows. RFC 2045 would end it at the first
/// blank or tspecial; mail has `filename=my file(1).pdf`. A comment is one only after a blank.
std::size_t read_bare(std::string_view s, std::size_t at, std::string& out)
{
    while (at < s.size() && s[at] != ';') {
        if (!detail::is_white(s[at]) && (s[at] != '(' || !out.empty())) {
            out += s[at++];
            continue;
        }
        std::size_t const next = detail::skip_cfws(s, at);
        if (next >= s.size() || s[next] == ';' || parameter_begins(s, next)) return next;
        if (!out.empty()) out += ' ';
        at = next;
        if (s[at] == '"') break;
        out += s[at++];
    }
    return at;
}

std::size_t read_piece(std::string_view s, std::size_t at, std::vector<piece>& out, bool keep)
{
    std::size_t const begin = at;
    while (at < s.size() && s[at] != '=' && s[at] != ';' && s[at] != '"') ++at;
    if (at >= s.size() || s[at] != '=') {
        if (at < s.size() && s[at] == '"') {  // a stray quoted string
            std::string ignored;
            return detail::read_quoted(s, at, ignored);
        }
        return at;
    }
    piece p;
    auto const written = detail::trim_white(s.substr(begin, at - begin));
    bool const good = written.find_first_of(" \t\r\n()") == std::string_view::npos && split_name(written, p);
    at = detail::skip_cfws(s, at + 1);
    bool const quoted = at < s.size() && s[at] == '"';
    at = quoted ? detail::read_quoted(s, at, p.value) : read_bare(s, at, p.value);
    // value = token / quoted-string: a token is not empty.
    if (good && keep && (quoted || !p.value.empty())) out.push_back(std::move(p));
    return at;
}

void append_percent_decoded(std::string& out, std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && detail::hex_value(text[i + 1]) >= 0 && detail::hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(detail::hex_value(text[i + 1]) * 16 + detail::hex_value(text[i + 2]));
            i += 2;
        } else
            out += text[i];
    }
}

/// RFC 2231 §4: charset'language'text; without the two quotes it is all text.
std::string_view take_charset(std::string_view text, std::string& charset)
{
    auto const first = text.find('\'');
    auto const second = first == std::string_view::npos ? first : text.find('\'', first + 1);
    if (second == std::string_view::npos) return text;
    charset = text.substr(0, first);
    return text.substr(second + 1);
}

struct joined {
    std::string raw;   // octets
    std::string utf8;
    bool extended = false;
};

/// All pieces of one name, sorted: name*, then name*0, name*1, …, then name.
joined join(std::vector<piece const*> const& pieces)
{
    joined out;
    std::string charset;
    auto const& first = *pieces.front();
    out.extended = first.extended;
    if (!first.numbered) {
        if (first.extended)
            append_percent_decoded(out.raw, take_charset(first.value, charset));
        else
            out.raw = first.value;
    } else {
        std::uint32_t want = 0;
        for (auto const* p : pieces) {
            // RFC 2231 §3: sections are numbered 0, 1, 2 …; after a gap nothing belongs to the value any more.
            if (!p->numbered || p->index != want) {
                if (p->numbered && p->index + 1 == want) continue;  // a section given twice: the first counts
                break;
            }
            std::string_view text = p->value;
            if (p->extended && want == 0) text = take_charset(text, charset);
            if (p->extended)
                append_percent_decoded(out.raw, text);
            else
                out.raw += text;
            ++want;
        }
    }
    out.utf8 = to_utf8(out.raw, charset);
    return out;
}
}  // namespace

namespace detail {
parameters read_parameters(std::string_view s, base::limits const& limits)
{
    parameters out;
    std::vector<piece> pieces;
    std::size_t at = read_value(s, out.text.value);
    if (!base::is_utf8(out.text.value)) out.text.value = to_utf8(out.text.value, {});
    while (at < s.size()) {
        at = skip_cfws(s, at);
        if (at >= s.size()) break;
        if (s[at] == ';') {
            ++at;
            continue;
        }
        bool const keep = pieces.size() < limits.mime_parameters;
        std::size_t const before = at;
        at = read_piece(s, at, pieces, keep);
        out.over_limit = out.over_limit || !keep;
        if (at == before) ++at;
    }
    // At most mime_parameters pieces (128): comparing each with each costs nothing.
    std::vector<bool> used(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (used[i]) continue;
        std::vector<piece const*> same;
        for (std::size_t k = i; k < pieces.size(); ++k) {
            if (pieces[k].name != pieces[i].name) continue;
            used[k] = true;
            same.push_back(&pieces[k]);
        }
        auto const rank = [](piece const* p) { return !p->numbered && p->extended ? 0U : p->numbered ? 1U + p->index : 100000U; };
        if (same.size() > 1) std::ranges::sort(same, {}, [&](piece const* p) { return std::pair{rank(p), p}; });  // of equals the first written
        // A numbered parameter that lacks its section 0 is none.
        while (!same.empty() && same.front()->numbered && same.front()->index != 0) same.erase(same.begin());
        if (same.empty()) continue;
        auto value = join(same);
        if (pieces[i].name == "boundary") out.boundary = std::move(value.raw);
        out.text.parameters.emplace_back(std::move(pieces[i].name), std::move(value.utf8));
        if (!base::is_utf8(out.text.parameters.back().first)) out.text.parameters.back().first = to_utf8(out.text.parameters.back().first, {});
        out.extended.push_back(value.extended);
    }
    return out;
}
}  // namespace detail

std::optional<std::string_view> parameterized::get(std::string_view name) const noexcept
{
    for (auto const& [n, v] : parameters)
        if (n == name) return v;
    return std::nullopt;
}

parameterized parse_parameterized(std::string_view field_body, base::limits const& limits)
{
    return std::move(detail::read_parameters(field_body, limits).text);
}

}  // namespace mansio::mime
