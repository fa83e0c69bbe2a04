// MTA-STS policies of other domains: fetched, kept in the store, fetched again before they run out (RFC 8461).
#pragma once
#include <memory>

#include "app/sts_store.hpp"
#include "base/metrics.hpp"
#include "mailauth/sts_policies.hpp"
#include "net/fetch.hpp"

namespace mansio::app {

/// Asks a policy host through the fetcher. Threads: any executor. Lifetime: the fetcher outlives it.
class policy_by_https final : public mailauth::policy_fetcher {
public:
    explicit policy_by_https(net::fetcher& web) : web_(web) {}
    task<result<answer>> fetch(std::string host) override;

private:
    net::fetcher& web_;
};

/// Everything about others' policies in one place. Lifetime: what it is handed outlives it, and it outlives the relay. Threads: start() and stop() on `home`.
class sts_keeper {
public:
    struct parts {
        base::executor& home;
        store::engine& engine;
        net::resolver& dns;
        net::fetcher& web;
        base::random& random;
        base::log& log;
    };
    explicit sts_keeper(parts p);
    [[nodiscard]] mailauth::sts_policies& policies() noexcept { return policies_; }
    /// Looks after the cached ones every hour, the first time one hour from now.
    void start();
    /// Ends a round under way. The fetcher must have been stopped, or its deadlines are waited for.
    [[nodiscard]] task<void> stop();

private:
    void plan();
    task<void> round();
    base::executor& home_;
    base::log& log_;
    policy_by_https fetcher_;
    sts_store store_;
    mailauth::sts_policies policies_;
    base::task_group running_;
    base::executor::timer_id timer_ = 0;
    bool stopping_ = false, waiting_ = false;
};

}  // namespace mansio::app
