#include "net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace mansio::net {

void unique_fd::reset() noexcept
{
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

socket_address to_sockaddr(endpoint const& e)
{
    socket_address a;
    auto const octets = e.address.octets();
    if (e.address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(e.port);
        std::memcpy(&in.sin_addr, octets.data(), octets.size());
        std::memcpy(&a.storage, &in, sizeof in);
        a.length = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(e.port);
        std::memcpy(&in.sin6_addr, octets.data(), octets.size());
        std::memcpy(&a.storage, &in, sizeof in);
        a.length = sizeof in;
    }
    return a;
}

socket_address to_sockaddr(std::string const& unix_path)
{
    socket_address a;
    sockaddr_un un{};
    if (unix_path.empty() || unix_path.size() >= sizeof un.sun_path) return a;
    un.sun_family = AF_UNIX;
    std::ranges::copy(unix_path, un.sun_path);
    std::memcpy(&a.storage, &un, sizeof un);
    a.length = sizeof un;
    return a;
}

endpoint to_endpoint(socket_address const& a)
{
    if (a.family() == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &a.storage, sizeof in);
        std::array<unsigned char, 4> octets{};
        std::memcpy(octets.data(), &in.sin_addr, octets.size());
        return {ip_address::v4(octets), ntohs(in.sin_port)};
    }
    if (a.family() == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &a.storage, sizeof in);
        std::array<unsigned char, 16> octets{};
        std::memcpy(octets.data(), &in.sin6_addr, octets.size());
        return {ip_address::v6(octets), ntohs(in.sin6_port)};
    }
    return {ip_address::v4({127, 0, 0, 1}), 0};
}

endpoint peer_of(int fd)
{
    socket_address a;
    a.length = sizeof a.storage;
    if (::getpeername(fd, a.get(), &a.length) != 0) a = {};
    return to_endpoint(a);
}

endpoint local_of(int fd)
{
    socket_address a;
    a.length = sizeof a.storage;
    if (::getsockname(fd, a.get(), &a.length) != 0) a = {};
    return to_endpoint(a);
}

void set_tcp_options(int fd)
{
    int const on = 1;
    int const idle = 300, interval = 60, probes = 5;
    // Best effort: a connection without them still works.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

std::string error_text(int error_number) { return std::generic_category().message(error_number); }

}  // namespace mansio::net
