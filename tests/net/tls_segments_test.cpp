// What leaves in one segment and what does not, counted by the client's kernel.
#include "net_fixture.hpp"
#include "raw_tls_client.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

using tls_segments_test = net_fixture;

/// One answer to one line, after a greeting if there is one, and goodbye.
task<result<void>> answer_once(std::unique_ptr<stream> s, tls_server_context& c, std::string greeting)
{
    buffered_stream peer{std::move(s)};
    auto const done = co_await peer.start_tls_server(c, in(20s));
    if (!done) co_return done;
    peer.put(greeting);
    auto const greeted = co_await peer.flush(in(20s));
    if (!greeted) co_return greeted;
    auto const line = co_await peer.read_line(1000, in(20s));
    if (!line) co_return fail(line);
    peer.put("bye\r\n");
    co_await peer.finish(in(20s));
    co_return result<void>{};
}

}  // namespace

TEST_F(tls_segments_test, what_may_wait_shares_a_segment_and_what_is_waited_for_does_not_wait)
{
    tls_pair tls;
    auto const at = listen();
    struct row {
        int version;
        std::string greeting;
        std::uint32_t segments;  // of the handshake, the greeting, the last words with close_notify
    };
    for (auto const& r : {
             row{TLS1_3_VERSION, "hello\r\n", 1 + 1 + 1},  // the ticket goes with the greeting
             row{TLS1_3_VERSION, "", 2 + 0 + 1},             // the client speaks first: the ticket goes when the server begins to wait
             row{TLS1_2_VERSION, "hello\r\n", 2 + 1 + 1},  // the server's Finished is waited for
             row{TLS1_2_VERSION, "", 2 + 0 + 1},
         })
    {
        raw_client client{at};
        client.only(r.version);
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(answer_once(std::move(a.what.connection), *tls.server, r.greeting), served));
        EXPECT_EQ(client.handshake(), "ok");
        if (!r.greeting.empty()) EXPECT_EQ(client.read(), r.greeting);
        client.say("now\r\n");
        EXPECT_EQ(client.read(), "bye\r\n");
        EXPECT_EQ(client.segments(), r.segments) << r.version << r.greeting;
        EXPECT_EQ(client.read(), "");
        EXPECT_EQ(SSL_get_shutdown(client.ssl.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        EXPECT_TRUE(served.get_future().get());
    }
}
