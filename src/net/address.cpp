#include "net/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace mansio::net {
namespace {

struct block {
    std::array<unsigned char, 16> network;
    unsigned bits;
};

bool same_bits(unsigned char const* a, unsigned char const* b, unsigned bits) noexcept
{
    auto const whole = bits / 8;
    if (std::memcmp(a, b, whole) != 0) return false;
    auto const rest = bits % 8;
    if (rest == 0) return true;
    auto const mask = static_cast<unsigned char>(0xFFU << (8U - rest));
    return (a[whole] & mask) == (b[whole] & mask);
}

// IANA IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), whatever is not globally reachable, and multicast. The few
// globally reachable anycast services inside 192.0.0.0/24 run no mail: the whole block is refused.
constexpr std::array not_global_v4{
    block{{0}, 8},                  // "this network", RFC 791
    block{{10}, 8},                 // private, RFC 1918
    block{{100, 64}, 10},           // shared address space (carrier NAT), RFC 6598
    block{{127}, 8},                // loopback, RFC 1122
    block{{169, 254}, 16},          // link-local, cloud metadata, RFC 3927
    block{{172, 16}, 12},           // private, RFC 1918
    block{{192, 0, 0}, 24},         // IETF protocol assignments, RFC 6890
    block{{192, 0, 2}, 24},         // documentation, RFC 5737
    block{{192, 88, 99}, 24},       // 6to4 relay anycast, withdrawn, RFC 7526
    block{{192, 168}, 16},          // private, RFC 1918
    block{{198, 18}, 15},           // benchmarking, RFC 2544
    block{{198, 51, 100}, 24},      // documentation
    block{{203, 0, 113}, 24},       // documentation
    block{{224}, 4},                // multicast, RFC 1112
    block{{240}, 4},                // reserved, and the limited broadcast address
};

// Inside 2000::/3, the only space IANA has given out as global unicast (RFC 4291 §2.4).
constexpr std::array not_global_v6{
    block{{0x20, 0x01}, 23},              // IETF protocol assignments, Teredo among them (wraps IPv4), RFC 2928, RFC 4380
    block{{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation, RFC 3849
    block{{0x3f, 0xff}, 20},              // documentation, RFC 9637
};
constexpr block global_unicast_v6{{0x20}, 3};
constexpr block six_to_four{{0x20, 0x02}, 16};                     // RFC 3056: IPv4 in octets 2..5
constexpr block nat64{{0x00, 0x64, 0xff, 0x9b}, 96};               // RFC 6052 well-known prefix: IPv4 in the last four octets
constexpr std::array<unsigned char, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_global_v4(unsigned char const* o) noexcept
{
    return std::ranges::none_of(not_global_v4, [&](block const& b) { return same_bits(o, b.network.data(), b.bits); });
}

bool is_global_v6(unsigned char const* o) noexcept
{
    auto const in = [&](block const& b) { return same_bits(o, b.network.data(), b.bits); };
    if (in(nat64)) return is_global_v4(o + 12);
    if (in(six_to_four)) return is_global_v4(o + 2);
    return in(global_unicast_v6) && std::ranges::none_of(not_global_v6, in);
}

/// Digits only, no sign, no blank; nullopt above `most`.
std::optional<unsigned> parse_number(std::string_view digits, unsigned most)
{
    unsigned value = 0;
    auto const* const end = digits.data() + digits.size();
    auto const [stopped, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc{} || stopped != end || value > most) return std::nullopt;
    return value;
}

}  // namespace

std::optional<ip_address> ip_address::parse(std::string_view text)
{
    // inet_pton wants a terminated string and would stop at a NUL inside.
    std::array<char, INET6_ADDRSTRLEN> copy{};
    if (text.size() >= copy.size() || text.contains('\0')) return std::nullopt;
    std::ranges::copy(text, copy.begin());
    std::array<unsigned char, 16> octets{};
    if (inet_pton(AF_INET, copy.data(), octets.data()) == 1) return v4({octets[0], octets[1], octets[2], octets[3]});
    if (inet_pton(AF_INET6, copy.data(), octets.data()) == 1) return v6(octets);
    return std::nullopt;
}

ip_address ip_address::v4(std::array<unsigned char, 4> octets)
{
    ip_address a;
    std::ranges::copy(octets, a.octets_.begin());
    return a;
}

ip_address ip_address::v6(std::array<unsigned char, 16> octets)
{
    // Held as what it is, so that no list of addresses can be passed by writing one in another way.
    if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin())) return v4({octets[12], octets[13], octets[14], octets[15]});
    ip_address a;
    a.octets_ = octets;
    a.v4_ = false;
    return a;
}

bool ip_address::is_loopback() const noexcept
{
    if (v4_) return octets_[0] == 127;
    return std::all_of(octets_.begin(), octets_.end() - 1, [](unsigned char o) { return o == 0; }) && octets_[15] == 1;
}

bool ip_address::is_global() const noexcept { return v4_ ? is_global_v4(octets_.data()) : is_global_v6(octets_.data()); }

std::string ip_address::text() const
{
    std::array<char, INET6_ADDRSTRLEN> out{};
    inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), out.data(), out.size());
    return out.data();
}

std::string ip_address::literal() const { return (v4_ ? "[" : "[IPv6:") + text() + "]"; }

std::string ip_address::peer_prefix() const
{
    if (v4_) return text() + "/32";
    auto network = *this;
    std::fill(network.octets_.begin() + 7, network.octets_.end(), 0);
    return network.text() + "/56";
}

std::span<unsigned char const> ip_address::octets() const noexcept { return {octets_.data(), v4_ ? 4U : 16U}; }

std::string endpoint::text() const
{
    auto const host = address.is_v4() ? address.text() : "[" + address.text() + "]";
    return host + ":" + std::to_string(port);
}

std::optional<endpoint> endpoint::parse(std::string_view text)
{
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    auto const port = parse_number(text.substr(colon + 1), 65535);
    if (!port) return std::nullopt;
    bool const bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    // Brackets exactly where they are needed: "::1:25" could be read in two ways.
    if (bracketed != host.contains(':')) return std::nullopt;
    auto const address = ip_address::parse(host);
    if (!address) return std::nullopt;
    return endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::optional<cidr> cidr::parse(std::string_view text)
{
    auto const slash = text.find('/');
    auto const host = text.substr(0, slash);
    auto const address = ip_address::parse(host);
    if (!address) return std::nullopt;
    auto const width = static_cast<unsigned>(address->octets().size() * 8);
    if (slash == std::string_view::npos) return cidr{*address, width};  // one host
    auto bits = parse_number(text.substr(slash + 1), 128);
    if (!bits) return std::nullopt;
    if (address->is_v4() && host.contains(':')) {
        if (*bits < 96) return std::nullopt;  // "::ffff:10.0.0.0/104" is 10.0.0.0/8; less than the mapped prefix is no IPv4 network
        *bits -= 96;
    }
    if (*bits > width) return std::nullopt;
    return cidr{*address, *bits};
}

bool cidr::contains(ip_address const& a) const noexcept { return a.is_v4() == network.is_v4() && same_bits(a.octets().data(), network.octets().data(), bits); }

bool egress_gate::permits(ip_address const& a) const noexcept
{
    return a.is_global() || std::ranges::any_of(allowed_, [&](cidr const& c) { return c.contains(a); });
}

}  // namespace mansio::net
