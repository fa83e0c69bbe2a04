// SMTP TLS reports as values, and as the JSON they travel in (RFC 8460 §4.4).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::reports {

/// Texts are UTF-8 as the reporter wrote them: strangers' words, to be escaped wherever they are shown.
struct tls_report {
    /// Sessions that failed in one way (§4.3). A session may fail in several.
    struct failure {
        std::string result_type;       ///< "certificate-expired", …; new ones may come
        std::string sending_ip, mx_host, mx_helo, receiving_ip;  ///< empty: not told
        std::uint64_t sessions = 0;
        std::string additional_information, reason_code;
        bool operator==(failure const&) const = default;
    };
    struct policy {
        std::string type;                  ///< "tlsa", "sts", "no-policy-found"
        std::vector<std::string> text;     ///< the TLSA records, or the lines of the MTA-STS policy
        std::string domain;
        std::vector<std::string> mx_hosts; ///< patterns of the MTA-STS policy
        std::uint64_t successes = 0, failures = 0;
        std::vector<failure> details;
        bool operator==(policy const&) const = default;
    };

    std::string organization, contact, report_id;
    std::int64_t begin = 0, end = 0;       ///< unix seconds; the end belongs to the span or follows it, reporters differ
    std::vector<policy> policies;
    bool operator==(tls_report const&) const = default;
};

/// Longest text that is read: a report is built up whole, at several times its size.
inline constexpr std::uint64_t tls_report_octets = 16ULL << 20U;

/// Errors: syntax (no JSON, no report, a name twice in one object (RFC 7493 §2.3), something needed that is missing or of another type, a number that is
/// no count), over_limit (too long, too deep, too many values).  Threads: any; large ones belong on a pool.
[[nodiscard]] result<tls_report> read_tls_report(std::string_view json);

/// Ends in a line feed. What is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string write_tls_report(tls_report const& report);

}  // namespace mansio::reports
