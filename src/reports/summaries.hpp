// What reports said about one domain on one day, summed up (docs/formats/reports.md).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "reports/dmarc_report.hpp"
#include "reports/tls_report.hpp"

namespace mansio::reports {

/// Messages, by what became of them. Counts stay below 2^63.
struct dmarc_figures {
    std::uint64_t messages = 0;
    std::uint64_t none = 0, quarantine = 0, reject = 0;  ///< dispositions; words we do not know are in none of them
    std::uint64_t dkim = 0, spf = 0, either = 0;         ///< with an aligned pass
    bool operator==(dmarc_figures const&) const = default;
};
struct dmarc_day {
    struct source {
        std::string address;
        dmarc_figures figures;
        bool operator==(source const&) const = default;
    };
    std::uint64_t reports = 0;
    dmarc_figures figures;
    std::uint64_t unlisted = 0;          ///< messages of sources beyond the 500 that are listed
    dmarc_report::policy_published policy;  ///< as last reported; its domain is the row's
    std::vector<std::string> reporters;  ///< at most 100
    std::vector<source> sources;         ///< at most 500, by address
    bool operator==(dmarc_day const&) const = default;
};
struct tls_day {
    struct policy {
        std::string type;
        std::uint64_t successes = 0, failures = 0;
        bool operator==(policy const&) const = default;
    };
    struct failure {
        std::string result_type, mx_host;
        std::uint64_t sessions = 0;
        bool operator==(failure const&) const = default;
    };
    std::uint64_t reports = 0;
    std::vector<std::string> reporters;  ///< at most 100
    std::vector<policy> policies;        ///< at most 100
    std::vector<failure> failures;       ///< at most 500
    std::uint64_t unlisted = 0;          ///< failed sessions beyond those
    bool operator==(tls_day const&) const = default;
};

void add_report(dmarc_day& to, dmarc_report const& report);
/// The policies of `domain` (a domain_key()) alone.
void add_report(tls_day& to, tls_report const& report, std::string_view domain);

[[nodiscard]] std::string encode(dmarc_day const& d);
[[nodiscard]] std::string encode(tls_day const& d);
/// Errors: broken.
[[nodiscard]] result<dmarc_day> decode_dmarc_day(std::string_view row);
[[nodiscard]] result<tls_day> decode_tls_day(std::string_view row);

}  // namespace mansio::reports
