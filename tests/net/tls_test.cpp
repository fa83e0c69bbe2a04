#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fstream>

#include "net/socket.hpp"
#include "net_fixture.hpp"
#include "raw_tls_client.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

using tls_test = net_fixture;

task<result<void>> accept_tls(stream& s, tls_server_context& c, monotonic_time deadline) { co_return co_await s.start_tls_server(c, deadline); }

task<result<std::unique_ptr<stream>>> connect_tls(shard& here, endpoint to, egress_gate const& gate, tls_client_context& c, tls_client_options o)
{
    auto connected = co_await here.connect(to, gate, in(10s));
    if (!connected) co_return fail(connected);
    auto const done = co_await (*connected)->start_tls_client(c, std::move(o), in(20s));
    if (!done) co_return fail(done);
    co_return std::move(*connected);
}

tls_client_options named(std::string name, bool require = true, std::string alpn = {})
{
    tls_client_options o;
    o.server_name = std::move(name);
    o.require_verified = require;
    o.alpn = std::move(alpn);
    return o;
}

task<std::size_t> talk_tls(shard& here, endpoint to, egress_gate const& gate, tls_client_context& c, std::size_t lines)
{
    auto connected = co_await connect_tls(here, to, gate, c, named("mx.example.test"));
    EXPECT_TRUE(connected) << (connected ? "" : describe(connected.error()));
    if (!connected) co_return 0;
    buffered_stream peer{std::move(*connected)};
    std::size_t right = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        auto const said = std::string(i % 700, 'x') + std::to_string(i);
        peer.put(said + "\r\n");
        auto const sent = co_await peer.flush(in(20s));
        EXPECT_TRUE(sent);
        auto const heard = co_await peer.read_line(100000, in(20s));
        if (heard && heard->text == said) ++right;
    }
    co_await peer.raw().finish();
    co_return right;
}

}  // namespace

TEST_F(tls_test, thousands_of_lines_on_both_shards)
{
    tls_pair tls;
    auto const at = listen();
    std::array<std::promise<std::size_t>, 4> said;
    for (unsigned i = 0; i < said.size(); ++i) base::spawn_detached(run.at(i % 2), deliver(talk_tls(run.at(i % 2), at, loopback, *tls.client, 500), said[i]));
    std::vector<std::promise<result<void>>> served(said.size());
    std::vector<std::string> ends(said.size());
    for (unsigned i = 0; i < served.size(); ++i) {
        auto a = came.take();
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server, &ends[i]), served[i]));
    }
    for (auto& s : said) EXPECT_EQ(s.get_future().get(), 500U);
    for (auto& s : served) EXPECT_TRUE(s.get_future().get());
    for (auto const& e : ends) EXPECT_EQ(e, "end of stream");  // finish() says close_notify
}

namespace {
/// Reads `lines` lines here, then moves to the next shard, and so on: the session, what OpenSSL holds decrypted and what was read ahead go along.
task<std::size_t> wander(std::unique_ptr<stream> s, tls_server_context& c, runtime& run, unsigned at, std::size_t lines, std::size_t total)
{
    auto const done = co_await s->start_tls_server(c, in(20s));
    EXPECT_TRUE(done);
    buffered_stream::parts p;
    p.connection = std::move(s);
    std::size_t seen = 0;
    while (seen < total) {
        buffered_stream peer{std::move(p)};
        for (std::size_t i = 0; i < lines && seen < total; ++i) {
            auto const line = co_await peer.read_line(1000, in(20s));
            EXPECT_TRUE(line) << (line ? "" : describe(line.error()));
            if (!line) co_return seen;
            EXPECT_EQ(line->text, "line " + std::to_string(seen));
            ++seen;
        }
        peer.put("at " + std::to_string(seen) + "\r\n");
        auto const sent = co_await peer.flush(in(20s));
        EXPECT_TRUE(sent);
        EXPECT_EQ(peer.raw().tls()->version, "TLSv1.3");
        p = std::move(peer).take();
        auto released = p.connection->release();
        p.connection.reset();
        at = (at + 1) % run.size();
        co_await base::hop_to{run.at(at)};
        p.connection = run.at(at).adopt(std::move(released));
    }
    co_await p.connection->finish();
    co_return seen;
}
task<std::size_t> send_lines(shard& here, endpoint to, egress_gate const& gate, tls_client_context& c, std::size_t total, std::size_t at_once)
{
    auto connected = co_await connect_tls(here, to, gate, c, named("mx.example.test"));
    EXPECT_TRUE(connected);
    buffered_stream peer{std::move(*connected)};
    std::string last;
    for (std::size_t i = 0; i < total; i += at_once) {
        for (std::size_t j = i; j < i + at_once && j < total; ++j) peer.put("line " + std::to_string(j) + "\r\n");
        auto const sent = co_await peer.flush(in(20s));
        EXPECT_TRUE(sent);
    }
    std::size_t answers = 0;
    while (true) {
        auto const line = co_await peer.read_line(1000, in(20s));
        if (!line) break;
        ++answers;
        last = line->text;
    }
    EXPECT_EQ(last, "at " + std::to_string(total));
    co_return answers;
}
}  // namespace

