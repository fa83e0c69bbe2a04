#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "net/socket.hpp"
#include "net_fixture.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

using shard_test = net_fixture;

/// Sends every line back, until the peer ends.
task<void> echo(std::unique_ptr<stream> s)
{
    buffered_stream peer{std::move(s)};
    while (true) {
        auto const line = co_await peer.read_line(1000, in(30s));
        if (!line) break;
        peer.put(line->text + "\r\n");
        auto const sent = co_await peer.flush(in(30s));
        if (!sent) break;
    }
    co_await peer.raw().finish();
}

task<std::size_t> count_echoes(shard& here, endpoint to, egress_gate const& gate, std::size_t lines)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    EXPECT_TRUE(connected);
    if (!connected) co_return 0;
    buffered_stream peer{std::move(*connected)};
    std::size_t right = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        auto const said = "line " + std::to_string(i);
        peer.put(said + "\r\n");
        auto const sent = co_await peer.flush(in(30s));
        EXPECT_TRUE(sent);
        auto const heard = co_await peer.read_line(1000, in(30s));
        if (heard && heard->text == said) ++right;
    }
    co_await peer.raw().finish();
    co_return right;
}

task<fault> failing_connect(shard& here, endpoint to, egress_gate const& gate, monotonic_time deadline)
{
    auto const r = co_await here.connect(to, gate, deadline);
    co_return r ? fault{fault::kind::broken, "connected"} : r.error();
}

task<void> hold(std::unique_ptr<stream>) { co_return; }

task<void> expect_refusal(shard& here, endpoint to, egress_gate const& gate, std::string want)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    EXPECT_TRUE(connected);
    buffered_stream peer{std::move(*connected)};
    auto const line = co_await peer.read_line(200, in(10s));
    EXPECT_TRUE(line);
    if (line) EXPECT_EQ(line->text, want);
    auto const end = co_await peer.read_chunk(10, in(10s));
    EXPECT_TRUE(end && end->empty());
}

}  // namespace

TEST_F(shard_test, echoes_over_tcp_on_both_shards)
{
    auto const at = listen();
    EXPECT_NE(at.port, 0);
    std::array<std::promise<std::size_t>, 8> counted;
    for (unsigned i = 0; i < counted.size(); ++i) base::spawn_detached(run.at(i % 2), deliver(count_echoes(run.at(i % 2), at, loopback, 200), counted[i]));
    std::array<unsigned, 2> on_shard{};
    std::vector<std::promise<void>> echoed(counted.size());
    for (auto& e : echoed) {
        auto a = came.take();
        EXPECT_EQ(a.what.connection->here(), at);
        EXPECT_TRUE(a.what.connection->peer().address.is_loopback());
        EXPECT_FALSE(a.what.connection->local());
        ++on_shard[a.where->index()];
        base::spawn_detached(*a.where, deliver(echo(std::move(a.what.connection)), e));
    }
    for (auto& c : counted) EXPECT_EQ(c.get_future().get(), 200U);
    for (auto& e : echoed) e.get_future().get();
    EXPECT_EQ(table->open_connections(), 0U);
}

TEST_F(shard_test, posts_from_any_thread_and_runs_timers_in_order)
{
    std::promise<std::string> told;
    auto& s = run.at(1);
    s.post([&] {
        auto order = std::make_shared<std::string>();
        auto const cancelled = s.call_after(1ms, [order] { *order += "X"; });
        s.call_after(30ms, [&, order] { told.set_value(*order + "c"); });
        s.call_after(10ms, [order] { *order += "a"; });
        s.call_after(20ms, [order] { *order += "b"; });
        s.call_after(-1s, [order] { *order += "0"; });
        s.cancel(cancelled);
        s.cancel(12345);
    });
    EXPECT_EQ(told.get_future().get(), "0abc");
    EXPECT_EQ(&run.owner_of(7), &run.at(1));
}

TEST_F(shard_test, logs_what_keeps_a_shard_too_long)
{
    std::promise<void> done;
    run.at(0).post([] {
        auto const until = in(30ms);
        while (base::system_clock().monotonic() < until) {
        }
    });
    run.at(0).post([&] { done.set_value(); });
    done.get_future().get();
    EXPECT_NE(log.text().find("slow_slice"), std::string::npos);
    EXPECT_NE(metrics.exposition().find("mansio_shard_lag_seconds"), std::string::npos);
}

