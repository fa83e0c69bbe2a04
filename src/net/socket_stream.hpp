// Streams over TCP and unix sockets, in clear and under TLS. Internal to this folder.
#pragma once
#include <memory>
#include <string>

#include "net/loop.hpp"
#include "net/socket.hpp"

namespace mansio::net {

/// Ends a connection from outside its conversation; does nothing once it has gone. On the connection's shard only.
class socket_core;
struct abort_handle {
    std::weak_ptr<socket_core> core;
    void abort() const noexcept;
};

/// Takes over a connected non-blocking socket, on its loop's thread. `local`: a unix socket. Throws as loop::watch().
struct made_stream {
    std::unique_ptr<stream> connection;
    abort_handle handle;
};
[[nodiscard]] made_stream make_socket_stream(loop& home, unique_fd fd, endpoint peer, endpoint here, bool local);

/// peer() from here on: whom a proxy connected for. `s` was made by make_socket_stream().
void assume_peer(stream& s, endpoint peer);

[[nodiscard]] std::unique_ptr<stream> adopt_socket(loop& home, std::unique_ptr<detached_stream> s);
[[nodiscard]] task<result<std::unique_ptr<stream>>> dial(loop& home, endpoint to, egress_gate const& gate, monotonic_time deadline);
[[nodiscard]] task<result<std::unique_ptr<stream>>> dial_unix(loop& home, std::string path, monotonic_time deadline);

}  // namespace mansio::net
