#include "net/socket_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "net/tls_context.hpp"
#include "net/tls_session.hpp"

namespace mansio::net {
namespace {
using step = tls_session::step;
using namespace std::chrono_literals;

constexpr unsigned longest_streak = 32;             // operations in a row without waiting before others have their turn
constexpr std::size_t largest_client_hello = 32768; // trust.md T1: a handshake costs us at most 32 KiB
constexpr std::uint64_t most_from_client = 64U * 1024U;   // all it sends before the handshake has ended
constexpr std::uint64_t most_from_server = 512U * 1024U;  // certificate chains can be long
constexpr auto finish_wait = 2s;
constexpr std::size_t finish_drain = 256U * 1024U;

enum class side : std::uint8_t { reading, writing };
enum class woken : std::uint8_t { ready, interrupted, timeout, aborted };

std::unexpected<fault> closed(std::string detail = {}) { return fail(fault::kind::closed, "connection closed", std::move(detail)); }
std::unexpected<fault> timed_out() { return fail(fault::kind::timeout, "timeout"); }
/// What a failed system call on a connection means.
std::unexpected<fault> from_errno(char const* call, int error)
{
    auto detail = std::string{call} + ": " + error_text(error);
    bool const peer = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNABORTED || error == ENOTCONN || error == EHOSTUNREACH ||
                      error == ENETUNREACH;
    return peer ? closed(std::move(detail)) : fail(fault::kind::broken, "connection error", std::move(detail));
}
}  // namespace

/// Everything of a connection, shared with whatever may still call back after the stream has gone.
class socket_core final : public fd_sink, public std::enable_shared_from_this<socket_core> {
public:
    socket_core(loop& home_, unique_fd fd_) : home(home_), fd(std::move(fd_)) {}
    ~socket_core() override
    {
        for (auto& s : slots)
            if (s.timer != 0) home.cancel(s.timer);
        tls.reset();
        watch.reset();  // before the descriptor closes
    }
    socket_core(socket_core const&) = delete;
    socket_core& operator=(socket_core const&) = delete;

    /// One operation that waits: the read side may want to write (TLS) and the other way round.
    struct slot {
        std::coroutine_handle<> waiting;
        direction wants = direction::read;
        bool interruptible = false;
        woken how = woken::ready;
        base::executor::timer_id timer = 0;
    };

    void ready(direction d) override
    {
        auto const keep = shared_from_this();  // a conversation that goes on from here may end and destroy the stream
        for (auto& s : slots)
            if (s.waiting && s.wants == d) wake(s, woken::ready).resume();
    }
    std::coroutine_handle<> wake(slot& s, woken how)
    {
        if (s.timer != 0) home.cancel(std::exchange(s.timer, 0));
        s.how = how;
        // The descriptor is still asked for: its answer may come when what it meant has been read.
        if (how != woken::ready) stale = true;
        return std::exchange(s.waiting, {});
    }
    /// For calls that come from within another conversation: never resumes inside them.
    void wake_later(slot& s, woken how)
    {
        auto const h = wake(s, how);
        home.post([h] { h.resume(); });
    }
    void interrupt()
    {
        interrupted = true;
        auto& s = slots[0];
        if (s.waiting && s.interruptible) wake_later(s, woken::interrupted);
    }
    void abort()
    {
        if (std::exchange(aborted, true)) return;
        if (fd) ::shutdown(fd.get(), SHUT_RDWR);
        for (auto& s : slots)
            if (s.waiting) wake_later(s, woken::aborted);
    }
    /// Whether the kernel keeps a segment back until it is full: one of its own costs both sides more than the octets of a short reply.
    void cork(bool whether) noexcept
    {
        if (local || corked == whether) return;
        corked = whether;
        int const on = whether ? 1 : 0;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    }
    [[nodiscard]] bool expired(monotonic_time deadline) const { return deadline != monotonic_time::max() && deadline <= home.clock().monotonic(); }

