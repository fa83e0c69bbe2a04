// What we see of others' mail and servers, counted by day and domain until it is reported (docs/formats/reports.md).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "reports/dmarc_report.hpp"
#include "reports/report_finder.hpp"
#include "reports/tls_report.hpp"
#include "store/engine.hpp"

namespace mansio::reports {

/// One message to which a DMARC policy applied, whatever became of it (RFC 7489 §7.2). Domains in A-labels.
struct dmarc_observation {
    dmarc_report::policy_published policy;  ///< as discovered; `domain`: where the record stands
    std::string rua;                        ///< the tag's value; empty: nobody asks for reports, and nothing is counted
    /// source_ip, disposition, dkim and spf ("pass", "fail": aligned or not), reasons, identifiers (domains, envelope_to too) and results; no count.
    dmarc_report::record seen;
};

/// One session with an MX host of a domain, or one that did not come to be: under each policy that applied (RFC 8460 §4).
struct tls_observation {
    std::string domain;                          ///< the recipient's: the policy domain
    std::string policy_type;                     ///< "tlsa", "sts", "no-policy-found"
    std::vector<std::string> policy_text;        ///< TLSA records or lines of the MTA-STS policy, §4.5
    std::vector<std::string> mx_hosts;           ///< patterns of the MTA-STS policy
    std::optional<tls_report::failure> failure;  ///< nullopt: a session that complies; its `sessions` is not read
};

/// Counts in memory, writes what is new once a minute: a crash loses the last minute's events, nothing else.
/// Threads: record() any, never waits; the rest on `home`.  Lifetime: what it is given outlives it; stop() before the destructor.
class observed_figures {
public:
    /// How much is told apart; what comes beyond is counted as one figure that the report tells.
    struct bounds {
        std::size_t rows_of_a_domain = 1'000;
        std::size_t domains = 10'000;
        std::size_t rows = 100'000;
    };
    observed_figures(store::engine& e, base::executor& home, base::random& r, base::log& log, base::metrics& m, bounds b);
    observed_figures(store::engine& e, base::executor& home, base::random& r, base::log& log, base::metrics& m);
    ~observed_figures();
    observed_figures(observed_figures const&) = delete;
    observed_figures& operator=(observed_figures const&) = delete;

    void record(dmarc_observation o);
    void record(tls_observation o);
    /// Writes what is not yet written. Errors: as engine::commit(); what could not be written is kept for the next time.
    [[nodiscard]] task<result<void>> flush();
    /// Writes what there is of a domain's day and begins a new run for whatever comes after: its rows change no more.
    [[nodiscard]] task<result<void>> close(std::uint32_t day, report_kind what, std::string domain);
    /// The last flush. record() does nothing from now on.
    [[nodiscard]] task<void> stop();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace mansio::reports
