// Charsets and Unicode forms. The only file that includes ICU.
#include "mime/unicode.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <unicode/ucnv.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "mime/header.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

void append_code_point(std::string& out, std::uint32_t c)
{
    if (c < 0x80)
        out += static_cast<char>(c);
    else if (c < 0x800) {
        out += static_cast<char>(0xC0U | c >> 6U);
        out += static_cast<char>(0x80U | (c & 0x3FU));
    } else {
        out += static_cast<char>(0xE0U | c >> 12U);
        out += static_cast<char>(0x80U | (c >> 6U & 0x3FU));
        out += static_cast<char>(0x80U | (c & 0x3FU));
    }
}

/// Octets at the start of `s` that are valid UTF-8 of one character, 0: none (RFC 3629 §4).
std::size_t utf8_length(std::string_view s) noexcept
{
    auto const at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    auto const c = at(0);
    if (c < 0x80) return 1;
    std::size_t const n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || s.size() < n) return 0;
    for (std::size_t i = 1; i < n; ++i)
        if ((at(i) & 0xC0U) != 0x80U) return 0;
    if (c == 0xE0 && at(1) < 0xA0) return 0;  // overlong
    if (c == 0xED && at(1) > 0x9F) return 0;  // surrogates
    if (c == 0xF0 && at(1) < 0x90) return 0;  // overlong
    if (c == 0xF4 && at(1) > 0x8F) return 0;  // beyond U+10FFFF
    return n;
}

// What windows-1252 has where ISO-8859-1 has control characters; 0x81, 0x8D, 0x8F, 0x90, 0x9D are nothing.
constexpr std::array<std::uint16_t, 32> windows_1252_high{0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                                          0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                                          0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};

std::string from_windows_1252(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    for (unsigned char const c : text) {
        if (c < 0x80 || c >= 0xA0)
            append_code_point(out, c);
        else
            append_code_point(out, windows_1252_high[c - 0x80U]);
    }
    return out;
}

std::string guess(std::string_view text) { return base::is_utf8(text) ? std::string{text} : from_windows_1252(text); }

/// Names that mail uses for something else than ICU's converter of that name.
std::string_view real_charset(std::string_view name) noexcept
{
    // GB 2312 as mail has it is GBK, and GB 18030 contains both.
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> renamed{{{"gb2312", "gb18030"},
                                                                                            {"gb_2312-80", "gb18030"},
                                                                                            {"gbk", "gb18030"},
                                                                                            {"cp936", "gb18030"},
                                                                                            {"x-gbk", "gb18030"},
                                                                                            {"euc-cn", "gb18030"},
                                                                                            {"ks_c_5601-1987", "windows-949"},
                                                                                            {"ks_c_5601", "windows-949"},
                                                                                            {"euc-kr", "windows-949"},
                                                                                            {"iso-8859-8-i", "iso-8859-8"},
                                                                                            {"unicode-1-1-utf-7", "utf-7"},
                                                                                            {"x-sjis", "shift_jis"}}};
    for (auto const& [from, to] : renamed)
        if (name == from) return to;
    return name;
}

enum class family : std::uint8_t { unknown, utf8, western, ascii_superset, other };
family family_of(std::string_view name) noexcept
{
    if (name.empty() || name == "us-ascii" || name == "ascii" || name == "unknown-8bit" || name == "x-unknown" || name == "default") return family::unknown;
    if (name == "utf-8" || name == "utf8" || name == "unicode-1-1-utf-8") return family::utf8;
    // Text marked ISO-8859-1 that has octets 0x80-0x9F was meant as windows-1252, in all mail we ever see.
    if (name == "iso-8859-1" || name == "latin1" || name == "iso8859-1" || name == "iso_8859-1" || name == "windows-1252" || name == "cp1252")
        return family::western;
    for (std::string_view const start : {"iso-8859", "windows-", "cp125", "koi8", "gb", "big5", "euc", "ks_c"})
        if (name.starts_with(start)) return family::ascii_superset;
    return family::other;
}

struct converter_closer {
    void operator()(UConverter* c) const noexcept { ucnv_close(c); }
};
using converter = std::unique_ptr<UConverter, converter_closer>;

converter open_converter(std::string const& name)
{
    // ICU takes options and locale names after a comma, and the platform's default for an empty name: none of that from a stranger.
    bool const plain = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':' || c == '+' || c == '(' || c == ')';
    });
    if (!plain) return {};
    for (std::string_view const exotic : {"lmbcs", "scsu", "bocu", "cesu", "imap"})  // ICU knows them, mail does not: code nobody needs to reach
        if (name.starts_with(exotic)) return {};
    UErrorCode error = U_ZERO_ERROR;
    converter out{ucnv_open(name.c_str(), &error)};
    return U_FAILURE(error) ? converter{} : std::move(out);
}

