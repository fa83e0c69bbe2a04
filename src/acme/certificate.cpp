#include "acme/certificate.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>

#include "acme/openssl.hpp"
#include "base/bytes.hpp"

namespace mansio::acme {
namespace {
constexpr std::size_t longest_chain = 10;
constexpr long hour = 3600, day = 24 * hour;
// id-pe-acmeIdentifier, RFC 8737 §6.1
constexpr char const* acme_identifier = "1.3.6.1.5.5.7.1.31";

std::unexpected<fault> refuse(std::string why) { return fail(fault::kind::refused, std::move(why)); }

/// subjectAltName, made without a text form: a name is data, not configuration syntax.
owned<X509_EXTENSION> alternative_names(std::vector<std::string> const& names)
{
    owned<GENERAL_NAMES> const all{sk_GENERAL_NAME_new_null()};
    for (auto const& n : names) {
        auto* const one = GENERAL_NAME_new();
        auto* const text = ASN1_IA5STRING_new();
        MANSIO_ASSERT(one != nullptr && text != nullptr && ASN1_STRING_set(text, n.data(), static_cast<int>(n.size())) == 1);
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        MANSIO_ASSERT(sk_GENERAL_NAME_push(all.get(), one) > 0);
    }
    owned<X509_EXTENSION> e{X509V3_EXT_i2d(NID_subject_alt_name, 0, all.get())};
    MANSIO_ASSERT(e);
    return e;
}

void add(X509* to, owned<X509_EXTENSION> const& e) { MANSIO_ASSERT(e && X509_add_ext(to, e.get(), -1) == 1); }

owned<X509> self_signed(std::vector<std::string> const& names, EVP_PKEY* key, long lifetime, owned<X509_EXTENSION> const& more)
{
    owned<X509> c{X509_new()};
    MANSIO_ASSERT(c && X509_set_version(c.get(), X509_VERSION_3) == 1);
    // Unique by the key's own digest: such a certificate lives for days and nobody compares its serial number with another's.
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    MANSIO_ASSERT(X509_set_pubkey(c.get(), key) == 1 && X509_pubkey_digest(c.get(), EVP_sha256(), digest.data(), &length) == 1);
    digest[0] &= 0x7F;
    owned<BIGNUM> const serial{BN_bin2bn(digest.data(), 16, nullptr)};
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(c.get()));
    X509_gmtime_adj(X509_getm_notBefore(c.get()), -hour);
    X509_gmtime_adj(X509_getm_notAfter(c.get()), lifetime);
    auto* const subject = X509_get_subject_name(c.get());
    constexpr std::size_t longest_common_name = 64;
    auto const common = names.front().substr(0, longest_common_name);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(common.c_str()), -1, -1, 0);
    X509_set_issuer_name(c.get(), subject);
    add(c.get(), alternative_names(names));
    if (more) add(c.get(), more);
    MANSIO_ASSERT(X509_sign(c.get(), key, EVP_sha256()) > 0);
    return c;
}

std::string pem_of(X509* c)
{
    owned<BIO> const out{BIO_new(BIO_s_mem())};
    MANSIO_ASSERT(PEM_write_bio_X509(out.get(), c) == 1);
    return octets_of(out.get());
}

std::vector<owned<X509>> read_chain(std::string_view pem)
{
    std::vector<owned<X509>> all;
    auto const in = reader_of(pem);
    while (all.size() <= longest_chain) {
        owned<X509> c{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
        if (!c) break;
        all.push_back(std::move(c));
    }
    ERR_clear_error();
    return all;
}

base::wall_time time_of(ASN1_TIME const* t)
{
    std::tm parts{};
    if (ASN1_TIME_to_tm(t, &parts) != 1) return {};
    using namespace std::chrono;
    auto const date = year{parts.tm_year + 1900} / (parts.tm_mon + 1) / parts.tm_mday;
    return sys_days{date} + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
}

validity validity_of(X509* c) { return {time_of(X509_get0_notBefore(c)), time_of(X509_get0_notAfter(c)), X509_verify(c, X509_get0_pubkey(c)) == 1}; }
}  // namespace

