// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): a proxy before us says who connected to it.
// Read from listed peers alone: to others these octets are no greeting of any protocol (trust.md R1, W7).
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"
#include "net/stream.hpp"

namespace mansio::net {

/// Takes a header and not an octet more: what follows it belongs to the conversation, TLS perhaps.
/// Bounds: 107 octets of version 1, 4096 of version 2. Threads: none.
class proxy_header_parser {
public:
    /// How many octets may be read next without reading past the header. 0: it is complete.
    [[nodiscard]] std::size_t wants() const noexcept;
    /// At most wants() octets. Errors: syntax, final: the connection must be dropped (§2: "any sequence which does not exactly match").
    [[nodiscard]] result<void> feed(std::string_view octets);
    /// Of a complete header. nullopt: the connection is the proxy's own, or it does not know whose: it counts as from whoever connected (LOCAL,
    /// UNKNOWN, UNSPEC, what is no TCP).
    [[nodiscard]] std::optional<endpoint> const& source() const noexcept { return source_; }

private:
    result<void> check_beginning();
    result<void> read_line();
    result<void> read_binary();
    std::string have_;
    bool binary_ = false, done_ = false;
    std::optional<endpoint> source_;
};

/// Reads it from a connection just made. Errors: syntax, timeout, closed.
[[nodiscard]] task<result<std::optional<endpoint>>> read_proxy_header(stream& from, monotonic_time deadline);

}  // namespace mansio::net
