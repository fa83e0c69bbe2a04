// The OpenSSL side of tls.hpp. Internal to this folder.
#pragma once
#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/tls.hpp"

namespace mansio::net {

struct ssl_ctx_free {
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
};
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, ssl_ctx_free>;

struct tls_server_context::impl {
    options settings;
    std::vector<unsigned char> alpn_wire;  // length-prefixed, in our order of preference; read by the ALPN callback
    std::mutex mutex;
    ssl_ctx_ptr current;                            // guarded; a session takes its own reference
    std::map<std::string, ssl_ctx_ptr> challenges;  // guarded; by server name
    std::shared_ptr<tls_handshakes> handshakes;
};

struct tls_client_context::impl {
    ssl_ctx_ptr context;
};

/// Empties OpenSSL's error queue of this thread into one line.
[[nodiscard]] std::string take_openssl_errors();

}  // namespace mansio::net
