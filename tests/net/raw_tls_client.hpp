// A client of plain OpenSSL on a blocking socket: can do what ours never would, and is seen from below.
#pragma once
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "net/socket.hpp"
#include "net_fixture.hpp"

namespace mansio::net::test {

/// A server's side in one task: handshake, then echo lines.
inline task<result<void>> serve(std::unique_ptr<stream> s, tls_server_context& c, std::string* how_it_ended = nullptr)
{
    std::string last;
    auto const done = co_await s->start_tls_server(c, in(20s));
    if (!done) {
        co_await s->finish();
        co_return done;
    }
    buffered_stream peer{std::move(s)};
    while (true) {
        auto const line = co_await peer.read_line(100000, in(20s));
        if (!line) {
            last = line.error().detail;
            break;
        }
        peer.put(line->text + "\r\n");
        auto const sent = co_await peer.flush(in(20s));
        if (!sent) break;
    }
    co_await peer.raw().finish();
    if (how_it_ended != nullptr) *how_it_ended = last;
    co_return result<void>{};
}

struct raw_client {
    unique_fd fd;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
    std::function<void(SSL*)> before = {};  ///< last words to a session before its handshake
    explicit raw_client(endpoint to) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        auto const name = to_sockaddr(to);
        EXPECT_EQ(::connect(fd.get(), name.get(), name.length), 0);
        SSL_CTX_set_security_level(context.get(), 0);
    }
    void only(int version)
    {
        SSL_CTX_set_min_proto_version(context.get(), version);
        SSL_CTX_set_max_proto_version(context.get(), version);
    }
    /// "ok", or why not.
    std::string handshake()
    {
        ERR_clear_error();
        ssl.reset(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), fd.get());
        if (before) before(ssl.get());
        if (SSL_connect(ssl.get()) == 1) return "ok";
        auto const* const reason = ERR_reason_error_string(ERR_get_error());
        return reason != nullptr ? reason : "connection ended";
    }
    /// The next octets the server says; empty at its close_notify.
    std::string read() const
    {
        std::array<char, 4096> into{};
        std::size_t got = 0;
        return SSL_read_ex(ssl.get(), into.data(), into.size(), &got) == 1 ? std::string{into.data(), got} : std::string{};
    }
    void say(std::string_view octets) const
    {
        EXPECT_EQ(SSL_write(ssl.get(), octets.data(), static_cast<int>(octets.size())), static_cast<int>(octets.size()));
    }
    /// How many segments with octets in them have come.
    std::uint32_t segments() const
    {
        tcp_info info{};
        socklen_t length = sizeof info;
        EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &length), 0);
        return info.tcpi_data_segs_in;
    }
    void send(std::string_view octets) const { EXPECT_EQ(::send(fd.get(), octets.data(), octets.size(), MSG_NOSIGNAL), static_cast<ssize_t>(octets.size())); }
};

}  // namespace mansio::net::test
