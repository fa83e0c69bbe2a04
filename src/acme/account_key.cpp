#include "acme/account_key.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <fmt/format.h>

#include <array>

#include "acme/openssl.hpp"
#include "base/bytes.hpp"

namespace mansio::acme {
namespace {
constexpr std::size_t coordinate = 32;  // octets, RFC 7518 §6.2.1.2 and §3.4

std::string fixed(BIGNUM const* n)
{
    std::array<unsigned char, coordinate> out{};
    MANSIO_ASSERT(BN_bn2binpad(n, out.data(), static_cast<int>(out.size())) == static_cast<int>(out.size()));
    return {reinterpret_cast<char const*>(out.data()), out.size()};
}

std::string point(EVP_PKEY* key, char const* which)
{
    BIGNUM* n = nullptr;
    MANSIO_ASSERT(EVP_PKEY_get_bn_param(key, which, &n) == 1);
    owned<BIGNUM> const held{n};
    return base64url(fixed(n));
}

bool is_p256(EVP_PKEY* key)
{
    std::array<char, 32> group{};
    return key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), nullptr) == 1 &&
           std::string_view{group.data()} == "prime256v1";
}
unsigned char const* bytes(std::string_view s) { return reinterpret_cast<unsigned char const*>(s.data()); }
}  // namespace

owned<EVP_PKEY> make_p256()
{
    owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
    MANSIO_ASSERT(key);
    return key;
}

owned<BIO> reader_of(std::string_view octets)
{
    owned<BIO> b{BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))};
    MANSIO_ASSERT(b);
    return b;
}

std::string octets_of(BIO* memory)
{
    char* data = nullptr;
    auto const n = BIO_get_mem_data(memory, &data);
    return {data, static_cast<std::size_t>(n)};
}

owned<EVP_PKEY> read_key(std::string_view pem)
{
    auto const in = reader_of(pem);
    // A key under a passphrase must not make OpenSSL ask the terminal.
    owned<EVP_PKEY> key{PEM_read_bio_PrivateKey(in.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr)};
    ERR_clear_error();
    return key;
}

std::string key_pem(EVP_PKEY* key)
{
    owned<BIO> const out{BIO_new(BIO_s_mem())};
    MANSIO_ASSERT(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return octets_of(out.get());
}

std::string base64url(std::string_view octets)
{
    auto text = base::to_base64(octets);
    while (text.ends_with('=')) text.pop_back();
    for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text;
}

struct account_key::impl {
    owned<EVP_PKEY> key;
};

account_key::account_key(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
account_key::account_key(account_key&&) noexcept = default;
account_key& account_key::operator=(account_key&&) noexcept = default;
account_key::~account_key() = default;

account_key account_key::make() { return account_key{std::make_unique<impl>(make_p256())}; }

result<account_key> account_key::read(std::string_view pem)
{
    auto key = read_key(pem);
    if (!is_p256(key.get())) return fail(fault::kind::refused, "not a PEM key on the curve P-256");
    return account_key{std::make_unique<impl>(std::move(key))};
}

std::string account_key::pem() const { return key_pem(impl_->key.get()); }

std::string account_key::jwk() const
{
    // RFC 7638 §3.2: the required members, sorted, without blanks.
    auto* const k = impl_->key.get();
    return fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})", point(k, OSSL_PKEY_PARAM_EC_PUB_X), point(k, OSSL_PKEY_PARAM_EC_PUB_Y));
}

std::string account_key::thumbprint() const
{
    auto const digest = base::sha256(jwk());
    return base64url({reinterpret_cast<char const*>(digest.data()), digest.size()});
}

std::string account_key::signature(std::string_view signing_input) const
{
    owned<EVP_MD_CTX> const c{EVP_MD_CTX_new()};
    std::size_t n = 0;
    MANSIO_ASSERT(EVP_DigestSignInit(c.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1);
    MANSIO_ASSERT(EVP_DigestSign(c.get(), nullptr, &n, bytes(signing_input), signing_input.size()) == 1);
    std::vector<unsigned char> der(n);
    MANSIO_ASSERT(EVP_DigestSign(c.get(), der.data(), &n, bytes(signing_input), signing_input.size()) == 1);
    // OpenSSL gives DER, JOSE wants the two numbers at their full width (RFC 7518 §3.4).
    auto const* at = der.data();
    owned<ECDSA_SIG> const pair{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(n))};
    MANSIO_ASSERT(pair);
    return fixed(ECDSA_SIG_get0_r(pair.get())) + fixed(ECDSA_SIG_get0_s(pair.get()));
}

bool account_key::verifies(std::string_view signing_input, std::string_view signature) const
{
    if (signature.size() != 2 * coordinate) return false;
    owned<ECDSA_SIG> const pair{ECDSA_SIG_new()};
    auto const number = [](std::string_view s) { return BN_bin2bn(bytes(s), static_cast<int>(s.size()), nullptr); };
    MANSIO_ASSERT(ECDSA_SIG_set0(pair.get(), number(signature.substr(0, coordinate)), number(signature.substr(coordinate))) == 1);
    unsigned char* der = nullptr;
    auto const n = i2d_ECDSA_SIG(pair.get(), &der);
    MANSIO_ASSERT(n > 0);
    owned<EVP_MD_CTX> const c{EVP_MD_CTX_new()};
    bool const good = EVP_DigestVerifyInit(c.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1 &&
                      EVP_DigestVerify(c.get(), der, static_cast<std::size_t>(n), bytes(signing_input), signing_input.size()) == 1;
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

std::string account_key::sign(std::string_view protected_header, std::string_view payload) const
{
    auto const header = base64url(protected_header), body = base64url(payload);
    return fmt::format(R"({{"protected":"{}","payload":"{}","signature":"{}"}})", header, body, base64url(signature(header + "." + body)));
}

}  // namespace mansio::acme
