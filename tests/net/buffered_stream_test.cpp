#include <gtest/gtest.h>

#include "net/stream.hpp"
#include "net/tls.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace std::chrono_literals;

namespace {
constexpr auto never = monotonic_time::max();

struct fixture {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    memory_pair pair;
    explicit fixture(std::size_t cut = 1U << 20U) : pair(make_memory_pair(loop, {.cut = cut, .peer = {}, .local = false})) {}
};

/// Reads lines of at most `max` until the stream ends and tells what came: "A", "B\n" for a bare line feed, "!…" for an error.
task<std::vector<std::string>> all_lines(buffered_stream& in, std::size_t max)
{
    std::vector<std::string> seen;
    while (true) {
        auto const line = co_await in.read_line(max, never);
        if (line) {
            seen.push_back(line->text + (line->end == buffered_stream::line_end::lf ? "\n" : ""));
            continue;
        }
        if (line.error().what == fault::kind::over_limit) {
            seen.emplace_back("!too long");
            continue;
        }
        if (line.error().detail == "mid-line") seen.emplace_back("!mid-line");
        co_return seen;
    }
}

task<void> write_in_two(std::unique_ptr<stream> to, std::string_view octets, std::size_t cut)
{
    auto const first = co_await to->write(octets.substr(0, cut), never);
    EXPECT_TRUE(first);
    co_await base::yield_now{};
    co_await base::yield_now{};
    auto const second = co_await to->write(octets.substr(cut), never);
    EXPECT_TRUE(second);
    co_await to->finish();
}

task<std::vector<std::string>> read_in_two(fixture& f, std::string_view octets, std::size_t cut, std::size_t max)
{
    buffered_stream in{std::move(f.pair.server)};
    base::task_group group{f.loop};
    group.spawn(write_in_two(std::move(f.pair.client), octets, cut));
    auto seen = co_await all_lines(in, max);
    co_await group.join();
    co_return seen;
}
}  // namespace

TEST(buffered_stream, does_not_depend_on_where_the_network_cuts)
{
    using lines = std::vector<std::string>;
    using namespace std::string_literals;
    struct {
        std::string octets;
        std::size_t max;
        lines want;
    } const cases[] = {
        {"A\r\nB\r\n", 100, {"A", "B"}},
        {"", 100, {}},
        {"\r\n\r\n", 100, {"", ""}},
        {"half", 100, {"!mid-line"}},
        {"half\r", 100, {"!mid-line"}},
        {"DATA\n", 100, {"DATA\n"}},                       // RFC 5321 §2.3.8: marked, the grammar decides
        {"A\rB\r\nC\r\r\n", 100, {"A\rB", "C\r"}},         // a bare CR stays inside the text
        {"A\0B\r\n"s, 100, {"A\0B"s}},
        {"1234567\r\n", 9, {"1234567"}},                   // the line end counts
        {"12345678\r\nok\r\n", 9, {"!too long", "ok"}},
        {"123456789\nok\r\n", 9, {"!too long", "ok"}},
        {"12345678\nok\r\n", 9, {"12345678\n", "ok"}},
        {std::string(300, 'x') + "\r\nok\r\n" + std::string(50, 'y') + "\nend\r\n", 9, {"!too long", "ok", "!too long", "end"}},
        {std::string(30, 'x'), 9, {"!too long", "!mid-line"}},
        {std::string(20000, 'x') + "\r\nok\r\n", 20002, {std::string(20000, 'x'), "ok"}},
    };
    for (auto const& c : cases) {
        auto const step = c.octets.size() > 1000 ? 997U : 1U;
        for (std::size_t cut = 0; cut <= c.octets.size(); cut += step) {
            fixture f;
            EXPECT_EQ(f.loop.run(read_in_two(f, c.octets, cut, c.max)), c.want) << c.octets.substr(0, 60) << " cut at " << cut;
        }
        for (std::size_t const piece : {1U, 2U, 3U, 7U}) {
            fixture f{piece};
            EXPECT_EQ(f.loop.run(read_in_two(f, c.octets, 0, c.max)), c.want) << c.octets.substr(0, 60) << " in pieces of " << piece;
        }
    }
}

TEST(buffered_stream, counts_octets)
{
    for (std::size_t const piece : {1U, 2U, 5U, 1000U}) {
        fixture f{piece};
        auto converse = [](fixture& g) -> task<void> {
            buffered_stream in{std::move(g.pair.server)};
            auto const sent = co_await g.pair.client->write("a1 LOGIN {5}\r\nalice {3}\r\nbobdata-and-more", never);
            EXPECT_TRUE(sent);
            co_await g.pair.client->finish();
            auto const line = co_await in.read_line(100, never);
            EXPECT_EQ(line->text, "a1 LOGIN {5}");
            auto const literal = co_await in.read_exactly(5, never);
            EXPECT_EQ(*literal, "alice");
            auto const empty = co_await in.read_exactly(0, never);
            EXPECT_EQ(*empty, "");
            auto const rest = co_await in.read_line(100, never);
            EXPECT_EQ(rest->text, " {3}");
            auto const second = co_await in.read_exactly(3, never);
            EXPECT_EQ(*second, "bob");
            std::string chunks;
            while (true) {
                auto const chunk = co_await in.read_chunk(4, never);
                EXPECT_TRUE(chunk);
                if (chunk->empty()) break;
                EXPECT_LE(chunk->size(), 4U);
                chunks += *chunk;
            }
            EXPECT_EQ(chunks, "data-and-more");
            auto const over = co_await in.read_exactly(1, never);
            EXPECT_EQ(over.error().what, fault::kind::closed);
        };
        f.loop.run(converse(f));
    }
}

