// Identifiers.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"

namespace mansio::base {

/// 128 random bits: blobs, changes, deliveries. Written as 26 characters of base32. `Tag` keeps kinds apart.
template <class Tag> struct random_id {
    std::array<unsigned char, 16> octets{};
    [[nodiscard]] static random_id make(random& r)
    {
        random_id id;
        r.fill(std::as_writable_bytes(std::span{id.octets}));
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
