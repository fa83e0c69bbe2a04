#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"

using namespace mansio::base;
using namespace std::chrono_literals;

TEST(clock, by_hand_starts_in_2026_and_moves_only_when_told)
{
    manual_clock c;
    EXPECT_EQ(c.wall(), std::chrono::sys_days{std::chrono::year{2026} / 1 / 1});
    auto const m = c.monotonic();
    EXPECT_EQ(c.monotonic(), m);
    c.advance(1500ms);
    EXPECT_EQ(c.monotonic() - m, 1500ms);
    EXPECT_EQ(c.wall() - std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}, 1500ms);
    c.jump_wall(-3600s);
    EXPECT_EQ(c.monotonic() - m, 1500ms);
    EXPECT_EQ(c.wall() - std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}, 1500ms - 3600s);
}

TEST(clock, the_machines_does_not_go_back)
{
    auto last = system_clock().monotonic();
    for (int i = 0; i < 1000; ++i) {
        auto const now = system_clock().monotonic();
        EXPECT_GE(now, last);
        last = now;
    }
    EXPECT_GT(system_clock().wall(), std::chrono::sys_days{std::chrono::year{2024} / 1 / 1});
}

TEST(random, a_seed_replays)
{
    seeded_random a{7}, b{7}, c{8};
    auto const first = a.octets(100);
    EXPECT_EQ(first, b.octets(100));
    EXPECT_NE(first, c.octets(100));
    EXPECT_NE(first, a.octets(100));
}

TEST(random, below_stays_below_and_reaches_every_value)
{
    seeded_random r{1};
    for (std::uint64_t const bound : {1U, 2U, 3U, 10U}) {
        std::map<std::uint64_t, int> seen;
        for (int i = 0; i < 3000; ++i) ++seen[r.below(bound)];
        EXPECT_EQ(seen.size(), bound);
        EXPECT_LT(seen.rbegin()->first, bound);
        for (auto const& [value, count] : seen) EXPECT_GT(count, 3000 / static_cast<int>(bound) / 2) << value << " of " << bound;
    }
    EXPECT_LT(r.below(UINT64_MAX), UINT64_MAX);
}

TEST(random, the_systems_does_not_repeat)
{
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(system_random().octets(16)).second);
    EXPECT_TRUE(system_random().octets(0).empty());
}

TEST(ids, are_random_comparable_and_read_back)
{
    struct tag;
    using id = random_id<tag>;
    seeded_random r{3};
    auto const a = id::make(r);
    auto const b = id::make(r);
    EXPECT_NE(a, b);
    EXPECT_FALSE(a.empty());
    EXPECT_TRUE(id{}.empty());
    EXPECT_EQ(id::from_octets(a.view()), a);
    EXPECT_EQ(id::from_octets(a.view().substr(1)), std::nullopt);
    manual_clock clock;
    auto const early = id::make_ordered(r, clock.wall());
    clock.advance(std::chrono::milliseconds{1});
    auto const late = id::make_ordered(r, clock.wall());
    EXPECT_LT(early, late);
    EXPECT_EQ(to_hex(early.view().substr(0, 6)), "019b76daa800");  // 2026-01-01T00:00:00Z in milliseconds
    EXPECT_NE(early, id::make_ordered(r, manual_clock{}.wall())) << "the rest is random";
    auto const session = make_session_id(r);
    EXPECT_EQ(session.size(), 10U);
    EXPECT_TRUE(session.starts_with("c-"));
}
