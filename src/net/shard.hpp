// Shards: one thread, one io_context each; everything a partition's owner does happens on its shard.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "net/stream.hpp"

namespace mansio::net {

/// A thread's event loop. Also the base::executor of everything that runs there.
class shard : public base::executor {
public:
    [[nodiscard]] virtual unsigned index() const noexcept = 0;
    /// Goes on with a connection another shard released. On this shard only.
    [[nodiscard]] virtual std::unique_ptr<stream> adopt(std::unique_ptr<detached_stream> s) = 0;
    /// Dials one address, from this shard. Asks the egress gate first. Errors: refused (gate), timeout, try_later (connection refused, unreachable).
    [[nodiscard]] virtual task<result<std::unique_ptr<stream>>> connect(endpoint to, egress_gate const& gate, monotonic_time deadline) = 0;
    /// Dials a unix socket (admin).
    [[nodiscard]] virtual task<result<std::unique_ptr<stream>>> connect_unix(std::string path, monotonic_time deadline) = 0;
};

/// The shards of one server process. start() makes the threads, stop() ends them.
class runtime {
public:
    /// `shards` ≥ 1. A watchdog logs any piece of work over 20 ms (event "slow_slice") and feeds mansio_shard_lag_seconds.
    runtime(unsigned shards, base::clock& clock, base::log& log, base::metrics& metrics);
    ~runtime();
    runtime(runtime const&) = delete;
    runtime& operator=(runtime const&) = delete;
    [[nodiscard]] unsigned size() const noexcept;
    [[nodiscard]] shard& at(unsigned i) noexcept;
    /// The owner of a key: the same shard for the same hash, always.
    [[nodiscard]] shard& owner_of(std::uint64_t hash) noexcept { return at(static_cast<unsigned>(hash % size())); }
    void start();
    /// Ends the loops after the work under way; joins. Connections must have been closed by then.
    void stop();
    /// Calls `then` (on shard 0) for each of SIGTERM, SIGINT, SIGHUP; once only started.
    void on_signal(std::move_only_function<void(int signal)> then);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Bounds how many connections an address and the whole server may hold before sign-in (trust.md T3). Shared by all listeners. Threads: safe.
class connection_table {
public:
    connection_table(base::limits const& l, base::clock& clock, base::metrics& metrics);
    ~connection_table();
    /// Held by a conversation for its life: counts it. It moves along when the connection moves to another shard.
    class ticket {
    public:
        virtual ~ticket() = default;
        virtual void signed_in() noexcept = 0;  ///< leaves the pre-login table
    };
    enum class verdict : std::uint8_t { welcome, too_many_here, too_fast, full };
    struct admission {
        verdict answer = verdict::welcome;
        std::unique_ptr<ticket> held;
    };
    /// `evict`: called (any thread) when this connection is the oldest not signed in and must make room.
    [[nodiscard]] admission admit(ip_address const& from, bool per_address_limits, std::move_only_function<void()> evict);
    [[nodiscard]] std::size_t open_connections() const noexcept;
    [[nodiscard]] std::size_t not_signed_in() const noexcept;

private:
    struct impl;
    std::shared_ptr<impl> impl_;  // tickets may outlive the table
};

/// A connection just accepted. `held` dies with the conversation.
struct accepted {
    std::unique_ptr<stream> connection;
    std::unique_ptr<connection_table::ticket> held;
};
/// Called on the accepting shard for each connection; usually spawns the conversation in a task_group.
using accept_handler = std::move_only_function<void(shard& here, accepted)>;

struct listen_options {
    endpoint at;                    ///< port 0: any free one
    std::string unix_path;          ///< non-empty: a unix socket instead, mode 0600 unless `unix_mode`
    unsigned unix_mode = 0600;
    bool per_address_limits = true;
    /// Written in clear before closing a connection that the table refuses ("421 4.7.0 …\r\n", "* BYE …\r\n"); empty: just closed (implicit TLS).
    std::string refusal;
    int backlog = 1024;
    /// Peers that begin with a PROXY header, and must: the connection counts as from the address it tells (net/proxy_protocol.hpp).
    std::vector<cidr> proxy_from;
    std::chrono::seconds proxy_wait{5};
};

/// A listening face, accepting on every shard (SO_REUSEPORT; a unix socket on shard 0 which deals out). The port is probed without SO_REUSEPORT
/// first, so that a busy port is an error and not a silent share.
class listener {
public:
    /// Errors: refused, with a sentence that names the address and says what to do (busy port, no permission below 1024, …).
    /// `make_handler` is called once for each shard.
    [[nodiscard]] static result<std::unique_ptr<listener>> open(runtime& r, listen_options o, connection_table& table,
                                                                std::function<accept_handler(shard&)> make_handler);
    ~listener();
    [[nodiscard]] endpoint const& at() const noexcept;
    /// Accepts no more; waits for nothing: work posted to a shard after close() runs after the last accept_handler call there.
    /// EMFILE: a spare descriptor answers and closes (trust.md D14).
    void close();

private:
    struct impl;
    explicit listener(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::net
