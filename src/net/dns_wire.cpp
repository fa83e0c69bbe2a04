#include "net/dns_wire.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::net {
namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

unsigned octet(std::string_view s, std::size_t at) { return static_cast<unsigned char>(s[at]); }

bool is_host_octet(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

/// Moves past a name without reading it; a pointer ends it. False: malformed.
bool skip_name(std::string_view packet, std::size_t& at)
{
    while (at < packet.size()) {
        auto const length = octet(packet, at);
        if ((length & 0xC0U) == 0xC0U) {
            at += 2;
            return at <= packet.size();
        }
        if (length > longest_label) return false;
        at += 1 + length;
        if (length == 0) return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> read_host_name(std::string_view packet, std::size_t& at)
{
    std::string name;
    auto here = at;
    auto lowest = at;  // pointers go before this, ever lower: no loop, no more than size/2 of them
    bool jumped = false;
    while (true) {
        if (here >= packet.size()) return std::nullopt;
        auto const length = octet(packet, here);
        if ((length & 0xC0U) == 0xC0U) {
            if (here + 1 >= packet.size()) return std::nullopt;
            auto const target = (length & 0x3FU) * 256U + octet(packet, here + 1);
            if (!jumped) at = here + 2;
            jumped = true;
            if (target >= lowest) return std::nullopt;
            here = lowest = target;
            continue;
        }
        if (length > longest_label || here + 1 + length > packet.size()) return std::nullopt;
        auto const label = packet.substr(here + 1, length);
        here += 1 + length;
        if (length == 0) break;
        if (!std::ranges::all_of(label, is_host_octet)) return std::nullopt;
        if (!name.empty()) name += '.';
        name += label;
        if (name.size() > longest_name) return std::nullopt;
    }
    if (!jumped) at = here;
    return base::to_lower_ascii(name);
}

std::optional<std::string> read_single_name(std::string_view rdata)
{
    std::size_t at = 0;
    auto name = read_host_name(rdata, at);
    if (at != rdata.size()) return std::nullopt;
    return name;
}

std::optional<mx_record> read_mx(std::string_view rdata)
{
    if (rdata.size() < 3) return std::nullopt;
    auto host = read_single_name(rdata.substr(2));
    if (!host) return std::nullopt;
    mx_record r;
    r.preference = static_cast<std::uint16_t>(octet(rdata, 0) * 256U + octet(rdata, 1));
    r.host = std::move(*host);
    return r;
}

std::optional<std::string> read_txt(std::string_view rdata)
{
    if (rdata.empty()) return std::nullopt;
    std::string joined;
    while (!rdata.empty()) {
        auto const length = octet(rdata, 0);
        if (length >= rdata.size()) return std::nullopt;
        joined += rdata.substr(1, length);
        rdata.remove_prefix(1 + length);
    }
    return joined;
}

std::optional<tlsa_record> read_tlsa(std::string_view rdata)
{
    constexpr std::size_t fixed = 3;
    if (rdata.size() < fixed) return std::nullopt;
    tlsa_record r;
    r.usage = static_cast<std::uint8_t>(octet(rdata, 0));
    r.selector = static_cast<std::uint8_t>(octet(rdata, 1));
    r.matching = static_cast<std::uint8_t>(octet(rdata, 2));
    r.data = rdata.substr(fixed);
    return r;
}

std::optional<ip_address> read_address(std::string_view rdata)
{
    if (rdata.size() == 4) {
        std::array<unsigned char, 4> o{};
        std::ranges::copy(rdata, o.begin());
        return ip_address::v4(o);
    }
    if (rdata.size() == 16) {
        std::array<unsigned char, 16> o{};
        std::ranges::copy(rdata, o.begin());
        return ip_address::v6(o);
    }
    return std::nullopt;
}

std::optional<std::size_t> count_cnames(std::string_view packet)
{
    constexpr std::size_t header = 12;
    constexpr unsigned cname = 5;
    if (packet.size() < header) return std::nullopt;
    auto const u16 = [&](std::size_t at) { return octet(packet, at) * 256U + octet(packet, at + 1); };
    auto const questions = u16(4), answers = u16(6);
    std::size_t at = header;
    for (unsigned i = 0; i < questions; ++i) {
        if (!skip_name(packet, at)) return std::nullopt;
        at += 4;
    }
    std::size_t found = 0;
    for (unsigned i = 0; i < answers; ++i) {
        if (!skip_name(packet, at) || at + 10 > packet.size()) return std::nullopt;
        if (u16(at) == cname) ++found;
        at += 10 + u16(at + 8);
        if (at > packet.size()) return std::nullopt;
    }
    return found;
}

std::optional<std::string> askable_name(std::string_view text, name_of what)
{
    if (text.ends_with('.')) text.remove_suffix(1);
    if (text.empty() || text.size() > longest_name) return std::nullopt;
    std::size_t label = 0;
    for (char const c : text) {
        if (c == '.') {
            if (label == 0) return std::nullopt;
            label = 0;
            continue;
        }
        bool const blank = (c == ' ' || c == '@') && what != name_of::anything;
        if (c < ' ' || c >= 0x7F || c == '\\' || blank) return std::nullopt;  // char is signed here: octets above 0x7F are below ' '
        if (++label > longest_label) return std::nullopt;
    }
    if (label == 0) return std::nullopt;
    return base::to_lower_ascii(text);
}

std::string reverse_name(ip_address const& a)
{
    std::string name;
    auto const octets = a.octets();
    for (auto it = octets.rbegin(); it != octets.rend(); ++it) {
        if (a.is_v4()) {
            name += std::to_string(*it) + ".";
            continue;
        }
        constexpr std::string_view digits = "0123456789abcdef";
        name += {digits[*it & 0x0FU], '.', digits[*it >> 4U], '.'};
    }
    return name + (a.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

}  // namespace mansio::net
