#include "auth/domain_keys.hpp"

#include <gtest/gtest.h>

#include "store/engines.hpp"

using namespace mansio;
using namespace mansio::auth;
using state = domain_key::state;

namespace {

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::memory_log log;
    base::limits limits;
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    directory people{*engine, loop, limits, random, log};
    std::string pepper = std::string(32, 'p');
    domain_keys keys{people, pepper, clock, random};

    world()
    {
        for (auto const* name : {"example.org", "other.org"}) {
            domain d;
            d.name = name;
            EXPECT_TRUE(loop.run(people.add_domain(d)));
        }
    }
    result<void> add(std::string domain, std::string selector, state s = state::active)
    {
        domain_key k;
        k.domain = std::move(domain);
        k.selector = std::move(selector);
        k.now = s;
        k.private_key = "-----BEGIN PRIVATE KEY-----\nsecret\n";
        k.record = "v=DKIM1; p=x";
        return loop.run(keys.add(k));
    }
    std::string listed(std::string domain = {})
    {
        auto const all = loop.run(keys.list(std::move(domain)));
        if (!all) return all.error().say;
        std::string out;
        for (auto const& k : *all) out += k.domain + "/" + k.selector + " " + std::string{name_of(k.now)} + "; ";
        return out;
    }
};

}  // namespace

TEST(domain_keys, made_listed_changed_and_removed)
{
    world w;
    auto const before = w.keys.generation();
    EXPECT_TRUE(w.add("Example.ORG", "r1"));
    EXPECT_GT(w.keys.generation(), before);
    EXPECT_TRUE(w.add("other.org", "r1", state::next));
    EXPECT_EQ(w.add("example.org", "r1").error().what, fault::kind::conflict);
    EXPECT_EQ(w.add("nowhere.org", "r1").error().what, fault::kind::not_found);
    for (auto const* bad : {"", "R1", "a.b", "a b", "a/b"}) EXPECT_EQ(w.add("example.org", bad).error().what, fault::kind::syntax) << bad;
    EXPECT_EQ(w.listed(), "example.org/r1 active; other.org/r1 next; ");
    EXPECT_EQ(w.listed("other.org"), "other.org/r1 next; ");
    w.clock.advance(std::chrono::hours{1});
    EXPECT_TRUE(w.loop.run(w.keys.set_state("other.org", "r1", state::retiring)));
    EXPECT_EQ(w.loop.run(w.keys.list("other.org"))->front().since, w.loop.run(w.keys.list("example.org"))->front().since + 3600);
    EXPECT_EQ(w.loop.run(w.keys.set_state("other.org", "r2", state::active)).error().what, fault::kind::not_found);
    EXPECT_TRUE(w.loop.run(w.keys.remove("other.org", "r1")));
    EXPECT_EQ(w.loop.run(w.keys.remove("other.org", "r1")).error().what, fault::kind::not_found);
    EXPECT_EQ(w.listed(), "example.org/r1 active; ");
}

TEST(domain_keys, private_halves_are_sealed)
{
    world w;
    EXPECT_TRUE(w.add("example.org", "r1"));
    auto const rows = w.loop.run(w.engine->scan({store::partition_kind::directory, 0}, store::key_range::prefix("y/"), 10));
    ASSERT_EQ(rows->size(), 1U);
    EXPECT_EQ(rows->front().value.find("secret"), std::string::npos);
    EXPECT_EQ(w.loop.run(w.keys.list({}))->front().private_key, "-----BEGIN PRIVATE KEY-----\nsecret\n");
    // Another secret opens nothing, and says so.
    domain_keys stranger{w.people, std::string(32, 'q'), w.clock, w.random};
    auto const refused = w.loop.run(stranger.list({}));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().say.find("keys/pepper"), std::string::npos) << refused.error().say;
    // A row that is moved to another domain does not open.
    store::change c;
    c.where = {store::partition_kind::directory, 0};
    c.id = store::change_id::make(w.random);
    auto moved = rows->front().key;
    moved.replace(2, 11, "other.org");
    c.rows.push_back({moved, rows->front().value});
    EXPECT_TRUE(w.loop.run(w.engine->commit(std::move(c))));
    EXPECT_FALSE(w.loop.run(w.keys.list("other.org")));
    EXPECT_TRUE(w.loop.run(w.keys.list("example.org")));
}

TEST(domain_keys, go_with_their_domain)
{
    world w;
    EXPECT_TRUE(w.add("example.org", "r1"));
    EXPECT_TRUE(w.add("other.org", "r1"));
    EXPECT_TRUE(w.loop.run(w.people.remove_domain("example.org")));
    EXPECT_EQ(w.listed(), "other.org/r1 active; ");
}
