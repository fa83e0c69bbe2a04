#include <algorithm>
#include <optional>

#include "net/stream.hpp"

namespace mansio::net {
namespace {

enum class outcome : std::uint8_t { none, ready, interrupted, timeout, aborted };

/// One direction: what is on its way, and who waits for it.
struct pipe {
    std::string octets;
    std::size_t taken = 0;  // of octets, from the front
    std::optional<std::size_t> clear_left;  // once the writer speaks TLS: octets still there that were written in clear
    bool ended = false;
    std::coroutine_handle<> waiting;
    outcome how = outcome::none;
    base::executor::timer_id timer = 0;
    bool interruptible = false;

    [[nodiscard]] std::size_t size() const noexcept { return octets.size() - taken; }
    std::size_t read(std::span<char> into, std::size_t cut)
    {
        auto const n = std::min({into.size(), size(), cut});
        std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(taken), n, into.begin());
        taken += n;
        if (taken * 2 > octets.size()) octets.erase(0, std::exchange(taken, 0));
        if (clear_left) *clear_left -= std::min(*clear_left, n);
        return n;
    }
};

struct link : std::enable_shared_from_this<link> {
    base::executor& home;
    std::size_t cut;
    pipe to_server, to_client;
    std::string server_name;  // what the client asked for
    link(base::executor& h, std::size_t c) : home(h), cut(std::max<std::size_t>(c, 1)) {}

    void wake(pipe& p, outcome how)
    {
        if (!p.waiting) return;
        auto const h = std::exchange(p.waiting, {});
        if (p.timer != 0) home.cancel(std::exchange(p.timer, 0));
        p.how = how;
        home.post([h] { h.resume(); });
    }
};

struct wait_for_octets {
    link& l;
    pipe& p;
    monotonic_time deadline;
    bool interruptible;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        MANSIO_ASSERT(!p.waiting);  // one read-side operation at a time
        p.waiting = h;
        p.interruptible = interruptible;
        if (deadline == monotonic_time::max()) return;
        p.timer = l.home.call_after(deadline - l.home.clock().monotonic(), [this_link = l.shared_from_this(), pipe_ = &p] {
            pipe_->timer = 0;
            this_link->wake(*pipe_, outcome::timeout);
        });
    }
    outcome await_resume() const noexcept { return p.how; }
};

struct memory_state {
    std::shared_ptr<link> both;
    pipe* in = nullptr;
    pipe* out = nullptr;
    endpoint peer, here;
    bool local = false;
    bool server_side = false;
    bool aborted = false;
    bool interrupted = false;
    std::unique_ptr<tls_facts> facts;
    std::function<void(tls_client_options const&, tls_facts&)> certify;

    void close() noexcept
    {
        in->ended = true;
        out->ended = true;
        both->wake(*out, outcome::ready);
    }
};

class memory_detached final : public detached_stream {
public:
    explicit memory_detached(memory_state s) : state(std::move(s)) {}
    ~memory_detached() override
    {
        if (state.both) state.close();
    }
    memory_state state;
};

std::unexpected<fault> closed() { return fail(fault::kind::closed, "connection closed"); }
std::unexpected<fault> timed_out() { return fail(fault::kind::timeout, "timeout"); }

class memory_stream final : public stream {
public:
    explicit memory_stream(memory_state s) : s_(std::move(s)) {}
    ~memory_stream() override
    {
        if (s_.both) s_.close();
    }

