#include "store/record_cache.hpp"

#include <gtest/gtest.h>

namespace mansio::store {
namespace {

record_cache::record record_of(email_id e, std::size_t octets = 1000)
{
    email_facts facts;
    facts.email = e;
    facts.size = octets;
    auto r = stored_email::open(1, encode_email(facts, std::string(octets, 'p'), {}));
    EXPECT_TRUE(r);
    return *r;
}

TEST(record_cache, keeps_what_was_asked_for_by_itself_and_lets_the_oldest_go)
{
    auto const each = record_of(1)->octets();
    record_cache c{10 * each};
    for (email_id e = 1; e <= 12; ++e) c.keep(record_of(e));
    EXPECT_EQ(c.find(1), nullptr);
    EXPECT_EQ(c.find(2), nullptr);
    for (email_id e = 3; e <= 12; ++e) ASSERT_NE(c.find(e), nullptr) << e;
    EXPECT_EQ(c.find(3)->id(), 3U);
    EXPECT_LE(c.octets(), 10 * each);
}

TEST(record_cache, keeps_one_of_many_from_the_second_time_on_where_there_is_room)
{
    auto const each = record_of(1)->octets();
    record_cache c{10 * each + each / 2};
    for (email_id e = 1; e <= 4; ++e) c.keep(record_of(e));
    auto const before = c.octets();
    for (email_id e = 101; e <= 130; ++e) c.keep_if_read_again(record_of(e));
    for (email_id e = 101; e <= 130; ++e) EXPECT_EQ(c.find(e), nullptr) << e;
    EXPECT_LT(c.octets(), before + each);  // that they were read is all that is kept
    for (email_id e = 101; e <= 130; ++e) c.keep_if_read_again(record_of(e));
    for (email_id e = 1; e <= 4; ++e) EXPECT_NE(c.find(e), nullptr) << e << ": a round pushes nothing out";
    for (email_id e = 101; e <= 106; ++e) EXPECT_NE(c.find(e), nullptr) << e;
    EXPECT_EQ(c.find(107), nullptr) << "nor its own";
}

TEST(record_cache, leaves_out_what_would_take_a_large_part_of_it)
{
    record_cache c{8000};
    c.keep(record_of(1, 2000));
    EXPECT_EQ(c.find(1), nullptr);
    EXPECT_EQ(c.octets(), 0U);
}

TEST(record_cache, forgets)
{
    record_cache c{1U << 20U};
    for (int round = 0; round < 5000; ++round) {  // what was forgotten leaves nothing behind
        c.keep(record_of(7));
        ASSERT_NE(c.find(7), nullptr);
        c.forget(7);
        ASSERT_EQ(c.find(7), nullptr);
        ASSERT_EQ(c.octets(), 0U);
    }
    c.forget(8);
    c.keep(record_of(9));
    c.clear();
    EXPECT_EQ(c.find(9), nullptr);
    EXPECT_EQ(c.octets(), 0U);
}

}  // namespace
}  // namespace mansio::store
