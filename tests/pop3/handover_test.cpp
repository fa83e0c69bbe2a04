// On real shards and sockets: a session goes on where its account lives, with the commands it had pipelined.
#include <future>

#include <gtest/gtest.h>

#include "auth/directory.hpp"
#include "mime/message.hpp"
#include "pop3/server.hpp"
#include "store/engines.hpp"

namespace mansio::pop3::test {
namespace {
using namespace std::chrono_literals;

base::monotonic_time soon() { return base::system_clock().monotonic() + 30s; }

template <class T> task<void> deliver(task<T> t, std::promise<T>& to) { to.set_value(co_await std::move(t)); }
template <> task<void> deliver(task<void> t, std::promise<void>& to)
{
    co_await std::move(t);
    to.set_value();
}
/// Runs a task on a shard and waits for its end.
template <class T> T on(net::shard& s, task<T> t)
{
    std::promise<T> promise;
    auto future = promise.get_future();
    base::spawn_detached(s, deliver(std::move(t), promise));
    MANSIO_ASSERT(future.wait_for(60s) == std::future_status::ready);
    return future.get();
}

/// Says everything at once and returns every line up to the end of the connection.
task<std::string> converse(net::shard& here, net::endpoint to, std::string lines)
{
    net::egress_gate const gate{{*net::cidr::parse("127.0.0.0/8")}};
    auto made = co_await here.connect(to, gate, soon());
    if (!made) co_return "no connection";
    net::buffered_stream c{std::move(*made)};
    auto const greeting = co_await c.read_line(1024, soon());
    if (!greeting) co_return "no greeting";
    auto const sent = co_await c.send(lines, soon());
    auto const flushed = co_await c.flush(soon());
    if (!sent || !flushed) co_return "not sent";
    std::string all;
    while (true) {
        auto const line = co_await c.read_line(4096, soon());
        if (!line) break;
        all += line->text + "\n";
    }
    co_return all;
}
/// A server on two shards, four accounts with one message each.
struct two_shards {
    base::log& log = base::null_log();
    base::metrics metrics;
    base::limits limits;
    base::clock& clock = base::system_clock();
    base::seeded_random random{5};
    net::runtime run{2, clock, log, metrics};
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    store::accounts accounts{
        *engine, [this](store::partition_id p) -> base::executor& { return run.owner_of(p.hash()); }, limits, random, log, metrics, store::accounts::options{}};
    auth::directory people{*engine, run.at(0), limits, random, log};
    auth::sign_in door{people, *engine, run.at(0), std::string(32, 'p'), limits, random, log, metrics};
    net::connection_table table{limits, clock, metrics};
    auth::pop3_policies policies{people, {}};
    pop3::server server{services{accounts, door, policies, nullptr, limits, clock, random, log, metrics, {true, "mail.example.test"}}};
    std::unique_ptr<net::listener> listener;
    std::string secret;

    two_shards()
    {
        run.start();
        auth::domain d;
        d.name = "example.test";
        MANSIO_ASSERT(on(run.at(0), people.add_domain(d)));
        std::vector<std::string> names;
        for (int i = 0; i < 4; ++i) names.push_back("u" + std::to_string(i) + "@example.test");
        auto const made = on(run.at(0), people.add_accounts(names, 0));
        MANSIO_ASSERT(made);
        std::vector<auth::account_number> numbers;
        for (auto const& a : *made) {
            numbers.push_back(a.number);
            MANSIO_ASSERT(on(run.at(0), accounts.create(a.number, 0, false)));
            MANSIO_ASSERT(on(run.at(0), add_message(a.number)));
        }
        auto shared = on(run.at(0), door.add_shared_app_password(numbers, "test", {}));
        MANSIO_ASSERT(shared);
        secret = *shared;
        net::listen_options o;
        o.at = *net::endpoint::parse("127.0.0.1:0");
        auto opened = net::listener::open(run, o, table, [this](net::shard&) {
            return net::accept_handler{[this](net::shard& here, net::accepted a) { server.serve(here, std::move(a), false); }};
        });
        MANSIO_ASSERT(opened);
        listener = std::move(*opened);
    }
    ~two_shards()
    {
        listener->close();
        on(run.at(0), server.stop());
        on(run.at(0), accounts.stop());
        on(run.at(0), door.stop());
        run.stop();
    }
    task<result<void>> add_message(auth::account_number n)
    {
        store::new_message m;
        mime::octets const octets{"Subject: " + std::to_string(n) + "\r\n\r\n"};
        m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, limits));
        auto const staged = co_await engine->stage(octets);
        if (!staged) co_return fail(staged);
        m.blob = *staged;
        auto const account = accounts.open(n, store::principal::server("test"));
        auto const inbox = co_await account.find_mailbox("INBOX");
        if (!inbox) co_return fail(inbox);
        std::vector<store::new_message> one;
        one.push_back(std::move(m));
        auto const done = co_await account.append(inbox->id, std::move(one));
        if (!done) co_return fail(done);
        co_return result<void>{};
    }
};
}  // namespace

TEST(handover, moves_to_the_accounts_shard_with_what_was_pipelined)
{
    two_shards s;
    for (int turn = 0; turn < 24; ++turn) {
        auto const who = "u" + std::to_string(turn % 4);
        auto const number = std::to_string(turn % 4 + 1);
        auto const said = on(s.run.at(static_cast<unsigned>(turn) % 2), converse(s.run.at(static_cast<unsigned>(turn) % 2), s.listener->at(),
                                                                                 "USER " + who + "\r\nPASS " + s.secret + "\r\nSTAT\r\nTOP 1 0\r\nQUIT\r\n"));
        EXPECT_EQ(said, "+OK go on\n+OK 1 messages\n+OK 1 14\n+OK top of message\nSubject: " + number + "\n\n.\n+OK goodbye\n");
    }
    EXPECT_GT(s.metrics.get_counter("mansio_pop3_handovers_total", "").value(), 0U);
    EXPECT_LT(s.metrics.get_counter("mansio_pop3_handovers_total", "").value(), 24U);
}

TEST(handover, stop_waits_for_sessions_on_every_shard)
{
    two_shards s;
    // Left open: stop() must close them, wherever they are.
    std::vector<std::future<std::string>> open;
    std::vector<std::promise<std::string>> promises(8);
    for (unsigned i = 0; i < 8; ++i) {
        open.push_back(promises[i].get_future());
        base::spawn_detached(
            s.run.at(i % 2),
            deliver(converse(s.run.at(i % 2), s.listener->at(), "USER u" + std::to_string(i % 4) + "\r\nPASS " + s.secret + "\r\n"), promises[i]));
    }
    on(s.run.at(1), s.server.stop());
    for (auto& f : open) ASSERT_EQ(f.wait_for(30s), std::future_status::ready);
    EXPECT_EQ(s.metrics.get_gauge("mansio_pop3_sessions", "").value(), 0);
}

}  // namespace mansio::pop3::test
