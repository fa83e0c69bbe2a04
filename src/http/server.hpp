// HTTP/1.1 over any stream: admin socket and metrics now, portal and JMAP later.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "http/message.hpp"
#include "net/shard.hpp"

namespace mansio::http {

/// Answers one request on the shard that has the connection. Must not throw for a stranger's input.
using handler = std::function<task<response>(request)>;

/// A table of routes and the conversations that use it. Threads: routes are added before serve(); serve() from any shard.
class server {
public:
    server(base::limits const& l, base::log& log, base::metrics& m, std::string face);
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;
    /// `path` ending in "/": everything below it.
    void route(std::string method, std::string path, handler h);
    /// Goes on until the peer closes, a limit is hit, or stop(). `tls`: handshake first; nullptr: in clear.
    void serve(net::shard& here, net::accepted connection, net::tls_server_context* tls);
    /// No further requests; returns when every conversation has ended (those waiting are cut).
    task<void> stop();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::http
