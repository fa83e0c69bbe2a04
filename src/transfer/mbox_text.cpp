#include "transfer/mbox_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/bytes.hpp"

namespace mansio::transfer {
namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::vector<std::string_view> words(std::string_view s)
{
    std::vector<std::string_view> out;
    while (true) {
        s.remove_prefix(std::min(s.find_first_not_of(" \t"), s.size()));
        if (s.empty()) return out;
        auto const n = std::min(s.find_first_of(" \t"), s.size());
        out.push_back(s.substr(0, n));
        s.remove_prefix(n);
    }
}

template <class T> std::optional<T> number(std::string_view text)
{
    T n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

/// "01:05:34" or "01:05".
std::optional<std::int64_t> seconds_of_day(std::string_view t)
{
    if (t.size() != 8 && t.size() != 5) return std::nullopt;
    auto const h = number<int>(t.substr(0, 2)), m = number<int>(t.substr(3, 2));
    auto const s = t.size() == 8 ? number<int>(t.substr(6, 2)) : std::optional{0};
    if (!h || !m || !s || t[2] != ':' || (t.size() == 8 && t[5] != ':') || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
    return std::int64_t{*h} * 3600 + *m * 60 + *s;
}

}  // namespace

std::optional<from_line> parse_from_line(std::string_view line)
{
    if (!line.starts_with("From ")) return std::nullopt;
    auto const w = words(line.substr(5));
    // From the back: [sender] weekday month day time [zone] year; a sender may be missing or hold blanks.
    for (std::size_t i = 0; i + 4 < w.size(); ++i) {
        if (std::find(days.begin(), days.end(), w[i]) == days.end()) continue;
        auto const month = std::find(months.begin(), months.end(), w[i + 1]);
        auto const day = number<unsigned>(w[i + 2]);
        auto const time = seconds_of_day(w[i + 3]);
        // "2026", "+0100 2026", "MET 2026", "2026 +0100"
        auto year = number<int>(w[i + 4]);
        std::string_view zone;
        if (!year || w[i + 4].starts_with('+') || w[i + 4].starts_with('-')) {
            year.reset();
            zone = w[i + 4];
            if (i + 5 < w.size()) year = number<int>(w[i + 5]);
        } else if (i + 5 < w.size()) {
            zone = w[i + 5];
        }
        if (month == months.end() || !day || !time || !year || *year < 1900 || *year > 9999) continue;
        auto const date = std::chrono::year{*year} / std::chrono::month{static_cast<unsigned>(month - months.begin()) + 1} / std::chrono::day{*day};
        if (!date.ok()) continue;
        std::int16_t minutes = 0;
        if (zone.size() == 5 && (zone[0] == '+' || zone[0] == '-'))
            if (auto const hm = number<int>(zone.substr(1))) minutes = static_cast<std::int16_t>((zone[0] == '-' ? -1 : 1) * (*hm / 100 * 60 + *hm % 100));
        from_line out;
        out.sender = i == 0 ? std::string{} : std::string{w[0]};
        auto const midnight = std::chrono::sys_days{date}.time_since_epoch();
        out.date = {std::chrono::duration_cast<std::chrono::seconds>(midnight).count() + *time - minutes * 60, minutes};
        return out;
    }
    return std::nullopt;
}

std::string make_from_line(std::string_view sender, std::int64_t unix_seconds)
{
    // RFC 4155, appendix A: UTC, as asctime() writes it.
    std::chrono::sys_seconds const when{std::chrono::seconds{unix_seconds}};
    auto const day = std::chrono::floor<std::chrono::days>(when);
    std::chrono::year_month_day const date{day};
    std::chrono::hh_mm_ss const time{when - day};
    return fmt::format("From {} {} {} {:2} {:02}:{:02}:{:02} {}\n", sender.empty() ? "MAILER-DAEMON" : sender, days[std::chrono::weekday{day}.c_encoding()],
                       months[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(),
                       time.seconds().count(), static_cast<int>(date.year()));
}

bool take_status(std::string_view line, mbox_status& into)
{
    auto const colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    auto const name = line.substr(0, colon);
    auto const value = base::trim_blanks(line.substr(colon + 1));
    auto const add = [&into](std::string_view flag) {
        if (std::find(into.flags.begin(), into.flags.end(), flag) == into.flags.end()) into.flags.emplace_back(flag);
    };
    if (base::equal_ignoring_case(name, "Status")) {
        if (value.find('R') != std::string_view::npos) add("\\Seen");
        return true;
    }
    if (base::equal_ignoring_case(name, "X-Status")) {
        for (char const c : value) {
            if (c == 'A') add("\\Answered");
            if (c == 'F') add("\\Flagged");
            if (c == 'D') add("\\Deleted");
            if (c == 'T') add("\\Draft");
        }
        return true;
    }
    if (base::equal_ignoring_case(name, "X-Keywords")) {
        for (auto const w : words(value)) add(w);
        return true;
    }
    if (base::equal_ignoring_case(name, "X-UID")) {
        into.uid = number<std::uint32_t>(value).value_or(0);
        return true;
    }
    if (base::equal_ignoring_case(name, "X-IMAPbase") || base::equal_ignoring_case(name, "X-IMAP")) {
        auto const w = words(value);
        if (w.size() >= 2) {
            into.uid_validity = number<std::uint32_t>(w[0]).value_or(0);
            into.uid_next = number<std::uint32_t>(w[1]).value_or(0);
            if (into.uid_next != 0) ++into.uid_next;  // it holds the last UID given
        }
        if (base::equal_ignoring_case(name, "X-IMAP")) into.internal = true;
        return true;
    }
    return false;
}

std::string status_fields(std::vector<std::string> const& flags, std::uint32_t uid)
{
    std::string x_status, keywords;
    bool seen = false;
    for (auto const& f : flags) {
        if (f == "\\Seen") seen = true;
        if (f == "\\Answered") x_status += 'A';
        if (f == "\\Flagged") x_status += 'F';
        if (f == "\\Deleted") x_status += 'D';
        if (f == "\\Draft") x_status += 'T';
        if (!f.starts_with('\\')) keywords += (keywords.empty() ? "" : " ") + f;
    }
    std::string out = seen ? "Status: RO\n" : "Status: O\n";
    if (!x_status.empty()) out += "X-Status: " + x_status + "\n";
    if (!keywords.empty()) out += "X-Keywords: " + keywords + "\n";
    return out + fmt::format("X-UID: {}\n", uid);
}

bool wants_quote(std::string_view line) noexcept
{
    line.remove_prefix(std::min(line.find_first_not_of('>'), line.size()));
    return line.starts_with("From ");
}
std::string_view unquoted(std::string_view line) noexcept { return line.starts_with('>') && wants_quote(line) ? line.substr(1) : line; }

}  // namespace mansio::transfer
