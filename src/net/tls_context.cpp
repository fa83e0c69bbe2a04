#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <system_error>

#include "base/bytes.hpp"

namespace mansio::net {
using namespace std::string_view_literals;
namespace {

// TLS 1.2: forward secrecy and AEAD. Port 25 also takes CBC, because the other choice there is clear text (RFC 7435).
constexpr char const* strict_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char const* mx_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL";

/// RFC 7301 §3.2: a client that names protocols and finds none of ours is told so; ALPACA (trust.md T2) ends here.
int choose_alpn(SSL*, unsigned char const** out, unsigned char* out_length, unsigned char const* in, unsigned in_length, void* ours)
{
    auto const& wire = static_cast<tls_server_context::impl*>(ours)->alpn_wire;
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, wire.data(), static_cast<unsigned>(wire.size()), in, in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

constexpr std::string_view challenge_protocol = "acme-tls/1";

int choose_challenge(SSL*, unsigned char const** out, unsigned char* out_length, unsigned char const*, unsigned, void*)
{
    *out = reinterpret_cast<unsigned char const*>(challenge_protocol.data());
    *out_length = static_cast<unsigned char>(challenge_protocol.size());
    return SSL_TLSEXT_ERR_OK;
}

std::string_view hello_extension(SSL* s, unsigned type)
{
    unsigned char const* data = nullptr;
    std::size_t n = 0;
    if (SSL_client_hello_get0_ext(s, type, &data, &n) != 1) return {};
    return {reinterpret_cast<char const*>(data), n};
}

/// Looks at the greeting itself: OpenSSL chooses the certificate before the protocol.
int see_hello(SSL* s, int*, void* ours)
{
    // RFC 7301 §3.1: a list of one name of ten octets; RFC 8737 §3 wants no other beside it.
    if (hello_extension(s, TLSEXT_TYPE_application_layer_protocol_negotiation) != "\0\x0b\x0a"
                                                                                  "acme-tls/1"sv)
        return SSL_CLIENT_HELLO_SUCCESS;
    auto const sni = hello_extension(s, TLSEXT_TYPE_server_name);
    constexpr std::size_t before_name = 5;  // lengths of list and name, type (RFC 6066 §3)
    if (sni.size() <= before_name) return SSL_CLIENT_HELLO_SUCCESS;
    auto& me = *static_cast<tls_server_context::impl*>(ours);
    std::lock_guard const lock{me.mutex};
    auto const at = me.challenges.find(base::to_lower_ascii(sni.substr(before_name)));
    if (at != me.challenges.end()) SSL_set_SSL_CTX(s, at->second.get());  // takes a reference
    return SSL_CLIENT_HELLO_SUCCESS;
}

void set_common(SSL_CTX* c)
{
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    // Buffers of 16 KiB only while a record is under way: an idle session must stay small.
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One system call for a small record, not two. SSL_MODE_AUTO_RETRY (OpenSSL's default) must stay on with it: without, a ticket would make
    // SSL_read ask for the descriptor while application data lies read ahead.
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
}

result<ssl_ctx_ptr> build(tls_server_context::options const& o, tls_server_context::impl& owner)
{
    ERR_clear_error();
    ssl_ctx_ptr c{SSL_CTX_new(TLS_server_method())};
    MANSIO_ASSERT(c);
    set_common(c.get());
    SSL_CTX_set_options(c.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(c.get(), 1);
    SSL_CTX_set_max_early_data(c.get(), 0);
    SSL_CTX_set_security_level(c.get(), 2);
    MANSIO_ASSERT(SSL_CTX_set_cipher_list(c.get(), o.profile == tls_profile::strict ? strict_ciphers : mx_ciphers) == 1);
    constexpr std::string_view id = "mansio";
    SSL_CTX_set_session_id_context(c.get(), reinterpret_cast<unsigned char const*>(id.data()), id.size());
    if (SSL_CTX_use_certificate_chain_file(c.get(), o.certificate_file.c_str()) != 1)
        return fail(fault::kind::refused,
                    "cannot use the certificate " + o.certificate_file + ": " + take_openssl_errors() + "; it must be a PEM chain this user may read");
    if (SSL_CTX_use_PrivateKey_file(c.get(), o.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return fail(fault::kind::refused, "cannot use the key " + o.key_file + ": " + take_openssl_errors() +
                                              "; it must be a PEM key without a passphrase that this user may read and that fits " + o.certificate_file);
    if (SSL_CTX_check_private_key(c.get()) != 1)
        return fail(fault::kind::refused,
                    "the key " + o.key_file + " does not fit the certificate " + o.certificate_file + ": name the pair that was issued together");
    if (!owner.alpn_wire.empty()) SSL_CTX_set_alpn_select_cb(c.get(), choose_alpn, &owner);
    SSL_CTX_set_client_hello_cb(c.get(), see_hello, &owner);
    return c;
}

struct openssl_free {
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
    void operator()(X509* p) const noexcept { X509_free(p); }
    void operator()(BIO* p) const noexcept { BIO_free(p); }
};
template <class T> using owned = std::unique_ptr<T, openssl_free>;

ssl_ctx_ptr build_challenge(std::string const& pem)
{
    ssl_ctx_ptr c{SSL_CTX_new(TLS_server_method())};
    MANSIO_ASSERT(c);
    set_common(c.get());
    SSL_CTX_set_max_early_data(c.get(), 0);
    auto const text = [&] { return owned<BIO>{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))}; };
    owned<X509> const certificate{PEM_read_bio_X509(text().get(), nullptr, nullptr, nullptr)};
    owned<EVP_PKEY> const key{PEM_read_bio_PrivateKey(text().get(), nullptr, nullptr, nullptr)};
    MANSIO_ASSERT(SSL_CTX_use_certificate(c.get(), certificate.get()) == 1 && SSL_CTX_use_PrivateKey(c.get(), key.get()) == 1);
    SSL_CTX_set_alpn_select_cb(c.get(), choose_challenge, nullptr);
    return c;
}

}  // namespace

std::string take_openssl_errors()
{
    std::string all;
    while (auto const code = ERR_get_error()) {
        auto const* const reason = ERR_reason_error_string(code);
        if (!all.empty()) all += ", ";
        if (reason != nullptr)
            all += reason;
        else if (ERR_SYSTEM_ERROR(code))
            all += std::generic_category().message(static_cast<int>(ERR_GET_REASON(code)));
        else
            all += "error " + std::to_string(code);
    }
    return all.empty() ? "no reason given" : all;
}

tls_server_context::tls_server_context(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_server_context::~tls_server_context() = default;

result<std::unique_ptr<tls_server_context>> tls_server_context::make(options o)
{
    auto i = std::make_unique<impl>();
    for (auto const& name : o.alpn) {
        MANSIO_ASSERT(!name.empty() && name.size() < 256);
        i->alpn_wire.push_back(static_cast<unsigned char>(name.size()));
        i->alpn_wire.insert(i->alpn_wire.end(), name.begin(), name.end());
    }
    auto built = build(o, *i);
    if (!built) return fail(built);
    i->current = std::move(*built);
    i->handshakes = o.handshakes ? o.handshakes : std::make_shared<tls_handshakes>(base::limits{});
    i->settings = std::move(o);
    return std::unique_ptr<tls_server_context>(new tls_server_context(std::move(i)));
}

result<void> tls_server_context::reload()
{
    auto built = build(impl_->settings, *impl_);
    if (!built) return fail(built);
    std::lock_guard const lock{impl_->mutex};
    std::swap(impl_->current, *built);
    return {};
}

void tls_server_context::show_challenge(std::string const& server_name, std::string const& pem)
{
    auto made = build_challenge(pem);
    std::lock_guard const lock{impl_->mutex};
    impl_->challenges[server_name] = std::move(made);
}

void tls_server_context::hide_challenge(std::string const& server_name)
{
    std::lock_guard const lock{impl_->mutex};
    impl_->challenges.erase(server_name);
}

tls_client_context::tls_client_context(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_client_context::~tls_client_context() = default;

result<std::unique_ptr<tls_client_context>> tls_client_context::make(std::string ca_file)
{
    ERR_clear_error();
    auto i = std::make_unique<impl>();
    i->context.reset(SSL_CTX_new(TLS_client_method()));
    MANSIO_ASSERT(i->context);
    set_common(i->context.get());
    MANSIO_ASSERT(SSL_CTX_dane_enable(i->context.get()) == 1);  // allows it; a connection with TLSA records uses it
    auto const loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(i->context.get()) : SSL_CTX_load_verify_file(i->context.get(), ca_file.c_str());
    if (loaded != 1) {
        auto const what = ca_file.empty() ? std::string{"the system's trusted certificates"} : "the trusted certificates in " + ca_file;
        return fail(fault::kind::refused, "cannot read " + what + ": " + take_openssl_errors());
    }
    return std::unique_ptr<tls_client_context>(new tls_client_context(std::move(i)));
}

namespace {
/// One conversation in line for a place.
struct in_line {
    enum class state : std::uint8_t { waiting, granted, gave_up };
    state now = state::waiting;  // guarded by the mutex of tls_handshakes
    base::executor* home = nullptr;
    std::coroutine_handle<> conversation;
    base::executor::timer_id timer = 0;
};
}  // namespace

struct tls_handshakes::impl {
    std::size_t most;
    std::chrono::seconds longest;
    mutable std::mutex mutex;
    std::size_t under_way = 0;
    std::deque<std::shared_ptr<in_line>> line;
    base::counter* succeeded = nullptr;
    base::counter* failed = nullptr;

    void give_up(std::shared_ptr<in_line> const& w)
    {
        {
            std::lock_guard const lock{mutex};
            if (w->now != in_line::state::waiting) return;  // granted meanwhile: that wakes it
            w->now = in_line::state::gave_up;
            std::erase(line, w);
        }
        w->conversation.resume();
    }
};

namespace {
struct wait_in_line {
    tls_handshakes::impl& of;
    base::monotonic_time deadline;
    std::shared_ptr<in_line> me;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) const
    {
        me->home = &base::executor::current();
        me->conversation = h;
        {
            std::lock_guard const lock{of.mutex};
            if (of.under_way < of.most) {
                ++of.under_way;
                me->now = in_line::state::granted;
                return false;
            }
            of.line.push_back(me);
        }
        // Only our own thread resumes us, and it is here: the timer is set in time.
        me->timer = me->home->call_after(deadline - me->home->clock().monotonic(), [o = &of, w = me] { o->give_up(w); });
        return true;
    }
    bool await_resume() const noexcept { return me->now == in_line::state::granted; }
};
}  // namespace

tls_handshakes::tls_handshakes(base::limits const& l) : impl_(std::make_unique<impl>())
{
    impl_->most = std::max<std::size_t>(l.tls_handshakes, 1);
    impl_->longest = base::limits::seconds(l.tls_handshake_wait);
}
tls_handshakes::tls_handshakes(base::limits const& l, base::metrics& m) : tls_handshakes(l)
{
    impl_->succeeded = &m.get_counter("mansio_tls_handshakes_total", "TLS handshakes as a server.");
    impl_->failed = &m.get_counter("mansio_tls_handshake_failures_total", "TLS handshakes as a server that failed or took too long.");
}
tls_handshakes::~tls_handshakes() { MANSIO_ASSERT(impl_->line.empty()); }

task<result<tls_handshakes::place>> tls_handshakes::enter(base::monotonic_time deadline)
{
    auto const me = std::make_shared<in_line>();
    bool const granted = co_await wait_in_line{*impl_, deadline, me};
    if (!granted) co_return fail(fault::kind::timeout, "timeout", "too many TLS handshakes under way");
    co_return place{*this};
}

void tls_handshakes::leave() noexcept
{
    std::shared_ptr<in_line> next;
    {
        std::lock_guard const lock{impl_->mutex};
        if (impl_->line.empty()) {
            --impl_->under_way;
            return;
        }
        next = std::move(impl_->line.front());  // our place goes to it
        impl_->line.pop_front();
        next->now = in_line::state::granted;
    }
    next->home->post([next] {
        next->home->cancel(next->timer);
        next->conversation.resume();
    });
}

tls_handshakes::place::~place()
{
    if (of_ != nullptr) of_->leave();
}

std::size_t tls_handshakes::under_way() const noexcept
{
    std::lock_guard const lock{impl_->mutex};
    return impl_->under_way;
}
std::chrono::seconds tls_handshakes::longest() const noexcept { return impl_->longest; }

void tls_handshakes::count(bool success) noexcept
{
    auto* const c = success ? impl_->succeeded : impl_->failed;
    if (c != nullptr) c->add();
}

}  // namespace mansio::net
