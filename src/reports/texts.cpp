#include "reports/texts.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"
#include "mime/address.hpp"
#include "mime/header.hpp"

namespace mansio::reports {
namespace {
constexpr std::uint64_t most_count = std::uint64_t{1} << 63U;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Digits alone at `at`, `count` of them; -1: not so.
int digits(std::string_view text, std::size_t at, std::size_t count) noexcept
{
    if (at > text.size() || text.size() - at < count) return -1;
    int v = 0;
    for (char const c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        v = v * 10 + (c - '0');
    }
    return v;
}

/// "Z" or "+hh:mm", in seconds east of UTC.
std::optional<int> read_zone(std::string_view text)
{
    if (text == "Z" || text == "z") return 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    int const hours = digits(text, 1, 2), minutes = digits(text, 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    int const east = hours * 3600 + minutes * 60;
    return text[0] == '-' ? -east : east;
}
}  // namespace

std::string clean_text(std::string_view text)
{
    auto const utf8 = base::is_utf8(text) ? std::string{text} : mime::to_utf8(text, "utf-8");
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        auto const c = static_cast<unsigned char>(utf8[i]);
        bool const control = (c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F;
        // U+FFFE and U+FFFF are well-formed UTF-8 and no XML characters.
        bool const no_character = c == 0xEF && i + 2 < utf8.size() && utf8[i + 1] == '\xBF' && static_cast<unsigned char>(utf8[i + 2]) >= 0xBE;
        if (control || no_character)
            out += replacement;
        else
            out += utf8[i];
        if (no_character) i += 2;
    }
    return out;
}

std::string shortened(std::string_view utf8, std::size_t most)
{
    if (utf8.size() <= most) return std::string{utf8};
    std::size_t end = most < 3 ? 0 : most - 3;
    while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xC0U) == 0x80) --end;
    return std::string{utf8.substr(0, end)} + "…";
}

std::optional<std::uint64_t> read_count(std::string_view text) noexcept
{
    std::uint64_t v = 0;
    auto const [stopped, wrong] = std::from_chars(text.begin(), text.end(), v);
    if (wrong != std::errc{} || stopped != text.end() || text.empty() || v >= most_count) return std::nullopt;
    return v;
}

std::string_view trim_white(std::string_view text) noexcept
{
    constexpr std::string_view white = " \t\r\n";
    auto const begin = text.find_first_not_of(white);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

std::uint64_t add_counts(std::uint64_t a, std::uint64_t b) noexcept
{
    auto const room = most_count - 1 - std::min(a, most_count - 1);
    return b > room ? most_count - 1 : a + b;
}

std::optional<std::int64_t> read_moment(std::string_view text)
{
    // date-time = full-date "T" partial-time [ "." 1*DIGIT ] time-offset
    constexpr std::size_t whole = 19;
    int const year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
    int const hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
    if (year < 1970 || month < 0 || day < 0 || hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
    // RFC 8460 §4.4 speaks of 00:00-24:00, and some write it so.
    if (hour == 24 && (minute != 0 || second != 0)) return std::nullopt;
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' || text[16] != ':') return std::nullopt;
    auto zone = text.substr(whole);
    if (zone.starts_with('.')) {
        auto const after = zone.find_first_not_of("0123456789", 1);
        if (after == 1 || after == std::string_view::npos) return std::nullopt;
        zone = zone.substr(after);
    }
    auto const east = read_zone(zone);
    auto const date = std::chrono::year{year} / month / day;
    if (!east || !date.ok()) return std::nullopt;
    std::int64_t const days = std::chrono::sys_days{date}.time_since_epoch().count();
    auto const at = days * day_seconds + hour * 3600 + minute * 60 + second - *east;
    if (at < 0 || at > last_moment) return std::nullopt;
    return at;
}

std::string write_moment(std::int64_t unix_seconds)
{
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::sys_seconds{std::chrono::seconds{std::clamp<std::int64_t>(unix_seconds, 0, last_moment)}});
}

std::string write_day(std::uint32_t day) { return write_moment(std::int64_t{day} * day_seconds).substr(0, 10); }

std::optional<std::string> domain_key(std::string_view text)
{
    if (text.ends_with('.')) text.remove_suffix(1);
    auto const canonical = mime::canonical_domain(text);
    if (canonical && mailauth::is_dns_name(*canonical, 1)) return *canonical;
    // Names with "_" are no host names, yet some have policies.
    auto lower = base::to_lower_ascii(text);
    if (mailauth::is_dns_name(lower, 1)) return lower;
    return std::nullopt;
}

}  // namespace mansio::reports
