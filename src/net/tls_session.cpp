#include "net/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cerrno>

#include "net/socket.hpp"
#include "net/tls_context.hpp"

namespace mansio::net {
namespace {
tls_problem class_of(long verified)
{
    switch (verified) {
    case X509_V_OK: return tls_problem::none;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return tls_problem::name_mismatch;
    case X509_V_ERR_CERT_HAS_EXPIRED: return tls_problem::expired;
    case X509_V_ERR_DANE_NO_MATCH: return tls_problem::tlsa_mismatch;
    default: return tls_problem::not_trusted;
    }
}

/// BIO_get_ktls and friends stay off: the session must be able to change threads and the buffers be ours to release.
SSL* open_session(SSL_CTX* c, int fd)
{
    auto* const s = SSL_new(c);
    if (s == nullptr) return nullptr;
    if (SSL_set_fd(s, fd) == 1) return s;
    SSL_free(s);
    return nullptr;
}
}  // namespace

result<std::unique_ptr<tls_session>> tls_session::server(tls_server_context& context, int fd)
{
    ERR_clear_error();
    SSL* s = nullptr;
    {
        auto& i = context.get();
        std::lock_guard const lock{i.mutex};  // reload() may change it; the session keeps its own reference
        s = open_session(i.current.get(), fd);
    }
    if (s == nullptr) return fail(fault::kind::broken, "TLS is not available", take_openssl_errors());
    SSL_set_accept_state(s);
    return std::unique_ptr<tls_session>(new tls_session(s));
}

result<std::unique_ptr<tls_session>> tls_session::client(tls_client_context& context, tls_client_options const& o, int fd)
{
    ERR_clear_error();
    auto* const s = open_session(context.get().context.get(), fd);
    if (s == nullptr) return fail(fault::kind::broken, "TLS is not available", take_openssl_errors());
    std::unique_ptr<tls_session> made{new tls_session(s)};
    made->is_client_ = true;
    made->asked_name_ = o.server_name;
    SSL_set_connect_state(s);
    bool ready = made->set_tlsa(o) && made->set_names(o);
    if (!o.alpn.empty()) {
        MANSIO_ASSERT(o.alpn.size() < 256);
        auto const wire = static_cast<char>(o.alpn.size()) + o.alpn;
        ready = ready && SSL_set_alpn_protos(s, reinterpret_cast<unsigned char const*>(wire.data()), static_cast<unsigned>(wire.size())) == 0;
    }
    if (!ready) return fail(fault::kind::refused, "cannot speak TLS with that name", "server name \"" + o.server_name + "\": " + take_openssl_errors());
    SSL_set_verify(s, o.require_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);  // NONE still verifies, and tells (RFC 7435)
    return made;
}

bool tls_session::set_names(tls_client_options const& o)
{
    if (o.server_name.empty()) return true;
    if (ip_address::parse(o.server_name)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), o.server_name.c_str()) == 1;  // RFC 6066 §3: no SNI
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | (o.alternative_names_only ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT : 0U));
    bool ready = SSL_set1_host(ssl_, o.server_name.c_str()) == 1 && SSL_set_tlsext_host_name(ssl_, o.server_name.c_str()) == 1;
    for (auto const& name : o.also_named) ready = ready && SSL_add1_host(ssl_, name.c_str()) == 1;
    return ready;
}

/// OpenSSL does the rest: digest agility, chains that end at a DANE-TA(2) record, DANE-EE(3) without names and dates.
bool tls_session::set_tlsa(tls_client_options const& o)
{
    if (o.tlsa.empty()) return true;
    if (SSL_dane_enable(ssl_, o.server_name.c_str()) != 1) return false;
    SSL_dane_set_flags(ssl_, DANE_FLAG_NO_DANE_EE_NAMECHECKS);  // RFC 7672 §3.2.1
    constexpr std::uint8_t dane_ta = 2, dane_ee = 3;
    dane_ = dane::unusable;
    for (auto const& r : o.tlsa) {
        if (r.usage != dane_ta && r.usage != dane_ee) continue;  // RFC 7672 §3.1.3
        auto const* const data = reinterpret_cast<unsigned char const*>(r.data.data());
        auto const taken = SSL_dane_tlsa_add(ssl_, r.usage, r.selector, r.matching, data, r.data.size());
        if (taken > 0) dane_ = dane::on;
    }
    ERR_clear_error();  // an unusable record is no error: the next one may do (RFC 6698 §4.1)
    return true;
}

tls_session::~tls_session() { SSL_free(ssl_); }

