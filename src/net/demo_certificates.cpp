// A throwaway CA and one certificate, so that the demo and the tests speak real TLS.
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "net/socket.hpp"
#include "net/tls_context.hpp"

namespace mansio::net {
namespace {

struct openssl_free {
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
    void operator()(X509* p) const noexcept { X509_free(p); }
    void operator()(X509_EXTENSION* p) const noexcept { X509_EXTENSION_free(p); }
    void operator()(BIO* p) const noexcept { BIO_free(p); }
    void operator()(std::FILE* p) const noexcept { std::fclose(p); }
};
template <class T> using owned = std::unique_ptr<T, openssl_free>;

constexpr long day = 24L * 3600;
constexpr long lifetime = 397 * day;  // what browsers accept
constexpr std::chrono::days fresh_enough{30};

void add_extension(X509* to, X509* issuer, int what, std::string const& value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    owned<X509_EXTENSION> const e{X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str())};
    MANSIO_ASSERT(e && X509_add_ext(to, e.get(), -1) == 1);
}

owned<X509> new_certificate(std::string const& common_name, EVP_PKEY* key, X509* issuer)
{
    owned<X509> c{X509_new()};
    MANSIO_ASSERT(c && X509_set_version(c.get(), X509_VERSION_3) == 1);
    std::array<unsigned char, 16> serial{};
    MANSIO_ASSERT(RAND_bytes(serial.data(), serial.size()) == 1);
    serial[0] &= 0x7F;  // RFC 5280 §4.1.2.2: positive
    BIGNUM* const number = BN_bin2bn(serial.data(), serial.size(), nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c.get()));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(c.get()), -day);  // clocks differ
    X509_gmtime_adj(X509_getm_notAfter(c.get()), lifetime);
    X509_set_pubkey(c.get(), key);
    auto* const name = X509_get_subject_name(c.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(c.get(), X509_get_subject_name(issuer != nullptr ? issuer : c.get()));
    return c;
}

std::string to_pem(X509* c)
{
    owned<BIO> const out{BIO_new(BIO_s_mem())};
    MANSIO_ASSERT(PEM_write_bio_X509(out.get(), c) == 1);
    char* data = nullptr;
    auto const n = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(n)};
}
std::string to_pem(EVP_PKEY* k)
{
    owned<BIO> const out{BIO_new(BIO_s_mem())};
    MANSIO_ASSERT(PEM_write_bio_PrivateKey(out.get(), k, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    char* data = nullptr;
    auto const n = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(n)};
}

owned<X509> read_certificate(std::string const& path)
{
    owned<std::FILE> const f{std::fopen(path.c_str(), "re")};
    return owned<X509>{f ? PEM_read_X509(f.get(), nullptr, nullptr, nullptr) : nullptr};
}

bool in_force(std::string const& directory, std::vector<std::string> const& dns_names, std::vector<std::string> const& ip_names)
{
    auto const ca = read_certificate(directory + "/ca.pem");
    auto const cert = read_certificate(directory + "/cert.pem");
    owned<std::FILE> const f{std::fopen((directory + "/key.pem").c_str(), "re")};
    owned<EVP_PKEY> const key{f ? PEM_read_PrivateKey(f.get(), nullptr, nullptr, nullptr) : nullptr};
    ERR_clear_error();
    if (!ca || !cert || !key || X509_check_private_key(cert.get(), key.get()) != 1) return false;
    auto soon = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(base::system_clock().wall()) + fresh_enough);
    if (X509_cmp_time(X509_get0_notAfter(cert.get()), &soon) <= 0 || X509_cmp_time(X509_get0_notAfter(ca.get()), &soon) <= 0) return false;
    if (X509_verify(cert.get(), X509_get0_pubkey(ca.get())) != 1) return false;
    return std::ranges::all_of(dns_names, [&](auto const& n) { return X509_check_host(cert.get(), n.c_str(), n.size(), 0, nullptr) == 1; }) &&
           std::ranges::all_of(ip_names, [&](auto const& n) { return X509_check_ip_asc(cert.get(), n.c_str(), 0) == 1; });
}

/// Whole or not at all: a temporary file, then a rename.
result<void> write_file(std::string const& path, std::string_view octets, mode_t mode)
{
    auto const temporary = path + ".new";
    ::unlink(temporary.c_str());
    unique_fd fd{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
    if (!fd) return fail(fault::kind::broken, "cannot write a certificate", path + ": " + error_text(errno));
    while (!octets.empty()) {
        auto const n = ::write(fd.get(), octets.data(), octets.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(fault::kind::broken, "cannot write a certificate", path + ": " + error_text(errno));
        octets.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
        return fail(fault::kind::broken, "cannot write a certificate", path + ": " + error_text(errno));
    return {};
}

}  // namespace

result<void> make_demo_certificates(std::string const& directory, std::vector<std::string> const& dns_names, std::vector<std::string> const& ip_names)
{
    MANSIO_ASSERT(!dns_names.empty() || !ip_names.empty());
    if (in_force(directory, dns_names, ip_names)) return {};
    owned<EVP_PKEY> const ca_key{EVP_EC_gen("P-256")};  // never written down: this CA signs one certificate
    owned<EVP_PKEY> const key{EVP_EC_gen("P-256")};
    MANSIO_ASSERT(ca_key && key);
    auto const ca = new_certificate("Mansio demo CA", ca_key.get(), nullptr);
    add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    auto const cert = new_certificate(dns_names.empty() ? ip_names.front() : dns_names.front(), key.get(), ca.get());
    std::string names;
    for (auto const& n : dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + n;
    for (auto const& n : ip_names) names += (names.empty() ? "IP:" : ",IP:") + n;
    add_extension(cert.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(cert.get(), ca.get(), NID_ext_key_usage, "serverAuth");
    add_extension(cert.get(), ca.get(), NID_subject_key_identifier, "hash");
    add_extension(cert.get(), ca.get(), NID_authority_key_identifier, "keyid:always");
    add_extension(cert.get(), ca.get(), NID_subject_alt_name, names);
    MANSIO_ASSERT(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0 && X509_sign(cert.get(), ca_key.get(), EVP_sha256()) > 0);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return fail(fault::kind::broken, "cannot write a certificate", directory + ": " + error_text(errno));
    auto written = write_file(directory + "/key.pem", to_pem(key.get()), 0600);
    if (written) written = write_file(directory + "/cert.pem", to_pem(cert.get()), 0644);
    if (written) written = write_file(directory + "/ca.pem", to_pem(ca.get()), 0644);
    return written;
}

}  // namespace mansio::net
