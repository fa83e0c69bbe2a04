#include "imap/wire/utf7.hpp"

#include <cstdint>

namespace mansio::imap::wire {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_direct(char32_t c) noexcept { return c >= 0x20 && c <= 0x7E; }

void append_utf8(std::string& out, char32_t c)
{
    auto const put = [&out](char32_t octet) { out += static_cast<char>(octet); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xC0U | c >> 6U);
    } else if (c < 0x10000) {
        put(0xE0U | c >> 12U);
        put(0x80U | (c >> 6U & 0x3FU));
    } else {
        put(0xF0U | c >> 18U);
        put(0x80U | (c >> 12U & 0x3FU));
        put(0x80U | (c >> 6U & 0x3FU));
    }
    put(0x80U | (c & 0x3FU));
}

/// The next character of valid UTF-8.
char32_t take_char(std::string_view& in) noexcept
{
    auto const lead = static_cast<unsigned char>(in.front());
    unsigned const more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t c = more == 0 ? lead : lead & (0x3FU >> more);
    for (unsigned i = 1; i <= more && i < in.size(); ++i) c = c << 6U | (static_cast<unsigned char>(in[i]) & 0x3FU);
    in.remove_prefix(std::min<std::size_t>(more + 1, in.size()));
    return c;
}

/// What stands between "&" and "-", appended as UTF-8. False: not base64 of UTF-16, or not the shortest.
bool append_shifted(std::string& out, std::string_view base64)
{
    std::uint32_t bits = 0;
    unsigned held = 0;
    char32_t high = 0;  // a leading surrogate waiting for its other half
    for (char const d : base64) {
        auto const value = digits.find(d);
        if (value == std::string_view::npos) return false;
        bits = bits << 6U | static_cast<std::uint32_t>(value);
        held += 6;
        if (held < 16) continue;
        held -= 16;
        char32_t const unit = bits >> held & 0xFFFFU;
        if (high != 0) {
            if (unit < 0xDC00 || unit > 0xDFFF) return false;
            append_utf8(out, 0x10000 + ((high - 0xD800) << 10U) + (unit - 0xDC00));
            high = 0;
        } else if (unit >= 0xD800 && unit <= 0xDBFF) {
            high = unit;
        } else if (is_direct(unit) || unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) {
            return false;
        } else {
            append_utf8(out, unit);
        }
    }
    return high == 0 && held < 6 && (bits & ((1U << held) - 1)) == 0;
}

}  // namespace

std::optional<std::string> from_utf7(std::string_view name)
{
    std::string out;
    bool after_shift = false;
    while (!name.empty()) {
        auto const c = name.front();
        name.remove_prefix(1);
        if (!is_direct(static_cast<unsigned char>(c))) return std::nullopt;
        if (c != '&') {
            out += c;
            after_shift = false;
            continue;
        }
        auto const end = name.find('-');
        if (end == std::string_view::npos) return std::nullopt;
        auto const shifted = name.substr(0, end);
        name.remove_prefix(end + 1);
        if (shifted.empty()) {
            out += '&';
            after_shift = false;
            continue;
        }
        // Two shifts in a row are one, written longer than it must be.
        if (after_shift || !append_shifted(out, shifted)) return std::nullopt;
        after_shift = true;
    }
    return out;
}

std::string to_utf7(std::string_view utf8)
{
    std::string out;
    std::uint32_t bits = 0;
    unsigned held = 0;
    bool shifted = false;
    auto const unit = [&](char32_t u) {
        bits = bits << 16U | u;
        for (held += 16; held >= 6; held -= 6) out += digits[bits >> (held - 6) & 0x3FU];
    };
    auto const leave = [&] {
        if (!shifted) return;
        if (held != 0) out += digits[bits << (6 - held) & 0x3FU];
        out += '-';
        bits = held = 0;
        shifted = false;
    };
    while (!utf8.empty()) {
        auto const c = take_char(utf8);
        if (is_direct(c)) {
            leave();
            out += static_cast<char>(c);
            if (c == '&') out += '-';
            continue;
        }
        if (!shifted) out += '&';
        shifted = true;
        if (c < 0x10000) {
            unit(c);
        } else {
            unit(0xD800 + ((c - 0x10000) >> 10U));
            unit(0xDC00 + ((c - 0x10000) & 0x3FFU));
        }
    }
    leave();
    return out;
}

}  // namespace mansio::imap::wire
