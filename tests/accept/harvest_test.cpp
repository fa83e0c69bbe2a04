#include "accept/harvest.hpp"

#include <gtest/gtest.h>

namespace mansio::accept {
namespace {

TEST(harvest, blocks_above_the_limit_until_the_window_ends)
{
    base::manual_clock clock;
    harvest_table t{clock, 3};
    for (int i = 0; i < 3; ++i) t.count("a");
    EXPECT_FALSE(t.blocked("a"));
    t.count("a");
    EXPECT_TRUE(t.blocked("a"));
    EXPECT_FALSE(t.blocked("b"));
    clock.advance(std::chrono::minutes{9});
    EXPECT_TRUE(t.blocked("a"));
    clock.advance(std::chrono::minutes{2});
    EXPECT_FALSE(t.blocked("a"));
    EXPECT_EQ(t.size(), 0U);
    for (int i = 0; i < 3; ++i) t.count("a");
    clock.advance(std::chrono::minutes{11});
    t.count("a");
    EXPECT_FALSE(t.blocked("a"));
}

TEST(harvest, is_bounded)
{
    base::manual_clock clock;
    harvest_table t{clock, 3, 100};
    for (int i = 0; i < 10; ++i) t.count("0");
    for (int i = 0; i < 10000; ++i) {
        t.count(std::to_string(i));
        if (i % 50 == 0) t.count("0");  // news of it keeps it
    }
    EXPECT_EQ(t.size(), 100U);
    EXPECT_TRUE(t.blocked("0"));
}

}  // namespace
}  // namespace mansio::accept
