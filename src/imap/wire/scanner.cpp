#include "imap/wire/scanner.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/bytes.hpp"

namespace mansio::imap::wire {
namespace {

std::unexpected<fault> bad(char const* say) { return fail(fault::kind::syntax, say); }

constexpr std::array<bool, 256> make_atom_table()
{
    std::array<bool, 256> table{};
    for (unsigned c = 0x21; c < 0x7F; ++c) table[c] = true;
    // atom-specials: "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
    for (char const c : {'(', ')', '{', '%', '*', '"', '\\', ']'}) table[static_cast<unsigned char>(c)] = false;
    return table;
}
constexpr auto atom_table = make_atom_table();

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_tag_char(char c) noexcept { return c != '+' && is_astring_char(c); }
bool is_pattern_char(char c) noexcept { return is_astring_char(c) || c == '%' || c == '*'; }

std::optional<std::uint64_t> to_number(std::string_view digits) noexcept
{
    std::uint64_t value = 0;
    for (char const c : digits) {
        auto const digit = static_cast<std::uint64_t>(c - '0');
        if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

}  // namespace

bool is_atom_char(char c) noexcept { return atom_table[static_cast<unsigned char>(c)]; }
bool is_astring_char(char c) noexcept { return is_atom_char(c) || c == ']'; }

std::optional<literal_head> literal_at_end(std::string_view line) noexcept
{
    if (!line.ends_with('}')) return std::nullopt;
    auto const open = line.rfind('{');
    if (open == std::string_view::npos) return std::nullopt;
    auto digits = line.substr(open + 1, line.size() - open - 2);
    literal_head head;
    // "+": LITERAL+ and LITERAL-; both take it here, sizes are bounded by the reader (RFC 7888 §3)
    if (digits.ends_with('+')) {
        head.synchronizing = false;
        digits.remove_suffix(1);
    }
    if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
    head.octets = to_number(digits).value_or(std::numeric_limits<std::uint64_t>::max());
    head.binary = open > 0 && line[open - 1] == '~';
    head.length = line.size() - open + (head.binary ? 1 : 0);
    return head;
}

bool scanner::take(char c) noexcept
{
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
}

bool scanner::take_word(std::string_view word) noexcept
{
    if (!base::starts_with_ignoring_case(rest_, word)) return false;
    if (rest_.size() > word.size() && is_astring_char(rest_[word.size()])) return false;
    rest_.remove_prefix(word.size());
    return true;
}

bool scanner::take_text(std::string_view text) noexcept
{
    if (!base::starts_with_ignoring_case(rest_, text)) return false;
    rest_.remove_prefix(text.size());
    return true;
}

result<void> scanner::expect(char c)
{
    if (take(c)) return {};
    switch (c) {
    case ' ': return bad(rest_.empty() ? "an argument is missing" : "a space is missing");
    case '(': return bad("\"(\" is missing");
    case ')': return bad("\")\" is missing");
    default: return bad("the command is malformed");
    }
}

result<void> scanner::end()
{
    if (rest_.empty()) return {};
    return bad("something follows the command's last argument");
}

std::string_view scanner::take_while(bool (*belongs)(char) noexcept) noexcept
{
    std::size_t n = 0;
    while (n < rest_.size() && belongs(rest_[n])) ++n;
    auto const taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
}

result<std::string_view> scanner::tag()
{
    auto const t = take_while(is_tag_char);
    if (t.empty()) return bad("a tag is missing");
    return t;
}

result<std::string_view> scanner::atom()
{
    auto const a = take_while(is_atom_char);
    if (a.empty()) return bad("an atom is missing");
    return a;
}

result<std::string> scanner::quoted()
{
    std::string out;
    while (!rest_.empty()) {
        auto const plain = std::min(rest_.find_first_of(std::string_view{"\"\\\r\n\0", 5}), rest_.size());
        out += rest_.substr(0, plain);
        rest_.remove_prefix(plain);
        if (take('"')) return out;
        if (rest_.empty()) break;
        if (!take('\\')) return bad("a line end or NUL inside a quoted string");
        // quoted-specials only: RFC 9051 §9, QUOTED-CHAR
        if (peek() != '"' && peek() != '\\') return bad("a backslash quotes only \" and \\");
        out += rest_.front();
        rest_.remove_prefix(1);
    }
    return bad("a quoted string has no end");
}

result<std::string> scanner::literal(bool binary)
{
    auto const line_end = rest_.find("\r\n");
    if (line_end == std::string_view::npos) return bad("a literal is malformed");
    auto const head = literal_at_end(rest_.substr(0, line_end));
    if (!head || head->length != line_end || head->binary != binary) return bad("a literal is malformed");
    auto const octets = rest_.substr(line_end + 2);
    if (octets.size() < head->octets) return bad("a literal is cut short");
    auto text = octets.substr(0, static_cast<std::size_t>(head->octets));
    rest_ = octets.substr(text.size());
    // literal = "{" number64 ["+"] "}" CRLF *CHAR8, and CHAR8 is not NUL
    if (!binary && text.contains('\0')) return bad("a string holds NUL");
    return std::string{text};
}

result<std::string> scanner::string()
{
    if (take('"')) return quoted();
    if (peek() == '{') return literal();
    return bad("a string is missing");
}

result<std::string> scanner::astring()
{
    if (peek() == '"' || peek() == '{') return string();
    auto const a = take_while(is_astring_char);
    if (a.empty()) return bad(rest_.empty() ? "an argument is missing" : "a string is missing");
    return std::string{a};
}

result<std::optional<std::string>> scanner::nstring()
{
    if (take_word("NIL")) return std::nullopt;
    auto s = string();
    if (!s) return fail(s);
    return std::move(*s);
}

result<std::optional<std::string>> scanner::nstring8()
{
    if (peek() != '~') return nstring();
    auto s = literal(true);
    if (!s) return fail(s);
    return std::move(*s);
}

result<std::string> scanner::list_pattern()
{
    if (peek() == '"' || peek() == '{') return string();
    auto const p = take_while(is_pattern_char);
    if (p.empty()) return bad("a mailbox pattern is missing");
    return std::string{p};
}

result<std::uint64_t> scanner::number64()
{
    auto const digits = take_while(is_digit);
    auto const value = to_number(digits);
    if (digits.empty() || !value || *value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return bad("a number is missing or too large");
    return *value;
}

result<std::uint32_t> scanner::number()
{
    auto const value = number64();
    if (!value) return fail(value);
    if (*value > std::numeric_limits<std::uint32_t>::max()) return bad("a number is too large");
    return static_cast<std::uint32_t>(*value);
}

result<std::uint32_t> scanner::nz_number()
{
    auto const value = number();
    if (value && *value == 0) return bad("a number may not be zero");
    return value;
}

result<std::string> scanner::flag()
{
    if (!take('\\')) {
        auto const keyword = atom();
        if (!keyword) return fail(keyword);
        return std::string{*keyword};
    }
    auto const name = atom();
    if (!name) return bad("a flag is missing");
    for (std::string_view const known : {"Answered", "Flagged", "Deleted", "Seen", "Draft"})
        if (base::equal_ignoring_case(*name, known)) return "\\" + std::string{known};
    if (base::equal_ignoring_case(*name, "Recent")) return bad("\\Recent cannot be set");
    return bad("there is no such system flag");
}

result<std::vector<std::string>> scanner::flag_list()
{
    std::vector<std::string> flags;
    if (auto open = expect('('); !open) return fail(open);
    if (take(')')) return flags;
    while (true) {
        auto one = flag();
        if (!one) return fail(one);
        flags.push_back(std::move(*one));
        if (take(')')) return flags;
        if (auto next = space(); !next) return fail(next);
    }
}

result<mime::date_time> scanner::date_time()
{
    auto const text = string();
    if (!text) return fail(text);
    auto const when = mime::parse_imap_date_time(*text);
    if (!when) return bad("a date and time is malformed");
    return *when;
}

result<std::int32_t> scanner::date()
{
    auto const text = astring();  // date = date-text / DQUOTE date-text DQUOTE
    if (!text) return fail(text);
    auto const day = mime::parse_imap_date(*text);
    if (!day) return bad("a date is malformed");
    return *day;
}

result<bool> scanner::enter()
{
    if (peek() != '(') return false;
    if (depth_left_ == 0) return fail(fault::kind::over_limit, "[LIMIT] lists are nested too deep");
    --depth_left_;
    rest_.remove_prefix(1);
    return true;
}

bool scanner::leave() noexcept
{
    if (!take(')')) return false;
    ++depth_left_;
    return true;
}

}  // namespace mansio::imap::wire
