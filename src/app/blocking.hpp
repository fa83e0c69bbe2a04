// For main(): runs a task on a shard and waits for it.
#pragma once
#include <future>

#include "base/executor.hpp"

namespace mansio::app {

/// Not for use on a shard.
template <class T> T run_blocking(base::executor& where, task<T> t)
{
    std::promise<T> promise;
    auto answer = promise.get_future();
    auto keep = [](task<T> inner, std::promise<T>& into) -> task<void> {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(inner);
            into.set_value();
        } else {
            into.set_value(co_await std::move(inner));
        }
    };
    base::spawn_detached(where, keep(std::move(t), promise));
    return answer.get();
}

}  // namespace mansio::app