    task<result<readiness>> wait_readable(monotonic_time deadline) override
    {
        while (true) {
            if (s_.aborted) co_return closed();
            if (std::exchange(s_.interrupted, false)) co_return readiness::interrupted;
            if (s_.in->size() != 0 || s_.in->ended) co_return readiness::readable;
            auto const how = co_await wait_for_octets{*s_.both, *s_.in, deadline, true};
            if (how == outcome::timeout) co_return timed_out();
        }
    }
    task<result<std::size_t>> read_some(std::span<char> into, monotonic_time deadline) override
    {
        while (true) {
            auto const there = try_read(into);
            if (!there) co_return fail(there);
            if (*there) co_return **there;
            auto const how = co_await wait_for_octets{*s_.both, *s_.in, deadline, false};
            if (how == outcome::timeout) co_return timed_out();
        }
    }
    result<std::optional<std::size_t>> try_read(std::span<char> into) override
    {
        if (s_.aborted) return closed();
        if (s_.in->size() != 0) return s_.in->read(into, s_.both->cut);
        if (s_.in->ended) return std::size_t{0};
        return std::nullopt;
    }
    task<result<void>> write(std::string_view octets, monotonic_time) override
    {
        if (s_.aborted || s_.out->ended) co_return closed();
        s_.out->octets += octets;
        s_.both->wake(*s_.out, outcome::ready);
        co_return result<void>{};
    }
    task<result<void>> start_tls_server(tls_server_context&, monotonic_time) override
    {
        if (injected()) co_return fail(fault::kind::refused, "TLS handshake failed", "octets in clear where a ClientHello belongs");
        begin_tls();
        s_.server_side = true;
        co_return result<void>{};
    }
    task<result<void>> start_tls_client(tls_client_context&, tls_client_options options, monotonic_time) override
    {
        if (injected()) co_return fail(fault::kind::refused, "TLS handshake failed", "octets in clear where a ServerHello belongs");
        begin_tls();
        s_.both->server_name = options.server_name;
        s_.facts->server_name = options.server_name;
        s_.facts->alpn = options.alpn;
        s_.facts->peer_verified = true;
        if (s_.certify) s_.certify(options, *s_.facts);
        co_return result<void>{};
    }
    tls_facts const* tls() const noexcept override
    {
        if (s_.facts && s_.server_side) s_.facts->server_name = s_.both->server_name;  // the client may have turned its flag later
        return s_.facts.get();
    }
    endpoint const& peer() const noexcept override { return s_.peer; }
    endpoint const& here() const noexcept override { return s_.here; }
    bool local() const noexcept override { return s_.local; }
    void interrupt() noexcept override
    {
        s_.interrupted = true;
        if (s_.in->waiting && s_.in->interruptible) s_.both->wake(*s_.in, outcome::interrupted);
    }
    void abort() noexcept override
    {
        s_.aborted = true;
        s_.both->wake(*s_.in, outcome::aborted);
        s_.close();
    }
    task<void> finish() override
    {
        s_.out->ended = true;
        s_.both->wake(*s_.out, outcome::ready);
        co_return;
    }
    std::unique_ptr<detached_stream> release() override
    {
        MANSIO_ASSERT(!s_.in->waiting);
        return std::make_unique<memory_detached>(std::move(s_));
    }

private:
    /// Octets the other end wrote before it spoke TLS and we have not read: a real handshake would choke on them.
    [[nodiscard]] bool injected() const noexcept { return s_.in->clear_left ? *s_.in->clear_left != 0 : s_.in->size() != 0; }
    void begin_tls()
    {
        s_.out->clear_left = s_.out->size();
        s_.facts = std::make_unique<tls_facts>();
        s_.facts->version = "TLSv1.3";
        s_.facts->cipher = "TLS_AES_256_GCM_SHA384";
    }
    memory_state s_;
};

}  // namespace

memory_pair make_memory_pair(base::executor& home, memory_pair_options options)
{
    auto const both = std::make_shared<link>(home, options.cut);
    endpoint const loopback{ip_address::v4({127, 0, 0, 1}), 0};
    memory_state server, client;
    server.both = client.both = both;
    server.in = client.out = &both->to_server;
    server.out = client.in = &both->to_client;
    server.peer = options.peer == endpoint{} ? loopback : options.peer;
    server.here = client.peer = client.here = loopback;
    server.local = client.local = options.local;
    client.certify = std::move(options.certify);
    memory_pair pair;
    pair.server = std::make_unique<memory_stream>(std::move(server));
    pair.client = std::make_unique<memory_stream>(std::move(client));
    return pair;
}

std::unique_ptr<stream> adopt_memory_stream(std::unique_ptr<detached_stream> released)
{
    auto* const ours = dynamic_cast<memory_detached*>(released.get());
    MANSIO_ASSERT(ours != nullptr);
    return std::make_unique<memory_stream>(std::move(ours->state));
}

}  // namespace mansio::net