TEST_F(shard_test, a_signal_arrives_on_the_first_shard)
{
    std::promise<int> told;
    run.on_signal([&](int number) {
        EXPECT_TRUE(run.at(0).running_here());
        told.set_value(number);
    });
    std::promise<void> armed;
    run.at(0).post([&] { armed.set_value(); });
    armed.get_future().get();
    ::kill(::getpid(), SIGHUP);
    EXPECT_EQ(told.get_future().get(), SIGHUP);
}

TEST_F(shard_test, connect_asks_the_gate_and_tells_why_it_failed)
{
    auto const at = listen();
    egress_gate const strict{{}};
    auto const gated = on(run.at(0), failing_connect(run.at(0), at, strict, never));
    EXPECT_EQ(gated.what, fault::kind::refused) << describe(gated);
    face.reset();
    // The port is free once both shards have closed it.
    on(run.at(0), hold({}));
    on(run.at(1), hold({}));
    auto const refused = on(run.at(0), failing_connect(run.at(0), at, loopback, in(10s)));
    EXPECT_EQ(refused.what, fault::kind::try_later) << describe(refused);
    // A listener that never accepts, its line full: nobody answers the next SYN.
    unique_fd const deaf{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto name = to_sockaddr(*endpoint::parse("127.0.0.1:0"));
    ASSERT_EQ(::bind(deaf.get(), name.get(), name.length), 0);
    ASSERT_EQ(::listen(deaf.get(), 0), 0);
    auto const full = local_of(deaf.get());
    name = to_sockaddr(full);
    std::vector<unique_fd> fillers;
    for (int i = 0; i < 3; ++i) {
        fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(fillers.back().get(), name.get(), name.length);
    }
    auto const late = on(run.at(0), failing_connect(run.at(0), full, loopback, in(300ms)));
    EXPECT_EQ(late.what, fault::kind::timeout) << describe(late);
}

namespace {
task<void> deadlines(shard& here, endpoint to, egress_gate const& gate)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    EXPECT_TRUE(connected);
    auto& s = **connected;
    auto const not_ready = co_await s.wait_readable(in(20ms));
    EXPECT_EQ(not_ready.error().what, fault::kind::timeout);
    std::array<char, 8> into{};
    auto const nothing = co_await s.read_some(into, in(20ms));
    EXPECT_EQ(nothing.error().what, fault::kind::timeout);
    auto const past = co_await s.read_some(into, in(-1s));
    EXPECT_EQ(past.error().what, fault::kind::timeout);
    // The other side never reads: the kernel's buffers fill.
    std::string const much(64U << 20U, 'x');
    auto const stuck = co_await s.write(much, in(200ms));
    EXPECT_EQ(stuck.error().what, fault::kind::timeout);
    here.call_after(10ms, [&s] { s.interrupt(); });
    auto const interrupted = co_await s.wait_readable(never);
    EXPECT_EQ(*interrupted, readiness::interrupted);
    s.interrupt();
    auto const at_once = co_await s.wait_readable(never);
    EXPECT_EQ(*at_once, readiness::interrupted);
    here.call_after(10ms, [&s] { s.abort(); });
    auto const aborted = co_await s.read_some(into, never);
    EXPECT_EQ(aborted.error().what, fault::kind::closed);
    auto const dead = co_await s.write("x", never);
    EXPECT_EQ(dead.error().what, fault::kind::closed);
    auto const deaf = co_await s.wait_readable(never);
    EXPECT_EQ(deaf.error().what, fault::kind::closed);
}
task<void> abort_a_write(shard& here, endpoint to, egress_gate const& gate)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    auto& s = **connected;
    here.call_after(10ms, [&s] { s.abort(); });
    std::string const much(64U << 20U, 'x');
    auto const cut = co_await s.write(much, never);
    EXPECT_EQ(cut.error().what, fault::kind::closed);
}
task<void> see_the_end(std::unique_ptr<stream> s)
{
    auto const ready = co_await s->wait_readable(in(10s));
    EXPECT_TRUE(ready && *ready == readiness::readable);
    std::array<char, 8> into{};
    auto const end = co_await s->read_some(into, in(10s));
    EXPECT_TRUE(end && *end == 0);
    // The peer has gone altogether: writing fails at the latest when the reset has come, and never with a signal.
    result<void> sent;
    for (int i = 0; i < 1000 && sent; ++i) {
        sent = co_await s->write("still there?\r\n", in(10s));
        co_await base::sleep_for{1ms};
    }
    EXPECT_EQ(sent.error().what, fault::kind::closed);
}
task<void> connect_and_leave(shard& here, endpoint to, egress_gate const& gate)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    EXPECT_TRUE(connected);
}
}  // namespace

