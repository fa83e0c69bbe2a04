// Identifiers.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace mansio::base {

/// 128 bits nobody else has: blobs, changes, deliveries. Written as 26 characters of base32. `Tag` keeps kinds apart.
template <class Tag> struct random_id {
    std::array<unsigned char, 16> octets{};
    [[nodiscard]] static random_id make(random& r)
    {
        random_id id;
        r.fill(std::as_writable_bytes(std::span{id.octets}));
        return id;
    }
    /// The milliseconds since 1970 in 48 bits, then 80 random ones: what is made together lies together where ids are keys (as RFC 9562 §5.7).
    [[nodiscard]] static random_id make_ordered(random& r, wall_time now)
    {
        auto id = make(r);
        auto milliseconds = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count());
        for (std::size_t i = 6; i-- > 0; milliseconds >>= 8U) id.octets[i] = static_cast<unsigned char>(milliseconds);
        return id;
    }
    [[nodiscard]] std::string_view view() const noexcept { return {reinterpret_cast<char const*>(octets.data()), octets.size()}; }
    [[nodiscard]] static std::optional<random_id> from_octets(std::string_view v) noexcept
    {
        random_id id;
        if (v.size() != id.octets.size()) return std::nullopt;
        for (std::size_t i = 0; i < v.size(); ++i) id.octets[i] = static_cast<unsigned char>(v[i]);
        return id;
    }
    [[nodiscard]] bool empty() const noexcept { return *this == random_id{}; }
    auto operator<=>(random_id const&) const = default;
};

/// For logs: follows one connection, "c-" and eight characters.
[[nodiscard]] std::string make_session_id(random& r);

}  // namespace mansio::base
