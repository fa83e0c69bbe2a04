// Delivery to other servers: where a domain's mail goes (RFC 5321 §5.1, RFC 7505), and the attempts.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "net/address.hpp"
#include "net/dns.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"
#include "queue/queue.hpp"

namespace mansio::smtp::client {

/// Opens connections; a test hands in one that has a script behind it.
class dialer {
public:
    virtual ~dialer() = default;
    [[nodiscard]] virtual task<result<std::unique_ptr<net::stream>>> connect(net::endpoint to, base::monotonic_time deadline) = 0;
};
/// Dials from the shard that runs the caller, through the egress gate.
[[nodiscard]] std::unique_ptr<dialer> make_shard_dialer(net::egress_gate const& gate);

/// One place to try.
struct target {
    std::string name;             ///< the MX's name, or the address literal
    net::endpoint at;
};
/// Where a domain's mail goes, or why nowhere.
struct route {
    std::vector<target> targets;  ///< in order of preference, both families, at most limits.relay_addresses
    bool name_is_sure = false;    ///< DNSSEC vouches for the names (RFC 8689 §2), or they are those the mail is addressed to
    std::optional<queue::outcome> instead;
};

struct relay_options {
    std::string hostname;
    std::uint16_t port = 25;
    std::string fixed_route;                     ///< "HOST:PORT" for everything; empty: by MX
    std::vector<net::ip_address> own_addresses;  ///< mail that would come back to us is a loop (trust.md R5)
};

/// The queue's transport for other servers. At most two conversations and limits.relay_addresses addresses an attempt (trust.md R5).
/// Threads: any shard; everything it is handed outlives it.
class relay final : public queue::transport {
public:
    relay(net::resolver& dns, net::egress_gate const& gate, dialer& dial, net::tls_client_context& tls, base::limits const& l, base::random& r, base::log& log,
          base::metrics& m, relay_options o);
    ~relay() override;
    task<std::vector<queue::outcome>> deliver(queue::envelope const& e, std::vector<std::size_t> which, queue::message_source& message) override;
    /// Exposed for tests and `mansio doctor`.
    [[nodiscard]] task<route> find_route(std::string domain);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::smtp::client
