// Group commit made explicit: one thread takes everything that all shards have waiting and writes it with one sync.
#pragma once
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "store/engine.hpp"

namespace mansio::store {

/// Threads: submit() from any executor. Lifetime: every awaiter has been answered before it dies; the destructor writes what waits first.
class committer {
public:
    /// One waiting write; lives in the frame of the coroutine that awaits it. The group writer fills `answer`.
    class request {
    public:
        explicit request(std::size_t octets_) noexcept : octets(octets_) {}
        virtual ~request() = default;
        request(request const&) = delete;
        request& operator=(request const&) = delete;
        std::size_t octets;  ///< in memory, counted against the bound
        result<version> answer{0};

    private:
        friend class committer;
        std::coroutine_handle<> waiter_;
        base::executor* home_ = nullptr;
        base::monotonic_time since_{};
    };
    /// Writes a group and fills the answers, on the committer's thread. What it returns from is durable. `answer_early` answers everybody at once:
    /// for the test that proves that an early answer is caught, and for nothing else; the requests are gone afterwards.
    using group_writer = std::move_only_function<void(std::span<request* const> group, std::move_only_function<void()> answer_early)>;
    struct bounds {
        std::size_t waiting = 10'000;                       ///< requests; "store_commits_waiting"
        std::size_t waiting_octets = std::size_t{256} << 20U;
        std::size_t group_octets = std::size_t{16} << 20U;  ///< more stays for the next group
    };
    committer(group_writer write, bounds b, base::clock& clock, base::metrics& metrics);
    ~committer();
    committer(committer const&) = delete;
    committer& operator=(committer const&) = delete;

    struct awaiter {
        committer& to;
        request& what;
        bool await_ready() const noexcept { return false; }
        /// False: refused at once, the answer says why.
        bool await_suspend(std::coroutine_handle<> h) const { return to.enqueue(what, h); }
        result<version> await_resume() const
        {
            what.home_->came_back();
            return std::move(what.answer);
        }
    };
    /// `co_await c.submit(r)`: the answer, on the awaiting executor. In the order of the calls. Errors: over_limit (too much waits), and the group writer's.
    [[nodiscard]] awaiter submit(request& r) noexcept { return awaiter{*this, r}; }

private:
    bool enqueue(request& r, std::coroutine_handle<> h);
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace mansio::store
