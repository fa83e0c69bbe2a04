#include "app/sts_store.hpp"

#include <gtest/gtest.h>

#include "store/engines.hpp"

using namespace mansio;
using namespace mansio::app;
using namespace std::chrono_literals;
using mailauth::stored_policy;

namespace {
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{1};
    base::memory_log log;
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    sts_store kept{*engine, random, log};
    void damage(std::string key, std::string row)
    {
        store::change c;
        c.where = {store::partition_kind::directory, 1};
        c.id = store::change_id::make(random);
        c.rows.push_back({std::move(key), std::move(row)});
        ASSERT_TRUE(loop.run(engine->commit(std::move(c))));
    }
};
}  // namespace

TEST(sts_store, keeps_policies_as_they_were)
{
    world w;
    stored_policy const one{"a.test", "id1", std::string{"version: STSv1\r\n"} + std::string(60'000, 'x'), w.clock.wall()};
    stored_policy two{"b.test", "id2", "text", w.clock.wall() - 5h};
    ASSERT_TRUE(w.loop.run(w.kept.save(two)));
    ASSERT_TRUE(w.loop.run(w.kept.save(one)));
    EXPECT_EQ(**w.loop.run(w.kept.load("a.test")), one);
    two.id = "id3";
    ASSERT_TRUE(w.loop.run(w.kept.save(two)));
    // Another one over the same engine, as after a restart.
    sts_store again{*w.engine, w.random, w.log};
    EXPECT_EQ(*w.loop.run(again.list("", 10)), (std::vector{one, two}));
    EXPECT_EQ(*w.loop.run(again.list("", 1)), (std::vector{one}));
    EXPECT_EQ(*w.loop.run(again.list("a.test", 10)), (std::vector{two}));
    EXPECT_TRUE(w.loop.run(again.list("b.test", 10))->empty());
    EXPECT_FALSE(*w.loop.run(again.load("c.test")));
    ASSERT_TRUE(w.loop.run(again.remove("a.test")));
    EXPECT_FALSE(*w.loop.run(again.load("a.test")));
    EXPECT_EQ(*w.loop.run(again.list("", 10)), (std::vector{two}));
}

TEST(sts_store, a_damaged_row_is_passed_over_and_logged)
{
    world w;
    stored_policy const good{"z.test", "id", "text", w.clock.wall()};
    ASSERT_TRUE(w.loop.run(w.kept.save(good)));
    auto const row = **w.loop.run(w.engine->get({store::partition_kind::directory, 1}, "sts/z.test"));
    for (std::size_t i = 0; i < row.size(); ++i) {
        auto wrong = row;
        wrong[i] = static_cast<char>(wrong[i] ^ 1);
        w.damage("sts/a.test", wrong);
        EXPECT_FALSE(*w.loop.run(w.kept.load("a.test"))) << i;
        w.damage("sts/a.test", row.substr(0, i));
        EXPECT_FALSE(*w.loop.run(w.kept.load("a.test"))) << i;
    }
    EXPECT_EQ(*w.loop.run(w.kept.list("", 1)), (std::vector{good})) << "a page of damaged rows is not the end";
    base::row_writer later;
    w.damage("sts/a.test", later.u8(2).octets("id").signed_varint(0).octets("text").take_sealed());
    EXPECT_FALSE(*w.loop.run(w.kept.load("a.test"))) << "a later format";
    EXPECT_NE(w.log.text().find("sts_row_damaged"), std::string::npos);
}
