// The key of our account with a certificate authority, and what it signs (RFC 8555 §6.2, RFC 7515, RFC 7638).
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::acme {

/// RFC 7515 §2: base64 with the alphabet for URLs, without padding.
[[nodiscard]] std::string base64url(std::string_view octets);

/// ECDSA on P-256. Threads: safe once made.
class account_key {
public:
    [[nodiscard]] static account_key make();
    /// Errors: refused (no PEM of a P-256 key).
    [[nodiscard]] static result<account_key> read(std::string_view pem);
    account_key(account_key&&) noexcept;
    account_key& operator=(account_key&&) noexcept;
    ~account_key();
    [[nodiscard]] std::string pem() const;         ///< PKCS #8; a secret
    [[nodiscard]] std::string jwk() const;         ///< public, members in RFC 7638's order
    [[nodiscard]] std::string thumbprint() const;  ///< base64url of the JWK's SHA-256
    /// Flattened JSON serialization (RFC 7515 §7.2.2) of `payload` under a protected header ready made as JSON.
    [[nodiscard]] std::string sign(std::string_view protected_header, std::string_view payload) const;
    /// R || S over "header.payload", both encoded: RFC 7518 §3.4.
    [[nodiscard]] std::string signature(std::string_view signing_input) const;
    [[nodiscard]] bool verifies(std::string_view signing_input, std::string_view signature) const;

private:
    struct impl;
    explicit account_key(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::acme
