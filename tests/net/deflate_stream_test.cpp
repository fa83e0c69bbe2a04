#include "net/deflate_stream.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

using namespace mansio;
using namespace mansio::net;

namespace {
constexpr auto never = monotonic_time::max();

struct fixture {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    memory_pair pair;
    explicit fixture(std::size_t cut = 1U << 20U) : pair(make_memory_pair(loop, {.cut = cut, .peer = {}, .local = false})) {}
};

/// Octets that compress badly, the same each time.
std::string noise(std::size_t n)
{
    std::string out(n, '\0');
    std::uint32_t x = 7;
    for (auto& c : out) c = static_cast<char>((x = x * 1664525U + 1013904223U) >> 24U);
    return out;
}

task<void> write_all(stream& to, std::vector<std::string> pieces)
{
    for (auto const& p : pieces) {
        auto const done = co_await to.write(p, never);
        EXPECT_TRUE(done);
    }
    co_await to.finish();
}

task<std::string> read_all(stream& from, std::size_t at_once)
{
    std::string out;
    std::string room(at_once, '\0');
    while (true) {
        auto const ready = co_await from.wait_readable(never);
        EXPECT_TRUE(ready);
        auto const n = co_await from.read_some(room, never);
        EXPECT_TRUE(n);
        if (!n || *n == 0) co_return out;
        out.append(room, 0, *n);
    }
}

task<std::string> through(fixture& f, std::vector<std::string> pieces, std::size_t at_once)
{
    auto const a = make_deflate_stream(std::move(f.pair.client));
    auto const b = make_deflate_stream(std::move(f.pair.server));
    base::task_group group{f.loop};
    group.spawn(write_all(*a, std::move(pieces)));
    auto all = co_await read_all(*b, at_once);
    co_await group.join();
    co_return all;
}

TEST(deflate_stream, carries_everything_however_it_is_cut)
{
    std::string const text(100'000, 'x');
    for (std::size_t const cut : {1UL, 2UL, 7UL, 1000UL, 1UL << 20U})
        for (std::size_t const at_once : {1UL, 5UL, 65536UL}) {
            if (cut * at_once < 1000 && cut * at_once != 1 && cut != 7) continue;
            fixture f{cut};
            std::vector<std::string> const pieces{"a", "", "bc\r\n", noise(40'000), std::string(3000, 'y'), "end"};
            std::string whole;
            for (auto const& p : pieces) whole += p;
            EXPECT_EQ(f.loop.run(through(f, pieces, at_once)), whole) << cut << " " << at_once;
        }
}

task<std::size_t> what_a_write_costs(fixture& f, std::string text)
{
    auto const a = make_deflate_stream(std::move(f.pair.client));
    auto const done = co_await a->write(text, never);
    EXPECT_TRUE(done);
    std::string room(text.size() + 1000, '\0');
    auto const n = co_await f.pair.server->read_some(room, never);
    co_return n.value_or(0);
}

TEST(deflate_stream, makes_text_shorter_and_noise_hardly_longer)
{
    fixture f;
    EXPECT_LT(f.loop.run(what_a_write_costs(f, std::string(10'000, 'x'))), 200U);
    fixture g;
    EXPECT_LT(g.loop.run(what_a_write_costs(g, noise(10'000))), 10'100U);
}

/// A bomb (trust.md I6): what was asked for is given, no more is inflated.
std::string bomb(std::size_t octets)
{
    z_stream z{};
    EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    std::string const zeros(octets, '\0');
    std::string out(octets / 100 + 1000, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    z.avail_in = static_cast<uInt>(zeros.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - z.avail_out);
    deflateEnd(&z);
    return out;
}

task<void> drink_a_bomb(fixture& f)
{
    auto const sent = co_await f.pair.client->write(bomb(50'000'000), never);
    EXPECT_TRUE(sent);
    buffered_stream in{make_deflate_stream(std::move(f.pair.server))};
    auto const line = co_await in.read_line(8192, never);
    EXPECT_FALSE(line);
    EXPECT_EQ(line.error().what, fault::kind::over_limit);
}

TEST(catalogue, I6_a_bomb_meets_the_limit_of_a_line)
{
    fixture f;
    f.loop.run(drink_a_bomb(f));
}

task<void> read_damage(fixture& f)
{
    auto const sent = co_await f.pair.client->write("\xff\xff\xff\xff", never);
    EXPECT_TRUE(sent);
    auto const in = make_deflate_stream(std::move(f.pair.server));
    std::string room(100, '\0');
    auto const got = co_await in->read_some(room, never);
    EXPECT_FALSE(got);
    EXPECT_EQ(got.error().what, fault::kind::closed);
    EXPECT_EQ(got.error().detail, "damaged DEFLATE data");
}

TEST(deflate_stream, damage_ends_the_connection)
{
    fixture f;
    f.loop.run(read_damage(f));
}

task<void> wait_and_interrupt(fixture& f)
{
    auto const in = make_deflate_stream(std::move(f.pair.server));
    in->interrupt();
    auto const ready = co_await in->wait_readable(never);
    EXPECT_TRUE(ready);
    EXPECT_EQ(*ready, readiness::interrupted);
    std::string room(10, '\0');
    auto const nothing = in->try_read(room);
    EXPECT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
}

TEST(deflate_stream, at_rest_it_waits_like_the_stream_below)
{
    fixture f;
    f.loop.run(wait_and_interrupt(f));
}

}  // namespace
