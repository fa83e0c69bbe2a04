#include "base/executor.hpp"

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace mansio::base {
namespace {
thread_local executor* current_executor = nullptr;

/// Owns a spawned task until it ends, then frees itself.
struct detached {
    struct promise_type {
        detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        [[noreturn]] void unhandled_exception() const noexcept
        {
            try {
                throw;
            } catch (std::exception const& e) {
                std::fprintf(stderr, "mansio: an exception left a task: %s. This is a bug in Mansio.\n", e.what());
            } catch (...) {
                std::fprintf(stderr, "mansio: an exception left a task. This is a bug in Mansio.\n");
            }
            std::abort();
        }
    };
};

/// Always goes through the queue, even from the same thread: a spawned task never runs inside spawn().
struct queued {
    executor& where;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        where.post([h] { h.resume(); });
    }
    void await_resume() const noexcept {}
};

detached drive(executor& where, task<void> t, work when_done)
{
    co_await queued{where};
    co_await std::move(t);
    if (when_done) when_done();
}
}  // namespace

executor& executor::current()
{
    MANSIO_ASSERT(current_executor != nullptr);
    return *current_executor;
}
executor* executor::current_or_null() noexcept { return current_executor; }
executor::running_scope::running_scope(executor& e) noexcept : before_(std::exchange(current_executor, &e)) {}
executor::running_scope::~running_scope() { current_executor = before_; }

void signal::notify_all()
{
    auto waiting = std::exchange(waiting_, {});
    for (auto h : waiting) executor::current().post([h] { h.resume(); });
}

task_group::task_group(executor& home) : home_(home) {}
task_group::~task_group() { MANSIO_ASSERT(running_ == 0); }
void task_group::spawn(task<void> t)
{
    ++running_;
    spawn_detached(home_, std::move(t), [this] {
        if (--running_ == 0) empty_.notify_all();
    });
}
task<void> task_group::join()
{
    while (running_ != 0) co_await empty_.wait();
}

void spawn_detached(executor& where, task<void> t, work when_done) { drive(where, std::move(t), std::move(when_done)); }

struct manual_executor::state {
    manual_clock& clock;
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<work> ready;
    std::map<std::pair<monotonic_time, timer_id>, work> timers;
    std::map<timer_id, monotonic_time> due;
    timer_id next_timer = 1;
    explicit state(manual_clock& c) : clock(c) {}
};

manual_executor::manual_executor(manual_clock& clock) : state_(std::make_unique<state>(clock)) {}
manual_executor::~manual_executor() = default;
base::clock& manual_executor::clock() const noexcept { return state_->clock; }

void manual_executor::post(work w)
{
    std::lock_guard const lock{state_->mutex};
    state_->ready.push_back(std::move(w));
    state_->arrived.notify_all();
}

executor::timer_id manual_executor::call_after(std::chrono::nanoseconds delay, work w)
{
    auto const id = state_->next_timer++;
    auto const at = state_->clock.monotonic() + delay;
    state_->timers.emplace(std::pair{at, id}, std::move(w));
    state_->due.emplace(id, at);
    return id;
}

void manual_executor::cancel(timer_id id)
{
    auto const it = state_->due.find(id);
    if (it == state_->due.end()) return;
    state_->timers.erase({it->second, id});
    state_->due.erase(it);
}

std::size_t manual_executor::run_ready()
{
    running_scope const here{*this};
    std::size_t ran = 0;
    while (true) {
        work next;
        {
            std::lock_guard const lock{state_->mutex};
            if (!state_->ready.empty()) {
                next = std::move(state_->ready.front());
                state_->ready.pop_front();
            }
        }
        if (!next) {
            auto const it = state_->timers.begin();
            if (it == state_->timers.end() || it->first.first > state_->clock.monotonic()) return ran;
            next = std::move(it->second);
            state_->due.erase(it->first.second);
            state_->timers.erase(it);
        }
        next();
        ++ran;
    }
}

void manual_executor::run_for(std::chrono::nanoseconds span)
{
    auto const end = state_->clock.monotonic() + span;
    run_ready();
    while (!state_->timers.empty() && state_->timers.begin()->first.first <= end) {
        state_->clock.advance(state_->timers.begin()->first.first - state_->clock.monotonic());
        run_ready();
    }
    state_->clock.advance(end - state_->clock.monotonic());
    run_ready();
}

bool manual_executor::run_until(std::move_only_function<bool()> finished)
{
    while (!finished()) {
        if (run_ready() != 0) continue;
        if (finished()) return true;
        // Work with another thread comes back, however slow the machine is; of posts that nobody announced we know nothing, so they get a moment.
        {
            std::unique_lock lock{state_->mutex};
            auto const patience = waits_for_others() || state_->timers.empty() ? std::chrono::milliseconds{10'000} : std::chrono::milliseconds{5};
            if (state_->arrived.wait_for(lock, patience, [&] { return !state_->ready.empty(); })) continue;
        }
        if (state_->timers.empty()) return false;
        auto const next = state_->timers.begin()->first.first;
        if (next > state_->clock.monotonic()) state_->clock.advance(next - state_->clock.monotonic());
    }
    return true;
}

struct worker_pool::state {
    std::size_t max_waiting;
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<work> waiting;
    bool stopping = false;
    std::vector<std::thread> threads;
    explicit state(std::size_t max) : max_waiting(max) {}
    void serve()
    {
        std::unique_lock lock{mutex};
        while (true) {
            arrived.wait(lock, [&] { return stopping || !waiting.empty(); });
            if (waiting.empty()) return;
            auto next = std::move(waiting.front());
            waiting.pop_front();
            lock.unlock();
            next();
            next = nullptr;
            lock.lock();
        }
    }
};

worker_pool::worker_pool(std::string name, std::size_t threads, std::size_t max_waiting) : state_(std::make_unique<state>(max_waiting))
{
    MANSIO_ASSERT(threads >= 1);
    for (std::size_t i = 0; i < threads; ++i) {
        state_->threads.emplace_back([s = state_.get()] { s->serve(); });
        pthread_setname_np(state_->threads.back().native_handle(), name.substr(0, 15).c_str());
    }
}

worker_pool::~worker_pool()
{
    {
        std::lock_guard const lock{state_->mutex};
        state_->stopping = true;
        state_->arrived.notify_all();
    }
    for (auto& t : state_->threads) t.join();
}

bool worker_pool::submit(work w)
{
    std::lock_guard const lock{state_->mutex};
    if (state_->stopping || state_->waiting.size() >= state_->max_waiting) return false;
    state_->waiting.push_back(std::move(w));
    state_->arrived.notify_one();
    return true;
}

}  // namespace mansio::base
