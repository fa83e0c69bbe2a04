// Two accounts: who shares with whom, and COPY and MOVE between them, also when the process dies between two of their commits.
#include <gtest/gtest.h>

#include "account_support.hpp"
#include "store/account_rows.hpp"
#include "store/keys.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

constexpr rights bit(right r) { return static_cast<rights>(r); }

struct pair_of_accounts {
    world w;
    mailbox_id shared = 0, inbox = 0;
    pair_of_accounts()
    {
        w.make(anna);
        w.make(bert);
        shared = w.box("Shared", anna);
        inbox = w.box("INBOX", bert);
        share(all_rights);
    }
    void share(rights r) { ASSERT_TRUE(w.run(w.open(anna).set_acl(shared, bert, r))); }
    account_ref guest() { return w.open_as(anna, bert); }
    std::vector<account_number> sharers() { return *w.run(w.open(bert).sharers()); }
    std::size_t copies() { return w.uids(shared, anna).size() + w.uids(inbox, bert).size(); }
};

bool about(change const& c, account_number n) { return c.where.kind == partition_kind::account && c.where.number == n; }

}  // namespace

TEST(account_sharing, a_guest_finds_who_shares_with_him)
{
    pair_of_accounts p;
    EXPECT_EQ(p.sharers(), std::vector<account_number>{anna});
    EXPECT_TRUE(p.w.run(p.w.open(anna).sharers())->empty());
    EXPECT_EQ(p.w.run(p.w.open_as(bert, cora).sharers()).error().what, fault::kind::not_found);
    p.w.restart();
    EXPECT_EQ(p.sharers(), std::vector<account_number>{anna});
    // Nobody is there to share with: no right is written that nobody finds.
    auto const nobody = p.w.run(p.w.open(anna).set_acl(p.shared, 777, all_rights));
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().detail, "no_account");
    EXPECT_EQ(p.w.run(p.w.open(anna).get_acl(p.shared))->size(), 1U);
}

TEST(account_sharing, who_may_not_share_writes_nothing_in_the_others_account)
{
    pair_of_accounts p;
    p.w.make(cora);
    p.share(static_cast<rights>(all_rights & ~bit(right::administer)));
    EXPECT_EQ(p.w.run(p.guest().set_acl(p.shared, cora, 1)).error().what, fault::kind::refused);
    EXPECT_TRUE(p.w.run(p.w.open(cora).sharers())->empty());
}

TEST(account_sharing, the_row_is_there_before_the_right)
{
    pair_of_accounts p;
    p.w.make(cora);
    p.w.faults.fail = [](change const& c) { return about(c, anna); };
    EXPECT_FALSE(p.w.run(p.w.open(anna).set_acl(p.shared, cora, all_rights)));
    p.w.faults = {};
    p.w.crash();
    EXPECT_EQ(*p.w.run(p.w.open(cora).sharers()), std::vector<account_number>{anna});
    EXPECT_TRUE(p.w.run(p.w.open_as(anna, cora).list_mailboxes())->empty());
}

TEST(account_sharing, a_row_that_leads_nowhere_goes_after_a_day)
{
    pair_of_accounts p;
    p.share(0);
    ASSERT_TRUE(p.w.run(p.w.open(bert).forget_sharer(anna)));
    EXPECT_EQ(p.sharers().size(), 1U);  // a grant may be on its way
    p.w.clock.advance(std::chrono::hours{25});
    p.share(bit(right::lookup));
    ASSERT_TRUE(p.w.run(p.w.open(bert).forget_sharer(anna)));
    EXPECT_EQ(p.sharers().size(), 1U);  // granted again
    p.share(0);
    p.w.clock.advance(std::chrono::hours{25});
    ASSERT_TRUE(p.w.run(p.w.open(bert).forget_sharer(anna)));
    EXPECT_TRUE(p.sharers().empty());
    p.w.restart();
    EXPECT_TRUE(p.sharers().empty());
}

TEST(account_sharing, sharers_are_bounded)
{
    pair_of_accounts p;
    p.w.make(cora);
    p.w.limits.sharers = 1;
    auto const mine = p.w.box("INBOX", cora);
    EXPECT_EQ(p.w.run(p.w.open(cora).set_acl(mine, bert, 1)).error().what, fault::kind::over_limit);
    EXPECT_TRUE(p.w.run(p.w.open(cora).get_acl(mine))->empty());
}

