// Strangers' texts, numbers and moments, made fit to keep. Private to this folder.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mansio::reports {

/// Valid UTF-8 that XML 1.0 and JSON can both hold: control octets but TAB, CR, LF, and what is no character, become U+FFFD.
[[nodiscard]] std::string clean_text(std::string_view text);
/// At most `most` octets, cut between characters; "…" tells that it was.
[[nodiscard]] std::string shortened(std::string_view utf8, std::size_t most);
/// Decimal digits alone. nullopt: something else, or more than 2^63-1, which JSON readers and databases take for negative.
[[nodiscard]] std::optional<std::uint64_t> read_count(std::string_view text) noexcept;
[[nodiscard]] std::string_view trim_white(std::string_view text) noexcept;  ///< SP, HTAB, CR, LF at both ends
/// Never past 2^63-1.
[[nodiscard]] std::uint64_t add_counts(std::uint64_t a, std::uint64_t b) noexcept;

/// RFC 3339 §5.6, fractions of seconds dropped. nullopt: none, or before 1970 or after 9999.
[[nodiscard]] std::optional<std::int64_t> read_moment(std::string_view text);
/// "2016-04-01T00:00:00Z"
[[nodiscard]] std::string write_moment(std::int64_t unix_seconds);
/// "2016-04-01", days since 1970-01-01.
[[nodiscard]] std::string write_day(std::uint32_t day);
inline constexpr std::int64_t day_seconds = 86'400;
inline constexpr std::int64_t last_moment = 253'402'300'799;  ///< the end of 9999

/// A domain as keys have it: lower case, A-labels, without final dot. nullopt: none.
[[nodiscard]] std::optional<std::string> domain_key(std::string_view text);

}  // namespace mansio::reports
