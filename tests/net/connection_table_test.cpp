#include <gtest/gtest.h>

#include "net/shard.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace std::chrono_literals;

namespace {
struct fixture {
    base::limits limits;
    base::manual_clock clock;
    base::metrics metrics;
    connection_table table{limits, clock, metrics};
    fixture() = default;
    explicit fixture(base::limits l) : limits(l) {}
    using verdict = connection_table::verdict;
    connection_table::admission admit(char const* from, bool per_address = true)
    {
        return table.admit(*ip_address::parse(from), per_address, [] {});
    }
};
}  // namespace

TEST(catalogue, T3_thirty_connections_from_one_address)
{
    fixture f;
    std::vector<connection_table::admission> held;
    for (int i = 0; i < 30; ++i) {
        held.push_back(f.admit("192.0.2.1"));
        ASSERT_EQ(held.back().answer, fixture::verdict::welcome) << i;
    }
    auto const refused = f.admit("192.0.2.1");
    EXPECT_EQ(refused.answer, fixture::verdict::too_many_here);
    EXPECT_FALSE(refused.held);
    EXPECT_EQ(f.admit("::ffff:192.0.2.1").answer, fixture::verdict::too_many_here);
    EXPECT_EQ(f.admit("192.0.2.2").answer, fixture::verdict::welcome);
    EXPECT_EQ(f.admit("192.0.2.1", false).answer, fixture::verdict::welcome);
    held.front().held->signed_in();  // no longer before sign-in
    held.front().held->signed_in();
    auto const next = f.admit("192.0.2.1");
    EXPECT_EQ(next.answer, fixture::verdict::welcome);
    EXPECT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::too_many_here);
    held.pop_back();
    EXPECT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::welcome);
    EXPECT_EQ(f.table.open_connections(), 30U);
    EXPECT_EQ(f.table.not_signed_in(), 29U);
    EXPECT_NE(f.metrics.exposition().find("mansio_connections_refused_total 3"), std::string::npos) << f.metrics.exposition();
}

TEST(catalogue, T3_a_slash_56_is_one_address)
{
    fixture f;
    std::vector<connection_table::admission> held;
    for (int i = 0; i < 30; ++i) held.push_back(f.admit(("2001:db8:1:2" + std::to_string(10 + i) + "::1").c_str()));
    EXPECT_EQ(f.admit("2001:db8:1:2ff::9").answer, fixture::verdict::too_many_here);
    EXPECT_EQ(f.admit("2001:db8:1:300::9").answer, fixture::verdict::welcome);
}

TEST(catalogue, T3_three_hundred_a_minute)
{
    fixture f;
    for (int i = 0; i < 300; ++i) ASSERT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::welcome) << i;
    EXPECT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::too_fast);
    EXPECT_EQ(f.admit("192.0.2.2").answer, fixture::verdict::welcome);
    f.clock.advance(59s);
    EXPECT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::too_fast);
    // A refused attempt does not count: who waits is let in again, at first by degrees.
    f.clock.advance(31s);
    int let_in = 0;
    while (f.admit("192.0.2.1").answer == fixture::verdict::welcome) ++let_in;
    EXPECT_EQ(let_in, 150);
    f.clock.advance(2min);
    let_in = 0;
    while (f.admit("192.0.2.1").answer == fixture::verdict::welcome) ++let_in;
    EXPECT_EQ(let_in, 300);
}

TEST(catalogue, T3_a_full_table_evicts_the_oldest_not_signed_in)
{
    fixture f;
    std::vector<connection_table::admission> held;
    std::vector<int> evicted;
    auto const admit = [&](int i) {
        auto const from = ip_address::v4({10, static_cast<unsigned char>(i >> 16), static_cast<unsigned char>(i >> 8), static_cast<unsigned char>(i)});
        held.push_back(f.table.admit(from, true, [&evicted, i] { evicted.push_back(i); }));
        return held.back().answer;
    };
    for (int i = 0; i < 4096; ++i) ASSERT_EQ(admit(i), fixture::verdict::welcome);
    EXPECT_TRUE(evicted.empty());
    held[0].held->signed_in();
    EXPECT_EQ(admit(5000), fixture::verdict::welcome);  // the place of the one signed in
    EXPECT_TRUE(evicted.empty());
    EXPECT_EQ(admit(5001), fixture::verdict::welcome);
    EXPECT_EQ(admit(5002), fixture::verdict::welcome);
    EXPECT_EQ(evicted, (std::vector{1, 2}));
    EXPECT_EQ(f.table.not_signed_in(), 4096U);
    EXPECT_EQ(f.table.open_connections(), 4099U);
    held[1].held->signed_in();  // too late: it is on its way out
    EXPECT_EQ(f.table.not_signed_in(), 4096U);
    held.clear();
    EXPECT_EQ(f.table.not_signed_in(), 0U);
    EXPECT_EQ(f.table.open_connections(), 0U);
}

TEST(connection_table, all_connections_have_a_bound)
{
    base::limits l;
    l.connections = 3;
    base::manual_clock clock;
    base::metrics metrics;
    auto table = std::make_unique<connection_table>(l, clock, metrics);
    std::vector<connection_table::admission> held;
    auto const from = *ip_address::parse("192.0.2.1");
    for (int i = 0; i < 3; ++i) held.push_back(table->admit(from, true, [] {}));
    EXPECT_EQ(table->admit(from, true, [] {}).answer, connection_table::verdict::full);
    held.pop_back();
    EXPECT_EQ(table->admit(from, true, [] {}).answer, connection_table::verdict::welcome);
    table.reset();  // tickets outlive it
    held.clear();
}

TEST(connection_table, a_flood_of_networks_does_not_grow_without_bound)
{
    fixture f;
    auto const kept = f.admit("192.0.2.1");
    for (unsigned i = 0; i < 70000; ++i)
        ASSERT_EQ(f.table
                      .admit(ip_address::v4({100, static_cast<unsigned char>(i >> 16U), static_cast<unsigned char>(i >> 8U), static_cast<unsigned char>(i)}),
                             true, [] {})
                      .answer,
                  fixture::verdict::welcome);
    std::vector<connection_table::admission> held;
    for (int i = 0; i < 29; ++i) held.push_back(f.admit("192.0.2.1"));
    EXPECT_EQ(f.admit("192.0.2.1").answer, fixture::verdict::too_many_here);  // what is open was not forgotten
}
