// One TLS session on a non-blocking descriptor: OpenSSL without waiting. Internal to this folder; the only header here that names OpenSSL is tls_context.hpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/stream.hpp"
#include "net/tls.hpp"

struct ssl_st;

namespace mansio::net {

/// Never waits: each step says what it would wait for. Threads: one at a time; may move between threads between steps.
class tls_session {
public:
    enum class step : std::uint8_t {
        done,
        want_read,
        want_write,
        ended,   ///< close_notify received
        cut,     ///< the connection ended without it, or was reset
        failed,  ///< the protocol was broken or refused; error() says how
    };
    struct outcome {
        step what;
        std::size_t octets = 0;
    };
    [[nodiscard]] static result<std::unique_ptr<tls_session>> server(tls_server_context& context, int fd);
    [[nodiscard]] static result<std::unique_ptr<tls_session>> client(tls_client_context& context, tls_client_options const& options, int fd);
    ~tls_session();
    tls_session(tls_session const&) = delete;
    tls_session& operator=(tls_session const&) = delete;

    [[nodiscard]] step handshake();
    /// Within the handshake: a server that has sent its flight of TLS 1.3, where all that can follow from us are tickets (RFC 8446 §2, §4.6.1).
    [[nodiscard]] bool only_tickets_left() const noexcept;
    [[nodiscard]] outcome read(std::span<char> into);
    /// `done` when read() would give at least one octet. Works off tickets and key updates on the way.
    [[nodiscard]] step peek();
    /// May write a part. A step that wants must be repeated with the same octets, wherever they lie.
    [[nodiscard]] outcome write(std::string_view octets);
    [[nodiscard]] step close_notify();
    /// Octets have been received that read() or peek() has not worked off.
    [[nodiscard]] bool has_pending() const noexcept;
    /// After a step failed or was cut nothing more may be asked.
    [[nodiscard]] bool usable() const noexcept { return usable_; }
    [[nodiscard]] tls_facts facts() const;
    /// Why the last step failed; for the log.
    [[nodiscard]] std::string const& error() const noexcept { return error_; }
    /// What the peer has sent in the handshake so far, in octets.
    [[nodiscard]] std::uint64_t received() const noexcept;

private:
    explicit tls_session(ssl_st* s) noexcept : ssl_(s) {}
    [[nodiscard]] step step_of(int returned);
    [[nodiscard]] bool set_names(tls_client_options const& o);
    [[nodiscard]] bool set_tlsa(tls_client_options const& o);
    void tell_verified(tls_facts& f) const;
    ssl_st* ssl_;
    bool usable_ = true;
    bool is_client_ = false;
    enum class dane : std::uint8_t { off, on, unusable };
    dane dane_ = dane::off;
    std::string asked_name_;
    std::string error_;
};

}  // namespace mansio::net