TEST_F(tls_test, a_live_session_moves_between_shards_with_octets_unread)
{
    tls_pair tls;
    auto const at = listen();
    struct {
        std::size_t total, at_once, stay;
    } const cases[] = {
        {1200, 1200, 100},  // one large record: most of it lies decrypted in the session while it moves
        {3000, 7, 3},
        {500, 1, 1},
    };
    for (auto const& c : cases) {
        std::promise<std::size_t> answered, seen;
        base::spawn_detached(run.at(0), deliver(send_lines(run.at(0), at, loopback, *tls.client, c.total, c.at_once), answered));
        auto a = came.take();
        auto* const where = a.where;
        base::spawn_detached(*where, deliver(wander(std::move(a.what.connection), *tls.server, run, where->index(), c.stay, c.total), seen));
        EXPECT_EQ(seen.get_future().get(), c.total);
        EXPECT_EQ(answered.get_future().get(), (c.total + c.stay - 1) / c.stay);
    }
}

TEST_F(tls_test, facts_of_both_sides)
{
    tls_pair tls{tls_profile::strict, {"imap", "pop3"}};
    auto const at = listen();
    struct {
        std::string name;
        bool require;
        std::string alpn;
        bool connects;
        bool verified;
        std::string sni;
        std::string chosen;
    } const cases[] = {
        {"mx.example.test", true, "", true, true, "mx.example.test", ""},
        {"mx.example.test", true, "pop3", true, true, "mx.example.test", "pop3"},
        {"127.0.0.1", true, "", true, true, "", ""},  // an address is verified but never sent as a name
        {"", false, "", true, false, "", ""},
        {"other.example.test", false, "imap", true, false, "other.example.test", "imap"},
        {"other.example.test", true, "", false, false, "", ""},
        {"127.0.0.2", true, "", false, false, "", ""},
    };
    for (auto const& c : cases) {
        std::promise<result<std::unique_ptr<stream>>> dialled;
        base::spawn_detached(run.at(0), deliver(connect_tls(run.at(0), at, loopback, *tls.client, named(c.name, c.require, c.alpn)), dialled));
        auto a = came.take();
        auto const accepted_tls = on(*a.where, accept_tls(*a.what.connection, *tls.server, in(20s)));
        auto connected = dialled.get_future().get();
        EXPECT_EQ(connected.has_value(), c.connects) << c.name;
        if (connected) {
            EXPECT_TRUE(accepted_tls);
            auto const& mine = *(*connected)->tls();
            auto const& theirs = *a.what.connection->tls();
            EXPECT_EQ(mine.version, "TLSv1.3");
            EXPECT_EQ(mine.cipher, theirs.cipher);
            EXPECT_EQ(mine.peer_verified, c.verified) << c.name;
            EXPECT_EQ(mine.verify_error.empty(), c.verified) << mine.verify_error;
            EXPECT_EQ(theirs.server_name, c.sni);
            EXPECT_EQ(mine.alpn, c.chosen);
            EXPECT_EQ(theirs.alpn, c.chosen);
            drop({&run.at(0), {std::move(*connected), {}}});
        } else {
            EXPECT_EQ(connected.error().what, fault::kind::refused) << describe(connected.error());
            EXPECT_NE(connected.error().detail.find("mismatch"), std::string::npos) << describe(connected.error());
        }
        drop(std::move(a));
    }
}

