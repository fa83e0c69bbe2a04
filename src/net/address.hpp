// Addresses of hosts and where they may be dialled.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::net {

/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address is always held as IPv4.
class ip_address {
public:
    ip_address() = default;
    [[nodiscard]] static std::optional<ip_address> parse(std::string_view text);
    [[nodiscard]] static ip_address v4(std::array<unsigned char, 4> octets);
    [[nodiscard]] static ip_address v6(std::array<unsigned char, 16> octets);
    [[nodiscard]] bool is_v4() const noexcept { return v4_; }
    [[nodiscard]] bool is_loopback() const noexcept;
    /// Globally reachable unicast: not private, loopback, link-local, documentation, multicast, reserved, nor a v6 form that wraps such a v4
    /// (IANA special-purpose registries, RFC 6890; trust.md R5).
    [[nodiscard]] bool is_global() const noexcept;
    [[nodiscard]] std::string text() const;
    /// "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3).
    [[nodiscard]] std::string literal() const;
    /// The network that counts as one peer: /32 for IPv4, /56 for IPv6 (trust.md T3), as text.
    [[nodiscard]] std::string peer_prefix() const;
    [[nodiscard]] std::span<unsigned char const> octets() const noexcept;  ///< 4 or 16
    auto operator<=>(ip_address const&) const = default;

private:
    std::array<unsigned char, 16> octets_{};
    bool v4_ = true;
};

struct endpoint {
    ip_address address;
    std::uint16_t port = 0;
    [[nodiscard]] std::string text() const;  ///< "192.0.2.1:25", "[2001:db8::1]:25"
    /// "127.0.0.1:25", "[::1]:25". nullopt: neither.
    [[nodiscard]] static std::optional<endpoint> parse(std::string_view text);
    auto operator<=>(endpoint const&) const = default;
};

/// "10.0.0.0/8"
struct cidr {
    ip_address network;
    unsigned bits = 0;
    [[nodiscard]] static std::optional<cidr> parse(std::string_view text);
    [[nodiscard]] bool contains(ip_address const& a) const noexcept;
};

/// Decides what we may connect to: only global unicast, unless listed. Every outgoing connection asks it with the address it
/// is about to dial (after resolving, never the name), so a name that changes its mind gains nothing (trust.md R5, R7).
class egress_gate {
public:
    explicit egress_gate(std::vector<cidr> allowed) : allowed_(std::move(allowed)) {}
    [[nodiscard]] bool permits(ip_address const& a) const noexcept;

private:
    std::vector<cidr> allowed_;
};

}  // namespace mansio::net
