// Opening a mailbox before its index is in memory: the answer comes at once, and the picture is of that moment whatever changes meanwhile.
#include <gtest/gtest.h>

#include "store/account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

struct opened {
    bool whole_at_once = true;
    std::uint32_t size = 0;
    store::uid uid_next = 0;
    mod_seq highest = 0;
    result<mailbox_view_ptr> then = fail(fault::kind::broken, "never asked");
};

template <class Between> task<opened> open_and(account_ref through, mailbox_id m, Between between)
{
    opened o;
    auto const view = co_await through.open(m);
    if (!view) {
        o.then = fail(view);
        co_return o;
    }
    o.whole_at_once = (*view)->whole();
    o.size = (*view)->size();
    o.uid_next = (*view)->uid_next();
    o.highest = (*view)->highest_modseq();
    co_await between();
    o.then = co_await through.whole(*view);
    co_return o;
}
task<void> nothing() { co_return; }

std::vector<store::uid> uids_of(mailbox_view const& v)
{
    std::vector<store::uid> out;
    for (std::uint32_t p = 0; p < v.size(); ++p) out.push_back(v.uid_at(p));
    return out;
}

}  // namespace

TEST(account_open, what_is_in_memory_is_whole_at_once)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 3);
    EXPECT_FALSE(w.uids(inbox).empty());
    auto const o = w.run(open_and(w.open(), inbox, nothing));
    ASSERT_TRUE(o.then);
    EXPECT_TRUE(o.whole_at_once);
    EXPECT_EQ(uids_of(**o.then), w.uids(inbox));
}

TEST(account_open, after_a_restart_the_facts_come_first_and_then_the_same_picture)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 40);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{3, 9}}, true)));
    auto const before = *w.run(w.open().view(inbox));
    auto const picture = w.picture(inbox, w.open());
    w.restart();
    auto const o = w.run(open_and(w.open(), inbox, nothing));
    ASSERT_TRUE(o.then) << describe(o.then.error());
    EXPECT_FALSE(o.whole_at_once);
    EXPECT_EQ(o.size, before->size());
    EXPECT_EQ(o.uid_next, before->uid_next());
    EXPECT_EQ(o.highest, before->highest_modseq());
    EXPECT_EQ(uids_of(**o.then), uids_of(*before));
    EXPECT_EQ(w.picture(inbox, w.open()), picture);
    // It is the account's own picture, so that whoever compares pointers sees that nothing changed.
    EXPECT_EQ(*o.then, *w.run(w.open().view(inbox)));
}

TEST(account_open, what_changes_before_the_messages_are_there_is_not_in_the_picture)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 10);
    w.restart();
    auto const o = w.run(open_and(w.open(), inbox, [&]() -> task<void> {
        std::vector<new_message> one;
        one.push_back(w.letter("late", "late@x"));
        auto const more = co_await w.open().append(inbox, std::move(one));
        EXPECT_TRUE(more);
        auto const gone = co_await w.open().expunge(inbox, uid_set{{1, 2}}, true);
        EXPECT_TRUE(gone);
    }));
    ASSERT_TRUE(o.then) << describe(o.then.error());
    EXPECT_FALSE(o.whole_at_once);
    EXPECT_EQ(o.size, 10U);
    EXPECT_EQ((*o.then)->size(), 10U);
    EXPECT_EQ((*o.then)->highest_modseq(), o.highest);
    EXPECT_EQ(uids_of(**o.then).front(), 1U);
    EXPECT_EQ(w.uids(inbox).size(), 9U);
}

TEST(account_open, a_second_one_does_not_wait_for_the_first)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const other = w.box("Other");
    w.add_many(inbox, 10);
    w.add_many(other, 5);
    w.restart();
    auto const o = w.run(open_and(w.open(), inbox, [&]() -> task<void> {
        auto const again = co_await open_and(w.open(), inbox, nothing);
        EXPECT_FALSE(again.whole_at_once);
        EXPECT_TRUE(again.then);
        auto const beside = co_await open_and(w.open(), other, nothing);
        EXPECT_TRUE(beside.then && (*beside.then)->size() == 5);
    }));
    ASSERT_TRUE(o.then);
    EXPECT_EQ((*o.then)->size(), 10U);
}

TEST(account_open, a_mailbox_that_goes_meanwhile_is_not_found)
{
    world w;
    w.make(anna, 0, false);
    auto const box = w.box("a");
    w.add_many(box, 3);
    w.restart();
    auto const o = w.run(open_and(w.open(), box, [&]() -> task<void> {
        auto const gone = co_await w.open().delete_mailbox("a");
        EXPECT_TRUE(gone);
    }));
    // The picture of the moment it was opened may still be had; if not, the mailbox is not there.
    if (!o.then) EXPECT_EQ(o.then.error().what, fault::kind::not_found);
    EXPECT_EQ(w.run(w.open().open(box)).error().what, fault::kind::not_found);
}

TEST(account_open, a_guest_sees_his_own_marks)
{
    world w;
    w.make();
    w.make(bert);
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 5);
    ASSERT_TRUE(w.run(w.open().set_acl(inbox, bert, all_rights)));
    flag_change seen;
    seen.names = {"\\Seen"};
    ASSERT_TRUE(w.run(w.open_as(anna, bert).change_flags(inbox, uid_set{{2, 3}}, seen)));
    auto const before = w.picture(inbox, w.open_as(anna, bert));
    auto const highest = (*w.run(w.open_as(anna, bert).view(inbox)))->highest_modseq();
    w.restart();
    auto const o = w.run(open_and(w.open_as(anna, bert), inbox, nothing));
    ASSERT_TRUE(o.then);
    EXPECT_FALSE(o.whole_at_once);
    EXPECT_EQ(o.highest, highest);
    EXPECT_TRUE((*o.then)->at(1).flags.has(system_flag::seen));
    EXPECT_FALSE((*o.then)->at(0).flags.has(system_flag::seen));
    EXPECT_EQ(w.picture(inbox, w.open_as(anna, bert)), before);
}
