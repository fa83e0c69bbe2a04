// TLS contexts: raw OpenSSL on the connection's own descriptor (docs/architecture.md, "Streams and TLS").
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

namespace mansio::net {

/// What a face of the server offers. `mx`: port 25, where TLS 1.2 CBC suites are still better than clear text (RFC 7435); `strict`: everything
/// people sign in on: TLS 1.2 AEAD+ECDHE and 1.3 only. No renegotiation, compression, early data (trust.md T1).
enum class tls_profile : std::uint8_t { strict, mx };

/// Certificate, key and rules of a listening face. Threads: safe after creation; reload() may run while handshakes do.
class tls_server_context {
public:
    struct options {
        std::string certificate_file;  ///< PEM chain
        std::string key_file;          ///< PEM
        tls_profile profile = tls_profile::strict;
        std::vector<std::string> alpn; ///< protocols of this face; a client that sends ALPN without a match gets no_application_protocol (trust.md T2)
    };
    /// Errors: refused, with a sentence for the operator (unreadable file, key that does not fit).
    [[nodiscard]] static result<std::unique_ptr<tls_server_context>> make(options o);
    ~tls_server_context();
    tls_server_context(tls_server_context const&) = delete;
    tls_server_context& operator=(tls_server_context const&) = delete;
    /// Reads the files again; the old certificate stays in force on an error.
    [[nodiscard]] result<void> reload();
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
/// exist and are valid for 30 more days. Errors: broken, with the path.
[[nodiscard]] result<void> make_demo_certificates(std::string const& directory, std::vector<std::string> const& dns_names, std::vector<std::string> const& ip_names);

}  // namespace mansio::net
