// The documents themselves.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "wellknown/settings.hpp"

namespace mansio::wellknown {

/// RFC 8461 §3.2.
[[nodiscard]] std::string mta_sts_policy(settings const& s);
/// Thunderbird's config-v1.1.xml.
[[nodiscard]] std::string autoconfig(settings const& s, std::string_view domain);
/// The answer to a "plain old XML" request of Autodiscover (MS-OXDSCLI §2.2.4).
[[nodiscard]] std::string autodiscover(settings const& s, std::string_view address);
[[nodiscard]] std::string autodiscover_failure();
/// Apple's configuration profile with one mail account: IMAP, else POP3. Not signed.
[[nodiscard]] std::string apple_profile(settings const& s, std::string_view address);

/// What people type as their address, from a query or request: one "@", a domain, no blanks, controls or markup; at most 254 octets. The domain in lower
/// case. nullopt: not so.
struct typed_address {
    std::string whole, domain;
};
[[nodiscard]] std::optional<typed_address> parse_typed_address(std::string_view text);
/// The address in an Autodiscover request. Looked for, not parsed: no entity, no document type, no namespace of a stranger's XML is ever followed.
[[nodiscard]] std::optional<typed_address> address_in_request(std::string_view xml);
/// A value of a query, percent-decoded. nullopt: not there, or badly encoded.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);
/// The name in a Host field, lower case, without port and final dot.
[[nodiscard]] std::string host_name(std::string_view field);

}  // namespace mansio::wellknown