NET_CATALOGUE(T1_old_versions_and_suites_are_refused)
{
    tls_pair strict, mx{tls_profile::mx};
    auto const at = listen();
    struct {
        tls_pair& tls;
        int version;
        char const* ciphers;
        bool ok;
    } const cases[] = {
        {strict, TLS1_3_VERSION, nullptr, true},
        {strict, TLS1_2_VERSION, nullptr, true},
        {strict, TLS1_1_VERSION, nullptr, false},
        {strict, TLS1_VERSION, nullptr, false},
        {mx, TLS1_1_VERSION, nullptr, false},
        {strict, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false},
        {strict, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", false},
        {mx, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", true},
        {mx, TLS1_2_VERSION, "NULL", false},
        {strict, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
    };
    for (auto const& c : cases) {
        raw_client client{at};
        client.only(c.version);
        if (c.ciphers != nullptr) ASSERT_EQ(SSL_CTX_set_cipher_list(client.context.get(), (std::string{c.ciphers} + ":@SECLEVEL=0").c_str()), 1);
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *c.tls.server), served));
        auto const how = client.handshake();
        EXPECT_EQ(how == "ok", c.ok) << SSL_get_version(client.ssl.get()) << " " << (c.ciphers != nullptr ? c.ciphers : "") << ": " << how;
        if (how == "ok") {
            EXPECT_EQ(SSL_get_current_compression(client.ssl.get()), nullptr);
            if (c.version == TLS1_2_VERSION) {
                // A client may ask for a renegotiation; it gets none.
                EXPECT_EQ(SSL_renegotiate(client.ssl.get()), 1);
                EXPECT_NE(SSL_do_handshake(client.ssl.get()), 1);
            }
        }
        client.ssl.reset();
        client.fd.reset();
        EXPECT_EQ(served.get_future().get().has_value(), c.ok);
    }
}

NET_CATALOGUE(T2_alpn_without_a_match_is_told_so)
{
    tls_pair tls{tls_profile::strict, {"imap"}};
    auto const at = listen();
    struct {
        std::string wire;
        std::string want;
    } const cases[] = {
        {"\x08http/1.1", "tlsv1 alert no application protocol"},
        {"\x04imap", "ok"},
        {"\x08http/1.1\x04imap", "ok"},
        {"", "ok"},
    };
    for (auto const& c : cases) {
        raw_client client{at};
        if (!c.wire.empty())
            SSL_CTX_set_alpn_protos(client.context.get(), reinterpret_cast<unsigned char const*>(c.wire.data()), static_cast<unsigned>(c.wire.size()));
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server), served));
        EXPECT_EQ(client.handshake(), c.want);
        client.fd.reset();
        auto const r = served.get_future().get();
        EXPECT_EQ(r.has_value(), c.want == "ok");
        if (!r) EXPECT_EQ(r.error().what, fault::kind::refused) << describe(r.error());
    }
}

TEST_F(tls_test, a_silent_client_is_dropped_at_the_deadline)
{
    limits.tls_handshake_wait = 1;
    auto const handshakes = std::make_shared<tls_handshakes>(limits, metrics);
    tls_pair tls{tls_profile::strict, {}, handshakes};
    auto const at = listen();
    for (std::string_view const said : {"", "\x16\x03\x01", "\x16\x03\x01\x00\xff\x01\x00\x00\xfb\x03\x03"}) {
        raw_client const client{at};
        client.send(said);
        auto a = came.take();
        auto const late = on(*a.where, accept_tls(*a.what.connection, *tls.server, in(50ms)));
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().what, fault::kind::timeout) << describe(late.error());
        drop(std::move(a));
    }
    // The context's own limit, when the caller's deadline is far.
    raw_client const client{at};
    auto a = came.take();
    auto const before = base::system_clock().monotonic();
    auto const late = on(*a.where, accept_tls(*a.what.connection, *tls.server, never));
    EXPECT_EQ(late.error().what, fault::kind::timeout);
    EXPECT_LT(base::system_clock().monotonic() - before, 20s);
    drop(std::move(a));
    EXPECT_EQ(handshakes->under_way(), 0U);
    EXPECT_NE(metrics.exposition().find("mansio_tls_handshake_failures_total 4"), std::string::npos);
}