tls_session::step tls_session::step_of(int returned)
{
    int const system_error = errno;
    switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_NONE: return step::done;
    case SSL_ERROR_WANT_READ: return step::want_read;
    case SSL_ERROR_WANT_WRITE: return step::want_write;
    case SSL_ERROR_ZERO_RETURN: return step::ended;
    case SSL_ERROR_SYSCALL:
        usable_ = false;
        error_ = system_error == 0 ? "connection ended" : error_text(system_error);
        ERR_clear_error();
        return step::cut;
    default:
        usable_ = false;
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            error_ = "connection ended without close_notify";
            ERR_clear_error();
            return step::cut;
        }
        error_ = take_openssl_errors();
        return step::failed;
    }
}

// Each call empties the error queue first: what another session of this thread left there would be read as ours.

tls_session::step tls_session::handshake()
{
    ERR_clear_error();
    errno = 0;
    auto const what = step_of(SSL_do_handshake(ssl_));
    if (what == step::failed && is_client_) {
        auto const verified = SSL_get_verify_result(ssl_);
        if (verified != X509_V_OK) error_ += std::string{": "} + X509_verify_cert_error_string(verified);
    }
    return what;
}

bool tls_session::only_tickets_left() const noexcept { return !is_client_ && SSL_version(ssl_) == TLS1_3_VERSION && SSL_get_state(ssl_) == TLS_ST_EARLY_DATA; }

tls_session::outcome tls_session::read(std::span<char> into)
{
    ERR_clear_error();
    errno = 0;
    outcome o{step::done};
    auto const returned = SSL_read_ex(ssl_, into.data(), into.size(), &o.octets);
    if (returned != 1) o = {step_of(returned)};
    return o;
}

tls_session::step tls_session::peek()
{
    if (SSL_pending(ssl_) > 0) return step::done;
    ERR_clear_error();
    errno = 0;
    char one = 0;
    std::size_t got = 0;
    auto const returned = SSL_peek_ex(ssl_, &one, 1, &got);
    return returned == 1 ? step::done : step_of(returned);
}

tls_session::outcome tls_session::write(std::string_view octets)
{
    ERR_clear_error();
    errno = 0;
    outcome o{step::done};
    auto const returned = SSL_write_ex(ssl_, octets.data(), octets.size(), &o.octets);
    if (returned != 1) o = {step_of(returned)};
    return o;
}

tls_session::step tls_session::close_notify()
{
    if (!usable_) return step::failed;
    ERR_clear_error();
    errno = 0;
    auto const returned = SSL_shutdown(ssl_);
    return returned >= 0 ? step::done : step_of(returned);  // 0: ours is sent; we do not wait for theirs
}

bool tls_session::has_pending() const noexcept { return SSL_has_pending(ssl_) == 1 || (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }

std::uint64_t tls_session::received() const noexcept { return BIO_number_read(SSL_get_rbio(ssl_)); }

tls_facts tls_session::facts() const
{
    tls_facts f;
    f.version = SSL_get_version(ssl_);
    f.cipher = SSL_get_cipher_name(ssl_);
    auto const* const name = is_client_ ? asked_name_.c_str() : SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) f.server_name = name;
    unsigned char const* alpn = nullptr;
    unsigned alpn_length = 0;
    SSL_get0_alpn_selected(ssl_, &alpn, &alpn_length);
    if (alpn != nullptr) f.alpn.assign(reinterpret_cast<char const*>(alpn), alpn_length);
    if (!is_client_) return f;
    tell_verified(f);
    return f;
}

void tls_session::tell_verified(tls_facts& f) const
{
    auto const verified = SSL_get_verify_result(ssl_);
    f.problem = class_of(verified);
    if (f.problem != tls_problem::none) f.verify_error = X509_verify_cert_error_string(verified);
    // X509_V_OK is also the answer when no certificate came, and says nothing of the name when none was asked for.
    if (SSL_get0_peer_certificate(ssl_) == nullptr) {
        f.problem = tls_problem::no_certificate;
        f.verify_error = "no certificate";
    } else if (dane_ == dane::unusable) {
        f.problem = tls_problem::tlsa_unusable;  // what the trusted CAs say of it was not asked
        f.verify_error = "no usable TLSA record";
    } else if (f.problem == tls_problem::none && asked_name_.empty()) {
        f.problem = tls_problem::no_name;
        f.verify_error = "no name to verify";
    }
    f.peer_verified = f.problem == tls_problem::none;
    if (!f.peer_verified || dane_ != dane::on) return;
    tlsa_record r;
    unsigned char const* data = nullptr;
    std::size_t length = 0;
    if (SSL_get0_dane_tlsa(ssl_, &r.usage, &r.selector, &r.matching, &data, &length) < 0) {
        // Records were given and none was used: never taken for a success.
        f.peer_verified = false;
        f.problem = tls_problem::tlsa_mismatch;
        f.verify_error = X509_verify_cert_error_string(X509_V_ERR_DANE_NO_MATCH);
        return;
    }
    r.data.assign(reinterpret_cast<char const*>(data), length);
    f.matched = std::move(r);
}

}  // namespace mansio::net
