// All accounts of the process: one table for each owner, so that no account is ever touched by two threads.
#include <mutex>

#include "base/log.hpp"
#include "store/accounts_impl.hpp"

namespace mansio::store {

namespace {
constexpr std::uint64_t shed_every = 64;  ///< calls between two looks at the memory in use
}

accounts::impl::impl(engine& e, std::function<base::executor&(partition_id)> owner, base::limits const& l, base::random& r, base::log& log, base::metrics& m, accounts::options o)
    : owner_of(std::move(owner)),
      services{.storage = e,
               .limits = l,
               .random = r,
               .log = log,
               .options = o,
               .operations = m.get_counter("mansio_store_account_changes_total", "changes that accounts were asked for"),
               .commits = m.get_counter("mansio_store_account_commits_total", "commits of accounts; changes that waited share one"),
               .folds = m.get_counter("mansio_store_folds_total", "mailbox logs folded into pages"),
               .loads = m.get_counter("mansio_store_account_loads_total", "accounts read from their rows"),
               .blob_reads = m.get_counter("mansio_store_blob_reads_total", "reads of message octets"),
               .limit_refusals = m.get_counter("mansio_store_limit_refusals_total", "changes refused because of a limit or the quota"),
               .cached = m.get_gauge("mansio_store_account_cache_octets", "memory that loaded accounts take")}
{
}

base::executor& accounts::impl::owner(account_number n) const
{
    partition_id where;
    where.kind = partition_kind::account;
    where.number = n;
    return owner_of(where);
}

account_shard& accounts::impl::shard(base::executor& home)
{
    std::lock_guard const lock{mutex};
    auto& s = shards[&home];
    if (!s) s = std::make_unique<account_shard>(home);
    return *s;
}

std::shared_ptr<account_core> accounts::impl::enter(account_shard& s, account_number n)
{
    if (s.stopping) return nullptr;
    auto& a = s.accounts[n];
    if (!a) a = std::make_shared<account_core>(services, s.background, n);
    a->used(++s.stamp);
    ++s.calls;
    if (s.stamp % shed_every == 0) shed(s);
    return a;
}

void accounts::impl::leave(account_shard& s)
{
    if (--s.calls == 0) s.quiet.notify_all();
}

/// Gives memory back, least recently used first, until all accounts together are within the limit again.
void accounts::impl::shed(account_shard& s)
{
    auto const limit = static_cast<std::int64_t>(services.options.cache_octets);
    if (services.cached_octets.load() <= limit) return;
    std::vector<std::pair<std::uint64_t, account_number>> by_age;
    for (auto const& [n, a] : s.accounts) by_age.emplace_back(a->last_used(), n);
    std::sort(by_age.begin(), by_age.end());
    for (auto const& [stamp, n] : by_age) {
        if (services.cached_octets.load() <= limit) return;
        auto const it = s.accounts.find(n);
        static_cast<void>(it->second->shed());
        // One reference is the table's: nobody is inside.
        if (it->second.use_count() == 1 && it->second->idle()) s.accounts.erase(it);
    }
}

accounts::accounts(engine& e, std::function<base::executor&(partition_id)> owner_of, base::limits const& l, base::random& r, base::log& log, base::metrics& m, options o)
    : impl_(std::make_unique<impl>(e, std::move(owner_of), l, r, log, m, o))
{
}

accounts::~accounts() = default;

base::executor& accounts::owner_of(account_number n) const { return impl_->owner(n); }
engine& accounts::storage() noexcept { return impl_->services.storage; }

task<result<void>> accounts::create(account_number n, std::uint64_t quota_octets, std::optional<bool> folders)
{
    bool const with_folders = folders.value_or(impl_->services.options.default_folders);
    return on_owner<result<void>>(*impl_, n, nullptr, [quota_octets, with_folders](account_core& a, principal const&) { return a.create(quota_octets, with_folders); });
}

task<result<void>> accounts::remove(account_number n)
{
    return on_owner<result<void>>(*impl_, n, nullptr, [](account_core& a, principal const&) { return a.remove_all(); });
}

account_ref accounts::open(account_number n, principal who)
{
    account_ref ref;
    ref.service_ = this;
    ref.number_ = n;
    ref.who_ = std::make_shared<principal const>(std::move(who));
    return ref;
}

namespace {
task<void> stop_shard(account_shard& s)
{
    auto& home = base::executor::current();
    co_await base::hop_to{s.home};
    s.stopping = true;
    while (s.calls != 0) co_await s.quiet.wait();
    for (auto& [n, a] : s.accounts) co_await a->close();
    co_await s.background.join();
    s.accounts.clear();
    co_await base::hop_to{home};
}
}  // namespace

task<void> accounts::stop()
{
    std::vector<account_shard*> all;
    {
        std::lock_guard const lock{impl_->mutex};
        for (auto& [home, s] : impl_->shards) all.push_back(s.get());
        impl_->stopping = true;
    }
    for (auto* const s : all) co_await stop_shard(*s);
}

}  // namespace mansio::store
