// The few pieces of DNS messages that we read ourselves (RFC 1035 §3.3, §4.1); libunbound speaks the protocol. Internal to this folder.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/dns.hpp"

namespace mansio::net {

/// Reads a host name at `at`, which moves past it. Lower case, no final dot; "" is the root. With `packet` whole, compression pointers are followed, each
/// strictly backwards, so that a loop cannot be written. nullopt: malformed, longer than 253 octets, or not made of letters, digits, "-" and "_".
[[nodiscard]] std::optional<std::string> read_host_name(std::string_view packet, std::size_t& at);
/// The record's own octets, whole. nullopt: malformed or left-over octets.
[[nodiscard]] std::optional<mx_record> read_mx(std::string_view rdata);
[[nodiscard]] std::optional<std::string> read_single_name(std::string_view rdata);
/// The character-strings of a TXT record, joined (RFC 7208 §3.3).
[[nodiscard]] std::optional<std::string> read_txt(std::string_view rdata);
[[nodiscard]] std::optional<tlsa_record> read_tlsa(std::string_view rdata);
[[nodiscard]] std::optional<ip_address> read_address(std::string_view rdata);
/// CNAME records in the answer section. nullopt: malformed packet.
[[nodiscard]] std::optional<std::size_t> count_cnames(std::string_view packet);
enum class name_of : std::uint8_t {
    host,      ///< or a domain with mail
    anything,  ///< SPF's macros make names with blanks and "@" too (RFC 7208 §7)
};
/// What may be asked: 1 to 253 octets, labels of 1 to 63, printable ASCII without "\\", in names of hosts without blanks and "@". Without the final dot,
/// lower case.
[[nodiscard]] std::optional<std::string> askable_name(std::string_view text, name_of what = name_of::host);
/// "1.2.0.192.in-addr.arpa", or the nibbles under ip6.arpa (RFC 3596 §2.5).
[[nodiscard]] std::string reverse_name(ip_address const& a);

}  // namespace mansio::net