    loop& home;
    unique_fd fd;
    std::unique_ptr<fd_watch> watch;
    std::unique_ptr<tls_session> tls;
    std::unique_ptr<tls_facts> facts;
    endpoint peer, here;
    bool local = false;
    bool aborted = false;
    bool interrupted = false;
    bool stale = false;
    bool corked = false;
    unsigned streak = 0;
    std::array<slot, 2> slots;
};

namespace {

/// `co_await fd_wait{...}`: until the descriptor is ready, or something else happens.
struct fd_wait {
    socket_core& core;
    side who;
    direction wants;
    monotonic_time deadline;
    bool interruptible;
    fd_wait(socket_core& c, side w, direction d, monotonic_time until, bool can_interrupt = false)
        : core(c),
          who(w),
          wants(d),
          deadline(until),
          interruptible(can_interrupt)
    {}
    socket_core::slot& slot() const { return core.slots[static_cast<std::size_t>(who)]; }
    bool await_ready() const
    {
        core.streak = 0;
        if (core.aborted)
            slot().how = woken::aborted;
        else if (core.expired(deadline))
            slot().how = woken::timeout;
        else
            return false;
        return true;
    }
    void await_suspend(std::coroutine_handle<> h) const
    {
        core.cork(false);  // the peer may be waiting for what is kept
        auto& s = slot();
        MANSIO_ASSERT(!s.waiting);  // at most one operation on each side
        s.waiting = h;
        s.wants = wants;
        s.interruptible = interruptible;
        if (deadline != monotonic_time::max()) {
            // A raw pointer: the core cancels its timers when it goes.
            s.timer = core.home.call_after(deadline - core.home.clock().monotonic(), [c = &core, mine = &s] {
                mine->timer = 0;
                auto const keep = c->shared_from_this();
                c->wake(*mine, woken::timeout).resume();
            });
        }
        core.watch->arm(wants);
    }
    woken await_resume() const { return slot().how; }
};

/// Lets the shard's other work run when this conversation has had much of it.
struct fair_turn {
    socket_core& core;
    bool await_ready() const { return ++core.streak < longest_streak; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        core.streak = 0;
        core.home.post([h] { h.resume(); });
    }
    void await_resume() const noexcept {}
};

std::optional<std::unexpected<fault>> problem(woken w)
{
    if (w == woken::timeout) return timed_out();
    if (w == woken::aborted) return closed("aborted");
    return std::nullopt;
}

direction wanted_by(step s) { return s == step::want_write ? direction::write : direction::read; }

class detached_socket final : public detached_stream {
public:
    unique_fd fd;
    std::unique_ptr<tls_session> tls;
    std::unique_ptr<tls_facts> facts;
    endpoint peer, here;
    bool local = false;
    ~detached_socket() override { tls.reset(); }
};

class socket_stream final : public stream {
public:
    explicit socket_stream(std::shared_ptr<socket_core> c) : c_(std::move(c)) {}
    ~socket_stream() override
    {
        if (c_) MANSIO_ASSERT(!c_->slots[0].waiting && !c_->slots[1].waiting);
    }
    task<result<readiness>> wait_readable(monotonic_time deadline) override;
    task<result<std::size_t>> read_some(std::span<char> into, monotonic_time deadline) override;
    result<std::optional<std::size_t>> try_read(std::span<char> into) override;
    task<result<void>> write(std::string_view octets, monotonic_time deadline) override;
    task<result<void>> start_tls_server(tls_server_context& context, monotonic_time deadline) override;
    task<result<void>> start_tls_client(tls_client_context& context, tls_client_options options, monotonic_time deadline) override;
    tls_facts const* tls() const noexcept override { return c_->facts.get(); }
    endpoint const& peer() const noexcept override { return c_->peer; }
    void assume_peer(endpoint peer) noexcept { c_->peer = peer; }
    endpoint const& here() const noexcept override { return c_->here; }
    bool local() const noexcept override { return c_->local; }
    void interrupt() noexcept override { c_->interrupt(); }
    void abort() noexcept override { c_->abort(); }
    void gather() noexcept override { c_->cork(true); }
    task<void> finish() override;
    std::unique_ptr<detached_stream> release() override;

private:
    struct attempt {
        std::optional<result<std::size_t>> value;  // empty: must wait for `wants`
        direction wants = direction::read;
    };
    attempt attempt_read(std::span<char> into);
    attempt attempt_write(std::string_view octets);
    task<result<void>> check_client_hello(monotonic_time deadline);
    task<result<void>> handshake(tls_session& s, std::uint64_t most_octets, monotonic_time deadline);
    task<void> drain(monotonic_time deadline);
    std::shared_ptr<socket_core> c_;
};

std::unexpected<fault> tls_broken(tls_session const& s) { return closed("TLS: " + s.error()); }

socket_stream::attempt socket_stream::attempt_read(std::span<char> into)
{
    if (c_->aborted) return {closed("aborted")};
    if (c_->tls) {
        if (!c_->tls->usable()) return {tls_broken(*c_->tls)};
        auto const r = c_->tls->read(into);
        switch (r.what) {
        case step::done: return {r.octets};
        case step::ended: return {std::size_t{0}};
        case step::want_read:
        case step::want_write: return {std::nullopt, wanted_by(r.what)};
        case step::cut:
        case step::failed: break;
        }
        return {tls_broken(*c_->tls)};
    }
    while (true) {
        auto const n = ::recv(c_->fd.get(), into.data(), into.size(), MSG_DONTWAIT);
        if (n >= 0) return {static_cast<std::size_t>(n)};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {std::nullopt, direction::read};
        return {from_errno("recv", errno)};
    }
}

socket_stream::attempt socket_stream::attempt_write(std::string_view octets)
{
    if (c_->aborted) return {closed("aborted")};
    if (c_->tls) {
        if (!c_->tls->usable()) return {tls_broken(*c_->tls)};
        auto const r = c_->tls->write(octets);
        if (r.what == step::done) return {r.octets};
        if (r.what == step::want_read || r.what == step::want_write) return {std::nullopt, wanted_by(r.what)};
        return {tls_broken(*c_->tls)};
    }
    while (true) {
        auto const n = ::send(c_->fd.get(), octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) return {static_cast<std::size_t>(n)};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {std::nullopt, direction::write};
        return {from_errno("send", errno)};
    }
}

task<result<readiness>> socket_stream::wait_readable(monotonic_time deadline)
{
    co_await fair_turn{*c_};
    auto wants = direction::read;
    bool look = c_->tls && c_->tls->has_pending();
    while (true) {
        if (c_->aborted) co_return closed("aborted");
        if (std::exchange(c_->interrupted, false)) co_return readiness::interrupted;
        if (look) {
            // A readable descriptor is not yet readable octets: a ticket, a key update, half a record may be all there is.
            if (!c_->tls->usable()) co_return readiness::readable;  // read_some() tells
            auto const what = c_->tls->peek();
            if (what != step::want_read && what != step::want_write) co_return readiness::readable;
            wants = wanted_by(what);
        }
        auto const how = co_await fd_wait{*c_, side::reading, wants, deadline, true};
        if (auto const p = problem(how)) co_return *p;
        if (how == woken::ready && !c_->tls) {
            pollfd really{c_->fd.get(), POLLIN, 0};
            if (!std::exchange(c_->stale, false) || ::poll(&really, 1, 0) == 1) co_return readiness::readable;
        }
        look = c_->tls != nullptr;
    }
}

task<result<std::size_t>> socket_stream::read_some(std::span<char> into, monotonic_time deadline)
{
    MANSIO_ASSERT(!into.empty());
    if (c_->expired(deadline)) co_return timed_out();
    co_await fair_turn{*c_};
    while (true) {
        auto const a = attempt_read(into);
        if (a.value) co_return *a.value;
        auto const how = co_await fd_wait{*c_, side::reading, a.wants, deadline};
        if (auto const p = problem(how)) co_return *p;
    }
}

result<std::optional<std::size_t>> socket_stream::try_read(std::span<char> into)
{
    MANSIO_ASSERT(!into.empty());
    if (++c_->streak >= longest_streak) return std::nullopt;  // the wait that follows gives others their turn
    auto const a = attempt_read(into);
    if (!a.value) return std::nullopt;
    if (!*a.value) return fail(*a.value);
    return **a.value;
}

task<result<void>> socket_stream::write(std::string_view octets, monotonic_time deadline)
{
    while (!octets.empty()) {
        if (c_->expired(deadline)) co_return timed_out();
        co_await fair_turn{*c_};
        auto const a = attempt_write(octets);
        if (a.value) {
            if (!*a.value) co_return fail(*a.value);
            octets.remove_prefix(**a.value);
            continue;
        }
        auto const how = co_await fd_wait{*c_, side::writing, a.wants, deadline};
        if (auto const p = problem(how)) co_return *p;
    }
    co_return result<void>{};
}

/// OpenSSL reserves what a ClientHello says it will hold, up to 128 KiB, at its first octets: look at them before it does (trust.md T1).
task<result<void>> socket_stream::check_client_hello(monotonic_time deadline)
{
    constexpr int enough = 9;  // record header, handshake type, 24 bits of length
    std::array<unsigned char, enough> head{};
    int const one = 1;
    // With a low-water mark an octet at a time does not wake us nine times, and a level-triggered wait does not spin.
    ::setsockopt(c_->fd.get(), SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof enough);
    while (true) {
        auto const n = ::recv(c_->fd.get(), head.data(), head.size(), MSG_PEEK | MSG_DONTWAIT);
        if (n >= enough) break;
        if (n == 0) co_return closed("the peer left before a ClientHello");
        if (n < 0 && errno != EAGAIN && errno != EINTR) co_return from_errno("recv", errno);
        if (n > 0) {
            pollfd p{c_->fd.get(), POLLRDHUP, 0};
            if (::poll(&p, 1, 0) == 1) co_return closed("the peer left within its ClientHello");
        }
        auto const how = co_await fd_wait{*c_, side::reading, direction::read, deadline};
        if (auto const p = problem(how)) co_return *p;
    }
    ::setsockopt(c_->fd.get(), SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    constexpr unsigned char handshake_record = 22, client_hello = 1;
    if (head[0] != handshake_record) co_return result<void>{};  // not TLS at all: OpenSSL answers as it should
    std::size_t const record = head[3] * 256U + head[4];
    std::size_t const hello = head[6] * 65536U + head[7] * 256U + head[8];
    if (record < 4 || head[5] != client_hello || hello > largest_client_hello)
        co_return fail(fault::kind::refused, "TLS handshake failed", "a ClientHello of an unreasonable shape or size");
    co_return result<void>{};
}

task<result<void>> socket_stream::handshake(tls_session& s, std::uint64_t most_octets, monotonic_time deadline)
{
    while (true) {
        if (c_->aborted) co_return closed("aborted");
        auto const what = s.handshake();
        switch (what) {
        case step::done: co_return result<void>{};
        case step::ended:
        case step::cut: co_return closed("TLS handshake: " + s.error());
        case step::failed: co_return fail(fault::kind::refused, "TLS handshake failed", s.error());
        case step::want_read:
        case step::want_write: break;
        }
        if (s.received() > most_octets) co_return fail(fault::kind::refused, "TLS handshake failed", "too long");
        auto const how = co_await fd_wait{*c_, side::reading, wanted_by(what), deadline};
        if (auto const p = problem(how)) co_return *p;
        if (s.only_tickets_left()) c_->cork(true);
    }
}

task<result<void>> socket_stream::start_tls_server(tls_server_context& context, monotonic_time deadline)
{
    MANSIO_ASSERT(!c_->tls);
    auto& all = *context.get().handshakes;
    auto const until = std::min(deadline, c_->home.clock().monotonic() + all.longest());
    auto place = co_await all.enter(until);
    if (!place) {
        all.count(false);
        co_return fail(place);
    }
    auto plausible = result<void>{};
    if (!c_->local) plausible = co_await check_client_hello(until);  // a unix socket has no low-water mark, and no strangers
    if (!plausible) {
        all.count(false);
        co_return plausible;
    }
    auto session = tls_session::server(context, c_->fd.get());
    if (!session) co_return fail(session);
    // The last we send in TLS 1.3 is a ticket, and nobody waits for it: it goes with the greeting. Corked from the beginning, or a client that has its
    // Finished here while we write ends the handshake before we could say so; each wait lets go of what is kept.
    c_->cork(true);
    auto const done = co_await handshake(**session, most_from_client, until);
    all.count(done.has_value());
    if (!done) co_return done;
    c_->facts = std::make_unique<tls_facts>((*session)->facts());
    c_->tls = std::move(*session);
    co_return result<void>{};
}

task<result<void>> socket_stream::start_tls_client(tls_client_context& context, tls_client_options options, monotonic_time deadline)
{
    MANSIO_ASSERT(!c_->tls);
    auto session = tls_session::client(context, options, c_->fd.get());
    if (!session) co_return fail(session);
    auto const done = co_await handshake(**session, most_from_server, deadline);
    if (!done) co_return done;
    c_->facts = std::make_unique<tls_facts>((*session)->facts());
    c_->tls = std::move(*session);
    co_return result<void>{};
}

task<void> socket_stream::finish()
{
    if (c_->aborted) co_return;
    auto const deadline = c_->home.clock().monotonic() + finish_wait;
    while (c_->tls && c_->tls->usable()) {
        auto const what = c_->tls->close_notify();
        if (what != step::want_write) break;
        auto const how = co_await fd_wait{*c_, side::writing, direction::write, deadline};
        if (how != woken::ready) break;
    }
    ::shutdown(c_->fd.get(), SHUT_WR);
    co_await drain(deadline);
}

ssize_t throw_away(int fd)
{
    std::array<char, 4096> away;
    return ::recv(fd, away.data(), away.size(), MSG_DONTWAIT);
}

/// Closing with octets unread makes the kernel send a reset, and the reset can overtake our last reply. When the peer was still speaking,
/// listen for a moment.
task<void> socket_stream::drain(monotonic_time deadline)
{
    std::size_t drained = 0;
    while (drained < finish_drain) {
        auto const n = throw_away(c_->fd.get());
        if (n > 0) {
            drained += static_cast<std::size_t>(n);
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR) || drained == 0) co_return;
        auto const how = co_await fd_wait{*c_, side::reading, direction::read, deadline};
        if (how != woken::ready) co_return;
    }
}

std::unique_ptr<detached_stream> socket_stream::release()
{
    MANSIO_ASSERT(!c_->slots[0].waiting && !c_->slots[1].waiting);
    auto out = std::make_unique<detached_socket>();
    c_->cork(false);
    c_->watch.reset();
    out->fd = std::move(c_->fd);
    out->tls = std::move(c_->tls);
    out->facts = std::move(c_->facts);
    out->peer = c_->peer;
    out->here = c_->here;
    out->local = c_->local;
    c_->aborted = true;
    return out;
}

std::shared_ptr<socket_core> make_core(loop& home, unique_fd fd)
{
    auto core = std::make_shared<socket_core>(home, std::move(fd));
    core->watch = home.watch(core->fd.get(), core);
    return core;
}

task<result<std::unique_ptr<stream>>> connect_to(loop& home, socket_address to, bool local, monotonic_time deadline, std::string name)
{
    unique_fd fd{::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) co_return fail(fault::kind::broken, "cannot connect", "socket: " + error_text(errno));
    if (!local) set_tcp_options(fd.get());
    int error = ::connect(fd.get(), to.get(), to.length) == 0 ? 0 : errno;
    std::shared_ptr<socket_core> core;
    try {
        core = make_core(home, std::move(fd));
    } catch (std::system_error const& e) {
        co_return fail(fault::kind::broken, "cannot connect", e.what());
    }
    if (error == EINPROGRESS || error == EINTR) {
        auto const how = co_await fd_wait{*core, side::writing, direction::write, deadline};
        if (how == woken::timeout) co_return fail(fault::kind::timeout, "timeout", "connecting to " + name);
        socklen_t length = sizeof error;
        if (::getsockopt(core->fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    }
    if (error != 0) co_return fail(fault::kind::try_later, "cannot connect", name + ": " + error_text(error));
    core->local = local;
    core->peer = local ? to_endpoint({}) : peer_of(core->fd.get());
    core->here = local_of(core->fd.get());
    co_return std::make_unique<socket_stream>(std::move(core));
}

}  // namespace

void abort_handle::abort() const noexcept
{
    if (auto const c = core.lock()) c->abort();
}

void assume_peer(stream& s, endpoint peer)
{
    auto* const mine = dynamic_cast<socket_stream*>(&s);
    MANSIO_ASSERT(mine != nullptr);
    mine->assume_peer(peer);
}

made_stream make_socket_stream(loop& home, unique_fd fd, endpoint peer, endpoint here, bool local)
{
    auto core = make_core(home, std::move(fd));
    core->peer = peer;
    core->here = here;
    core->local = local;
    made_stream made;
    made.handle.core = core;
    made.connection = std::make_unique<socket_stream>(std::move(core));
    return made;
}

std::unique_ptr<stream> adopt_socket(loop& home, std::unique_ptr<detached_stream> s)
{
    MANSIO_ASSERT(home.running_here());
    auto* const ours = dynamic_cast<detached_socket*>(s.get());
    MANSIO_ASSERT(ours != nullptr);
    auto core = make_core(home, std::move(ours->fd));
    core->tls = std::move(ours->tls);
    core->facts = std::move(ours->facts);
    core->peer = ours->peer;
    core->here = ours->here;
    core->local = ours->local;
    return std::make_unique<socket_stream>(std::move(core));
}

task<result<std::unique_ptr<stream>>> dial(loop& home, endpoint to, egress_gate const& gate, monotonic_time deadline)
{
    // Asked with the very address that is dialled, after all resolving (trust.md R5, R7).
    if (!gate.permits(to.address))
        co_return fail(fault::kind::refused, "connections to that address are not allowed", to.text() + " is not a global address and not listed");
    co_return co_await connect_to(home, to_sockaddr(to), false, deadline, to.text());
}

task<result<std::unique_ptr<stream>>> dial_unix(loop& home, std::string path, monotonic_time deadline)
{
    auto const to = to_sockaddr(path);
    if (to.length == 0) co_return fail(fault::kind::refused, "cannot connect", "the path of a unix socket has 1 to 107 octets: " + path);
    co_return co_await connect_to(home, to, true, deadline, path);
}

}  // namespace mansio::net
