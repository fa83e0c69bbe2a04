// Dates: RFC 5322 §3.3 and §4.3 as mail writes them, RFC 9051 §9 as IMAP does.
#include "mime/date.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::optional<std::int64_t> day_of(std::int64_t year, unsigned month, std::uint64_t day)
{
    if (year < 0 || year > 9999 || day > 31) return std::nullopt;
    std::chrono::year_month_day const ymd{std::chrono::year{static_cast<int>(year)}, std::chrono::month{month}, std::chrono::day{static_cast<unsigned>(day)}};
    if (!ymd.ok()) return std::nullopt;
    return std::chrono::sys_days{ymd}.time_since_epoch().count();
}

/// 1 to 12; zero: no month's name.
unsigned month_of(std::string_view name) noexcept
{
    if (name.size() != 3) return 0;
    for (unsigned i = 0; i < 12; ++i)
        if (base::equal_ignoring_case(name, months[i])) return i + 1;
    return 0;
}

struct calendar {
    int year, month, day, hour, minute, second, weekday, zone;
};
/// As a calendar in its own zone shows it. Years outside 0 to 9999 are cut to that range: four digits is all the formats have.
calendar calendar_of(date_time d)
{
    using namespace std::chrono;
    constexpr std::int64_t first = -62167219200;  // 0000-01-01
    constexpr std::int64_t last = 253402300799;   // 9999-12-31T23:59:59
    std::int64_t const zone = std::clamp<std::int64_t>(d.zone_minutes, -5999, 5999);
    std::int64_t const local = std::clamp(std::clamp(d.unix_seconds, first, last) + zone * 60, first, last);
    auto const day = std::chrono::floor<std::chrono::days>(sys_seconds{seconds{local}});
    year_month_day const ymd{day};
    auto const in_day = static_cast<int>(local - duration_cast<seconds>(day.time_since_epoch()).count());
    return {static_cast<int>(ymd.year()),
            static_cast<int>(static_cast<unsigned>(ymd.month())),
            static_cast<int>(static_cast<unsigned>(ymd.day())),
            in_day / 3600,
            in_day / 60 % 60,
            in_day % 60,
            static_cast<int>(weekday{day}.c_encoding()),
            static_cast<int>(zone)};
}

std::string zone_text(int minutes) { return fmt::format("{}{:02}{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60, std::abs(minutes) % 60); }

/// Words and numbers of a date field; comments, blanks, commas and colons between them are skipped (a colon is remembered).
class date_tokens {
public:
    explicit date_tokens(std::string_view s) noexcept : s_(s) { skip(); }
    [[nodiscard]] bool at_end() const noexcept { return at_ >= s_.size(); }
    [[nodiscard]] char peek() const noexcept { return at_end() ? '\0' : s_[at_]; }
    std::string_view word() noexcept
    {
        return take([](char c) { return detail::is_alpha(c); });
    }
    std::string_view digits() noexcept
    {
        return take([](char c) { return detail::is_digit(c); });
    }
    std::string_view rest() noexcept
    {
        return take([](char c) { return !detail::is_white(c) && c != '('; });
    }
    bool colon() noexcept
    {
        if (peek() != ':') return false;
        ++at_;
        skip();
        return true;
    }
    void skip_one() noexcept
    {
        ++at_;
        skip();
    }

private:
    template <class Test> std::string_view take(Test test) noexcept
    {
        std::size_t const from = at_;
        while (at_ < s_.size() && test(s_[at_])) ++at_;
        auto const out = s_.substr(from, at_ - from);
        skip();
        return out;
    }
    void skip() noexcept { at_ = detail::skip_cfws(s_, at_); }
    std::string_view s_;
    std::size_t at_ = 0;
};

std::optional<std::uint64_t> number(std::string_view digits, std::size_t most_digits) noexcept
{
    if (digits.empty() || digits.size() > most_digits) return std::nullopt;
    std::uint64_t v = 0;
    for (char const d : digits) v = v * 10 + static_cast<std::uint64_t>(d - '0');
    return v;
}

/// Minutes east of UTC. What is not understood is "-0000", that is UTC without a claim about the place (RFC 5322 §4.3).
std::int16_t zone_of(std::string_view z) noexcept
{
    struct named {
        std::string_view name;
        int hours;
    };
    static constexpr std::array<named, 8> zones{{{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6}, {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}}};
    if (z.starts_with('+') || z.starts_with('-')) {
        std::string digits;
        for (char const c : z.substr(1)) {
            if (detail::is_digit(c))
                digits += c;
            else if (c != ':')
                break;  // "+02:00" is no RFC's, but it is clear
        }
        if (digits.size() != 4) return 0;
        int const hours = (digits[0] - '0') * 10 + digits[1] - '0';
        int const minutes = (digits[2] - '0') * 10 + digits[3] - '0';
        if (minutes > 59) return 0;
        return static_cast<std::int16_t>((z[0] == '-' ? -1 : 1) * (hours * 60 + minutes));
    }
    for (auto const& n : zones)
        if (base::equal_ignoring_case(z, n.name)) return static_cast<std::int16_t>(n.hours * 60);
    return 0;
}

/// RFC 5322 §4.3: two digits below 50 are 20xx, other two and three digits count from 1900.
std::optional<std::int64_t> year_of(std::string_view digits) noexcept
{
    auto const v = number(digits, 4);
    if (!v || digits.size() < 2) return std::nullopt;
    auto const year = static_cast<std::int64_t>(*v);
    if (digits.size() == 2) return year + (year < 50 ? 2000 : 1900);
    return digits.size() == 3 ? year + 1900 : year;
}

/// Only the date of a Received field stands after a semicolon, but it always does (RFC 5321 §4.4).
std::string_view after_last_semicolon(std::string_view s) noexcept
{
    std::size_t from = 0;
    for (std::size_t at = 0; at < s.size();) {
        if (s[at] == '(')
            at = detail::skip_comment(s, at);
        else if (s[at++] == ';')
            from = at;
    }
    return s.substr(from);
}
}  // namespace

std::optional<date_time> parse_date(std::string_view field_body)
{
    date_tokens in{after_last_semicolon(field_body)};
    while (!in.at_end() && !detail::is_digit(in.peek())) in.skip_one();  // day-name: not checked, many are wrong or in another language
    auto const day = number(in.digits(), 2);
    if (in.peek() == '-') in.skip_one();  // "21-Nov-97", RFC 850's form in old mail
    unsigned const month = month_of(in.word());
    if (in.peek() == '-') in.skip_one();
    auto const year = year_of(in.digits());
    if (!day || month == 0 || !year) return std::nullopt;
    auto const days_since = day_of(*year, month, *day);
    if (!days_since) return std::nullopt;
    date_time out{*days_since * 86400, 0};
    auto const hour = number(in.digits(), 2);
    bool const colon = in.colon();
    auto const minute = number(in.digits(), 2);
    auto const second = in.colon() ? number(in.digits(), 2) : std::optional<std::uint64_t>{0};
    // RFC 5256 §2.2: an invalid time is 00:00:00, in UTC when the zone is invalid too.
    if (!hour || !colon || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return out;
    out.zone_minutes = zone_of(in.rest());
    out.unix_seconds += static_cast<std::int64_t>(*hour * 3600 + *minute * 60 + *second) - out.zone_minutes * 60;
    return out;
}

std::string format_date(date_time d)
{
    auto const c = calendar_of(d);
    return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} {}", days[static_cast<std::size_t>(c.weekday)], c.day, months[static_cast<std::size_t>(c.month - 1)],
                       c.year, c.hour, c.minute, c.second, zone_text(c.zone));
}

