// Who wants to hear that a partition changed.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/executor.hpp"
#include "store/engine.hpp"

namespace mansio::store {

/// engine::watch() for every engine. At most one wake-up of a watcher is under way at a time: changes meanwhile are the same wake-up.
/// Threads: safe. A token is dropped on the executor it wakes, so that no wake-up runs afterwards; that executor outlives it.
class watcher_registry {
public:
    [[nodiscard]] std::shared_ptr<void> add(partition_id where, base::executor& where_to, std::move_only_function<void()> changed);
    /// Something was committed in `where`.
    void wake(partition_id where);

private:
    struct watcher;
    struct by_hash {
        std::size_t operator()(partition_id const& p) const noexcept { return p.hash(); }
    };
    std::mutex mutex_;
    std::unordered_map<partition_id, std::vector<std::weak_ptr<watcher>>, by_hash> watchers_;
};

}  // namespace mansio::store
