// Which MTA-STS policy holds for a domain now: discovery, fetching, and a cache that outlives restarts (RFC 8461 §3.3, §5.1).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "mailauth/mta_sts.hpp"
#include "mailauth/tls_report.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

/// Gets "https://HOST/.well-known/mta-sts.txt" (§3.3): the certificate verified for HOST, no redirects followed, no cache, at most 64 KiB, at most a minute.
/// Threads: any executor, answers there. Lifetime: outlives its callers' tasks.
class policy_fetcher {
public:
    struct answer {
        unsigned status = 0;
        std::string media_type;  ///< Content-Type as sent
        std::string body;
    };
    virtual ~policy_fetcher() = default;
    /// Errors: refused (no certificate that is trusted and bears the name), any other kind for any other reason.
    [[nodiscard]] virtual task<result<answer>> fetch(std::string host) = 0;
};

/// A policy as it was fetched.
struct stored_policy {
    std::string domain;  ///< lower case, A-labels
    std::string id;
    std::string text;    ///< of a policy that was read without error
    base::wall_time fetched{};
    bool operator==(stored_policy const&) const = default;
};

/// The durable part. Threads: any executor. Errors of all: broken.
class policy_store {
public:
    virtual ~policy_store() = default;
    [[nodiscard]] virtual task<result<std::optional<stored_policy>>> load(std::string domain) = 0;
    /// Takes the place of the domain's earlier one.
    [[nodiscard]] virtual task<result<void>> save(stored_policy p) = 0;
    [[nodiscard]] virtual task<result<void>> remove(std::string domain) = 0;
    /// At most `most`, in order of domain, those after `after` ("": from the first).
    [[nodiscard]] virtual task<result<std::vector<stored_policy>>> list(std::string after, std::size_t most) = 0;
};
/// Kept in memory: tests, and servers without a durable one. Of more than `most` the one fetched longest ago goes. Threads: safe.
[[nodiscard]] std::unique_ptr<policy_store> make_memory_policy_store(std::size_t most = 10'000);

/// What holds for a domain.
struct sts_finding {
    std::optional<sts_policy> policy;   ///< of mode enforce or testing, valid now; none: deliver as though the domain had none
    bool uncertain = false;             ///< one may exist that could not be had now: who requires TLS must wait
    std::optional<tls_result> failure;  ///< why a policy could not be had, for TLSRPT (§6)
    std::string why;                    ///< of failure and uncertain, for operators
};

/// Owned by `home`; calls from any executor, answers there. Lifetime: what it is handed outlives it, and it outlives its callers' tasks.
class sts_policies {
public:
    sts_policies(base::executor& home, net::resolver& dns, policy_fetcher& fetcher, policy_store& store, base::log& log);
    ~sts_policies();
    sts_policies(sts_policies const&) = delete;
    sts_policies& operator=(sts_policies const&) = delete;
    /// Asks the DNS each time (so that a new policy counts at once, §5), and the policy host when the id is a new one. One fetch for a domain at a time,
    /// the others wait for it; after a failure the same id is not fetched for five minutes (§3.3). Errors: broken (the store).
    [[nodiscard]] task<result<sts_finding>> find(std::string domain);
    struct refreshed {
        std::size_t seen = 0, fetched = 0, failed = 0, removed = 0;
    };
    /// Fetches every cached policy again that is older than a day, so that none runs out while its host is kept from us (§3.3, §10.2); removes those whose
    /// time is over. To be called every hour or so; one fetch after the other. Errors: broken (the store).
    [[nodiscard]] task<result<refreshed>> refresh();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::mailauth
