// Rows of what we saw and of reports under way (docs/formats/reports.md). Private to this folder.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "reports/destinations.hpp"
#include "reports/dmarc_report.hpp"
#include "reports/report_finder.hpp"
#include "reports/tls_report.hpp"
#include "store/engine.hpp"

namespace mansio::reports::rows {

inline constexpr store::partition_id observed_partition{store::partition_kind::report, 1};

/// What one report is about.
struct subject {
    std::uint32_t day = 0;
    report_kind what = report_kind::dmarc;
    std::string domain;
    auto operator<=>(subject const&) const = default;
};
/// Which of our runs counted: 8 random octets.
using run_id = std::string;
using hash = std::string;  ///< 16 octets

[[nodiscard]] std::string prefix_of(char letter, subject const& s);
[[nodiscard]] std::string count_key(subject const& s, run_id const& run, hash const& h);
[[nodiscard]] std::string policy_key(subject const& s, run_id const& run);
[[nodiscard]] std::string going_key(subject const& s);
[[nodiscard]] std::string sent_key(subject const& s, std::string_view report_id);
/// The first key of a letter on a day: bounds of scans over days.
[[nodiscard]] std::string day_key(char letter, std::uint32_t day);
/// Of any of the keys above; `rest` is what follows the domain.
[[nodiscard]] std::optional<subject> read_subject(std::string_view key, std::string_view* rest = nullptr);

/// What is alike, as octets; its hash.
[[nodiscard]] std::string encode(dmarc_report::record const& r);  ///< without its count
[[nodiscard]] std::string encode(tls_report::policy const& p);    ///< without domain, counts, details
[[nodiscard]] std::string encode(tls_report::policy const& p, tls_report::failure const& f);  ///< a failure under it, without its count
[[nodiscard]] hash hash_of(std::string_view payload);

struct counted {
    std::string payload;
    std::uint64_t first = 0, second = 0;
};
[[nodiscard]] std::string encode(counted const& c);
[[nodiscard]] result<counted> decode_counted(std::string_view row);

/// The figures that are no row of their own.
struct seen_policy {
    std::uint64_t unlisted = 0;
    std::int64_t seen = 0;  ///< when the policy was seen, unix seconds
    dmarc_report::policy_published policy;
    std::string rua;
};
[[nodiscard]] std::string encode(seen_policy const& p);
[[nodiscard]] result<seen_policy> decode_seen_policy(std::string_view row);

/// A report being sent.
struct going {
    enum class state : std::uint8_t { waiting, handed_on, given_up };
    struct destination {
        report_uri uri;
        state now = state::waiting;
    };
    std::string id;                   ///< of the report: its left half
    std::int64_t begun = 0, next = 0; ///< unix seconds
    std::uint32_t attempts = 0;
    std::vector<run_id> runs;         ///< whose rows it tells
    std::vector<destination> destinations;
};
[[nodiscard]] std::string encode(going const& g);
[[nodiscard]] result<going> decode_going(std::string_view row);

/// What a day's rows come to.
[[nodiscard]] result<void> add_to(dmarc_report& r, counted const& c);
[[nodiscard]] result<void> add_to(tls_report& r, std::string_view domain, counted const& c);

}  // namespace mansio::reports::rows
