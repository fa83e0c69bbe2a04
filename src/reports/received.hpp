// The reports others send us: found, read, counted once, summed up for each of our domains and days.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "reports/report_finder.hpp"
#include "reports/summaries.hpp"
#include "store/engine.hpp"

namespace mansio::reports {

/// Who sent a message that holds a report, as far as that was proved.
struct report_origin {
    std::string from_domain;                ///< of the From field
    bool aligned = false;                   ///< SPF or DKIM passed for it, aligned (whether or not it publishes a DMARC policy)
    std::vector<std::string> dkim_domains;  ///< d= of the signatures that passed and cover the whole body (no l=)
};

/// What became of one message.
struct receipt {
    std::size_t counted = 0, repeated = 0;  ///< reports
    std::vector<fault> problems;            ///< of the others, one each
};

/// One line of `mansio reports list`.
struct day_line {
    report_kind what = report_kind::dmarc;
    std::string domain;
    std::uint32_t day = 0;                ///< since 1970-01-01
    std::uint64_t reports = 0;
    std::uint64_t messages = 0, failed = 0;  ///< DMARC: messages, those without an aligned pass; TLS: sessions, failed ones
};
struct day_filter {
    std::optional<report_kind> what;
    std::string domain;                   ///< empty: all
    std::uint32_t from = 0, to = UINT32_MAX;  ///< days, both included
    std::size_t most = 1000;
};

/// Threads: any executor, answers there; calls may overlap, the engine's guards keep sums right.
/// Lifetime: whatever it is given outlives it and every call.
class received_reports {
public:
    struct parts {
        store::engine& engine;
        base::worker_pool& pool;  ///< reads what may be a bomb
        base::limits const& limits;
        base::clock& clock;
        base::random& random;
        base::log& log;
        base::metrics& metrics;
        /// Whether a domain, or one it is below, is ours: about others nobody has anything to tell us.
        std::function<task<result<bool>>(std::string domain)> is_ours;
    };
    explicit received_reports(parts p);
    ~received_reports();
    received_reports(received_reports const&) = delete;
    received_reports& operator=(received_reports const&) = delete;

    /// Counts the reports a message holds; one without any is an empty receipt. The message itself is the caller's, to be delivered as any other.
    /// Not counted, with a problem each: what cannot be read; about domains that are not ours; older than 400 days or of tomorrow; a DMARC report whose From
    /// domain is not authenticated; a TLS report without a DKIM signature of the domain of its contact (RFC 8460 §3); one more than 2,000 for a domain and day.
    /// Errors: broken, try_later (the store): nothing of the message's reports may be counted, calling again is harmless.
    [[nodiscard]] task<result<receipt>> receive(mime::octets message, report_origin from);

    /// By kind, domain, day.
    [[nodiscard]] task<result<std::vector<day_line>>> list(day_filter f);
    /// Errors: not_found.
    [[nodiscard]] task<result<dmarc_day>> show_dmarc(std::string domain, std::uint32_t day);
    [[nodiscard]] task<result<tls_day>> show_tls(std::string domain, std::uint32_t day);
    /// Removes days older than 400 days; daily. Returns how many rows went.
    [[nodiscard]] task<result<std::size_t>> forget();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::reports
