// Descriptors and socket addresses. Internal to this folder.
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <utility>

#include "net/address.hpp"

namespace mansio::net {

/// Owns a descriptor.
class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& o) noexcept
    {
        if (this != &o) {
            reset();
            fd_ = std::exchange(o.fd_, -1);
        }
        return *this;
    }
    ~unique_fd() { reset(); }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    void reset() noexcept;

private:
    int fd_ = -1;
};

struct socket_address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] sockaddr const* get() const noexcept { return reinterpret_cast<sockaddr const*>(&storage); }
    [[nodiscard]] int family() const noexcept { return storage.ss_family; }
};

[[nodiscard]] socket_address to_sockaddr(endpoint const& e);
/// A unix socket's address; length 0 when the path is too long (107 octets).
[[nodiscard]] socket_address to_sockaddr(std::string const& unix_path);
/// Anything that is not IPv4 or IPv6 is 127.0.0.1:0.
[[nodiscard]] endpoint to_endpoint(socket_address const& a);
[[nodiscard]] endpoint peer_of(int fd);
[[nodiscard]] endpoint local_of(int fd);
/// No delay of small writes, keep-alive for sessions that idle for half an hour.
void set_tcp_options(int fd);
/// "Connection refused"; safe on any thread.
[[nodiscard]] std::string error_text(int error_number);

}  // namespace mansio::net
