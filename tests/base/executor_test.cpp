#include "base/executor.hpp"

#include <gtest/gtest.h>

#include <thread>

using namespace mansio::base;
using namespace std::chrono_literals;

namespace {
struct turned_by_hand : testing::Test {
    manual_clock clock;
    manual_executor loop{clock};
};
using executors = turned_by_hand;

task<void> wait_for_signal(mansio::base::signal& s, int& woken)
{
    co_await s.wait();
    ++woken;
}
task<void> wait_twice(mansio::base::signal& s, int& woken)
{
    co_await s.wait();
    ++woken;
    co_await s.wait();
    ++woken;
}
task<void> spawn_another(task_group& group, int& ended, int depth)
{
    co_await sleep_for{1s};
    if (depth > 0) group.spawn(spawn_another(group, ended, depth - 1));
    ++ended;
}
task<int> answer_from_thread(std::jthread& thread)
{
    int const value = co_await await_callback<int>([&](auto done) { thread = std::jthread{[d = std::move(done)]() mutable { d(42); }}; });
    co_return executor::current_or_null() != nullptr ? value : -1;
}
task<int> answer_at_once()
{
    auto const value = co_await await_callback<std::unique_ptr<int>>([](auto done) { done(std::make_unique<int>(7)); });
    co_return *value;
}
task<bool> hops(manual_executor& there, manual_executor& home)
{
    co_await hop_to{there};
    bool const arrived = there.running_here() && !home.running_here();
    co_await hop_to{there};  // free
    co_await hop_to{home};
    co_return arrived&& home.running_here();
}
}  // namespace

TEST_F(executors, posted_work_runs_in_order_and_never_inside_post)
{
    std::vector<int> order;
    loop.post([&] {
        loop.post([&] { order.push_back(3); });
        order.push_back(1);
    });
    loop.post([&] { order.push_back(2); });
    EXPECT_TRUE(order.empty());
    EXPECT_EQ(loop.run_ready(), 3U);
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
    EXPECT_EQ(executor::current_or_null(), nullptr);
}

TEST_F(executors, a_timer_runs_when_its_time_has_come_and_not_before)
{
    std::vector<int> order;
    loop.call_after(10s, [&] { order.push_back(10); });
    loop.call_after(5s, [&] { order.push_back(5); });
    loop.call_after(5s, [&] { order.push_back(6); });
    loop.run_for(5s - 1ns);
    EXPECT_TRUE(order.empty());
    loop.run_for(1ns);
    EXPECT_EQ(order, (std::vector{5, 6}));
    loop.run_for(1h);
    EXPECT_EQ(order, (std::vector{5, 6, 10}));
}

TEST_F(executors, a_timer_sees_the_time_it_was_set_for)
{
    auto const begin = clock.monotonic();
    std::chrono::nanoseconds first{}, second{};
    loop.call_after(2s, [&] {
        first = clock.monotonic() - begin;
        loop.call_after(3s, [&] { second = clock.monotonic() - begin; });
    });
    loop.run_for(10s);
    EXPECT_EQ(first, 2s);
    EXPECT_EQ(second, 5s);
    EXPECT_EQ(clock.monotonic() - begin, 10s);
}

TEST_F(executors, a_cancelled_timer_does_not_run)
{
    int ran = 0;
    auto const id = loop.call_after(1s, [&] { ++ran; });
    auto const other = loop.call_after(1s, [&] { ++ran; });
    loop.cancel(id);
    loop.cancel(id);
    loop.run_for(2s);
    EXPECT_EQ(ran, 1);
    loop.cancel(other);
    loop.cancel(12345);
}

TEST_F(executors, run_until_skips_to_timers_and_tells_when_it_would_wait_for_ever)
{
    bool done = false;
    loop.call_after(std::chrono::hours{24}, [&] { done = true; });
    EXPECT_TRUE(loop.run_until([&] { return done; }));
}

TEST_F(executors, a_jump_of_wall_time_moves_no_timer)
{
    int ran = 0;
    loop.call_after(10s, [&] { ++ran; });
    clock.jump_wall(std::chrono::hours{24 * 3650});
    loop.run_for(9s);
    EXPECT_EQ(ran, 0);
    clock.jump_wall(-std::chrono::hours{2 * 24 * 3650});
    loop.run_for(1s);
    EXPECT_EQ(ran, 1);
}