TEST(account_sharing, copy_takes_flags_dates_and_octets_along)
{
    pair_of_accounts p;
    p.w.add(p.shared, "one", {"\\Flagged", "work"}, anna);
    p.w.add(p.shared, "two", {}, anna);
    flag_change seen;
    seen.names = {"\\Seen"};
    ASSERT_TRUE(p.w.run(p.guest().change_flags(p.shared, {{1, 1}}, seen)));
    auto const done = p.w.run(p.guest().copy_to(p.shared, {{1, 9}}, p.w.open(bert), p.inbox));
    ASSERT_TRUE(done) << base::describe(done.error());
    EXPECT_EQ(done->from, (std::vector<store::uid>{1, 2}));
    EXPECT_EQ(done->to, (std::vector<store::uid>{1, 2}));
    EXPECT_EQ(p.w.picture(p.inbox, p.w.open(bert)), "1:\\Flagged,\\Seen,work 2:");
    EXPECT_EQ(p.w.picture(p.shared, p.w.open(anna)), "1:\\Flagged,work 2:");
    auto const there = *p.w.run(p.w.open(bert).view(p.inbox));
    auto const here = *p.w.run(p.w.open(anna).view(p.shared));
    EXPECT_EQ(there->at(0).internal_date.unix_seconds, here->at(0).internal_date.unix_seconds);
    auto const text = [&](account_ref a, mailbox_id m, email_id e) {
        auto const r = *p.w.run(a.emails(m, {e}));
        return *p.w.run(a.read(r[0], 0, 10'000)) + std::string{r[0]->envelope_text()} + std::string{r[0]->bodystructure_text()};
    };
    auto const original = text(p.w.open(anna), p.shared, here->at(0).email);
    EXPECT_EQ(text(p.w.open(bert), p.inbox, there->at(0).email), original);
    // The copy lives by itself.
    ASSERT_TRUE(p.w.run(p.w.open(anna).expunge(p.shared, uid_set{{1, 2}}, true)));
    p.w.settle();
    static_cast<void>(p.w.run(p.w.storage->sweep()));
    EXPECT_EQ(text(p.w.open(bert), p.inbox, there->at(0).email), original);
    expect_sound(p.w, anna);
    expect_sound(p.w, bert);
}

TEST(account_sharing, rights_and_bounds_of_both_sides_hold)
{
    pair_of_accounts p;
    p.w.add_many(p.shared, 3, anna);
    p.share(static_cast<rights>(all_rights & ~bit(right::delete_message)));
    EXPECT_EQ(p.w.run(p.guest().move_to(p.shared, {{1, 3}}, p.w.open(bert), p.inbox)).error().what, fault::kind::refused);
    EXPECT_EQ(p.copies(), 3U);
    p.share(static_cast<rights>(all_rights & ~bit(right::insert)));
    p.w.add(p.inbox, "mine", {}, bert);
    EXPECT_EQ(p.w.run(p.w.open(bert).copy_to(p.inbox, {{1, 1}}, p.guest(), p.shared)).error().what, fault::kind::refused);
    EXPECT_EQ(p.w.run(p.w.open(bert).move_to(p.inbox, {{1, 1}}, p.guest(), 9999)).error().what, fault::kind::not_found);
    EXPECT_EQ(p.copies(), 4U);
    p.share(all_rights);
    p.w.limits.between_accounts = 2;
    EXPECT_EQ(p.w.run(p.guest().copy_to(p.shared, {{1, 3}}, p.w.open(bert), p.inbox)).error().what, fault::kind::over_limit);
    p.w.limits.between_accounts = 100;
    ASSERT_TRUE(p.w.run(p.w.open_server(bert).set_quota(0, 2)));
    EXPECT_EQ(p.w.run(p.guest().move_to(p.shared, {{1, 3}}, p.w.open(bert), p.inbox)).error().detail, "quota");
    EXPECT_EQ(p.copies(), 4U);
    p.w.settle();
    EXPECT_EQ(p.w.rows_of("X", anna), 0U);
}

TEST(account_sharing, a_move_leaves_one)
{
    pair_of_accounts p;
    p.w.add_many(p.shared, 3, anna);
    auto const done = p.w.run(p.guest().move_to(p.shared, {{2, 3}}, p.w.open(bert), p.inbox));
    ASSERT_TRUE(done) << base::describe(done.error());
    EXPECT_EQ(done->from, (std::vector<store::uid>{2, 3}));
    EXPECT_EQ(p.w.uids(p.shared, anna), std::vector<store::uid>{1});
    EXPECT_EQ(p.w.uids(p.inbox, bert), (std::vector<store::uid>{1, 2}));
    EXPECT_EQ(p.w.rows_of("X", anna), 0U);
    expect_sound(p.w, anna);
    expect_sound(p.w, bert);
}

/// Each commit of the move, and each way it can end there: refused, or done and the answer lost, and then the process dies.
TEST(account_sharing, a_move_cut_at_any_commit_loses_nothing)
{
    for (int at = 0; at < 4; ++at) {
        for (bool const applied : {false, true}) {
            SCOPED_TRACE("commit " + std::to_string(at) + (applied ? " done" : " refused"));
            pair_of_accounts p;
            p.w.add_many(p.shared, 2, anna);
            p.w.settle();
            int n = 0;
            bool cut = false;
            // After the cut nothing is written any more: the process is as good as dead.
            p.w.faults.fail = [&](change const&) {
                if (cut) return true;
                cut = n++ == at;
                return cut && !applied;
            };
            auto const done = p.w.run(p.guest().move_to(p.shared, {{1, 2}}, p.w.open(bert), p.inbox));
            bool const finished = n <= at;
            EXPECT_TRUE(!finished || done.has_value());
            p.w.crash();
            p.w.faults = {};
            static_cast<void>(p.w.run(p.w.open(anna).list_mailboxes()));
            p.w.settle();
            EXPECT_EQ(p.copies(), 2U) << p.w.uids(p.shared, anna).size() << " and " << p.w.uids(p.inbox, bert).size();
            EXPECT_EQ(p.w.rows_of("X", anna), 0U);
            expect_sound(p.w, anna);
            expect_sound(p.w, bert);
        }
    }
}

TEST(account_quota, messages_are_counted)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    EXPECT_EQ(w.run(w.open().set_quota(0, 2)).error().what, fault::kind::refused);
    ASSERT_TRUE(w.run(w.open_server().set_quota(0, 2)));
    w.add_many(inbox, 2);
    auto const full = w.run(w.open().append(inbox, [&] {
        std::vector<new_message> one;
        one.push_back(w.letter("x", "x"));
        return one;
    }()));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().detail, "quota");
    w.restart();
    auto const q = *w.run(w.open().get_quota());
    EXPECT_EQ(q.limit_messages, 2U);
    EXPECT_EQ(q.messages, 2U);
    // A copy within the account is no other email.
    ASSERT_TRUE(w.run(w.open().copy(inbox, {{1, 2}}, inbox)));
    ASSERT_TRUE(w.run(w.open_server().set_quota(0, 0)));
    w.add(inbox);
}

