// A lazy coroutine. Our own, so that a header that awaits costs milliseconds to compile and not the whole of Asio
// (docs/decisions/0002-own-task-type.md); Asio stays behind net's few sources.
#pragma once
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "base/result.hpp"

namespace mansio::base {

template <class T = void> class task;

namespace detail {

struct task_promise_base {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <class P> std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) const noexcept { return h.promise().continuation; }
        void await_resume() const noexcept {}
    };
    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
};

template <class T> struct task_promise : task_promise_base {
    std::variant<std::monostate, T, std::exception_ptr> outcome;
    task<T> get_return_object() noexcept;
    template <class U> void return_value(U&& value) { outcome.template emplace<1>(std::forward<U>(value)); }
    void unhandled_exception() noexcept { outcome.template emplace<2>(std::current_exception()); }
    T take()
    {
        if (outcome.index() == 2) std::rethrow_exception(std::get<2>(outcome));
        MANSIO_ASSERT(outcome.index() == 1);
        return std::move(std::get<1>(outcome));
    }
};

template <> struct task_promise<void> : task_promise_base {
    std::exception_ptr error;
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
    void take() const
    {
        if (error) std::rethrow_exception(error);
    }
};

}  // namespace detail

/// Work that starts when awaited and resumes its awaiter when done (symmetric transfer, no stack growth).
/// Lifetime: owns its frame; destroying an unfinished task destroys the frame, so never destroy one that awaits I/O: let
/// it end by closing or interrupting what it waits for. Inputs are parameters taken by value or outliving the task.
/// Threads: runs wherever it is resumed; see hop_to() in executor.hpp.
template <class T> class [[nodiscard]] task {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;
    task() noexcept = default;
    explicit task(std::coroutine_handle<promise_type> h) noexcept : handle_(h) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    task& operator=(task&& other) noexcept
    {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~task()
    {
        if (handle_) handle_.destroy();
    }
    [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(handle_); }

    struct awaiter {
        std::coroutine_handle<promise_type> handle;
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept
        {
            handle.promise().continuation = awaiting;
            return handle;
        }
        T await_resume() const { return handle.promise().take(); }
    };
    awaiter operator co_await() && noexcept { return awaiter{handle_}; }

private:
    std::coroutine_handle<promise_type> handle_;
};

namespace detail {
template <class T> task<T> task_promise<T>::get_return_object() noexcept { return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)}; }
inline task<void> task_promise<void>::get_return_object() noexcept { return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)}; }
}  // namespace detail

}  // namespace mansio::base

namespace mansio {
using base::task;
}