certificate_request make_request(std::vector<std::string> const& names)
{
    MANSIO_ASSERT(!names.empty());
    auto const key = make_p256();
    owned<X509_REQ> const r{X509_REQ_new()};
    owned<STACK_OF(X509_EXTENSION)> const extensions{sk_X509_EXTENSION_new_null()};
    MANSIO_ASSERT(sk_X509_EXTENSION_push(extensions.get(), alternative_names(names).release()) > 0);
    MANSIO_ASSERT(X509_REQ_set_version(r.get(), X509_REQ_VERSION_1) == 1 && X509_REQ_set_pubkey(r.get(), key.get()) == 1 &&
                  X509_REQ_add_extensions(r.get(), extensions.get()) == 1 && X509_REQ_sign(r.get(), key.get(), EVP_sha256()) > 0);
    unsigned char* der = nullptr;
    auto const n = i2d_X509_REQ(r.get(), &der);
    MANSIO_ASSERT(n > 0);
    certificate_request made{key_pem(key.get()), {reinterpret_cast<char const*>(der), static_cast<std::size_t>(n)}};
    OPENSSL_free(der);
    return made;
}

result<validity> validity_of(std::string_view pem)
{
    auto const chain = read_chain(pem);
    if (chain.empty()) return refuse("there is no certificate in it");
    auto const v = validity_of(chain.front().get());
    ERR_clear_error();
    return v;
}

result<validity> check_chain(std::string_view chain_pem, std::string_view key_text, std::vector<std::string> const& names, base::wall_time now)
{
    auto const chain = read_chain(chain_pem);
    auto const key = read_key(key_text);
    if (chain.empty()) return refuse("the authority sent no certificate");
    if (chain.size() > longest_chain) return refuse("the authority sent more certificates than a chain has");
    auto* const leaf = chain.front().get();
    bool const fits = key && X509_check_private_key(leaf, key.get()) == 1;
    bool linked = true;
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) linked = linked && X509_verify(chain[i].get(), X509_get0_pubkey(chain[i + 1].get())) == 1;
    auto const v = validity_of(leaf);
    ERR_clear_error();
    if (!fits) return refuse("the authority sent a certificate for another key");
    if (!linked) return refuse("the authority sent a chain that is not one: a certificate is not signed by the next");
    constexpr unsigned exactly = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
    for (auto const& n : names)
        if (X509_check_host(leaf, n.data(), n.size(), exactly, nullptr) != 1)
            return refuse(fmt::format("the authority sent a certificate without the name {}", n));
    // A new certificate may start a little ahead of our clock.
    if (v.from > now + std::chrono::hours{1}) return refuse("the authority's certificate is not in force yet: is this machine's clock right?");
    if (v.until <= now || v.until <= v.from) return refuse("the authority's certificate has ended already: is this machine's clock right?");
    return v;
}

std::string make_challenge_certificate(std::string const& name, std::string_view key_authorization)
{
    auto const digest = base::sha256(key_authorization);
    // The extension's value is itself an OCTET STRING in DER: tag 4, length 32.
    std::string value{"\x04\x20", 2};
    value.append(reinterpret_cast<char const*>(digest.data()), digest.size());
    owned<ASN1_OCTET_STRING> const octets{ASN1_OCTET_STRING_new()};
    owned<ASN1_OBJECT> const id{OBJ_txt2obj(acme_identifier, 1)};
    MANSIO_ASSERT(octets && id &&
                  ASN1_OCTET_STRING_set(octets.get(), reinterpret_cast<unsigned char const*>(value.data()), static_cast<int>(value.size())) == 1);
    owned<X509_EXTENSION> const e{X509_EXTENSION_create_by_OBJ(nullptr, id.get(), 1, octets.get())};
    auto const key = make_p256();
    auto const c = self_signed({name}, key.get(), 7 * day, e);
    return key_pem(key.get()) + pem_of(c.get());
}

std::string make_placeholder(std::vector<std::string> const& names)
{
    auto const key = make_p256();
    auto const c = self_signed(names, key.get(), 90 * day, nullptr);
    return key_pem(key.get()) + pem_of(c.get());
}

}  // namespace mansio::acme