TEST_F(tls_test, handshakes_beyond_the_limit_wait_in_line)
{
    limits.tls_handshakes = 1;
    auto const handshakes = std::make_shared<tls_handshakes>(limits, metrics);
    tls_pair tls{tls_profile::strict, {}, handshakes};
    auto const at = listen();
    raw_client silent{at};
    auto first = came.take();
    std::promise<result<void>> first_done;
    base::spawn_detached(*first.where, deliver(accept_tls(*first.what.connection, *tls.server, never), first_done));
    on(*first.where, [](shard& s) -> task<void> { co_await base::hop_to{s}; }(*first.where));
    EXPECT_EQ(handshakes->under_way(), 1U);
    // One gives up in line ...
    raw_client const impatient{at};
    auto second = came.take();
    auto const gave_up = on(*second.where, accept_tls(*second.what.connection, *tls.server, in(50ms)));
    EXPECT_EQ(gave_up.error().what, fault::kind::timeout);
    EXPECT_EQ(gave_up.error().detail, "too many TLS handshakes under way");
    drop(std::move(second));
    // ... another gets the place when it falls free.
    raw_client patient{at};
    auto third = came.take();
    std::promise<result<void>> third_done;
    base::spawn_detached(*third.where, deliver(serve(std::move(third.what.connection), *tls.server), third_done));
    silent.fd.reset();
    EXPECT_EQ(first_done.get_future().get().error().what, fault::kind::closed);
    EXPECT_EQ(patient.handshake(), "ok");
    patient.ssl.reset();
    patient.fd.reset();
    EXPECT_TRUE(third_done.get_future().get());
    drop(std::move(first));
    EXPECT_EQ(handshakes->under_way(), 0U);
}

NET_CATALOGUE(T1_a_client_hello_in_single_octets_and_one_that_claims_too_much)
{
    tls_pair tls;
    auto const at = listen();
    {
        // OpenSSL writes its ClientHello to memory; it goes out an octet at a time.
        raw_client client{at};
        client.ssl.reset(SSL_new(client.context.get()));
        SSL_set_bio(client.ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        EXPECT_EQ(SSL_connect(client.ssl.get()), -1);
        char* hello = nullptr;
        auto const length = BIO_get_mem_data(SSL_get_wbio(client.ssl.get()), &hello);
        ASSERT_GT(length, 100);
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server), served));
        int const on_ = 1;
        ::setsockopt(client.fd.get(), 6, 1, &on_, sizeof on_);  // TCP_NODELAY
        for (long i = 0; i < length; ++i) client.send({hello + i, 1});
        std::array<char, 5> answer{};
        ASSERT_EQ(::recv(client.fd.get(), answer.data(), answer.size(), MSG_WAITALL), 5);
        EXPECT_EQ(answer[0], 22);  // a ServerHello
        client.fd.reset();
        EXPECT_FALSE(served.get_future().get());
    }
    using namespace std::string_view_literals;
    for (auto const bad : {"\x16\x03\x01\x40\x00\x01\x01\x00\x00\x03\x03"sv,      // a ClientHello of 64 KiB
                           "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x01"sv,      // a record of one octet, and another
                           "GET / HTTP/1.1\r\n"sv, "\x80\x0b\x01\x03\x01\x00\x03\x00\x00\x00\x00\x01\x02"sv, "SSH-2.0-x\r\n"sv,
                           "\x15\x03\x01\x00\x02\x02\x28\x15\x03\x01\x00"sv})
    {
        raw_client const client{at};
        client.send(bad);
        auto a = came.take();
        auto const refused = on(*a.where, accept_tls(*a.what.connection, *tls.server, in(20s)));
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().what, fault::kind::refused) << describe(refused.error());
        drop(std::move(a));
    }
    for (std::string_view const half : {"", "\x16\x03"}) {
        raw_client client{at};
        client.send(half);
        client.fd.reset();
        auto a = came.take();
        auto const gone = on(*a.where, accept_tls(*a.what.connection, *tls.server, in(20s)));
        EXPECT_EQ(gone.error().what, fault::kind::closed) << describe(gone.error());
        drop(std::move(a));
    }
}

namespace {
/// `said`: told when the command was read, so that a peer that waits for the answer does not speak before it.
task<result<void>> upgrade(std::unique_ptr<stream> s, tls_server_context& c, std::promise<void>* said = nullptr)
{
    buffered_stream peer{std::move(s)};
    auto const line = co_await peer.read_line(100, in(20s));
    EXPECT_EQ(line->text, "STARTTLS");
    if (said != nullptr) said->set_value();
    auto const started = co_await peer.start_tls_server(c, in(20s));
    co_return started;
}
}  // namespace

