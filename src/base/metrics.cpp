#include "base/metrics.hpp"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "base/result.hpp"

namespace mansio::base {
namespace {
constexpr std::array<double, 17> seconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
std::string with_labels(std::string_view name, std::string_view labels) { return labels.empty() ? std::string{name} : fmt::format("{}{{{}}}", name, labels); }
}  // namespace

histogram::histogram(std::span<double const> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1))
{}

void histogram::observe(double v) noexcept
{
    std::size_t i = 0;
    while (i < bounds_.size() && v > bounds_[i]) ++i;
    counts_[i].fetch_add(1, std::memory_order_relaxed);
    total_.fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(v, std::memory_order_relaxed);
}

std::string histogram::text(std::string_view name, std::string_view labels) const
{
    std::string out;
    std::uint64_t so_far = 0;
    auto const more = labels.empty() ? std::string{} : fmt::format("{},", labels);
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        so_far += counts_[i].load(std::memory_order_relaxed);
        out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, more, bounds_[i], so_far);
    }
    auto const all = total_.load(std::memory_order_relaxed);
    out += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, more, all);
    out += fmt::format("{} {}\n{} {}\n", with_labels(fmt::format("{}_sum", name), labels), sum_.load(std::memory_order_relaxed),
                       with_labels(fmt::format("{}_count", name), labels), all);
    return out;
}

struct metrics::state {
    struct family {
        std::string help;
        std::string type;
        std::map<std::string, std::unique_ptr<counter>, std::less<>> counters;
        std::map<std::string, std::unique_ptr<gauge>, std::less<>> gauges;
        std::map<std::string, std::unique_ptr<histogram>, std::less<>> histograms;
        std::map<std::string, std::move_only_function<double()>, std::less<>> observed;
    };
    mutable std::mutex mutex;
    std::map<std::string, family, std::less<>> families;
    family& get(std::string_view name, std::string_view help, std::string_view type)
    {
        auto& f = families[std::string{name}];
        if (f.type.empty()) {
            f.help = help;
            f.type = type;
        }
        MANSIO_ASSERT(f.type == type);
        return f;
    }
};

metrics::metrics() : state_(std::make_unique<state>()) {}
metrics::~metrics() = default;

counter& metrics::get_counter(std::string_view name, std::string_view help, std::string_view labels)
{
    std::lock_guard const lock{state_->mutex};
    auto& slot = state_->get(name, help, "counter").counters[std::string{labels}];
    if (!slot) slot = std::make_unique<counter>();
    return *slot;
}
gauge& metrics::get_gauge(std::string_view name, std::string_view help, std::string_view labels)
{
    std::lock_guard const lock{state_->mutex};
    auto& slot = state_->get(name, help, "gauge").gauges[std::string{labels}];
    if (!slot) slot = std::make_unique<gauge>();
    return *slot;
}
histogram& metrics::get_histogram(std::string_view name, std::string_view help, std::span<double const> bounds, std::string_view labels)
{
    std::lock_guard const lock{state_->mutex};
    auto& slot = state_->get(name, help, "histogram").histograms[std::string{labels}];
    if (!slot) slot = std::make_unique<histogram>(bounds.empty() ? std::span<double const>{seconds} : bounds);
    return *slot;
}
void metrics::observe(std::string_view name, std::string_view help, std::move_only_function<double()> read, std::string_view labels)
{
    std::lock_guard const lock{state_->mutex};
    state_->get(name, help, "gauge").observed[std::string{labels}] = std::move(read);
}

std::string metrics::exposition() const
{
    std::lock_guard const lock{state_->mutex};
    std::string out;
    for (auto& [name, f] : state_->families) {
        out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, f.help, name, f.type);
        for (auto const& [labels, c] : f.counters) out += fmt::format("{} {}\n", with_labels(name, labels), c->value());
        for (auto const& [labels, g] : f.gauges) out += fmt::format("{} {}\n", with_labels(name, labels), g->value());
        for (auto const& [labels, h] : f.histograms) out += h->text(name, labels);
        for (auto& [labels, read] : f.observed) out += fmt::format("{} {}\n", with_labels(name, labels), read());
    }
    return out;
}

}  // namespace mansio::base
