// Certificates made to order, good and flawed, as PEM files that a server can use.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/tlsa.hpp"

namespace mansio::net::test {

struct x509_free {
    void operator()(X509* c) const noexcept { X509_free(c); }
    void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
    void operator()(X509_EXTENSION* e) const noexcept { X509_EXTENSION_free(e); }
    void operator()(BIO* b) const noexcept { BIO_free(b); }
};
using x509_ptr = std::unique_ptr<X509, x509_free>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, x509_free>;

struct certificate_order {
    std::string common_name;
    std::vector<std::string> dns_names = {};
    long from_days = -2, to_days = 30;  ///< from now
};

/// A certificate with its key; a CA when it has no issuer.
struct certificate {
    x509_ptr x509;
    pkey_ptr key;

    static certificate make(certificate_order const& o, certificate const* issuer = nullptr)
    {
        constexpr long day = 86400;
        static long serial = 1;
        certificate c{x509_ptr{X509_new()}, pkey_ptr{EVP_EC_gen("P-256")}};
        auto* const x = c.x509.get();
        MANSIO_ASSERT(x != nullptr && c.key && X509_set_version(x, X509_VERSION_3) == 1);
        ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(x), o.from_days * day);
        X509_gmtime_adj(X509_getm_notAfter(x), o.to_days * day);
        X509_set_pubkey(x, c.key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(o.common_name.c_str()), -1, -1, 0);
        auto* const signer = issuer != nullptr ? issuer->x509.get() : x;
        X509_set_issuer_name(x, X509_get_subject_name(signer));
        c.extend(signer, NID_basic_constraints, issuer != nullptr ? "critical,CA:FALSE" : "critical,CA:TRUE");
        c.extend(signer, NID_subject_key_identifier, "hash");
        std::string names;
        for (auto const& n : o.dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + n;
        if (!names.empty()) c.extend(signer, NID_subject_alt_name, names);
        MANSIO_ASSERT(X509_sign(x, (issuer != nullptr ? *issuer : c).key.get(), EVP_sha256()) > 0);
        return c;
    }
    void extend(X509* issuer, int what, std::string const& value) const
    {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer, x509.get(), nullptr, nullptr, 0);
        std::unique_ptr<X509_EXTENSION, x509_free> const e{X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str())};
        MANSIO_ASSERT(e && X509_add_ext(x509.get(), e.get(), -1) == 1);
    }
    [[nodiscard]] std::string pem() const
    {
        std::unique_ptr<BIO, x509_free> const out{BIO_new(BIO_s_mem())};
        MANSIO_ASSERT(PEM_write_bio_X509(out.get(), x509.get()) == 1);
        return text_of(out.get());
    }
    [[nodiscard]] std::string key_pem() const
    {
        std::unique_ptr<BIO, x509_free> const out{BIO_new(BIO_s_mem())};
        MANSIO_ASSERT(PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
        return text_of(out.get());
    }
    /// The record that names this certificate, with right data.
    [[nodiscard]] tlsa_record tlsa(std::uint8_t usage, std::uint8_t selector, std::uint8_t matching) const
    {
        unsigned char* der = nullptr;
        auto const n = selector == 0 ? i2d_X509(x509.get(), &der) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509.get()), &der);
        MANSIO_ASSERT(n > 0);
        tlsa_record r{usage, selector, matching, {reinterpret_cast<char const*>(der), static_cast<std::size_t>(n)}};
        OPENSSL_free(der);
        if (matching == 0) return r;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        MANSIO_ASSERT(EVP_Digest(r.data.data(), r.data.size(), digest, &length, matching == 1 ? EVP_sha256() : EVP_sha512(), nullptr) == 1);
        r.data.assign(reinterpret_cast<char const*>(digest), length);
        return r;
    }

private:
    static std::string text_of(BIO* b)
    {
        char* data = nullptr;
        auto const n = BIO_get_mem_data(b, &data);
        return {data, static_cast<std::size_t>(n)};
    }
};

inline void write_text(std::string const& path, std::string const& text) { std::ofstream{path} << text; }

}  // namespace mansio::net::test
