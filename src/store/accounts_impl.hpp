// Inside of store::accounts: the table of each owner, and the way of a call there and back.
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/executor.hpp"
#include "store/account.hpp"
#include "store/account_core.hpp"

namespace mansio::store {

/// The accounts of one owner. Threads: its executor alone.
struct account_shard {
    base::executor& home;
    base::task_group background;
    struct slot {
        std::shared_ptr<account_core> account;
        std::list<account_number>::iterator age;
    };
    std::unordered_map<account_number, slot> accounts;
    std::list<account_number> by_age;  ///< the last used first
    std::size_t calls = 0;
    base::signal quiet;
    bool stopping = false;
    explicit account_shard(base::executor& e) : home(e), background(e) {}
};

struct accounts::impl {
    impl(engine& e, std::function<base::executor&(partition_id)> owner, base::limits const& l, base::random& r, base::log& log, base::metrics& m,
         accounts::options o);
    [[nodiscard]] base::executor& owner(account_number n) const;
    [[nodiscard]] account_shard& shard(base::executor& home);
    /// The account, for one call; null when the service has stopped. Pairs with leave().
    [[nodiscard]] std::shared_ptr<account_core> enter(account_shard& s, account_number n);
    void leave(account_shard& s);
    /// Gives memory back, least recently used first, when all accounts together take too much.
    void shed(account_shard& s);

    std::function<base::executor&(partition_id)> owner_of;
    account_services services;
    std::mutex mutex;  ///< of `shards` and `stopping`; an account_shard itself needs none
    std::map<base::executor*, std::unique_ptr<account_shard>> shards;
    std::atomic<bool> stopping{false};
};

/// Runs `body` on the account's owner and continues where the caller was. `body` itself does not await: it starts a member of account_core.
template <class R, class F> task<R> on_owner(accounts::impl& s, account_number n, std::shared_ptr<principal const> who, F body)
{
    auto& home = base::executor::current();
    auto& owner = s.owner(n);
    co_await base::hop_to{owner};
    std::optional<R> answer;
    if (s.stopping) {
        answer.emplace(fail(fault::kind::try_later, "the server is shutting down, try again later"));
    } else {
        auto& shard = s.shard(owner);
        auto account = s.enter(shard, n);
        if (account) {
            static principal const nobody = principal::person(0, {}, 0);
            task<R> work = body(*account, who ? *who : nobody);
            answer.emplace(co_await std::move(work));
            account.reset();
            s.leave(shard);
        } else {
            answer.emplace(fail(fault::kind::try_later, "the server is shutting down, try again later"));
        }
    }
    co_await base::hop_to{home};
    co_return std::move(*answer);
}

}  // namespace mansio::store
