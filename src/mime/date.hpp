// Dates of header fields and of IMAP.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mansio::mime {

/// A moment and the zone it was written in.
struct date_time {
    std::int64_t unix_seconds = 0;
    std::int16_t zone_minutes = 0;  ///< east of UTC
    bool operator==(date_time const&) const = default;
};

/// RFC 5322 §3.3 with the obsolete forms of §4.3. nullopt: no date in it.
[[nodiscard]] std::optional<date_time> parse_date(std::string_view field_body);
/// "Tue, 1 Jul 2003 10:52:37 +0200"
[[nodiscard]] std::string format_date(date_time d);
/// IMAP's "17-Jul-1996 02:44:25 -0700" (day padded with a blank), without quotes; and back, RFC 9051 date-time.
[[nodiscard]] std::string format_imap_date_time(date_time d);
[[nodiscard]] std::optional<date_time> parse_imap_date_time(std::string_view text);
/// Days since 1970-01-01 of the date as written in its own zone (SEARCH SENTON ignores time and zone, RFC 9051 §6.4.4).
[[nodiscard]] std::int32_t day_number(date_time d) noexcept;
/// "1-Feb-1994" → days since 1970-01-01 (RFC 9051 `date`).
[[nodiscard]] std::optional<std::int32_t> parse_imap_date(std::string_view text);

}  // namespace mansio::mime
