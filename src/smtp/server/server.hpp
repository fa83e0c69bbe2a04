// SMTP as a server: MX, submission, LMTP.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "accept/pipeline.hpp"
#include "auth/sign_in.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "net/shard.hpp"
#include "net/tls.hpp"
#include "smtp/wire/mail_parameters.hpp"

namespace mansio::smtp {

/// What a listening face speaks.
struct face {
    accept::door through = accept::door::mx;
    bool implicit_tls = false;                  ///< 465: TLS from the first octet
    net::tls_server_context* tls = nullptr;     ///< for STARTTLS or implicit TLS; nullptr: not offered. Outlives the server.
};

/// Handed in; all of it outlives the server.
struct services {
    accept::pipeline& acceptance;
    auth::sign_in& sign_in;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    base::metrics& metrics;
};

struct server_options {
    std::string hostname;                       ///< in the greeting
    bool cleartext_sign_in = false;             ///< AUTH without TLS from loopback (the demo alone)
    std::chrono::milliseconds greeting_delay{0};///< on the MX: who speaks before our greeting is no mail server (trust.md W7)
    std::vector<net::cidr> normalise_from;      ///< devices whose line ends are mended on the MX rather than refused (trust.md W1)
    wire::extension_set off;                    ///< not offered, and their parameters refused (docs/smtp.md)
    std::vector<net::cidr> xclient_from;        ///< filters before us that may say for whom they speak
    std::vector<net::cidr> priority_from;       ///< servers on the MX whose MT-PRIORITY above 0 counts
};

/// Speaks with every connection it is given until that ends. Connections stay on the executor that accepted them.
/// Threads: serve() on the connection's executor; stop() from any.
class server {
public:
    server(services s, server_options o);
    /// stop() must have returned, or nothing was ever served.
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;
    /// Returns at once; the conversation goes on in a task group of `here`.
    void serve(base::executor& here, net::accepted from, face how);
    /// Says 421 to those who wait for a command, lets messages under way end (limits.shutdown_wait), cuts the rest, returns when all have gone.
    [[nodiscard]] task<void> stop();
    [[nodiscard]] std::size_t open_connections() const noexcept;
    struct impl;

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::smtp