TEST_F(shard_test, deadlines_interruptions_and_aborts)
{
    auto const at = listen();
    on(run.at(0), deadlines(run.at(0), at, loopback));
    on(run.at(1), abort_a_write(run.at(1), at, loopback));
    drop(came.take());
    drop(came.take());
}

TEST_F(shard_test, the_end_of_a_peer_is_seen)
{
    auto const at = listen();
    on(run.at(0), connect_and_leave(run.at(0), at, loopback));
    auto a = came.take();
    on(*a.where, see_the_end(std::move(a.what.connection)));
}

namespace {
task<std::string> handed_over(std::unique_ptr<detached_stream> s, std::string unread, shard& to)
{
    co_await base::hop_to{to};
    buffered_stream::parts p;
    p.connection = to.adopt(std::move(s));
    p.unread = std::move(unread);
    buffered_stream peer{std::move(p)};
    std::string seen;
    while (true) {
        auto const line = co_await peer.read_line(100, in(20s));
        if (!line) break;
        seen += line->text + ",";
        peer.put("ok " + line->text + "\r\n");
        auto const sent = co_await peer.flush(in(20s));
        EXPECT_TRUE(sent);
    }
    co_await peer.raw().finish();
    co_return seen;
}
task<std::string> move_after_first_line(std::unique_ptr<stream> s, shard& to)
{
    buffered_stream peer{std::move(s)};
    auto const first = co_await peer.read_line(100, in(20s));
    EXPECT_EQ(first->text, "LOGIN");
    auto parts = std::move(peer).take();
    auto released = parts.connection->release();
    parts.connection.reset();
    auto moved = handed_over(std::move(released), std::move(parts.unread), to);
    co_return co_await std::move(moved);
}
task<std::string> talk(shard& here, endpoint to, egress_gate const& gate)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    buffered_stream peer{std::move(*connected)};
    auto const sent = co_await peer.raw().write("LOGIN\r\none\r\ntwo\r\nthr", in(10s));
    EXPECT_TRUE(sent);
    std::string heard;
    for (int i = 0; i < 2; ++i) {
        auto const line = co_await peer.read_line(100, in(20s));
        heard += line->text + ",";
    }
    auto const more = co_await peer.raw().write("ee\r\n", in(10s));
    EXPECT_TRUE(more);
    auto const last = co_await peer.read_line(100, in(20s));
    heard += last->text;
    co_return heard;
}
}  // namespace

TEST_F(shard_test, a_connection_moves_to_the_other_shard_with_what_was_read_ahead)
{
    auto const at = listen();
    for (unsigned i = 0; i < 10; ++i) {
        std::promise<std::string> heard;
        base::spawn_detached(run.at(0), deliver(talk(run.at(0), at, loopback), heard));
        auto a = came.take();
        auto& other = run.at(1 - a.where->index());
        EXPECT_EQ(on(*a.where, move_after_first_line(std::move(a.what.connection), other)), "one,two,three,");
        EXPECT_EQ(heard.get_future().get(), "ok one,ok two,ok three");
    }
}

TEST_F(shard_test, a_busy_port_is_a_sentence_and_not_a_share)
{
    auto const at = listen();
    listen_options again;
    again.at = at;
    auto const second = listener::open(run, again, *table, [](shard&) { return accept_handler{[](shard&, accepted) {}}; });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().what, fault::kind::refused);
    EXPECT_EQ(second.error().say, "cannot listen on " + at.text() + ": another program uses it: stop that program or choose another port");
    listen_options elsewhere;
    elsewhere.at = *endpoint::parse("192.0.2.1:2525");
    auto const foreign = listener::open(run, elsewhere, *table, [](shard&) { return accept_handler{[](shard&, accepted) {}}; });
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().say.find("this machine has no such address"), std::string::npos) << foreign.error().say;
}

