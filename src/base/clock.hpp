// All time comes from here or from net's timers, so that a test turns the clock by hand; ./dev lint forbids the raw calls elsewhere.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace mansio::base {

using monotonic_time = std::chrono::steady_clock::time_point;  ///< for deadlines and ages: never jumps
using wall_time = std::chrono::sys_time<std::chrono::microseconds>;  ///< for dates shown to people: may jump

/// Threads: safe. Lifetime: outlives whatever it is handed to.
class clock {
public:
    virtual ~clock() = default;
    [[nodiscard]] virtual monotonic_time monotonic() const noexcept = 0;
    [[nodiscard]] virtual wall_time wall() const noexcept = 0;
};

/// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME).
[[nodiscard]] clock& system_clock() noexcept;

/// Turned by hand. Starts at 2026-01-01T00:00:00Z. Threads: safe.
class manual_clock final : public clock {
public:
    manual_clock();
    ~manual_clock() override;
    [[nodiscard]] monotonic_time monotonic() const noexcept override;
    [[nodiscard]] wall_time wall() const noexcept override;
    void advance(std::chrono::nanoseconds by) noexcept;
    /// Moves wall time alone, as an operator or NTP does (trust.md D10).
    void jump_wall(std::chrono::seconds by) noexcept;

private:
    std::atomic<std::int64_t> monotonic_ns_;
    std::atomic<std::int64_t> wall_us_;
};

}  // namespace mansio::base