std::string convert(UConverter* from, std::string_view text)
{
    UErrorCode error = U_ZERO_ERROR;
    converter const to{ucnv_open("UTF-8", &error)};
    if (U_FAILURE(error)) return guess(text);
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    std::array<UChar, 2048> pivot{};
    std::array<char, 4096> piece{};
    UChar* pivot_source = pivot.data();
    UChar* pivot_target = pivot.data();
    char const* source = text.data();
    bool first = true;
    do {
        error = U_ZERO_ERROR;
        char* target = piece.data();
        ucnv_convertEx(to.get(), from, &target, piece.data() + piece.size(), &source, text.data() + text.size(), pivot.data(), &pivot_source, &pivot_target,
                       pivot.data() + pivot.size(), first ? 1 : 0, 1, &error);
        first = false;
        out.append(piece.data(), static_cast<std::size_t>(target - piece.data()));
    } while (error == U_BUFFER_OVERFLOW_ERROR);
    return base::is_utf8(out) ? out : repair_utf8(out);
}

std::vector<UChar> to_utf16(std::string_view utf8)
{
    std::vector<UChar> out(utf8.size() + 1);
    std::int32_t length = 0;
    UErrorCode error = U_ZERO_ERROR;
    u_strFromUTF8WithSub(out.data(), static_cast<std::int32_t>(out.size()), &length, utf8.data(), static_cast<std::int32_t>(utf8.size()), 0xFFFD, nullptr,
                         &error);
    out.resize(U_FAILURE(error) ? 0 : static_cast<std::size_t>(length));
    return out;
}

std::string from_utf16(std::vector<UChar> const& text)
{
    std::string out(text.size() * 3 + 1, '\0');
    std::int32_t length = 0;
    UErrorCode error = U_ZERO_ERROR;
    u_strToUTF8WithSub(out.data(), static_cast<std::int32_t>(out.size()), &length, text.data(), static_cast<std::int32_t>(text.size()), 0xFFFD, nullptr,
                       &error);
    out.resize(U_FAILURE(error) ? 0 : static_cast<std::size_t>(length));
    return out;
}

/// Calls an ICU function that may want a larger buffer once more with that one.
template <class Function> std::vector<UChar> into_utf16(std::size_t guess_size, Function f)
{
    std::vector<UChar> out(guess_size + 16);
    UErrorCode error = U_ZERO_ERROR;
    std::int32_t length = f(out.data(), static_cast<std::int32_t>(out.size()), &error);
    if (error == U_BUFFER_OVERFLOW_ERROR) {
        out.resize(static_cast<std::size_t>(length) + 1);
        error = U_ZERO_ERROR;
        length = f(out.data(), static_cast<std::int32_t>(out.size()), &error);
    }
    out.resize(U_FAILURE(error) ? 0 : static_cast<std::size_t>(length));
    return out;
}

std::vector<UChar> nfc(std::vector<UChar> const& text)
{
    UErrorCode error = U_ZERO_ERROR;
    auto const* const normalizer = unorm2_getNFCInstance(&error);
    if (U_FAILURE(error)) return text;
    return into_utf16(text.size() * 2, [&](UChar* out, std::int32_t room, UErrorCode* e) {
        return unorm2_normalize(normalizer, text.data(), static_cast<std::int32_t>(text.size()), out, room, e);
    });
}
}  // namespace

std::string repair_utf8(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + 16);
    while (!text.empty()) {
        auto const n = utf8_length(text);
        out += n != 0 ? text.substr(0, n) : replacement;
        text.remove_prefix(std::max<std::size_t>(n, 1));
    }
    return out;
}

std::string_view first_characters(std::string_view utf8, std::size_t characters) noexcept
{
    std::size_t at = 0;
    for (; at < utf8.size(); ++at)
        if ((static_cast<unsigned char>(utf8[at]) & 0xC0U) != 0x80U && characters-- == 0) break;
    return utf8.substr(0, at);
}

std::string to_utf8(std::string_view text, std::string_view charset)
{
    if (auto const star = charset.find('*'); star != std::string_view::npos) charset = charset.substr(0, star);  // RFC 2231 §5: a language
    auto const name = base::to_lower_ascii(base::trim_blanks(charset));
    auto const kind = family_of(name);
    if (kind != family::other && detail::is_ascii(text)) return std::string{text};
    switch (kind) {
    case family::unknown: return guess(text);
    case family::utf8: return base::is_utf8(text) ? std::string{text} : repair_utf8(text);
    case family::western: return from_windows_1252(text);
    default: break;
    }
    auto const from = open_converter(std::string{real_charset(name)});
    return from ? convert(from.get(), text) : guess(text);
}

std::string to_nfc(std::string_view utf8)
{
    if (detail::is_ascii(utf8)) return std::string{utf8};
    return from_utf16(nfc(to_utf16(utf8)));
}

std::string fold_case(std::string_view utf8)
{
    if (detail::is_ascii(utf8)) return base::to_lower_ascii(utf8);
    auto const composed = nfc(to_utf16(utf8));
    auto const folded = into_utf16(composed.size() * 2, [&](UChar* out, std::int32_t room, UErrorCode* e) {
        return u_strFoldCase(out, room, composed.data(), static_cast<std::int32_t>(composed.size()), U_FOLD_CASE_DEFAULT, e);
    });
    return from_utf16(nfc(folded));
}

}  // namespace mansio::mime
