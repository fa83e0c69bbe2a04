// i;unicode-casemap (RFC 5051).
#include <array>
#include <cstdint>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>
#include <vector>

#include "mime/unicode.hpp"

namespace mansio::mime {
namespace {

constexpr char32_t sharp_s = 0xDF, capital_sharp_s = 0x1E9E;
constexpr std::int32_t longest_decomposition = 64;  // UTF-16 units; Unicode's longest has 18

void append_utf8(std::string& out, UChar32 c)
{
    std::array<char, U8_MAX_LENGTH> octets{};
    std::size_t n = 0;
    U8_APPEND_UNSAFE(octets.data(), n, c);
    out.append(octets.data(), n);
}

/// One character by ICU: (a) titlecase, (b) its decomposition, which ICU has down to the last level.
void append_slowly(std::string& out, UChar32 c)
{
    if (c == sharp_s || c == capital_sharp_s) {
        out += "SS";
        return;
    }
    auto const title = u_totitle(c);
    UErrorCode error = U_ZERO_ERROR;
    static auto const* const decomposer = unorm2_getNFKDInstance(&error);
    std::array<UChar, longest_decomposition> units{};
    auto const n = decomposer == nullptr ? -1 : unorm2_getDecomposition(decomposer, title, units.data(), longest_decomposition, &error);
    if (n < 0 || U_FAILURE(error)) return append_utf8(out, title);
    for (std::int32_t i = 0; i < n;) {
        UChar32 d = 0;
        U16_NEXT(units.data(), i, n, d);
        append_utf8(out, d >= 'a' && d <= 'z' ? d - 32 : d);  // ﬁ is found by "fi"
    }
}

/// Latin to Thai and all between, ready made: text in these scripts is mapped without ICU.
class ready_keys {
public:
    static constexpr UChar32 past = 0x2100;
    ready_keys()
    {
        for (UChar32 c = 0; c < past; ++c) {
            begins_[static_cast<std::size_t>(c)] = static_cast<std::uint16_t>(text_.size());
            append_slowly(text_, c);
        }
        begins_[past] = static_cast<std::uint16_t>(text_.size());
    }
    [[nodiscard]] std::string_view of(UChar32 c) const noexcept
    {
        auto const from = begins_[static_cast<std::size_t>(c)];
        return std::string_view{text_}.substr(from, static_cast<std::size_t>(begins_[static_cast<std::size_t>(c) + 1] - from));
    }

private:
    std::string text_;
    std::array<std::uint16_t, past + 1> begins_{};
};

constexpr char to_upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

}  // namespace

std::string casemap(std::string_view utf8)
{
    static ready_keys const ready;
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t i = 0; i < utf8.size();) {
        auto const from = i;
        while (i < utf8.size() && static_cast<unsigned char>(utf8[i]) < 0x80) ++i;
        auto const at = out.size();
        out.append(utf8.substr(from, i - from));
        for (auto n = at; n < out.size(); ++n) out[n] = to_upper(out[n]);
        if (i == utf8.size()) break;
        UChar32 c = 0;
        U8_NEXT(utf8.data(), i, utf8.size(), c);
        if (c < 0)
            out += "\xEF\xBF\xBD";
        else if (c < ready_keys::past)
            out += ready.of(c);
        else
            append_slowly(out, c);
    }
    return out;
}

}  // namespace mansio::mime