NET_CATALOGUE(W4_octets_before_tls_are_refused)
{
    tls_pair tls;
    auto const at = listen();
    {
        raw_client const client{at};
        client.send("STARTTLS\r\nRCPT TO:<x@example.test>\r\n");
        auto a = came.take();
        auto const refused = on(*a.where, upgrade(std::move(a.what.connection), *tls.server));
        EXPECT_EQ(refused.error().what, fault::kind::refused);
        EXPECT_EQ(refused.error().say, "octets before TLS");
    }
    {
        // In a segment of their own, so that they are not read ahead: the handshake stumbles over them.
        raw_client const client{at};
        client.send("STARTTLS\r\n");
        auto a = came.take();
        std::promise<result<void>> upgraded;
        base::spawn_detached(*a.where, deliver(upgrade(std::move(a.what.connection), *tls.server), upgraded));
        client.send("RCPT TO:<x@example.test>\r\n");
        EXPECT_EQ(upgraded.get_future().get().error().what, fault::kind::refused);
    }
    {
        raw_client client{at};
        client.send("STARTTLS\r\n");
        auto a = came.take();
        std::promise<result<void>> upgraded;
        std::promise<void> said;
        base::spawn_detached(*a.where, deliver(upgrade(std::move(a.what.connection), *tls.server, &said), upgraded));
        said.get_future().wait();
        EXPECT_EQ(client.handshake(), "ok");
        EXPECT_TRUE(upgraded.get_future().get());
    }
}

TEST(catalogue, W4_the_memory_pair_refuses_octets_before_tls_too)
{
    tls_pair tls;
    for (std::size_t const cut : {1U, 3U, 1000U}) {
        for (bool const inject : {true, false}) {
            base::manual_clock clock;
            base::manual_executor loop{clock};
            auto pair = make_memory_pair(loop, {.cut = cut, .peer = {}, .local = false});
            auto client = [](stream& s, tls_client_context& c, bool injects) -> task<void> {
                EXPECT_TRUE(co_await s.write(injects ? "STARTTLS\r\nNOOP\r\n" : "STARTTLS\r\n", never));
                if (injects) co_return;
                co_await base::sleep_for{1s};
                EXPECT_TRUE(co_await s.start_tls_client(c, {}, never));
            };
            base::task_group group{loop};
            group.spawn(client(*pair.client, *tls.client, inject));
            auto const upgraded = loop.run(upgrade(std::move(pair.server), *tls.server));
            loop.run(group.join());
            EXPECT_EQ(upgraded.has_value(), !inject) << "pieces of " << cut;
        }
    }
}

namespace {
/// A server that waits without reading, as an idle session does.
task<result<readiness>> idle(stream& s, monotonic_time deadline) { co_return co_await s.wait_readable(deadline); }
task<std::string> read_once(stream& s)
{
    std::array<char, 64> into{};
    auto const n = co_await s.read_some(into, in(20s));
    co_return n ? std::string(into.data(), *n) : "!" + describe(n.error());
}
}  // namespace

TEST_F(tls_test, only_application_data_makes_an_idle_session_readable)
{
    tls_pair tls;
    auto const at = listen();
    raw_client client{at};
    auto a = came.take();
    std::promise<result<void>> done;
    base::spawn_detached(*a.where, deliver(accept_tls(*a.what.connection, *tls.server, in(20s)), done));
    ASSERT_EQ(client.handshake(), "ok");
    ASSERT_TRUE(done.get_future().get());
    auto& s = *a.what.connection;
    // A key update with a request to answer it: the descriptor is readable, the stream is not.
    ASSERT_EQ(SSL_key_update(client.ssl.get(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client.ssl.get()), 1);
    auto const still = on(*a.where, idle(s, in(60ms)));
    ASSERT_FALSE(still);
    EXPECT_EQ(still.error().what, fault::kind::timeout);
    ASSERT_EQ(SSL_write(client.ssl.get(), "hello", 5), 5);
    auto const ready = on(*a.where, idle(s, in(20s)));
    EXPECT_TRUE(ready && *ready == readiness::readable);
    EXPECT_EQ(on(*a.where, read_once(s)), "hello");
    auto const stale = on(*a.where, idle(s, in(30ms)));
    EXPECT_FALSE(stale);
    // Two records in one segment: the second is read ahead and must not be waited for.
    ASSERT_EQ(SSL_write(client.ssl.get(), "one", 3), 3);
    ASSERT_EQ(SSL_write(client.ssl.get(), "two", 3), 3);
    EXPECT_TRUE(on(*a.where, idle(s, in(20s))));
    std::string both = on(*a.where, read_once(s));
    while (both.size() < 6) {
        EXPECT_TRUE(on(*a.where, idle(s, in(20s))));
        both += on(*a.where, read_once(s));
    }
    EXPECT_EQ(both, "onetwo");
    // Gone without a close_notify: an error, not an end that could have been forged.
    client.fd.reset();
    EXPECT_TRUE(on(*a.where, idle(s, in(20s))));
    EXPECT_TRUE(on(*a.where, read_once(s)).starts_with("!closed"));
    drop(std::move(a));
}

TEST_F(tls_test, a_tickets_arrival_is_not_readable_on_our_client)
{
    tls_pair tls;
    auto const at = listen();
    std::promise<result<std::unique_ptr<stream>>> dialled;
    base::spawn_detached(run.at(0), deliver(connect_tls(run.at(0), at, loopback, *tls.client, named("mx.example.test")), dialled));
    auto a = came.take();
    ASSERT_TRUE(on(*a.where, accept_tls(*a.what.connection, *tls.server, in(20s))));
    auto client = dialled.get_future().get();
    ASSERT_TRUE(client);
    auto const nothing = on(run.at(0), idle(**client, in(60ms)));
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().what, fault::kind::timeout);
    drop({&run.at(0), {std::move(*client), {}}});
    drop(std::move(a));
}