TEST(buffered_stream, gathers_what_is_put_and_sends_what_is_long)
{
    fixture f;
    auto converse = [](fixture& g) -> task<void> {
        buffered_stream out{std::move(g.pair.server)};
        out.put("250-a\r\n");
        out.put("250 b\r\n");
        auto const nothing = g.pair.client->try_read({});
        EXPECT_TRUE(nothing && !*nothing);
        EXPECT_EQ(out.queued(), 14U);
        EXPECT_TRUE(co_await out.flush(never));
        EXPECT_EQ(out.queued(), 0U);
        EXPECT_TRUE(co_await out.flush(never));
        std::string const small(1000, 's');
        std::string want = "250-a\r\n250 b\r\n";
        for (int i = 0; i < 200; ++i) {
            EXPECT_TRUE(co_await out.send(small, never));
            EXPECT_LE(out.queued(), 64U * 1024U);
            want += small;
        }
        std::string const large(300000, 'l');
        EXPECT_TRUE(co_await out.send(large, never));
        EXPECT_EQ(out.queued(), 0U);
        want += large;
        buffered_stream in{std::move(g.pair.client)};
        auto const got = co_await in.read_exactly(want.size(), never);
        EXPECT_TRUE(*got == want);
    };
    f.loop.run(converse(f));
}

TEST(buffered_stream, an_interruption_reaches_wait_readable_and_disturbs_no_read)
{
    fixture f;
    auto converse = [](fixture& g) -> task<void> {
        buffered_stream in{std::move(g.pair.server)};
        g.loop.call_after(1s, [&] { in.raw().interrupt(); });
        auto const first = co_await in.wait_readable(never);
        EXPECT_EQ(*first, readiness::interrupted);
        // While a line is being read: the read goes on, the next wait is told.
        g.loop.call_after(1s, [&] { in.raw().interrupt(); });
        g.loop.call_after(
            2s, [&] { base::spawn_detached(g.loop, [](stream& s) -> task<void> { EXPECT_TRUE(co_await s.write("NOOP\r\n", never)); }(*g.pair.client)); });
        auto const line = co_await in.read_line(100, never);
        EXPECT_EQ(line->text, "NOOP");
        auto const second = co_await in.wait_readable(never);
        EXPECT_EQ(*second, readiness::interrupted);
        auto const third = co_await in.wait_readable(g.clock.monotonic() + 5s);
        EXPECT_EQ(third.error().what, fault::kind::timeout);
    };
    f.loop.run(converse(f));
}

TEST(buffered_stream, deadlines_and_abort)
{
    fixture f;
    auto converse = [](fixture& g) -> task<void> {
        buffered_stream in{std::move(g.pair.server)};
        auto const before = g.clock.monotonic();
        auto const late = co_await in.read_line(100, before + 30s);
        EXPECT_EQ(late.error().what, fault::kind::timeout);
        EXPECT_EQ(g.clock.monotonic() - before, 30s);
        g.loop.call_after(1s, [&] { in.raw().abort(); });
        auto const cut = co_await in.read_line(100, never);
        EXPECT_EQ(cut.error().what, fault::kind::closed);
        EXPECT_EQ((co_await g.pair.client->write("x", never)).error().what, fault::kind::closed);
        auto const gone = g.pair.client->try_read({});
        EXPECT_TRUE(gone && *gone && **gone == 0);
    };
    f.loop.run(converse(f));
}

TEST(buffered_stream, moves_with_what_was_read_ahead)
{
    fixture f;
    auto converse = [](fixture& g) -> task<void> {
        buffered_stream in{std::move(g.pair.server)};
        EXPECT_TRUE(co_await g.pair.client->write("one\r\ntwo\r\nthr", never));
        EXPECT_EQ((co_await in.read_line(100, never))->text, "one");
        auto parts = std::move(in).take();
        EXPECT_EQ(parts.unread, "two\r\nthr");
        auto released = parts.connection->release();
        parts.connection = adopt_memory_stream(std::move(released));
        buffered_stream again{std::move(parts)};
        EXPECT_TRUE(again.has_unread());
        EXPECT_EQ((co_await again.read_line(100, never))->text, "two");
        EXPECT_TRUE(co_await g.pair.client->write("ee\r\n", never));
        EXPECT_EQ((co_await again.read_line(100, never))->text, "three");
    };
    f.loop.run(converse(f));
}

TEST(buffered_stream, gives_octets_back_and_tells_of_whole_lines)
{
    fixture f;
    auto converse = [](fixture& g) -> task<void> {
        buffered_stream in{std::move(g.pair.server)};
        EXPECT_FALSE(in.has_line());
        EXPECT_TRUE(co_await g.pair.client->write("message\r\n.\r\nQUIT\r\nhal", never));
        auto const chunk = co_await in.read_chunk(100, never);
        EXPECT_EQ(chunk->size(), 21U);
        EXPECT_FALSE(in.has_unread());
        in.put_back(9);  // what came after the final dot
        EXPECT_TRUE(in.has_line());
        EXPECT_EQ((co_await in.read_line(100, never))->text, "QUIT");
        EXPECT_TRUE(in.has_unread());
        EXPECT_FALSE(in.has_line());
        EXPECT_EQ((co_await in.read_line(2, never)).error().what, fault::kind::over_limit);
        EXPECT_TRUE(co_await g.pair.client->write("f\r\nNOOP\r\n", never));
        EXPECT_EQ((co_await in.read_line(100, never))->text, "NOOP");
    };
    f.loop.run(converse(f));
}
