#include "base/clock.hpp"

namespace mansio::base {
namespace {
class machine_clock final : public clock {
public:
    monotonic_time monotonic() const noexcept override { return std::chrono::steady_clock::now(); }
    wall_time wall() const noexcept override { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }
};
constexpr std::int64_t start_of_2026_us = 1'767'225'600'000'000;
}  // namespace

clock& system_clock() noexcept
{
    static machine_clock the_clock;
    return the_clock;
}

manual_clock::manual_clock() : monotonic_ns_{1'000'000'000'000}, wall_us_{start_of_2026_us} {}
manual_clock::~manual_clock() = default;
monotonic_time manual_clock::monotonic() const noexcept { return monotonic_time{std::chrono::nanoseconds{monotonic_ns_.load()}}; }
wall_time manual_clock::wall() const noexcept { return wall_time{std::chrono::microseconds{wall_us_.load()}}; }
void manual_clock::advance(std::chrono::nanoseconds by) noexcept
{
    monotonic_ns_ += by.count();
    wall_us_ += std::chrono::duration_cast<std::chrono::microseconds>(by).count();
}
void manual_clock::jump_wall(std::chrono::seconds by) noexcept { wall_us_ += std::chrono::microseconds{by}.count(); }

}  // namespace mansio::base
