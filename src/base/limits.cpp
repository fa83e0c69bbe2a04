#include "base/limits.hpp"

#include <array>
#include <utility>

namespace mansio::base {
namespace {
constexpr std::array table{
#define MANSIO_LIMIT(name, value, unit, reply, metric, text) limit_entry{#name, &limits::name, value, unit, reply, metric, text},  // NOLINT
#include "base/limits.def"
#undef MANSIO_LIMIT
};
}  // namespace

std::span<limit_entry const> limit_table() noexcept { return table; }

memory_budget::hold::hold(hold&& o) noexcept : from_(std::exchange(o.from_, nullptr)), octets_(std::exchange(o.octets_, 0)) {}
memory_budget::hold& memory_budget::hold::operator=(hold&& o) noexcept
{
    std::swap(from_, o.from_);
    std::swap(octets_, o.octets_);
    return *this;
}
memory_budget::hold::~hold()
{
    if (from_ != nullptr) from_->used_.fetch_sub(octets_, std::memory_order_relaxed);
}
bool memory_budget::hold::grow(std::uint64_t octets) noexcept
{
    if (from_ == nullptr || !from_->add(octets)) return false;
    octets_ += octets;
    return true;
}
bool memory_budget::add(std::uint64_t octets) noexcept
{
    auto const before = used_.fetch_add(octets, std::memory_order_relaxed);
    if (before + octets <= total_) return true;
    used_.fetch_sub(octets, std::memory_order_relaxed);
    return false;
}
memory_budget::hold memory_budget::take(std::uint64_t octets) noexcept
{
    hold h;
    if (add(octets)) {
        h.from_ = this;
        h.octets_ = octets;
    }
    return h;
}

}  // namespace mansio::base
