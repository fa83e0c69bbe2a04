#include "imap/text_find.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <emmintrin.h>

#include "mime/unicode.hpp"

namespace mansio::imap {
namespace {

constexpr bool is_letter(char upper) noexcept { return upper >= 'A' && upper <= 'Z'; }

/// How common an octet is in mail, about: the order of letters in European text, capitals and small ones together.
int commonness(char upper) noexcept
{
    constexpr std::string_view order = "ZQXJKVWYBPGFHMCDULOSRNIAT E";  // from rare to common
    auto const at = order.find(upper);
    if (at != std::string_view::npos) return static_cast<int>(at) + 10;
    if (upper >= '0' && upper <= '9') return 18;
    return upper == '.' || upper == '-' || upper == '=' || upper == ',' ? 26 : 5;
}

__m128i load(char const* at) noexcept { return _mm_loadu_si128(reinterpret_cast<__m128i const*>(at)); }

struct traits {
    bool ascii = true, word = false, odd = false, plus = false;
    void look(unsigned char c, unsigned char next) noexcept
    {
        ascii = ascii && c < 0x80;
        odd = odd || c == 0 || c == 0x1B || c == '~';
        plus = plus || c == '+';
        word = word || (c == '=' && next == '?');
    }
};

/// What octets have that may mean other text than they show: encoded words, ESC (ISO-2022), NUL (UTF-16), "~" (HZ), "+" (UTF-7).
traits look_at(std::string_view s) noexcept
{
    auto high = _mm_setzero_si128(), odd = high, plus = high, word = high;
    std::size_t i = 0;
    for (; i + 17 <= s.size(); i += 16) {
        auto const x = load(s.data() + i), next = load(s.data() + i + 1);
        high = _mm_or_si128(high, x);
        auto const nul = _mm_cmpeq_epi8(x, _mm_setzero_si128()), escape = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x1B)), tilde = _mm_cmpeq_epi8(x, _mm_set1_epi8('~'));
        odd = _mm_or_si128(odd, _mm_or_si128(nul, _mm_or_si128(escape, tilde)));
        plus = _mm_or_si128(plus, _mm_cmpeq_epi8(x, _mm_set1_epi8('+')));
        word = _mm_or_si128(word, _mm_and_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('=')), _mm_cmpeq_epi8(next, _mm_set1_epi8('?'))));
    }
    traits t{_mm_movemask_epi8(high) == 0, _mm_movemask_epi8(word) != 0, _mm_movemask_epi8(odd) != 0, _mm_movemask_epi8(plus) != 0};
    for (; i < s.size(); ++i) t.look(static_cast<unsigned char>(s[i]), i + 1 < s.size() ? static_cast<unsigned char>(s[i + 1]) : 0);
    return t;
}

std::string longest_word(std::string_view key)
{
    std::string_view best;
    for (std::size_t i = 0; i < key.size();) {
        auto const end =
            std::min(key.size(),
                     static_cast<std::size_t>(std::ranges::find_if(key.substr(i), [](char c) { return c <= ' ' || c == 0x7F; }) - key.substr(i).begin()) + i);
        if (end - i > best.size()) best = key.substr(i, end - i);
        i = end + 1;
    }
    return std::string{best};
}

}  // namespace

ascii_finder::ascii_finder(std::string_view upper) : lower_(upper), mask_(upper.size(), '\0')
{
    for (std::size_t i = 0; i < upper.size(); ++i) {
        if (is_letter(upper[i])) {
            mask_[i] = 0x20;
            lower_[i] = static_cast<char>(upper[i] | 0x20);
        }
        if (commonness(upper[i]) < commonness(upper[first_])) first_ = i;
    }
    second_ = first_ == 0 && upper.size() > 1 ? 1 : 0;
    for (std::size_t i = 0; i < upper.size(); ++i)
        if (i != first_ && commonness(upper[i]) < commonness(upper[second_])) second_ = i;
}

bool ascii_finder::matches(char const* at) const noexcept
{
    for (std::size_t i = 0; i < lower_.size(); ++i)
        if (static_cast<char>(at[i] | mask_[i]) != lower_[i]) return false;
    return true;
}

bool ascii_finder::found_in(std::string_view text) const noexcept
{
    if (lower_.size() > text.size()) return false;
    if (lower_.empty()) return true;
    auto const places = text.size() - lower_.size() + 1;
    std::size_t i = 0;
    // Sixteen places at once: where both rare octets are as wanted, the whole is compared. No load reaches past the text: the place tried last ends in it.
    auto const a = _mm_set1_epi8(lower_[first_]), a_mask = _mm_set1_epi8(mask_[first_]), b = _mm_set1_epi8(lower_[second_]),
               b_mask = _mm_set1_epi8(mask_[second_]);
    for (; i + 16 <= places; i += 16) {
        auto const x = _mm_cmpeq_epi8(_mm_or_si128(load(text.data() + i + first_), a_mask), a);
        auto const y = _mm_cmpeq_epi8(_mm_or_si128(load(text.data() + i + second_), b_mask), b);
        for (auto hits = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(x, y))); hits != 0; hits &= hits - 1)
            if (matches(text.data() + i + std::countr_zero(hits))) return true;
    }
    for (; i < places; ++i)
        if (matches(text.data() + i)) return true;
    return false;
}

text_needle::text_needle(std::string key)
    : key_(std::move(key)),
      ascii_(std::ranges::all_of(key_, [](char c) { return static_cast<unsigned char>(c) < 0x80; })),
      whole_(ascii_ ? key_ : std::string{}),
      word_(ascii_ ? longest_word(key_) : std::string{})
{}

bool text_needle::found_in(std::string_view text) const
{
    if (key_.empty()) return true;
    if (look_at(text).ascii) return ascii_ && whole_.found_in(text);
    return mime::casemap(text).contains(key_);
}

bool is_plain_ascii(std::string_view text) noexcept
{
    auto const t = look_at(text);
    return t.ascii && !t.odd && !t.plus;
}

bool hides_nothing(std::string_view octets) noexcept
{
    static ascii_finder const base64{"BASE64"}, quoted{"QUOTED-PRINTABLE"}, utf7{"UTF-7"};
    auto const t = look_at(octets);
    if (!t.ascii || t.word || t.odd) return false;
    return !base64.found_in(octets) && !quoted.found_in(octets) && (!t.plus || !utf7.found_in(octets));
}

}  // namespace mansio::imap