TEST_F(shard_test, a_unix_socket_is_private_and_deals_to_all_shards)
{
    scratch directory;
    listen_options o;
    o.unix_path = directory.path / "admin.sock";
    listen(o);
    struct stat there{};
    ASSERT_EQ(::stat(o.unix_path.c_str(), &there), 0);
    EXPECT_EQ(there.st_mode & 0777U, 0600U);
    std::array<unsigned, 2> dealt{};
    for (int i = 0; i < 4; ++i) {
        auto dial = [](shard& here, std::string path) -> task<void> {
            auto connected = co_await here.connect_unix(std::move(path), in(10s));
            EXPECT_TRUE(connected);
            buffered_stream peer{std::move(*connected)};
            peer.put("hello\r\n");
            EXPECT_TRUE(co_await peer.flush(in(10s)));
            auto const line = co_await peer.read_line(100, in(10s));
            EXPECT_TRUE(line && line->text == "hello");
            EXPECT_TRUE(peer.raw().local());
        };
        std::promise<void> dialled, echoed;
        base::spawn_detached(run.at(0), deliver(dial(run.at(0), o.unix_path), dialled));
        auto a = came.take();
        EXPECT_TRUE(a.what.connection->local());
        ++dealt[a.where->index()];
        base::spawn_detached(*a.where, deliver(echo(std::move(a.what.connection)), echoed));
        dialled.get_future().get();
        echoed.get_future().get();
    }
    EXPECT_EQ(dealt, (std::array<unsigned, 2>{2, 2}));
    auto const busy = listener::open(run, o, *table, [](shard&) { return accept_handler{[](shard&, accepted) {}}; });
    ASSERT_FALSE(busy);
    EXPECT_NE(busy.error().say.find("another program uses it"), std::string::npos);
    face.reset();
    EXPECT_NE(::stat(o.unix_path.c_str(), &there), 0);
    // One left behind by a server that died is taken over.
    {
        unique_fd const dead{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        auto const name = to_sockaddr(o.unix_path);
        ASSERT_EQ(::bind(dead.get(), name.get(), name.length), 0);
    }
    listen(o);
}

TEST_F(shard_test, a_listed_proxy_says_who_connected_and_must)
{
    struct {
        std::string octets, peer;  // peer: empty when the connection is dropped
        bool listed;
    } const cases[] = {
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711 25\r\nhello\r\n", "203.0.113.5:4711", true},
        {"PROXY TCP6 2001:db8::5 2001:db8::1 4711 25\r\nhello\r\n", "[2001:db8::5]:4711", true},
        {"PROXY UNKNOWN\r\nhello\r\n", "127.0.0.1", true},
        {"hello\r\n", "", true},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711 25\r\n", "127.0.0.1", false},
    };
    for (auto const& c : cases) {
        listen_options o;
        if (c.listed) o.proxy_from.push_back(*cidr::parse("127.0.0.0/8"));
        auto const at = listen(o);
        auto talk = [](shard& here, endpoint to, egress_gate const& gate, std::string octets) -> task<std::string> {
            auto connected = co_await here.connect(to, gate, in(10s));
            buffered_stream peer{std::move(*connected)};
            peer.put(octets);
            EXPECT_TRUE(co_await peer.flush(in(10s)));
            auto const line = co_await peer.read_line(200, in(10s));
            co_return line ? line->text : std::string{};
        };
        auto say_peer = [](accepted a) -> task<void> {
            buffered_stream io{std::move(a.connection)};
            auto const line = co_await io.read_line(200, in(10s));
            io.put(io.raw().peer().text() + " " + (line ? line->text : std::string{"nothing"}) + "\r\n");
            (void)co_await io.flush(in(10s));
        };
        std::promise<std::string> said;
        auto answer = said.get_future();
        base::spawn_detached(run.at(0), deliver(talk(run.at(0), at, loopback, c.octets), said));
        if (!c.peer.empty()) {
            auto a = came.take();
            std::promise<void> done;
            auto ended = done.get_future();
            base::spawn_detached(*a.where, deliver(say_peer(std::move(a.what)), done));
            ended.get();
        }
        auto const heard = answer.get();
        EXPECT_EQ(heard.substr(0, c.peer.size()), c.peer) << c.octets;
        if (c.peer.empty()) {
            EXPECT_EQ(heard, "");
            EXPECT_NE(metrics.exposition().find("mansio_proxy_headers_refused_total 1"), std::string::npos);
        } else if (c.listed)
            EXPECT_TRUE(heard.ends_with(" hello")) << heard;
        else
            EXPECT_NE(heard.find("PROXY TCP4"), std::string::npos) << "a stranger's header is the conversation's business: " << heard;
    }
}

TEST_F(shard_test, behind_a_proxy_each_address_has_its_own_limits)
{
    limits.connections_per_address = 2;
    listen_options o;
    o.refusal = "421 4.7.0 too many connections\r\n";
    o.proxy_from.push_back(*cidr::parse("127.0.0.0/8"));
    auto const at = listen(o);
    auto dial = [](shard& here, endpoint to, egress_gate const& gate, std::string octets, std::unique_ptr<stream>& keep) -> task<std::string> {
        auto connected = co_await here.connect(to, gate, in(10s));
        keep = std::move(*connected);
        (void)co_await keep->write(octets, in(10s));
        std::array<char, 100> into{};
        auto const got = co_await keep->read_some(into, in(500ms));
        co_return got ? std::string{into.data(), *got} : std::string{};
    };
    std::array<std::unique_ptr<stream>, 4> clients;
    std::vector<arrivals::arrival> held;
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(on(run.at(0), dial(run.at(0), at, loopback, "PROXY TCP4 203.0.113.5 192.0.2.1 1 25\r\n", clients[i])), "");
        held.push_back(came.take());
    }
    EXPECT_EQ(on(run.at(0), dial(run.at(0), at, loopback, "PROXY TCP4 203.0.113.5 192.0.2.1 1 25\r\n", clients[2])), o.refusal);
    EXPECT_EQ(on(run.at(0), dial(run.at(0), at, loopback, "PROXY TCP4 203.0.113.6 192.0.2.1 1 25\r\n", clients[3])), "");
    held.push_back(came.take());
    auto close = [](std::unique_ptr<stream>& s) -> task<void> {
        s.reset();
        co_return;
    };
    for (auto& c : clients) on(run.at(0), close(c));
    for (auto& h : held) drop(std::move(h));
}

