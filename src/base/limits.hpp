// The one table of limits (limits.def): a name, a default, the reply when it is hit, a metric.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mansio::base {

/// The values in force. Read-only once the server runs; a copy per server, handed in by reference.
struct limits {
#define MANSIO_LIMIT(name, value, unit, reply, metric, text) std::uint64_t name = value;  // NOLINT
#include "base/limits.def"
#undef MANSIO_LIMIT
    /// A limit that is a duration, as one.
    [[nodiscard]] static constexpr std::chrono::seconds seconds(std::uint64_t v) noexcept { return std::chrono::seconds{v}; }
};

struct limit_entry {
    std::string_view name;
    std::uint64_t limits::* value;
    std::uint64_t default_value;
    std::string_view unit, reply, metric, text;
};
/// For the configuration and the generated documentation.
[[nodiscard]] std::span<limit_entry const> limit_table() noexcept;

/// What is left of something countable while one input is parsed; a parser that runs out degrades or stops.
class budget {
public:
    explicit budget(std::uint64_t units) noexcept : left_(units) {}
    /// False when fewer than `n` are left: nothing is taken then.
    [[nodiscard]] bool take(std::uint64_t n = 1) noexcept
    {
        if (left_ < n) return false;
        left_ -= n;
        return true;
    }
    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }

private:
    std::uint64_t left_;
};

/// Memory that caches, spool buffers and connections share: take before allocating, give back after. Threads: safe.
class memory_budget {
public:
    explicit memory_budget(std::uint64_t octets) noexcept : total_(octets) {}
    /// Holds octets until it dies. Empty when they were refused.
    class hold {
    public:
        hold() noexcept = default;
        hold(hold&& o) noexcept;
        hold& operator=(hold&& o) noexcept;
        ~hold();
        [[nodiscard]] explicit operator bool() const noexcept { return from_ != nullptr; }
        /// Takes more into the same hold; false: refused, nothing changed.
        [[nodiscard]] bool grow(std::uint64_t octets) noexcept;

    private:
        friend class memory_budget;
        memory_budget* from_ = nullptr;
        std::uint64_t octets_ = 0;
    };
    [[nodiscard]] hold take(std::uint64_t octets) noexcept;
    [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

private:
    [[nodiscard]] bool add(std::uint64_t octets) noexcept;
    std::uint64_t total_;
    std::atomic<std::uint64_t> used_{0};
};

}  // namespace mansio::base