TEST_F(tls_test, much_goes_both_ways_at_once)
{
    tls_pair tls;
    auto const at = listen();
    constexpr std::size_t total = 8U << 20U;
    auto push = [](stream& s, std::string const& octets) -> task<void> {
        auto const sent = co_await s.write(octets, in(50s));
        EXPECT_TRUE(sent) << (sent ? "" : describe(sent.error()));
    };
    auto pull = [](stream& s, std::size_t n) -> task<std::size_t> {
        std::vector<char> into(10000);
        std::size_t got = 0;
        while (got < n) {
            auto const some = co_await s.read_some(into, in(50s));
            EXPECT_TRUE(some) << (some ? "" : describe(some.error()));
            if (!some || *some == 0) break;
            for (std::size_t i = 0; i < *some; ++i)
                if (into[i] != static_cast<char>((got + i) % 251)) co_return 0;
            got += *some;
        }
        co_return got;
    };
    std::string octets(total, '\0');
    for (std::size_t i = 0; i < total; ++i) octets[i] = static_cast<char>(i % 251);
    std::promise<result<std::unique_ptr<stream>>> dialled;
    base::spawn_detached(run.at(0), deliver(connect_tls(run.at(0), at, loopback, *tls.client, named("mx.example.test")), dialled));
    auto a = came.take();
    ASSERT_TRUE(on(*a.where, accept_tls(*a.what.connection, *tls.server, in(20s))));
    auto client = dialled.get_future().get();
    ASSERT_TRUE(client);
    std::promise<void> pushed_there, pushed_here;
    std::promise<std::size_t> pulled_there, pulled_here;
    base::spawn_detached(run.at(0), deliver(push(**client, octets), pushed_there));
    base::spawn_detached(*a.where, deliver(push(*a.what.connection, octets), pushed_here));
    base::spawn_detached(*a.where, deliver(pull(*a.what.connection, total), pulled_here));
    base::spawn_detached(run.at(0), deliver(pull(**client, total), pulled_there));
    EXPECT_EQ(pulled_here.get_future().get(), total);
    EXPECT_EQ(pulled_there.get_future().get(), total);
    pushed_here.get_future().get();
    pushed_there.get_future().get();
    drop({&run.at(0), {std::move(*client), {}}});
    drop(std::move(a));
}

TEST(tls_context, says_what_is_wrong_with_its_files)
{
    scratch one, two;
    ASSERT_TRUE(make_demo_certificates(one.path, {"a.example.test"}, {}));
    ASSERT_TRUE(make_demo_certificates(two.path, {"b.example.test"}, {}));
    auto const missing = tls_server_context::make({one.path / "none.pem", one.path / "key.pem", tls_profile::strict, {}, {}});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().what, fault::kind::refused);
    EXPECT_NE(missing.error().say.find("none.pem"), std::string::npos) << missing.error().say;
    auto const foreign = tls_server_context::make({one.path / "cert.pem", two.path / "key.pem", tls_profile::strict, {}, {}});
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().say.find("fit"), std::string::npos) << foreign.error().say;
    EXPECT_FALSE(tls_client_context::make(one.path / "none.pem"));
    EXPECT_TRUE(tls_client_context::make(""));
    std::ofstream{one.path / "key.pem"} << "not a key";
    EXPECT_FALSE(tls_server_context::make({one.path / "cert.pem", one.path / "key.pem", tls_profile::strict, {}, {}}));
}
