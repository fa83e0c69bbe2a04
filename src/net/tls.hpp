// TLS contexts: raw OpenSSL on the connection's own descriptor (docs/architecture.md, "Streams and TLS").
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

namespace mansio::net {

/// What a face of the server offers. `mx`: port 25, where TLS 1.2 CBC suites are still better than clear text (RFC 7435); `strict`: everything
/// people sign in on: TLS 1.2 AEAD+ECDHE and 1.3 only. No renegotiation, compression, early data (trust.md T1).
enum class tls_profile : std::uint8_t { strict, mx };

/// Bounds the server-side handshakes under way: at most limits.tls_handshakes, each at most limits.tls_handshake_wait; further ones wait in line for
/// as long. One is shared by all listening faces. Threads: safe.
class tls_handshakes {
public:
    tls_handshakes(base::limits const& l, base::metrics& m);
    explicit tls_handshakes(base::limits const& l);  ///< counted by nobody
    ~tls_handshakes();
    tls_handshakes(tls_handshakes const&) = delete;
    tls_handshakes& operator=(tls_handshakes const&) = delete;
    /// Held while a handshake is under way.
    class place {
    public:
        explicit place(tls_handshakes& of) noexcept : of_(&of) {}
        place(place&& o) noexcept : of_(std::exchange(o.of_, nullptr)) {}
        place& operator=(place&&) = delete;
        ~place();

    private:
        tls_handshakes* of_;
    };
    /// Waits on the current executor. Errors: timeout.
    [[nodiscard]] task<result<place>> enter(base::monotonic_time deadline);
    [[nodiscard]] std::size_t under_way() const noexcept;
    /// The time one handshake has.
    [[nodiscard]] std::chrono::seconds longest() const noexcept;
    void count(bool succeeded) noexcept;
    struct impl;

private:
    void leave() noexcept;
    std::unique_ptr<impl> impl_;
};

/// Certificate, key and rules of a listening face. Threads: safe after creation; reload() may run while handshakes do.
class tls_server_context {
public:
    struct options {
        std::string certificate_file;  ///< PEM chain
        std::string key_file;          ///< PEM
        tls_profile profile = tls_profile::strict;
        std::vector<std::string> alpn; ///< protocols of this face; a client that sends ALPN without a match gets no_application_protocol (trust.md T2)
        std::shared_ptr<tls_handshakes> handshakes = {};  ///< null: one of its own with the default limits
    };
    /// Errors: refused, with a sentence for the operator (unreadable file, key that does not fit).
    [[nodiscard]] static result<std::unique_ptr<tls_server_context>> make(options o);
    ~tls_server_context();
    tls_server_context(tls_server_context const&) = delete;
    tls_server_context& operator=(tls_server_context const&) = delete;
    /// Reads the files again; the old certificate stays in force on an error.
    [[nodiscard]] result<void> reload();
    /// From now on a client that offers the protocol "acme-tls/1" alone and asks for `server_name` (lower case) is shown this certificate instead
    /// (RFC 8737 §3); the caller of start_tls_server() sees that protocol and says nothing more. `pem`: key and certificate, made by us (asserted).
    void show_challenge(std::string const& server_name, std::string const& pem);
    void hide_challenge(std::string const& server_name);
    struct impl;
    [[nodiscard]] impl& get() noexcept { return *impl_; }

private:
    explicit tls_server_context(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// For outgoing connections. `ca_file` empty: the system's trust store.
class tls_client_context {
public:
    [[nodiscard]] static result<std::unique_ptr<tls_client_context>> make(std::string ca_file);
    ~tls_client_context();
    tls_client_context(tls_client_context const&) = delete;
    tls_client_context& operator=(tls_client_context const&) = delete;
    struct impl;
    [[nodiscard]] impl& get() noexcept { return *impl_; }

private:
    explicit tls_client_context(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// A private CA and one server certificate (ECDSA P-256) for the demo and for tests: writes ca.pem, cert.pem, key.pem into `directory` unless they
/// exist, name all of these and are valid for 30 more days. The CA's key is thrown away. Errors: broken, with the path.
[[nodiscard]] result<void> make_demo_certificates(std::string const& directory, std::vector<std::string> const& dns_names,
                                                  std::vector<std::string> const& ip_names);

}  // namespace mansio::net
