// OpenSSL's objects, owned. Internal to this folder.
#pragma once
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace mansio::acme {

struct openssl_free {
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
    void operator()(EVP_MD_CTX* p) const noexcept { EVP_MD_CTX_free(p); }
    void operator()(ECDSA_SIG* p) const noexcept { ECDSA_SIG_free(p); }
    void operator()(BIGNUM* p) const noexcept { BN_free(p); }
    void operator()(X509* p) const noexcept { X509_free(p); }
    void operator()(X509_REQ* p) const noexcept { X509_REQ_free(p); }
    void operator()(X509_EXTENSION* p) const noexcept { X509_EXTENSION_free(p); }
    void operator()(STACK_OF(X509_EXTENSION) * p) const noexcept { sk_X509_EXTENSION_pop_free(p, X509_EXTENSION_free); }
    void operator()(GENERAL_NAMES* p) const noexcept { GENERAL_NAMES_free(p); }
    void operator()(ASN1_OCTET_STRING* p) const noexcept { ASN1_OCTET_STRING_free(p); }
    void operator()(ASN1_OBJECT* p) const noexcept { ASN1_OBJECT_free(p); }
    void operator()(BIO* p) const noexcept { BIO_free(p); }
};
template <class T> using owned = std::unique_ptr<T, openssl_free>;

[[nodiscard]] owned<EVP_PKEY> make_p256();
/// Null: no PEM key.
[[nodiscard]] owned<EVP_PKEY> read_key(std::string_view pem);
[[nodiscard]] std::string key_pem(EVP_PKEY* key);
[[nodiscard]] owned<BIO> reader_of(std::string_view octets);
[[nodiscard]] std::string octets_of(BIO* memory);

}  // namespace mansio::acme
