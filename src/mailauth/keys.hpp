// Keys that sign mail, and the public ones that domains publish (RFC 6376 §3.3, RFC 8301, RFC 8463). OpenSSL stays behind this header.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct evp_pkey_st;

namespace mansio::mailauth {

enum class key_type : std::uint8_t { rsa, ed25519 };
[[nodiscard]] std::string_view name_of(key_type t) noexcept;  ///< "rsa", "ed25519": k= and the first half of a=

/// Cheap to copy (shared). Threads: safe.
class public_key {
public:
    /// The octets of p=: for RSA a SubjectPublicKeyInfo, as everybody publishes, or a bare RSAPublicKey, as §3.6.1 has it. Errors: syntax.
    [[nodiscard]] static result<public_key> from_octets(key_type t, std::string_view octets);
    [[nodiscard]] unsigned bits() const noexcept { return bits_; }
    /// Whether `signature` is this key's over a SHA-256 digest: PKCS #1 v1.5, or Ed25519 over the digest (RFC 8463 §3). RSA-2048: some 30 µs.
    [[nodiscard]] bool verifies(base::sha256_digest const& digest, std::string_view signature) const;

private:
    std::shared_ptr<evp_pkey_st> key_;
    key_type type_ = key_type::rsa;
    unsigned bits_ = 0;
};

/// Cheap to copy (shared). Threads: safe.
class signing_key {
public:
    /// RSA of 2048 bits takes a tenth of a second or more: on a pool.
    [[nodiscard]] static signing_key generate(key_type t);
    /// PKCS #8 or traditional PEM, without a passphrase. Errors: syntax; refused (neither RSA of 1024 to 4096 bits nor Ed25519).
    [[nodiscard]] static result<signing_key> from_pem(std::string_view pem);
    [[nodiscard]] std::string pem() const;  ///< PKCS #8
    [[nodiscard]] key_type type() const noexcept { return type_; }
    [[nodiscard]] unsigned bits() const noexcept { return bits_; }
    /// The octets of p=.
    [[nodiscard]] std::string public_octets() const;
    /// RSA-2048: some 0.4 ms, on a pool.
    [[nodiscard]] std::string sign(base::sha256_digest const& digest) const;

private:
    std::shared_ptr<evp_pkey_st> key_;
    key_type type_ = key_type::rsa;
    unsigned bits_ = 0;
};

}  // namespace mansio::mailauth