std::string format_imap_date_time(date_time d)
{
    auto const c = calendar_of(d);
    return fmt::format("{:2}-{}-{:04} {:02}:{:02}:{:02} {}", c.day, months[static_cast<std::size_t>(c.month - 1)], c.year, c.hour, c.minute, c.second,
                       zone_text(c.zone));
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE; the quotes are the caller's
std::optional<date_time> parse_imap_date_time(std::string_view t)
{
    if (t.size() != 26 || t[2] != '-' || t[6] != '-' || t[11] != ' ' || t[14] != ':' || t[17] != ':' || t[20] != ' ' || (t[21] != '+' && t[21] != '-'))
        return std::nullopt;
    auto const digits = [&](std::size_t from, std::size_t n) -> std::optional<std::uint64_t> {
        auto const s = t.substr(from, n);
        return std::ranges::all_of(s, detail::is_digit) ? number(s, n) : std::nullopt;
    };
    auto const day = t[0] == ' ' ? digits(1, 1) : digits(0, 2);
    unsigned const month = month_of(t.substr(3, 3));
    auto const year = digits(7, 4);
    auto const hour = digits(12, 2);
    auto const minute = digits(15, 2);
    auto const second = digits(18, 2);
    if (!day || month == 0 || !year || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    if (!digits(22, 4) || *digits(24, 2) > 59) return std::nullopt;
    auto const days_since = day_of(static_cast<std::int64_t>(*year), month, *day);
    if (!days_since) return std::nullopt;
    date_time out{0, zone_of(t.substr(21))};
    out.unix_seconds = *days_since * 86400 + static_cast<std::int64_t>(*hour * 3600 + *minute * 60 + *second) - out.zone_minutes * 60;
    return out;
}

std::int32_t day_number(date_time d) noexcept
{
    std::int64_t const local = std::clamp<std::int64_t>(d.unix_seconds, -(std::int64_t{1} << 45U), std::int64_t{1} << 45U) + d.zone_minutes * 60;
    return static_cast<std::int32_t>((local >= 0 ? local : local - 86399) / 86400);
}

// date-text = date-day "-" date-month "-" date-year
std::optional<std::int32_t> parse_imap_date(std::string_view text)
{
    auto const dash = text.find('-');
    if (dash == std::string_view::npos || dash < 1 || dash > 2 || text.size() != dash + 9 || text[dash + 4] != '-') return std::nullopt;
    auto const day = text.substr(0, dash);
    auto const year = text.substr(dash + 5);
    if (!std::ranges::all_of(day, detail::is_digit) || !std::ranges::all_of(year, detail::is_digit)) return std::nullopt;
    unsigned const month = month_of(text.substr(dash + 1, 3));
    if (month == 0) return std::nullopt;
    auto const days_since = day_of(static_cast<std::int64_t>(*number(year, 4)), month, *number(day, 2));
    return days_since ? std::optional{static_cast<std::int32_t>(*days_since)} : std::nullopt;
}

}  // namespace mansio::mime
