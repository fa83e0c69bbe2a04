#include "base/executor.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

using namespace mansio::base;
using namespace std::chrono_literals;

namespace {
task<int> add(int a, int b) { co_return a + b; }
task<int> deep(int n)
{
    if (n == 0) co_return 0;
    auto const below = co_await deep(n - 1);
    co_return below + 1;
}
task<void> note_after(std::vector<int>& order, std::chrono::seconds wait, int what)
{
    co_await sleep_for{wait};
    order.push_back(what);
}
}  // namespace

TEST(task, returns_its_value)
{
    manual_clock clock;
    manual_executor loop{clock};
    EXPECT_EQ(loop.run(add(2, 3)), 5);
    EXPECT_EQ(loop.run(deep(1000)), 1000);
}

TEST(task, timers_run_in_order_of_time)
{
    manual_clock clock;
    manual_executor loop{clock};
    std::vector<int> order;
    task_group group{loop};
    group.spawn(note_after(order, 3s, 3));
    group.spawn(note_after(order, 1s, 1));
    group.spawn(note_after(order, 2s, 2));
    loop.run(group.join());
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(task, the_pool_answers_on_the_executor_that_asked)
{
    manual_clock clock;
    manual_executor loop{clock};
    worker_pool pool{"test", 2, 8};
    auto ask = [](worker_pool& p, manual_executor& home) -> task<bool> {
        auto const there = co_await p.run([] { return executor::current_or_null() == nullptr; });
        co_return there.value() && home.running_here();
    };
    EXPECT_TRUE(loop.run(ask(pool, loop)));
}

TEST(task, time_stands_still_while_a_pool_works)
{
    manual_clock clock;
    manual_executor loop{clock};
    worker_pool pool{"test", 1, 8};
    bool late = false;
    loop.call_after(1s, [&] { late = true; });
    // Longer in real time than the loop waits for posts that nobody announced.
    auto slow = [](worker_pool& p) -> task<bool> {
        auto const done = co_await p.run([] {
            std::mutex never;
            std::unique_lock lock{never};
            return std::condition_variable{}.wait_for(lock, 50ms) == std::cv_status::timeout;
        });
        co_return done.has_value();
    };
    EXPECT_TRUE(loop.run(slow(pool)));
    EXPECT_FALSE(late) << "a deadline passed because a thread was slow";
    EXPECT_TRUE(loop.run_until([&] { return late; }));
}

TEST(task, a_full_pool_refuses)
{
    worker_pool pool{"test", 1, 1};
    std::mutex gate;
    std::unique_lock held{gate};
    std::atomic<bool> started{false};
    ASSERT_TRUE(pool.submit([&] {
        started = true;
        started.notify_all();
        std::lock_guard const wait{gate};
    }));
    started.wait(false);
    EXPECT_TRUE(pool.submit([] {}));
    EXPECT_FALSE(pool.submit([] {}));
    held.unlock();
}
