// REPLACE: in one commit one message comes and one goes (RFC 8508).
#include <gtest/gtest.h>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
std::string why(result<appended> const& r) { return r ? std::string{} : base::describe(r.error()); }
}  // namespace

TEST(account_replace, the_new_one_comes_and_only_the_old_one_goes)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const drafts = w.box("Drafts");
    w.add(drafts, "one", {"\\Deleted"});
    w.add(drafts, "two", {"\\Flagged", "$Label"});
    w.add(drafts, "three");
    auto done = w.run(w.open().replace(drafts, 2, drafts, w.letter("two again", "<n@b>")));
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->uids, (std::vector<store::uid>{4}));
    // No flag is inherited (§1), and what else is \Deleted stays.
    EXPECT_EQ(w.picture(drafts, w.open()), "1:\\Deleted 3: 4:");
    done = w.run(w.open().replace(drafts, 4, inbox, w.letter("sent", "<s@b>")));
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(w.uids(drafts), (std::vector<store::uid>{1, 3}));
    EXPECT_EQ(w.uids(inbox), (std::vector<store::uid>{1}));
    EXPECT_EQ(w.rows_of("E"), 3U);
    expect_sound(w);
    auto const gone = w.run(w.open().vanished_since(drafts, 0));
    ASSERT_TRUE(gone);
    EXPECT_EQ(*gone, (uid_set{{2, 2}, {4, 4}}));
}

TEST(account_replace, wants_a_message_and_its_rights)
{
    world w;
    w.make();
    w.make(bert);
    auto const inbox = w.box("INBOX");
    w.add(inbox);
    EXPECT_EQ(w.run(w.open().replace(inbox, 9, inbox, w.letter("x", "<x@b>"))).error().what, fault::kind::not_found);
    EXPECT_EQ(w.run(w.open().replace(inbox, 1, 999, w.letter("x", "<x@b>"))).error().what, fault::kind::not_found);
    auto const try_with = [&](rights granted) {
        EXPECT_TRUE(w.run(w.open().set_acl(inbox, bert, granted)));
        return w.run(w.open_as(anna, bert).replace(inbox, 1, inbox, w.letter("x", "<x@b>")));
    };
    auto const bits = [](std::initializer_list<right> all) {
        rights r = 0;
        for (auto const one : all) r = static_cast<rights>(r | static_cast<rights>(one));
        return r;
    };
    EXPECT_FALSE(try_with(bits({right::lookup, right::read, right::insert, right::expunge})));
    EXPECT_FALSE(try_with(bits({right::lookup, right::read, right::insert, right::delete_message})));
    EXPECT_FALSE(try_with(bits({right::lookup, right::read, right::expunge, right::delete_message})));
    EXPECT_EQ(w.uids(inbox), (std::vector<store::uid>{1}));
    EXPECT_TRUE(try_with(bits({right::lookup, right::insert, right::expunge, right::delete_message})));
    EXPECT_EQ(w.uids(inbox).size(), 1U);
    expect_sound(w);
}

TEST(account_replace, quota_counts_the_difference)
{
    world w;
    w.make(anna, 10'000);
    auto const inbox = w.box("INBOX");
    auto const work = w.box("Work");
    std::vector<new_message> first;
    first.push_back(w.letter("big", "<a@b>", {}, 7'000));
    ASSERT_TRUE(w.run(w.open().append(inbox, std::move(first))));
    ASSERT_TRUE(w.run(w.open().replace(inbox, 1, inbox, w.letter("as big", "<b@b>", {}, 7'000))));
    EXPECT_EQ(w.run(w.open().replace(inbox, 2, inbox, w.letter("too big", "<c@b>", {}, 11'000))).error().what, fault::kind::over_limit);
    // A copy elsewhere keeps the old octets.
    ASSERT_TRUE(w.run(w.open().copy(inbox, {{2, 2}}, work)));
    EXPECT_EQ(w.run(w.open().replace(inbox, 2, inbox, w.letter("as big", "<d@b>", {}, 7'000))).error().what, fault::kind::over_limit);
    EXPECT_EQ(w.uids(inbox).size(), 1U);
    expect_sound(w);
}

TEST(account_replace, a_crash_leaves_the_old_one_or_the_new_one)
{
    for (int n = 1; n <= 3; ++n)
        for (bool const applied : {false, true}) {
            SCOPED_TRACE(n);
            world w{static_cast<std::uint64_t>(n)};
            w.make();
            auto const drafts = w.box("Drafts");
            auto const sent = w.box("Sent");
            w.add(drafts, "draft");
            int left = n;
            auto const at = [&left](change const&) { return --left == 0; };
            (applied ? w.faults.lose_ack : w.faults.fail) = at;
            auto const done = w.run(w.open().replace(drafts, 1, sent, w.letter("sent", "<s@b>")));
            w.crash();
            w.faults = {};
            auto const before = w.uids(drafts).size();
            auto const after = w.uids(sent).size();
            EXPECT_EQ(before + after, 1U) << "never none, never two";
            if (done) EXPECT_EQ(after, 1U);
            if (!done && !applied) EXPECT_EQ(before, 1U);
            EXPECT_EQ(w.rows_of("E"), 1U);
            expect_sound(w);
        }
}
