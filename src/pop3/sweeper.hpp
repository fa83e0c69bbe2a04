// Removes what POP3 policies no longer keep: "7-days-after-fetch", "30-days". What EXPIRE announces is what this does (RFC 2449 §6.7).
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>

#include "auth/pop3_policies.hpp"
#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "pop3/maildrop.hpp"
#include "store/account.hpp"

namespace mansio::pop3 {

/// What a sweeper works with; all outlives it.
struct sweeper_parts {
    auth::directory& directory;
    auth::pop3_policies& policies;
    store::accounts& accounts;
    std::shared_ptr<maildrop_locks> locks;
    base::log& log;
    base::metrics& metrics;
    std::chrono::seconds every{3600};  ///< between two rounds
};

/// Walks over all accounts once an hour, a page of them at a time, and removes from INBOX what is over its time. Each removal
/// is a commit of at most 1,000 messages that is durable before the next; a crash leaves what was not removed for the next round. A maildrop in use is
/// left for the next round too. A mailbox is looked into only when something of it can be due. A round after the wall clock jumped is left out: what a
/// wrong clock deletes is gone.
/// Threads: start(), sweep() and stop() on `home`.
class sweeper {
public:
    sweeper(sweeper_parts p, base::executor& home);
    ~sweeper();
    sweeper(sweeper const&) = delete;
    sweeper& operator=(sweeper const&) = delete;
    /// The first round begins one wait from now: a restart is no reason to be in a hurry.
    void start();
    /// One round now. Answers how many messages went.
    [[nodiscard]] task<std::uint64_t> sweep();
    /// Ends the round under way at its next step.
    [[nodiscard]] task<void> stop();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace mansio::pop3
