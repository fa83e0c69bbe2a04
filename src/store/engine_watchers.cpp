#include "store/engine_watchers.hpp"

#include <atomic>

namespace mansio::store {

struct watcher_registry::watcher {
    base::executor& where_to;
    std::move_only_function<void()> changed;
    std::atomic<bool> under_way{false};
    watcher(base::executor& e, std::move_only_function<void()> c) : where_to(e), changed(std::move(c)) {}
};

std::shared_ptr<void> watcher_registry::add(partition_id where, base::executor& where_to, std::move_only_function<void()> changed)
{
    auto w = std::make_shared<watcher>(where_to, std::move(changed));
    std::lock_guard const lock{mutex_};
    auto& list = watchers_[where];
    std::erase_if(list, [](auto const& weak) { return weak.expired(); });
    list.push_back(w);
    return w;
}

void watcher_registry::wake(partition_id where)
{
    std::lock_guard const lock{mutex_};
    auto const it = watchers_.find(where);
    if (it == watchers_.end()) return;
    std::erase_if(it->second, [](std::weak_ptr<watcher> const& weak) {
        auto const w = weak.lock();
        if (!w) return true;
        if (w->under_way.exchange(true)) return false;
        w->where_to.post([weak] {
            auto const alive = weak.lock();
            if (!alive) return;
            // Before the call: what is committed while it runs is a new wake-up.
            alive->under_way.store(false);
            alive->changed();
        });
        return false;
    });
    if (it->second.empty()) watchers_.erase(it);
}

}  // namespace mansio::store
