// All accounts of the process: one table for each owner, so that no account is ever touched by two threads.
#include <mutex>

#include "base/log.hpp"
#include "store/accounts_impl.hpp"

namespace mansio::store {

namespace {
constexpr int looked_at_most = 16;  ///< accounts asked for memory by one call
}

accounts::impl::impl(engine& e, std::function<base::executor&(partition_id)> owner, base::limits const& l, base::random& r, base::log& log, base::metrics& m,
                     accounts::options o)
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
{}

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
    auto const [it, fresh] = s.accounts.try_emplace(n);
    auto& slot = it->second;
    if (fresh) {
        slot.account = std::make_shared<account_core>(services, s.background, n);
        s.by_age.push_front(n);
        slot.age = s.by_age.begin();
    } else {
        s.by_age.splice(s.by_age.begin(), s.by_age, slot.age);
    }
    ++s.calls;
    return slot.account;
}

void accounts::impl::leave(account_shard& s)
{
    shed(s);
    if (--s.calls == 0) s.quiet.notify_all();
}

void accounts::impl::shed(account_shard& s)
{
    auto const limit = static_cast<std::int64_t>(services.options.cache_octets);
    for (int i = 0; i < looked_at_most && services.cached_octets.load() > limit && !s.by_age.empty(); ++i) {
        auto const n = s.by_age.back();
        auto const it = s.accounts.find(n);
        auto& account = it->second.account;
        static_cast<void>(account->shed());
        // One reference is the table's: nobody is inside.
        if (account.use_count() == 1 && account->idle()) {
            s.by_age.pop_back();
            s.accounts.erase(it);
        } else {
            s.by_age.splice(s.by_age.begin(), s.by_age, it->second.age);  // in use: its turn comes again
        }
    }
}

accounts::accounts(engine& e, std::function<base::executor&(partition_id)> owner_of, base::limits const& l, base::random& r, base::log& log, base::metrics& m,
                   options o)
    : impl_(std::make_unique<impl>(e, std::move(owner_of), l, r, log, m, o))
{}

accounts::~accounts() = default;

base::executor& accounts::owner_of(account_number n) const { return impl_->owner(n); }
engine& accounts::storage() noexcept { return impl_->services.storage; }

task<result<void>> accounts::create(account_number n, std::uint64_t quota_octets, std::optional<bool> folders)
{
    bool const with_folders = folders.value_or(impl_->services.options.default_folders);
    return on_owner<result<void>>(*impl_, n, nullptr,
                                  [quota_octets, with_folders](account_core& a, principal const&) { return a.create(quota_octets, with_folders); });
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

void accounts::expect(account_number n)
{
    auto& home = base::executor::current();
    MANSIO_ASSERT(&home == &impl_->owner(n));
    if (impl_->stopping) return;
    auto& shard = impl_->shard(home);
    if (auto account = impl_->enter(shard, n)) {
        account->expect();
        account.reset();
        impl_->leave(shard);
    }
}

namespace {
task<void> stop_shard(account_shard& s)
{
    auto& home = base::executor::current();
    co_await base::hop_to{s.home};
    s.stopping = true;
    while (s.calls != 0) co_await s.quiet.wait();
    for (auto& [n, slot] : s.accounts) co_await slot.account->close();
    co_await s.background.join();
    s.accounts.clear();
    s.by_age.clear();
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
