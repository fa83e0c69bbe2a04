// The POP3 server: conversations on every shard, moved to their account's shard after sign-in.
#pragma once
#include <functional>
#include <memory>

#include "base/executor.hpp"
#include "net/shard.hpp"
#include "pop3/maildrop.hpp"
#include "pop3/services.hpp"

namespace mansio::pop3 {

/// Serves POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034) and response codes (RFC 2449 §8, RFC 3206).
/// A maildrop is the account's INBOX as it was at sign-in; one session at a time has it.
/// Threads: serve() on the executor it names; stop() on any. Lifetime: stop() must have returned before the server, or what it was handed, goes.
class server {
public:
    /// Goes on with a connection another shard released: net::shard::adopt() of the shard that `on` is. Called there.
    using adopt = std::function<std::unique_ptr<net::stream>(base::executor& on, std::unique_ptr<net::detached_stream> s)>;
    /// `a` is called when the account of a session lives on another executor (services.accounts.owner_of()).
    server(services s, adopt a);
    /// With accounts owned by net::shard executors.
    explicit server(services s);
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    /// Starts a conversation on `here`, counted until it ends or moves. Call on `here`.
    void serve(base::executor& here, net::accepted connection, bool implicit_tls);
    /// The maildrops in use, for who else must not touch one that is.
    [[nodiscard]] std::shared_ptr<maildrop_locks> locks() const;
    /// Closes every session between two commands (nothing is deleted: RFC 1939 §6), waits until `deadline`, then cuts what is left. New connections
    /// are closed at once.
    [[nodiscard]] task<void> stop(base::monotonic_time deadline);
    /// The same, waiting limits.shutdown_wait at most.
    [[nodiscard]] task<void> stop();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace mansio::pop3
