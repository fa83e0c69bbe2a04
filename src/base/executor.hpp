// Where work runs: a shard's thread in the server, a hand-turned loop in tests.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/task.hpp"

namespace mansio::base {

using work = std::move_only_function<void()>;

/// A single thread's queue of work with timers. net::shard implements it over an io_context; manual_executor in tests.
/// Threads: post() from any thread; call_after() and cancel() only on the executor itself.
class executor {
public:
    using timer_id = std::uint64_t;
    virtual ~executor() = default;
    /// Runs `w` later on this executor, never inside the call. Work posted after the stop is destroyed unrun.
    virtual void post(work w) = 0;
    /// Runs `w` on this executor after `delay`, unless cancelled first.
    virtual timer_id call_after(std::chrono::nanoseconds delay, work w) = 0;
    /// No effect when it has run already.
    virtual void cancel(timer_id id) = 0;
    [[nodiscard]] virtual base::clock& clock() const noexcept = 0;
    [[nodiscard]] bool running_here() const noexcept { return current_or_null() == this; }
    /// Around a wait for another thread that is sure to bring its work back without this executor's help: a pool's, the committer's. A loop
    /// that is turned by hand then gives that thread real time before it lets its own pass. Threads: on the executor itself.
    void left() noexcept { ++away_; }
    void came_back() noexcept { --away_; }
    /// The executor whose work this thread is running. Asserts that there is one.
    [[nodiscard]] static executor& current();
    [[nodiscard]] static executor* current_or_null() noexcept;

protected:
    /// Implementations hold one while they run work on a thread.
    class running_scope {
    public:
        explicit running_scope(executor& e) noexcept;
        ~running_scope();
        running_scope(running_scope const&) = delete;
        running_scope& operator=(running_scope const&) = delete;

    private:
        executor* before_;
    };
    [[nodiscard]] bool waits_for_others() const noexcept { return away_ != 0; }

private:
    unsigned away_ = 0;
};

/// `co_await hop_to(shard)`: the rest of the coroutine runs on that executor. Free when already there.
struct hop_to {
    executor& target;
    explicit hop_to(executor& t) noexcept : target(t) {}
    bool await_ready() const noexcept { return target.running_here(); }
    void await_suspend(std::coroutine_handle<> h) const
    {
        target.post([h] { h.resume(); });
    }
    void await_resume() const noexcept {}
};

/// `co_await yield_now()`: lets other work of this executor run first; long work is cut with it.
struct yield_now {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        executor::current().post([h] { h.resume(); });
    }
    void await_resume() const noexcept {}
};

/// Waits on the current executor's clock.
struct sleep_for {
    std::chrono::nanoseconds delay;
    explicit sleep_for(std::chrono::nanoseconds d) noexcept : delay(d) {}
    bool await_ready() const noexcept { return delay.count() <= 0; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        executor::current().call_after(delay, [h] { h.resume(); });
    }
    void await_resume() const noexcept {}
};

/// Bridges a callback to a coroutine: `T v = co_await await_callback<T>([&](auto done) { start(std::move(done)); });`
/// `done(value)` is called exactly once, on any thread; the coroutine continues on the executor that awaited.
template <class T> class await_callback {
public:
    using done = std::move_only_function<void(T)>;
    explicit await_callback(std::move_only_function<void(done)> start) : start_(std::move(start)) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h)
    {
        auto* home = &executor::current();
        start_([this, h, home](T value) {
            value_.emplace(std::move(value));
            home->post([h] { h.resume(); });
        });
    }
    T await_resume() { return std::move(*value_); }

private:
    std::move_only_function<void(done)> start_;
    std::optional<T> value_;
};

/// Wakes everything that waits, once, on the executor they wait on. Used for "something changed": waiters re-read.
/// Threads: one executor.
class signal {
public:
    signal() = default;
    signal(signal const&) = delete;
    signal& operator=(signal const&) = delete;
    struct awaiter {
        signal& s;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) const { s.waiting_.push_back(h); }
        void await_resume() const noexcept {}
    };
    awaiter wait() noexcept { return awaiter{*this}; }
    void notify_all();
    [[nodiscard]] bool has_waiters() const noexcept { return !waiting_.empty(); }

