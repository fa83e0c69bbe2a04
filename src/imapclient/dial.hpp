// From a host name to a connection.
#pragma once
#include <memory>
#include <string>

#include "imapclient/bounds.hpp"
#include "net/address.hpp"
#include "net/dns.hpp"
#include "net/shard.hpp"

namespace mansio::imapclient {

/// Tries the addresses of `host` (a name or an address) in turn; each must pass the gate (docs/architecture.md, "Streams and TLS").
/// Errors: refused (no such host, or no address we may dial), try_later (DNS, nobody answers), timeout.
[[nodiscard]] task<result<std::unique_ptr<net::stream>>> dial(net::shard& here, net::resolver& dns, net::egress_gate const& gate, bounds const& l,
                                                              std::string host, std::uint16_t port);

}  // namespace mansio::imapclient
