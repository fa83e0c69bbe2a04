#include "base/limits.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace mansio::base;

TEST(limits, the_table_is_the_struct)
{
    limits l;
    std::set<std::string_view> names;
    for (auto const& e : limit_table()) {
        EXPECT_TRUE(names.insert(e.name).second) << e.name << " stands twice";
        EXPECT_EQ(l.*e.value, e.default_value) << e.name;
        EXPECT_GT(e.default_value, 0U) << e.name;
        EXPECT_FALSE(e.unit.empty() || e.reply.empty() || e.metric.empty() || e.text.empty()) << e.name;
        EXPECT_EQ(e.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos) << e.name;
        EXPECT_EQ(e.metric.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos) << e.name;
    }
    EXPECT_EQ(names.size() * sizeof(std::uint64_t), sizeof(limits)) << "a limit stands in the struct alone";
}

TEST(limits, a_value_changes_through_the_table)
{
    limits l;
    for (auto const& e : limit_table())
        if (e.name == "smtp_recipients") l.*e.value = 7;
    EXPECT_EQ(l.smtp_recipients, 7U);
    EXPECT_EQ(limits{}.smtp_recipients, 1000U);
}

TEST(budget, takes_all_or_nothing)
{
    budget b{10};
    EXPECT_TRUE(b.take(4));
    EXPECT_FALSE(b.take(7));
    EXPECT_EQ(b.left(), 6U);
    EXPECT_TRUE(b.take(6));
    EXPECT_FALSE(b.take());
    EXPECT_TRUE(b.take(0));
    budget full{UINT64_MAX};
    EXPECT_TRUE(full.take(UINT64_MAX));
    EXPECT_FALSE(full.take(UINT64_MAX));
}

TEST(memory_budget, gives_back_what_a_hold_took)
{
    memory_budget m{100};
    {
        auto const a = m.take(60);
        ASSERT_TRUE(a);
        EXPECT_EQ(m.used(), 60U);
        auto const refused = m.take(41);
        EXPECT_FALSE(refused);
        EXPECT_EQ(m.used(), 60U);
        auto b = m.take(40);
        ASSERT_TRUE(b);
        EXPECT_FALSE(b.grow(1));
        EXPECT_EQ(m.used(), 100U);
    }
    EXPECT_EQ(m.used(), 0U);
    EXPECT_EQ(m.total(), 100U);
}

TEST(memory_budget, a_hold_moves_and_grows)
{
    memory_budget m{100};
    auto a = m.take(10);
    auto b = std::move(a);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): a moved hold is empty, that is the promise
    EXPECT_FALSE(a.grow(1));
    EXPECT_TRUE(b.grow(20));
    EXPECT_EQ(m.used(), 30U);
    b = m.take(5);
    EXPECT_EQ(m.used(), 5U) << "what an assigned-over hold had is given back at once";
    b = {};
    EXPECT_EQ(m.used(), 0U);
}

TEST(memory_budget, never_above_its_total_with_threads)
{
    memory_budget m{1000};
    std::atomic<bool> over{false};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            std::uint64_t held = 0;
            for (int i = 0; i < 20'000; ++i) {
                auto const h = m.take(300);
                if (h) held += 300;
                if (held > 0 && !h) held = 0;
            }
            if (m.total() != 1000) over = true;
        });
    threads.clear();
    EXPECT_FALSE(over);
    EXPECT_EQ(m.used(), 0U);
}
