// Encoded words, RFC 2047: `=?charset?Q?text?=`. Linear: every position is looked at a fixed number of times.
#include <array>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "mime/build.hpp"
#include "mime/decode.hpp"
#include "mime/header.hpp"
#include "mime/lexer.hpp"
#include "mime/unicode.hpp"

namespace mansio::mime {
namespace {
struct word {
    std::string_view charset;
    char encoding = 'q';  // or 'b'
    std::string_view text;
    std::size_t end = 0;  // past "?="
};

/// Finds encoded words from left to right. What it looks for only moves forward, so many unfinished words cost no more than one.
class word_scanner {
public:
    explicit word_scanner(std::string_view s) noexcept : s_(s) {}
    /// The start of the next "=?" at or after `at`.
    std::size_t next_start(std::size_t at) noexcept { return next(start_, "=?", at); }
    /// The encoded word at `at`, which stands on "=?". False: there is none.
    bool read(std::size_t at, word& out) noexcept
    {
        // charset ends at '?' and holds no blank: an attempt stops at the next '?', which the next attempt starts from.
        std::size_t const charset = at + 2;
        std::size_t q = charset;
        while (q < s_.size() && s_[q] != '?' && !detail::is_white(s_[q])) ++q;
        if (q == charset || q + 2 >= s_.size() || s_[q] != '?' || s_[q + 2] != '?') return false;
        char const encoding = detail::to_lower(s_[q + 1]);
        if (encoding != 'q' && encoding != 'b') return false;
        std::size_t const text = q + 3;
        std::size_t const close = next(close_, "?=", text);
        if (close == std::string_view::npos) return false;
        // RFC 2047 §2 allows no '?' inside; real mail has "=?utf-8?Q?How??=". Another word's start inside ends the attempt.
        if (auto const inner = next_start(text); inner != std::string_view::npos && inner + 1 < close) return false;
        out = {s_.substr(charset, q - charset), encoding, s_.substr(text, close - text), close + 2};
        return true;
    }

private:
    struct cursor {
        std::size_t at = 0;
        bool known = false;
    };
    std::size_t next(cursor& c, std::string_view what, std::size_t from) noexcept
    {
        if (!c.known || (c.at != std::string_view::npos && c.at < from)) c = {s_.find(what, from), true};
        return c.at;
    }
    std::string_view s_;
    cursor start_, close_;
};

/// RFC 2047 §4.2.
std::string decode_q(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '_')
            out += ' ';
        else if (text[i] == '=' && i + 2 < text.size() && detail::hex_value(text[i + 1]) >= 0 && detail::hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(detail::hex_value(text[i + 1]) * 16 + detail::hex_value(text[i + 2]));
            i += 2;
        } else
            out += text[i];
    }
    return out;
}