TEST(account_quota, a_head_without_a_message_limit_is_written_as_before)
{
    rows::head h;
    h.quota_limit = 7;
    h.emails = 9;
    auto const before = rows::encode(h);
    EXPECT_EQ(before[0], 1);
    EXPECT_EQ(*rows::decode_head(before), h);
    h.quota_emails = 5;
    auto const limited = rows::encode(h);
    EXPECT_EQ(limited[0], 2);
    EXPECT_EQ(*rows::decode_head(limited), h);
}

TEST(account_sharing, rights_are_added_and_taken_in_the_owners_turn)
{
    pair_of_accounts p;
    auto const set = [&](rights r, flag_operation how) { ASSERT_TRUE(p.w.run(p.w.open(anna).set_acl(p.shared, bert, r, how))); };
    auto const held = [&] {
        auto const acl = *p.w.run(p.w.open(anna).get_acl(p.shared));
        return acl.empty() ? rights{0} : acl[0].granted;
    };
    set(7, flag_operation::replace);
    set(24, flag_operation::add);
    EXPECT_EQ(held(), 31);
    set(3, flag_operation::remove);
    EXPECT_EQ(held(), 28);
    set(28, flag_operation::remove);
    EXPECT_TRUE(p.w.run(p.w.open(anna).get_acl(p.shared))->empty());
}