TEST_F(executors, a_signal_wakes_all_that_wait_once)
{
    mansio::base::signal s;
    int woken = 0;
    task_group group{loop};
    group.spawn(wait_for_signal(s, woken));
    group.spawn(wait_for_signal(s, woken));
    group.spawn(wait_twice(s, woken));
    loop.run_ready();
    EXPECT_TRUE(s.has_waiters());
    EXPECT_EQ(woken, 0);
    loop.post([&] {
        s.notify_all();
        EXPECT_EQ(woken, 0) << "woken inside notify_all()";
        s.notify_all();  // nobody waits any more: lost, as promised
    });
    loop.run_ready();
    EXPECT_EQ(woken, 3);
    loop.post([&] { s.notify_all(); });
    loop.run_ready();
    EXPECT_EQ(woken, 4);
    EXPECT_FALSE(s.has_waiters());
    loop.run(group.join());
}

TEST_F(executors, join_waits_for_tasks_that_tasks_spawned)
{
    task_group group{loop};
    int ended = 0;
    group.spawn(spawn_another(group, ended, 5));
    EXPECT_EQ(ended, 0) << "ran inside spawn()";
    EXPECT_EQ(group.running(), 1U);
    loop.run(group.join());
    EXPECT_EQ(ended, 6);
    EXPECT_EQ(group.running(), 0U);
    loop.run(group.join());
}

TEST_F(executors, a_callback_answers_from_its_own_thread_or_at_once)
{
    std::jthread thread;
    EXPECT_EQ(loop.run(answer_from_thread(thread)), 42);
    EXPECT_EQ(loop.run(answer_at_once()), 7);
}

TEST_F(executors, hop_to_changes_where_the_rest_runs)
{
    manual_clock other_clock;
    manual_executor other{other_clock};
    std::jthread turns{[&](std::stop_token const& stop) {
        while (!stop.stop_requested()) {
            other.run_ready();
            std::this_thread::yield();
        }
    }};
    EXPECT_TRUE(loop.run(hops(other, loop)));
}

TEST_F(executors, yield_lets_others_run_first)
{
    std::vector<int> order;
    auto polite = [](std::vector<int>& o, int who) -> task<void> {
        o.push_back(who);
        co_await yield_now{};
        o.push_back(who);
    };
    task_group group{loop};
    group.spawn(polite(order, 1));
    group.spawn(polite(order, 2));
    loop.run(group.join());
    EXPECT_EQ(order, (std::vector{1, 2, 1, 2}));
}

TEST_F(executors, sleeping_no_time_does_not_suspend)
{
    auto nap = []() -> task<int> {
        co_await sleep_for{0s};
        co_await sleep_for{-5s};
        co_return 1;
    };
    EXPECT_EQ(loop.run(nap()), 1);
}

TEST_F(executors, an_exception_reaches_the_awaiter)
{
    auto thrower = []() -> task<int> {
        co_await yield_now{};
        throw std::logic_error("ours");
    };
    auto catcher = [](task<int> t) -> task<std::string> {
        try {
            co_return std::to_string(co_await std::move(t));
        } catch (std::logic_error const& e) {
            co_return e.what();
        }
    };
    EXPECT_EQ(loop.run(catcher(thrower())), "ours");
}

TEST(worker_pool, runs_all_that_waits_before_it_ends)
{
    std::atomic<int> ran{0};
    {
        worker_pool pool{"a name longer than the kernel takes", 2, 1000};
        for (int i = 0; i < 500; ++i) ASSERT_TRUE(pool.submit([&] { ++ran; }));
    }
    EXPECT_EQ(ran, 500);
}

TEST_F(executors, a_full_pool_is_a_fault_for_the_task_that_asked)
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
    ASSERT_TRUE(pool.submit([] {}));
    auto ask = [](worker_pool& p) -> task<mansio::result<int>> {
        auto const answer = co_await p.run([] { return 1; });
        co_return answer;
    };
    auto const answer = loop.run(ask(pool));
    held.unlock();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what, mansio::fault::kind::over_limit);
}
