// MTA-STS (RFC 8461): the record that announces a policy, and the policy. Text to values, no I/O.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::mailauth {

/// What TXT records at "_mta-sts.DOMAIN" say (§3.1): the policy's id, when exactly one record announces one and it is well formed.
[[nodiscard]] std::optional<std::string> sts_id_of(std::vector<std::string> const& records);

struct sts_policy {
    enum class mode : std::uint8_t { enforce, testing, none };
    mode what = mode::none;
    std::vector<std::string> mx;         ///< lower case: "mail.example.com", "*.example.net"
    std::chrono::seconds max_age{0};     ///< at most a year and a quarter of a day, as the RFC caps it
    std::vector<std::string> lines;      ///< as declared, for TLSRPT
};
inline constexpr std::size_t sts_largest_policy = 64U * 1024U;  ///< §3.3
inline constexpr std::size_t sts_most_mx = 100;
inline constexpr std::size_t sts_most_lines = 1000;
inline constexpr std::chrono::seconds sts_longest_age{31'557'600};  ///< §3.2

/// Errors: syntax, over_limit (size, lines, "mx" fields). Unknown fields are ignored, of repeated ones the first counts (§3.2).
[[nodiscard]] result<sts_policy> read_sts_policy(std::string_view text);
/// §4.1: a "*" stands for the whole leftmost label and for nothing else. `host` without final dot, any case.
[[nodiscard]] bool permits_mx(sts_policy const& p, std::string_view host);
[[nodiscard]] std::string_view name_of(sts_policy::mode m) noexcept;

}  // namespace mansio::mailauth