/// What an encoded word hides must not become a line end or a terminal sequence of whoever shows it (trust.md W11).
void append_without_controls(std::string& out, std::string_view utf8)
{
    for (char const c : utf8) out += (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127 ? ' ' : c;
}

constexpr bool is_q_safe(char c) noexcept  // RFC 2047 §5 (3): what may stand in a phrase
{
    return detail::is_alpha(c) || detail::is_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

/// One run of text as encoded words of at most 75 octets (RFC 2047 §2), cut between characters.
void append_encoded(std::string& out, std::string_view utf8)
{
    std::size_t unsafe = 0;
    for (char const c : utf8) unsafe += is_q_safe(c) || c == ' ' ? 0 : 1;
    bool const q = unsafe * 3 <= utf8.size();  // Q costs three octets for each of these, B four for three of all
    constexpr std::size_t room = 75 - 12;      // "=?utf-8?Q?" and "?="
    bool first = true;
    while (!utf8.empty()) {
        std::size_t take = 0;
        std::size_t cost = 0;
        while (take < utf8.size()) {
            std::size_t n = 1;
            while (take + n < utf8.size() && (static_cast<unsigned char>(utf8[take + n]) & 0xC0U) == 0x80U && n < 4) ++n;
            std::size_t const more = q ? (is_q_safe(utf8[take]) || utf8[take] == ' ' ? 1 : 3 * n) : 0;
            if (take != 0 && (q ? cost + more > room : (take + n + 2) / 3 * 4 > room)) break;
            take += n;
            cost += more;
        }
        if (!first) out += ' ';
        first = false;
        out += q ? "=?utf-8?Q?" : "=?utf-8?B?";
        if (q) {
            for (char const c : utf8.substr(0, take)) {
                if (c == ' ')
                    out += '_';
                else if (is_q_safe(c))
                    out += c;
                else
                    (out += '=') += base::to_upper_ascii(base::to_hex({&c, 1}));
            }
        } else
            out += base::to_base64(utf8.substr(0, take));
        out += "?=";
        utf8.remove_prefix(take);
    }
}

std::string cleaned(std::string_view utf8)
{
    std::string out;
    if (base::is_utf8(utf8))
        append_without_controls(out, utf8);
    else
        append_without_controls(out, repair_utf8(utf8));
    return out;
}

/// Charsets with a state (shifts, byte order): each word begins anew, so two of them are not one text.
bool has_state(std::string_view charset) noexcept
{
    for (std::string_view const start : {"iso-2022", "hz", "utf-7", "utf-16", "utf-32", "unicode", "cp5022", "csiso2022"})
        if (base::starts_with_ignoring_case(charset, start)) return true;
    return false;
}

bool must_encode(std::string_view word) noexcept { return !detail::is_ascii(word) || word.find("=?") != std::string_view::npos; }
}  // namespace

std::string decode_encoded_words(std::string_view body)
{
    std::string folded;
    if (body.find('\n') != std::string_view::npos) body = folded = unfold(body);
    word_scanner scan{body};
    std::string out;
    out.reserve(body.size());
    std::string octets;            // decoded, but not yet converted: words of one charset that stand together are one text,
    std::string_view charset;      // because senders cut characters in two (RFC 2047 §5 forbids it)
    bool pending = false;
    auto const flush = [&] {
        if (pending) append_without_controls(out, to_utf8(octets, charset));
        octets.clear();
        pending = false;
    };
    std::size_t at = 0;
    while (at < body.size()) {
        std::size_t start = scan.next_start(at);
        word w;
        while (start != std::string_view::npos && !scan.read(start, w)) start = scan.next_start(start + 1);
        auto const plain = body.substr(at, start == std::string_view::npos ? start : start - at);
        // RFC 2047 §6.2: blanks between two encoded words are not shown.
        if (!plain.empty() && !(pending && start != std::string_view::npos && detail::trim_white(plain).empty())) {
            flush();
            append_without_controls(out, to_utf8(plain, {}));
        }
        if (start == std::string_view::npos) break;
        if (pending && (has_state(charset) || !base::equal_ignoring_case(charset, w.charset))) flush();
        octets += w.encoding == 'q' ? decode_q(w.text) : detail::decode_base64(w.text);
        charset = w.charset;
        pending = true;
        at = w.end;
    }
    flush();
    return out;
}

std::string encode_phrase(std::string_view utf8)
{
    std::string out;
    append_encoded(out, cleaned(utf8));
    return out;
}

std::string encode_words(std::string_view utf8)
{
    auto const clean = cleaned(utf8);
    std::string_view rest = clean;
    if (!must_encode(rest)) return clean;
    std::string out;
    while (!rest.empty()) {
        std::size_t const blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
        auto const word_at = [&](std::size_t i) { return rest.substr(i, std::min(rest.find_first_of(" \t", i), rest.size()) - i); };
        out += rest.substr(0, blanks);
        rest.remove_prefix(blanks);
        auto run = word_at(0);
        if (run.empty()) break;
        if (!must_encode(run))
            out += run;
        else {
            // Neighbours that must be encoded too go into the same run: the blank between them would be lost otherwise (§6.2).
            for (;;) {
                std::size_t const next = rest.find_first_not_of(" \t", run.size());
                if (next == std::string_view::npos || !must_encode(word_at(next))) break;
                run = rest.substr(0, next + word_at(next).size());
            }
            append_encoded(out, run);
        }
        rest.remove_prefix(run.size());
    }
    return out;
}

}  // namespace mansio::mime