TEST_F(shard_test, the_table_refuses_with_a_word_and_evicts_the_oldest)
{
    limits.connections_per_address = 2;
    listen_options o;
    o.refusal = "421 4.7.0 too many connections\r\n";
    auto const at = listen(o);
    auto fill = [](shard& here, endpoint to, egress_gate const& gate, std::unique_ptr<stream>& keep) -> task<void> {
        auto connected = co_await here.connect(to, gate, in(10s));
        keep = std::move(*connected);
    };
    std::array<std::unique_ptr<stream>, 2> clients;
    for (auto& c : clients) on(run.at(0), fill(run.at(0), at, loopback, c));
    auto first = came.take();
    auto second = came.take();
    on(run.at(0), expect_refusal(run.at(0), at, loopback, "421 4.7.0 too many connections"));
    first.what.held->signed_in();
    std::unique_ptr<stream> third_client;
    on(run.at(0), fill(run.at(0), at, loopback, third_client));
    auto third = came.take();
    EXPECT_EQ(table->open_connections(), 3U);
    EXPECT_EQ(table->not_signed_in(), 2U);
    drop(std::move(first));
    drop(std::move(second));
    drop(std::move(third));
    EXPECT_EQ(table->open_connections(), 0U);
    EXPECT_EQ(table->not_signed_in(), 0U);
    std::promise<void> gone;
    run.at(0).post([&] {
        for (auto& c : clients) c.reset();
        third_client.reset();
        gone.set_value();
    });
    gone.get_future().get();
}

TEST_F(shard_test, an_evicted_connection_ends)
{
    limits.connections_before_login = 1;
    auto const at = listen();
    auto await_end = [](shard& here, endpoint to, egress_gate const& gate) -> task<void> {
        auto connected = co_await here.connect(to, gate, in(10s));
        auto const ready = co_await (*connected)->wait_readable(in(20s));
        EXPECT_TRUE(ready);
    };
    auto converse = [](std::unique_ptr<stream> s) -> task<fault> {
        std::array<char, 8> into{};
        auto const got = co_await s->read_some(into, never);
        co_return got ? fault{} : got.error();
    };
    std::promise<void> first_client;
    std::promise<fault> first_server;
    base::spawn_detached(run.at(0), deliver(await_end(run.at(0), at, loopback), first_client));
    auto first = came.take();
    base::spawn_detached(*first.where, deliver(converse(std::move(first.what.connection)), first_server));
    on(run.at(0), connect_and_leave(run.at(0), at, loopback));
    EXPECT_EQ(first_server.get_future().get().what, fault::kind::closed);
    first_client.get_future().get();
    drop(came.take());
}

TEST_F(shard_test, without_descriptors_peers_are_answered_and_nothing_spins)
{
    listen_options o;
    o.refusal = "421 4.3.2 no room\r\n";
    auto const at = listen(o);
    // The client's descriptor exists before the last one is gone.
    int const client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    on(run.at(0), hold({}));
    on(run.at(1), hold({}));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    int const next = ::dup(client);
    ::close(next);
    rlimit const tight{static_cast<rlim_t>(next), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    auto const name = to_sockaddr(at);
    auto const connected = ::connect(client, name.get(), name.length);
    std::array<char, 64> said{};
    auto const n = ::recv(client, said.data(), said.size(), 0);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(connected, 0);
    EXPECT_EQ(std::string_view(said.data(), n > 0 ? static_cast<std::size_t>(n) : 0), "421 4.3.2 no room\r\n");
    ::close(client);
}
