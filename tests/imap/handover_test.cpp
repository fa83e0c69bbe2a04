// On real shards and sockets: a session goes on where its account lives, with the commands it had pipelined.
#include <future>

#include <gtest/gtest.h>

#include "auth/directory.hpp"
#include "imap/server.hpp"
#include "store/engines.hpp"

namespace mansio::imap::test {
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
    c.put(lines);
    auto const flushed = co_await c.flush(soon());
    if (!flushed) co_return "not sent";
    std::string all;
    while (true) {
        auto const line = co_await c.read_line(4096, soon());
        if (!line) break;
        all += line->text + "\n";
    }
    co_return all;
}

/// A server on two shards, four accounts.
struct two_shards {
    base::log& log = base::null_log();
    base::metrics metrics;
    base::limits limits;
    base::clock& clock = base::system_clock();
    base::seeded_random random{5};
    base::memory_budget budget{8U << 20U};
    net::runtime run{2, clock, log, metrics};
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    store::accounts accounts{
        *engine, [this](store::partition_id p) -> base::executor& { return run.owner_of(p.hash()); }, limits, random, log, metrics, store::accounts::options{}};
    auth::directory people{*engine, run.at(0), limits, random, log};
    auth::sign_in door{people, *engine, run.at(0), std::string(32, 'p'), limits, random, log, metrics};
    store::spool spool{"/tmp", 1U << 20U, budget};
    net::connection_table table{limits, clock, metrics};
    imap::server server{services{accounts, door, spool, nullptr, nullptr, limits, clock, random, log, metrics, {true, "h", "0"}}};
    std::unique_ptr<net::listener> listener;
    std::string secret;

    two_shards()
    {
        run.start();
        auth::domain d;
        d.name = "example.test";
        MANSIO_ASSERT(on(run.at(0), people.add_domain(d)));
        std::vector<auth::account_number> numbers;
        for (int i = 0; i < 4; ++i) {
            auto const made = on(run.at(0), people.add_account("u" + std::to_string(i) + "@example.test", "", 0, false));
            MANSIO_ASSERT(made);
            numbers.push_back(made->number);
            MANSIO_ASSERT(on(run.at(0), accounts.create(made->number, 0, false)));
            MANSIO_ASSERT(on(run.at(0), people.account_ready(made->number)));
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
};

TEST(handover, moves_to_the_accounts_shard_with_what_was_pipelined)
{
    two_shards s;
    for (int turn = 0; turn < 24; ++turn) {
        auto& here = s.run.at(static_cast<unsigned>(turn) % 2);
        auto const said = on(here, converse(here, s.listener->at(),
                                            "a LOGIN u" + std::to_string(turn % 4) + " " + s.secret +
                                                "\r\nb SELECT INBOX\r\nc APPEND INBOX {6+}\r\nN: 1\r\n\r\nd FETCH * BODY[]\r\ne LOGOUT\r\n"));
        EXPECT_TRUE(said.contains("a OK [CAPABILITY IMAP4rev2")) << said;
        EXPECT_TRUE(said.contains("b OK [READ-WRITE]")) << said;
        EXPECT_TRUE(said.contains("c OK [APPENDUID")) << said;
        EXPECT_TRUE(said.contains("BODY[] {6}\nN: 1\n)\nd OK")) << said;
        EXPECT_TRUE(said.ends_with("* BYE see you\ne OK LOGOUT completed\n")) << said;
    }
    auto const moved = s.metrics.get_counter("mansio_imap_handovers_total", "").value();
    EXPECT_GT(moved, 0U);
    EXPECT_LT(moved, 24U);
    on(s.run.at(0), s.server.stop());  // a client sees the end before its session has gone
    EXPECT_EQ(s.metrics.get_gauge("mansio_imap_sessions_signed_in", "").value(), 0);
    EXPECT_EQ(s.metrics.get_gauge("mansio_imap_sessions", "").value(), 0);
}

TEST(handover, the_answer_to_a_sign_in_tells_what_is_switched_off_for_the_account)
{
    two_shards s;
    for (int i = 0; i < 4; ++i) {
        auto account = on(s.run.at(0), s.people.find_account("u" + std::to_string(i) + "@example.test"));
        ASSERT_TRUE(account && *account);
        (*account)->imap_off = {"MULTISEARCH"};
        ASSERT_TRUE(on(s.run.at(0), s.people.update_account(**account)));
    }
    for (int turn = 0; turn < 8; ++turn) {
        auto const said = on(s.run.at(static_cast<unsigned>(turn) % 2), converse(s.run.at(static_cast<unsigned>(turn) % 2), s.listener->at(),
                                                                                 "a LOGIN u" + std::to_string(turn % 4) + " " + s.secret + "\r\nb LOGOUT\r\n"));
        auto const answer = said.substr(said.find("a OK"));
        EXPECT_TRUE(answer.starts_with("a OK [CAPABILITY IMAP4rev2")) << said;
        EXPECT_FALSE(answer.contains(" MULTISEARCH ")) << answer;
    }
    EXPECT_GT(s.metrics.get_counter("mansio_imap_handovers_total", "").value(), 0U);
}

TEST(handover, stop_waits_for_sessions_on_every_shard)
{
    two_shards s;
    std::vector<std::promise<std::string>> promises(8);
    std::vector<std::future<std::string>> open;
    for (unsigned i = 0; i < 8; ++i) {
        open.push_back(promises[i].get_future());
        auto lines = "a LOGIN u" + std::to_string(i % 4) + " " + s.secret + "\r\nb SELECT INBOX\r\nc IDLE\r\n";
        base::spawn_detached(s.run.at(i % 2), deliver(converse(s.run.at(i % 2), s.listener->at(), std::move(lines)), promises[i]));
    }
    on(s.run.at(1), s.server.stop());
    for (auto& f : open) ASSERT_EQ(f.wait_for(30s), std::future_status::ready);
    EXPECT_EQ(s.metrics.get_gauge("mansio_imap_sessions", "").value(), 0);
}

}  // namespace
}  // namespace mansio::imap::test
