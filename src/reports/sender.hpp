// Tells others, once a day, what we saw of their mail and servers (RFC 7489 §7.2, RFC 8460 §4.1 and §5).
#pragma once
#include <memory>
#include <string>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "net/dns.hpp"
#include "reports/destinations.hpp"
#include "reports/observed.hpp"
#include "reports/report_mail.hpp"

namespace mansio::reports {

/// Signs and queues; app implements it over the signer and queue::mail_queue.
class outbox {
public:
    virtual ~outbox() = default;
    /// Returns when the message is safe. Sent from <>: nothing ever comes back. After a crash the same id and address may come again with the same octets; whoever can
    /// tell may answer that it is done.
    /// Errors: refused, syntax (never for this address: given up), others (tried again for 24 hours).
    [[nodiscard]] virtual task<result<void>> enqueue(report_mail m) = 0;
};

/// POSTs to others' HTTPS servers, through the egress gate, with deadlines of its own.
class https_poster {
public:
    virtual ~https_poster() = default;
    /// The status code. Errors: refused (an address we do not connect to: given up), others (tried again for 24 hours).
    /// RFC 8460 §3: errors of the server's certificate may be ignored.
    [[nodiscard]] virtual task<result<unsigned>> post(std::string url, std::string media_type, std::string octets) = 0;
};

/// Days end at midnight UTC. Each domain's report leaves at a random moment of the four hours that begin ten minutes later, so that not all servers report at
/// once; one that could not be handed on is tried again for 24 hours. docs/formats/reports.md says what a crash repeats.
/// Threads: all on `home`.  Lifetime: what it is given outlives it; stop() before the destructor.
class report_sender {
public:
    struct parts {
        store::engine& engine;
        base::executor& home;
        net::resolver& dns;
        base::worker_pool& pool;  ///< writes and packs reports
        base::random& random;
        base::log& log;
        base::metrics& metrics;
        observed_figures& figures;
        outbox& mail;
        https_poster* https = nullptr;  ///< nullptr: https destinations are given up
        organizational_domain organization;
        reporter by;
    };
    explicit report_sender(parts p);
    ~report_sender();
    report_sender(report_sender const&) = delete;
    report_sender& operator=(report_sender const&) = delete;

    /// Looks for reports that are due now, and every five minutes.
    void start();
    /// Lets the report under way end; what else is due waits for the next start.
    [[nodiscard]] task<void> stop();
    /// One look, for those who keep their own time instead of start(). Returns how many reports ended.
    [[nodiscard]] task<std::size_t> run_due();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::reports
