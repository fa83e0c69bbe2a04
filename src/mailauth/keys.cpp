#include "mailauth/keys.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace mansio::mailauth {
namespace {

constexpr unsigned shortest_rsa = 1024, longest_rsa = 4096;  // longer ones cost a verifier too much
constexpr std::size_t ed25519_octets = 32;

using key_ptr = std::shared_ptr<EVP_PKEY>;
key_ptr owned(EVP_PKEY* k) { return {k, EVP_PKEY_free}; }
unsigned char const* octets_of(std::string_view s) noexcept { return reinterpret_cast<unsigned char const*>(s.data()); }
struct context_free {
    void operator()(EVP_PKEY_CTX* c) const noexcept { EVP_PKEY_CTX_free(c); }
    void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
    void operator()(BIO* b) const noexcept { BIO_free(b); }
};
using pkey_context = std::unique_ptr<EVP_PKEY_CTX, context_free>;
using md_context = std::unique_ptr<EVP_MD_CTX, context_free>;
using bio_ptr = std::unique_ptr<BIO, context_free>;

key_ptr read_rsa(std::string_view octets)
{
    auto const length = static_cast<long>(octets.size());
    auto const* at = octets_of(octets);
    auto key = owned(d2i_PUBKEY(nullptr, &at, length));
    if (!key) {
        at = octets_of(octets);
        key = owned(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, length));
    }
    ERR_clear_error();
    bool const whole = key && at == octets_of(octets) + octets.size();
    return whole && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA ? key : nullptr;
}

}  // namespace

std::string_view name_of(key_type t) noexcept { return t == key_type::rsa ? "rsa" : "ed25519"; }

result<public_key> public_key::from_octets(key_type t, std::string_view octets)
{
    public_key k;
    k.type_ = t;
    if (octets.size() > 4096) return fail(fault::kind::syntax, "the key is too long");
    if (t == key_type::ed25519 && octets.size() == ed25519_octets)
        k.key_ = owned(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets_of(octets), octets.size()));
    if (t == key_type::rsa) k.key_ = read_rsa(octets);
    if (!k.key_) return fail(fault::kind::syntax, "the key cannot be read");
    k.bits_ = static_cast<unsigned>(EVP_PKEY_get_bits(k.key_.get()));
    if (t == key_type::rsa && k.bits_ > longest_rsa) return fail(fault::kind::syntax, "an RSA key of more than 4096 bits");
    return k;
}

bool public_key::verifies(base::sha256_digest const& digest, std::string_view signature) const
{
    bool good = false;
    if (type_ == key_type::ed25519) {
        md_context const c{EVP_MD_CTX_new()};
        good = EVP_DigestVerifyInit(c.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
               EVP_DigestVerify(c.get(), octets_of(signature), signature.size(), digest.data(), digest.size()) == 1;
    } else {
        pkey_context const c{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        good = EVP_PKEY_verify_init(c.get()) == 1 && EVP_PKEY_CTX_set_rsa_padding(c.get(), RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(c.get(), EVP_sha256()) == 1 &&
               EVP_PKEY_verify(c.get(), octets_of(signature), signature.size(), digest.data(), digest.size()) == 1;
    }
    ERR_clear_error();
    return good;
}

signing_key signing_key::generate(key_type t)
{
    signing_key k;
    k.type_ = t;
    k.key_ = owned(t == key_type::rsa ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    MANSIO_ASSERT(k.key_);
    k.bits_ = static_cast<unsigned>(EVP_PKEY_get_bits(k.key_.get()));
    return k;
}

result<signing_key> signing_key::from_pem(std::string_view pem)
{
    signing_key k;
    bio_ptr const from{BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 65536)))};
    auto const no_passphrase = [](char*, int, int, void*) { return 0; };
    k.key_ = owned(PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (!k.key_) return fail(fault::kind::syntax, "not a private key in PEM, or one with a passphrase");
    k.bits_ = static_cast<unsigned>(EVP_PKEY_get_bits(k.key_.get()));
    auto const what = EVP_PKEY_get_base_id(k.key_.get());
    k.type_ = what == EVP_PKEY_ED25519 ? key_type::ed25519 : key_type::rsa;
    bool const good = what == EVP_PKEY_ED25519 || (what == EVP_PKEY_RSA && k.bits_ >= shortest_rsa && k.bits_ <= longest_rsa);
    if (!good) return fail(fault::kind::refused, "mail is signed with RSA keys of 1024 to 4096 bits or Ed25519 keys");
    return k;
}

std::string signing_key::pem() const
{
    bio_ptr const to{BIO_new(BIO_s_mem())};
    MANSIO_ASSERT(PEM_write_bio_PKCS8PrivateKey(to.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    char* text = nullptr;
    auto const length = BIO_get_mem_data(to.get(), &text);
    return {text, static_cast<std::size_t>(length)};
}

std::string signing_key::public_octets() const
{
    if (type_ == key_type::ed25519) {
        std::string raw(ed25519_octets, '\0');
        auto length = raw.size();
        MANSIO_ASSERT(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &length) == 1);
        return raw;
    }
    unsigned char* der = nullptr;
    auto const length = i2d_PUBKEY(key_.get(), &der);
    MANSIO_ASSERT(length > 0);
    std::string out{reinterpret_cast<char const*>(der), static_cast<std::size_t>(length)};
    OPENSSL_free(der);
    return out;
}

std::string signing_key::sign(base::sha256_digest const& digest) const
{
    std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
    auto length = out.size();
    auto* const to = reinterpret_cast<unsigned char*>(out.data());
    bool good = false;
    if (type_ == key_type::ed25519) {
        md_context const c{EVP_MD_CTX_new()};
        good =
            EVP_DigestSignInit(c.get(), nullptr, nullptr, nullptr, key_.get()) == 1 && EVP_DigestSign(c.get(), to, &length, digest.data(), digest.size()) == 1;
    } else {
        pkey_context const c{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        good = EVP_PKEY_sign_init(c.get()) == 1 && EVP_PKEY_CTX_set_rsa_padding(c.get(), RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(c.get(), EVP_sha256()) == 1 && EVP_PKEY_sign(c.get(), to, &length, digest.data(), digest.size()) == 1;
    }
    MANSIO_ASSERT(good);
    out.resize(length);
    return out;
}

}  // namespace mansio::mailauth