private:
    std::vector<std::coroutine_handle<>> waiting_;
};

/// Counts tasks in and out: nothing is spawned and forgotten. Threads: one executor, the one join() runs on.
class task_group {
public:
    explicit task_group(executor& home);
    /// join() must have returned, or nothing was ever spawned.
    ~task_group();
    task_group(task_group const&) = delete;
    task_group& operator=(task_group const&) = delete;
    /// Starts `t` on the home executor (later, never inside the call). An exception that leaves it is logged and ends the process:
    /// a task that can fail says so with a result.
    void spawn(task<void> t);
    /// Returns when every task spawned so far or meanwhile has ended.
    task<void> join();
    [[nodiscard]] std::size_t running() const noexcept { return running_; }

private:
    executor& home_;
    std::size_t running_ = 0;
    signal empty_;
};

/// Starts `t` on `where`, counted by nobody: only for callers that keep their own count (shard roots, tests).
void spawn_detached(executor& where, task<void> t, work when_done = {});

/// A loop a test turns by hand; time passes only by run_for() or when idle work is skipped to by run_until().
/// Threads: post() from any; the rest from the one that turns it.
class manual_executor final : public executor {
public:
    explicit manual_executor(manual_clock& clock);
    ~manual_executor() override;
    void post(work w) override;
    timer_id call_after(std::chrono::nanoseconds delay, work w) override;
    void cancel(timer_id id) override;
    [[nodiscard]] base::clock& clock() const noexcept override;
    /// Runs what is ready, time standing still. Returns how many pieces of work ran.
    std::size_t run_ready();
    /// Turns the clock on by `span`, running timers in order.
    void run_for(std::chrono::nanoseconds span);
    /// Runs until `finished()`; when nothing is ready it skips to the next timer; when there is none, or work of its own is with another
    /// thread, it waits (at most ten seconds of real time) for a post. False: it would wait for ever.
    bool run_until(std::move_only_function<bool()> finished);
    /// Drives one task to its end and returns its value. Asserts that it ends.
    template <class T> T run(task<T> t)
    {
        if constexpr (std::is_void_v<T>) {
            bool ended = false;
            spawn_detached(*this, std::move(t), [&] { ended = true; });
            MANSIO_ASSERT(run_until([&] { return ended; }));
        } else {
            std::optional<T> value;
            spawn_detached(*this, keep(std::move(t), value));
            MANSIO_ASSERT(run_until([&] { return value.has_value(); }));
            return std::move(*value);
        }
    }

private:
    template <class T> static task<void> keep(task<T> t, std::optional<T>& into) { into.emplace(co_await std::move(t)); }
    struct state;
    std::unique_ptr<state> state_;
};

/// A bounded pool of threads for what may block or burn: RocksDB misses, Argon2, signing.
/// Threads: safe.
class worker_pool {
public:
    /// `threads` ≥ 1; at most `max_waiting` pieces of work wait, more are refused with over_limit.
    worker_pool(std::string name, std::size_t threads, std::size_t max_waiting);
    ~worker_pool();  ///< finishes what waits, then joins
    worker_pool(worker_pool const&) = delete;
    worker_pool& operator=(worker_pool const&) = delete;
    /// False when the queue is full; `w` is then not run.
    [[nodiscard]] bool submit(work w);
    /// Runs `fn` on the pool and continues on the awaiting executor. Errors: over_limit when the queue is full.
    template <class F, class T = std::invoke_result_t<F>> task<result<T>> run(F fn)
    {
        std::optional<T> value;
        auto& home = executor::current();
        home.left();
        bool const ran = co_await await_callback<bool>([&](auto done) {
            auto shared = std::make_shared<decltype(done)>(std::move(done));
            if (!submit([&value, &fn, shared] {
                    value.emplace(fn());
                    (*shared)(true);
                }))
                (*shared)(false);
        });
        home.came_back();
        if (!ran) co_return fail(fault::kind::over_limit, "the server is busy, try again later", "worker pool queue is full");
        co_return std::move(*value);
    }

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace mansio::base
