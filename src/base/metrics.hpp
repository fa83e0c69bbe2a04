// Figures for Prometheus. A registry is handed in; counters are cheap enough for every hot path.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::base {

/// Only rises. Threads: safe.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// Rises and falls. Threads: safe.
class gauge {
public:
    void set(std::int64_t v) noexcept { value_.store(v, std::memory_order_relaxed); }
    void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    [[nodiscard]] std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

/// Fixed upper bounds, cumulative when written out. Threads: safe.
class histogram {
public:
    explicit histogram(std::span<double const> upper_bounds);
    void observe(double v) noexcept;
    [[nodiscard]] std::string text(std::string_view name, std::string_view labels) const;

private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
    std::atomic<std::uint64_t> total_{0};
    std::atomic<double> sum_{0};
};

/// Names follow Prometheus' habit: `mansio_smtp_commands_total`; labels are ready text: `verb="EHLO"`.
/// Lifetime: what it returns lives as long as it. Asking twice for one name and labels gives the same object. Threads: safe.
class metrics {
public:
    metrics();
    ~metrics();
    metrics(metrics const&) = delete;
    metrics& operator=(metrics const&) = delete;
    [[nodiscard]] counter& get_counter(std::string_view name, std::string_view help, std::string_view labels = {});
    [[nodiscard]] gauge& get_gauge(std::string_view name, std::string_view help, std::string_view labels = {});
    /// Seconds from 100 µs to 30 s unless other bounds are given.
    [[nodiscard]] histogram& get_histogram(std::string_view name, std::string_view help, std::span<double const> bounds = {}, std::string_view labels = {});
    /// A gauge that is asked when it is read. `read` must outlive the registry's last exposition().
    void observe(std::string_view name, std::string_view help, std::move_only_function<double()> read, std::string_view labels = {});
    /// Prometheus text format 0.0.4.
    [[nodiscard]] std::string exposition() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace mansio::base
