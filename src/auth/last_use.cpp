#include "auth/last_use.hpp"

namespace mansio::auth {
namespace {
constexpr std::chrono::seconds delay{5};
constexpr std::int64_t again_after = 600;      // seconds
constexpr std::size_t most_noted = 1U << 16U;  // beyond it uses are written more often than needed, no worse
constexpr std::size_t a_commit = 1000;
}  // namespace

void last_uses::note(account_number n, std::string const& id, std::string row_key, rows::last_use use)
{
    std::lock_guard const lock{mutex_};
    if (closed_) return;
    name const who{n, id};
    if (auto const it = noted_.find(who); it != noted_.end() && use.when >= it->second && use.when < it->second + again_after) return;
    if (noted_.size() >= most_noted) noted_.clear();
    noted_[who] = use.when;
    pending_[who] = {std::move(row_key), std::move(use)};
    if (!std::exchange(scheduled_, true)) schedule();
}

void last_uses::schedule()
{
    // Timers are set on the owner itself; whoever comes too late finds nobody.
    dir_.owner.post([weak = weak_from_this(), &owner = dir_.owner] {
        if (weak.expired()) return;
        owner.call_after(delay, [weak, &owner] {
            if (auto self = weak.lock()) base::spawn_detached(owner, flush(std::move(self)));
        });
    });
}

std::optional<rows::last_use> last_uses::pending(account_number n, std::string const& id) const
{
    std::lock_guard const lock{mutex_};
    auto const it = pending_.find({n, id});
    if (it == pending_.end()) return std::nullopt;
    return it->second.use;
}

task<result<void>> last_uses::write(std::map<name, waiting> batch)
{
    std::vector<store::row_change> changes;
    for (auto& [who, what] : batch) {
        auto const row = co_await dir_.get(what.row_key);
        if (!row) co_return fail(row);
        if (!*row) continue;  // revoked meanwhile
        changes.push_back({rows::last_use_key(who.first, who.second), rows::encode(what.use)});
        if (changes.size() < a_commit) continue;
        auto const done = co_await dir_.commit({}, std::exchange(changes, {}), "last uses");
        if (!done) co_return fail(done);
    }
    if (changes.empty()) co_return result<void>{};
    co_return co_await dir_.commit({}, std::move(changes), "last uses");
}

task<void> last_uses::flush(std::shared_ptr<last_uses> self)
{
    std::map<name, waiting> batch;
    {
        std::lock_guard const lock{self->mutex_};
        batch.swap(self->pending_);
        self->scheduled_ = false;
    }
    if (batch.empty()) co_return;
    auto const done = co_await self->dir_.write(self->write(std::move(batch)));
    if (!done) self->dir_.log.warning("last_use_not_written", {{"error", done.error()}});
}

void last_uses::close()
{
    std::lock_guard const lock{mutex_};
    closed_ = true;
}

}  // namespace mansio::auth
