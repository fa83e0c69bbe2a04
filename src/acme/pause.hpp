// A wait that can be ended early. Internal to this folder.
#pragma once
#include <coroutine>

#include "base/executor.hpp"

namespace mansio::acme {

/// One waiter at a time. Threads: wait() and stop() on one executor. Lifetime: outlives the wait.
class pause {
public:
    /// `co_await p.wait(span)`: false once stop() was called.
    [[nodiscard]] auto wait(std::chrono::nanoseconds span) noexcept { return awaiter{*this, span}; }
    void stop()
    {
        stopped_ = true;
        if (!waiting_) return;
        home_->cancel(timer_);
        home_->post([h = std::exchange(waiting_, nullptr)] { h.resume(); });
    }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }

private:
    struct awaiter {
        pause& p;
        std::chrono::nanoseconds span;
        bool await_ready() const noexcept { return p.stopped_; }
        void await_suspend(std::coroutine_handle<> h) const
        {
            p.home_ = &base::executor::current();
            p.waiting_ = h;
            p.timer_ = p.home_->call_after(span, [&me = p] { std::exchange(me.waiting_, nullptr).resume(); });
        }
        bool await_resume() const noexcept { return !p.stopped_; }
    };
    base::executor* home_ = nullptr;
    base::executor::timer_id timer_ = 0;
    std::coroutine_handle<> waiting_;
    bool stopped_ = false;
};

}  // namespace mansio::acme
