// What a mail program does, one call at a time.
#include <gtest/gtest.h>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
template <class R> std::string why(R const& r) { return r ? std::string{} : base::describe(r.error()); }
std::vector<std::string> names_of(std::vector<mailbox_info> const& all)
{
    std::vector<std::string> out;
    for (auto const& m : all) out.push_back(m.name);
    return out;
}
flag_change flags(flag_operation how, std::vector<std::string> names)
{
    flag_change c;
    c.how = how;
    c.names = std::move(names);
    return c;
}
}  // namespace

TEST(account, begins_with_its_folders_all_subscribed)
{
    world w;
    w.make();
    auto const all = w.run(w.open().list_mailboxes());
    ASSERT_TRUE(all) << why(all);
    EXPECT_EQ(names_of(*all), (std::vector<std::string>{"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"}));
    for (auto const& m : *all) EXPECT_TRUE(m.subscribed) << m.name;
    EXPECT_EQ(special_use_name((*all)[4].use), "\\Sent");
    w.make();  // idempotent
    w.restart();
    auto const again = w.run(w.open().list_mailboxes());
    ASSERT_TRUE(again);
    EXPECT_EQ(names_of(*again), names_of(*all));
    for (std::size_t i = 0; i < all->size(); ++i) EXPECT_EQ((*again)[i].uid_validity, (*all)[i].uid_validity);
}

TEST(account, nothing_is_there_before_it_is_made)
{
    world w;
    EXPECT_EQ(w.run(w.open().list_mailboxes()).error().what, fault::kind::not_found);
    EXPECT_EQ(w.run(w.open().find_mailbox("INBOX")).error().what, fault::kind::not_found);
    EXPECT_EQ(w.run(w.open().view(1)).error().what, fault::kind::not_found);
}

TEST(account, append_read_store_expunge)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    std::vector<new_message> one;
    one.push_back(w.message("Subject: hi\r\nFrom: a@b.c\r\n\r\nbody\r\n", {"\\Seen", "$Label"}, "Delivered-To: x\r\n"));
    auto const done = w.run(w.open().append(inbox, std::move(one)));
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->uids, (std::vector<store::uid>{1}));
    EXPECT_FALSE(done->already);
    EXPECT_EQ(w.picture(inbox, w.open()), "1:\\Seen,$Label");
    auto const view = *w.run(w.open().view(inbox));
    EXPECT_EQ(view->uid_validity(), done->uid_validity);
    auto const e = view->at(0);
    EXPECT_EQ(e.internal_date.zone_minutes, 60);
    auto const records = w.run(w.open().emails(inbox, {e.email, e.email + 100}));
    ASSERT_TRUE(records) << why(records);
    ASSERT_EQ(records->size(), 2U);
    EXPECT_EQ((*records)[1], nullptr);
    auto const& r = (*records)[0];
    ASSERT_NE(r, nullptr);
    EXPECT_EQ(r->size(), e.size);
    EXPECT_EQ(r->prefix(), "Delivered-To: x\r\n");
    EXPECT_EQ(r->summary().subject, "hi");
    EXPECT_FALSE(r->envelope_text().empty());
    EXPECT_EQ(r->summary().envelope_text, r->envelope_text());
    std::string const whole = "Delivered-To: x\r\nSubject: hi\r\nFrom: a@b.c\r\n\r\nbody\r\n";
    for (std::size_t from = 0; from <= whole.size() + 1; ++from) {
        auto const part = w.run(w.open().read(r, from, 9));
        ASSERT_TRUE(part) << why(part);
        EXPECT_EQ(*part, from < whole.size() ? whole.substr(from, 9) : "");
    }
    auto const changed = w.run(w.open().change_flags(inbox, {{1, 9}}, flags(flag_operation::replace, {"\\Deleted"})));
    ASSERT_TRUE(changed) << why(changed);
    EXPECT_EQ(changed->changed, (std::vector<store::uid>{1}));
    EXPECT_EQ(w.picture(inbox, w.open()), "1:\\Deleted");
    EXPECT_GT(changed->after->highest_modseq(), view->highest_modseq());
    auto const gone = w.run(w.open().expunge(inbox, std::nullopt));
    ASSERT_TRUE(gone) << why(gone);
    EXPECT_EQ(*gone, (std::vector<store::uid>{1}));
    EXPECT_EQ(w.picture(inbox, w.open()), "");
    EXPECT_EQ(view->size(), 1U) << "an old picture stays as it was";
    EXPECT_EQ(view->names(view->at(0).flags), (std::vector<std::string>{"\\Seen", "$Label"}));
    EXPECT_EQ(w.rows_of("E"), 0U);
    expect_sound(w);
    EXPECT_EQ(w.add(inbox), 2U) << "a UID is never used twice";
}

TEST(account, a_store_says_what_changed_and_what_was_too_new)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 3);
    auto const before = *w.run(w.open().view(inbox));
    auto first = w.run(w.open().change_flags(inbox, {{2, 2}}, flags(flag_operation::add, {"\\flagged"})));
    ASSERT_TRUE(first);
    auto conditional = flags(flag_operation::add, {"\\Flagged", "Work"});
    conditional.unchanged_since = before->highest_modseq();
    auto const second = w.run(w.open().change_flags(inbox, {{1, 3}}, conditional));
    ASSERT_TRUE(second) << why(second);
    EXPECT_EQ(second->changed, (std::vector<store::uid>{1, 3}));
    EXPECT_EQ(second->conflicts, (std::vector<store::uid>{2}));
    auto const third = w.run(w.open().change_flags(inbox, {{1, 3}}, flags(flag_operation::add, {"WORK"})));
    ASSERT_TRUE(third);
    EXPECT_EQ(third->changed, (std::vector<store::uid>{2}));
    EXPECT_EQ(third->unchanged, (std::vector<store::uid>{1, 3}));
    EXPECT_EQ(w.picture(inbox, w.open()), "1:\\Flagged,Work 2:\\Flagged,Work 3:\\Flagged,Work");
    std::vector<store::uid> since;
    third->after->changed_since(second->after->highest_modseq(), [&](std::uint32_t p) { since.push_back(third->after->uid_at(p)); });
    EXPECT_EQ(since, (std::vector<store::uid>{2}));
    expect_sound(w);
}

TEST(account, ten_thousand_flags_are_one_log_row)
{
    world w;
    w.options.fold_rows = 1'000'000;
    w.restart();
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 10'000);
    w.record = true;
    auto const done = w.run(w.open().change_flags(inbox, {{1, 10'000}}, flags(flag_operation::add, {"\\Seen"})));
    w.record = false;
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->changed.size(), 10'000U);
    ASSERT_EQ(w.seen.size(), 1U);
    std::size_t logs = 0;
    for (auto const& r : w.seen[0].rows) logs += r.key.starts_with("L") ? 1 : 0;
    EXPECT_EQ(logs, 1U);
    EXPECT_LE(w.seen[0].rows.size(), 4U) << "log, tally, history, head";
    EXPECT_EQ(w.run(w.open().counts(inbox))->unseen, 0U);
    w.seen.clear();
    w.record = true;
    auto const gone = w.run(w.open().expunge(inbox, uid_set{{1, 10'000}}, true));
    ASSERT_TRUE(gone) << why(gone);
    EXPECT_EQ(gone->size(), 10'000U);
    ASSERT_FALSE(w.seen.empty());
    EXPECT_LE(w.seen[0].rows.size(), 5U) << "the messages' own rows go in slices afterwards";
    w.record = false;
    expect_sound(w);
    EXPECT_EQ(w.rows_of("T"), 0U);
}

TEST(account, copy_shares_the_email_and_the_quota_counts_it_once)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const work = w.box("Work");
    w.add(inbox, "one", {"\\Flagged", "A"});
    w.add(inbox, "two", {"B"});
    auto const used = w.run(w.open().get_quota())->used_octets;
    auto const done = w.run(w.open().copy(inbox, {{1, 2}}, work));
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->from, (std::vector<store::uid>{1, 2}));
    EXPECT_EQ(done->to, (std::vector<store::uid>{1, 2}));
    EXPECT_EQ(w.picture(work, w.open()), "1:\\Flagged,A 2:B");
    EXPECT_EQ(w.run(w.open().get_quota())->used_octets, used);
    auto const a = *w.run(w.open().view(inbox));
    auto const b = *w.run(w.open().view(work));
    EXPECT_EQ(a->at(0).email, b->at(0).email);
    ASSERT_TRUE(w.run(w.open().copy(work, {{2, 2}}, work)));
    expect_sound(w);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 2}}, true)));
    EXPECT_EQ(w.rows_of("E"), 2U);
    ASSERT_TRUE(w.run(w.open().expunge(work, uid_set{{1, 1}}, true)));
    EXPECT_EQ(w.rows_of("E"), 1U);
    ASSERT_TRUE(w.run(w.open().expunge(work, uid_set{{2, 2}}, true)));
    EXPECT_EQ(w.rows_of("E"), 1U) << "its second copy in the same mailbox keeps it";
    expect_sound(w);
    ASSERT_TRUE(w.run(w.open().expunge(work, uid_set{{3, 3}}, true)));
    EXPECT_EQ(w.rows_of("E"), 0U);
    expect_sound(w);
}

TEST(account, move_is_one_commit)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const work = w.box("Work");
    w.add_many(inbox, 5);
    w.seen.clear();
    w.record = true;
    auto const done = w.run(w.open().move(inbox, {{2, 3}, {9, 9}}, work));
    w.record = false;
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->from, (std::vector<store::uid>{2, 3}));
    EXPECT_EQ(w.seen.size(), 1U);
    EXPECT_EQ(w.uids(inbox), (std::vector<store::uid>{1, 4, 5}));
    EXPECT_EQ(w.uids(work), (std::vector<store::uid>{1, 2}));
    auto const same = w.run(w.open().move(work, {{1, 1}}, work));
    ASSERT_TRUE(same) << why(same);
    EXPECT_EQ(w.uids(work), (std::vector<store::uid>{2, 3}));
    expect_sound(w);
}

TEST(account, large_copy_and_move_are_shown_at_once)
{
    world w;
    w.options.slice_messages = 7;
    w.restart();
    w.make();
    auto const inbox = w.box("INBOX");
    auto const work = w.box("Work");
    w.add_many(inbox, 40);
    auto const copied = w.run(w.open().copy(inbox, {{1, 40}}, work));
    ASSERT_TRUE(copied) << why(copied);
    EXPECT_EQ(copied->to.size(), 40U);
    EXPECT_EQ(w.uids(work).size(), 40U);
    expect_sound(w);
    auto const moved = w.run(w.open().move(inbox, {{1, 30}}, work));
    ASSERT_TRUE(moved) << why(moved);
    EXPECT_EQ(w.uids(work).size(), 70U);
    EXPECT_EQ(w.uids(inbox).size(), 10U);
    expect_sound(w);
    EXPECT_EQ(w.rows_of("E"), 40U);
}

TEST(account, a_delivery_id_counts_once)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const deliver = [&](std::string id) {
        std::vector<new_message> one;
        one.push_back(w.letter("x", "x"));
        return w.run(w.open_server().append(inbox, std::move(one), id));
    };
    auto const first = deliver("q1/anna");
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->already);
    auto const second = deliver("q1/anna");
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->already);
    EXPECT_EQ(second->uids, first->uids);
    w.restart();
    EXPECT_TRUE(deliver("q1/anna")->already);
    EXPECT_FALSE(deliver("q2/anna")->already);
    EXPECT_EQ(w.uids(inbox).size(), 2U);
    w.clock.advance(std::chrono::hours{24 * 31});
    ASSERT_TRUE(deliver("q3/anna"));
    w.settle();
    w.clock.advance(std::chrono::hours{1});
    ASSERT_TRUE(deliver("q4/anna"));
    w.settle();
    EXPECT_EQ(w.rows_of("D"), 2U) << "ids older than 30 days are swept";
}

TEST(account, delivery_to_a_closed_mailbox_reads_no_index)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 200);
    w.restart();
    w.record = true;
    w.seen.clear();
    w.add(inbox, "new");
    w.record = false;
    ASSERT_EQ(w.seen.size(), 1U);
    EXPECT_LE(w.seen[0].rows.size(), 8U);
    EXPECT_EQ(w.uids(inbox).size(), 201U);
    expect_sound(w);
}

TEST(account, quota_is_checked_before_the_commit)
{
    world w;
    w.make(anna, 500);
    auto const inbox = w.box("INBOX");
    w.add(inbox);
    std::vector<new_message> big;
    big.push_back(w.letter("big", "big", "", 600));
    auto const refused = w.run(w.open().append(inbox, std::move(big)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, fault::kind::over_limit);
    EXPECT_EQ(w.uids(inbox).size(), 1U);
    EXPECT_EQ(w.run(w.open().set_quota(5000)).error().what, fault::kind::refused);
    ASSERT_TRUE(w.run(w.open_server().set_quota(5000)));
    std::vector<new_message> again;
    again.push_back(w.letter("big", "big", "", 600));
    EXPECT_TRUE(w.run(w.open().append(inbox, std::move(again))));
    EXPECT_EQ(w.run(w.open().get_quota())->limit_octets, 5000U);
    expect_sound(w);
}

TEST(account, names_create_rename_delete)
{
    world w;
    w.make(anna, 0, false);
    auto me = w.open();
    ASSERT_TRUE(w.run(me.create_mailbox("a/b/c")));
    EXPECT_EQ(w.run(me.create_mailbox("A/b")).value().name, "A/b") << "names are case-sensitive, but for INBOX";
    EXPECT_EQ(w.run(me.create_mailbox("a/b")).error().detail, "already_exists");
    EXPECT_EQ(w.run(me.create_mailbox("inbox")).error().detail, "already_exists");
    EXPECT_EQ(w.run(me.delete_mailbox("a/b")).error().detail, "has_children");
    EXPECT_EQ(w.run(me.delete_mailbox("inbox")).error().detail, "cannot");
    EXPECT_EQ(w.run(me.delete_mailbox("zz")).error().what, fault::kind::not_found);
    auto const c = w.box("a/b/c");
    w.add(c, "kept");
    ASSERT_TRUE(w.run(me.rename_mailbox("a", "x/y")));
    EXPECT_EQ(names_of(*w.run(me.list_mailboxes())), (std::vector<std::string>{"A", "A/b", "INBOX", "x", "x/y", "x/y/b", "x/y/b/c"}));
    EXPECT_EQ(w.box("x/y/b/c"), c);
    EXPECT_EQ(w.uids(c).size(), 1U);
    EXPECT_EQ(w.run(me.rename_mailbox("x", "x/z")).error().detail, "cannot");
    EXPECT_EQ(w.run(me.rename_mailbox("x", "A")).error().detail, "already_exists");
    auto const old = *w.run(me.find_mailbox("x/y/b/c"));
    ASSERT_TRUE(w.run(me.delete_mailbox("x/y/b/c")));
    EXPECT_EQ(w.rows_of("E"), 0U);
    auto const fresh = *w.run(me.create_mailbox("x/y/b/c"));
    EXPECT_GT(fresh.uid_validity, old.uid_validity);
    EXPECT_EQ(w.run(me.view(c)).error().what, fault::kind::not_found);
    expect_sound(w);
    EXPECT_EQ(names_of(*w.run(w.open().list_mailboxes())), (std::vector<std::string>{"A", "A/b", "INBOX", "x", "x/y", "x/y/b", "x/y/b/c"}));
}

TEST(account, renaming_inbox_moves_its_messages)
{
    world w;
    w.make(anna, 0, false);
    auto me = w.open();
    auto const inbox = w.box("INBOX");
    static_cast<void>(w.box("INBOX/below"));
    w.add_many(inbox, 3);
    ASSERT_TRUE(w.run(me.rename_mailbox("Inbox", "old")));
    EXPECT_EQ(names_of(*w.run(me.list_mailboxes())), (std::vector<std::string>{"INBOX", "INBOX/below", "old"}));
    EXPECT_TRUE(w.uids(inbox).empty());
    EXPECT_EQ(w.uids(w.box("old")).size(), 3U);
    expect_sound(w);
}

TEST(account, subscriptions_outlive_their_mailbox)
{
    world w;
    w.make(anna, 0, false);
    auto me = w.open();
    static_cast<void>(w.box("a"));
    ASSERT_TRUE(w.run(me.subscribe_mailbox("a", true)));
    ASSERT_TRUE(w.run(me.delete_mailbox("a")));
    EXPECT_EQ(*w.run(me.subscriptions()), (std::vector<std::string>{"INBOX", "a"}));
    EXPECT_EQ(w.run(me.subscribe_mailbox("b", true)).error().what, fault::kind::not_found);
    w.restart();
    EXPECT_EQ(*w.run(w.open().subscriptions()), (std::vector<std::string>{"INBOX", "a"}));
    ASSERT_TRUE(w.run(w.open().subscribe_mailbox("a", false)));
    EXPECT_EQ(*w.run(w.open().subscriptions()), (std::vector<std::string>{"INBOX"}));
}

TEST(account, recent_is_claimed_once)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 3);
    EXPECT_EQ(*w.run(w.open().claim_recent(inbox, false)), 1U);
    EXPECT_EQ(*w.run(w.open().claim_recent(inbox, true)), 1U);
    EXPECT_EQ(*w.run(w.open().claim_recent(inbox, true)), 4U);
    w.add(inbox);
    EXPECT_EQ(*w.run(w.open().claim_recent(inbox, true)), 4U);
}

TEST(account, watchers_wake_once_for_many_changes)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const other = w.box("Sent");
    int woken = 0, listed = 0;
    auto held = w.run(w.open().watch(inbox, [&] { ++woken; }));
    auto list = w.run(w.open().watch(0, [&] { ++listed; }));
    ASSERT_TRUE(held && list);
    w.add(inbox);
    w.settle();
    EXPECT_EQ(woken, 1);
    w.add(other);
    w.settle();
    EXPECT_EQ(woken, 1);
    static_cast<void>(w.box("fresh"));
    w.settle();
    EXPECT_GE(listed, 1);
    held->reset();
    w.add(inbox);
    w.settle();
    EXPECT_EQ(woken, 1);
    EXPECT_EQ(w.run(w.open().watch(999, [] {})).error().what, fault::kind::not_found);
}

TEST(account, threads_follow_references_with_the_same_subject)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const put = [&](std::string subject, std::string id, std::string refs) {
        std::vector<new_message> one;
        one.push_back(w.letter(subject, id, refs));
        auto const done = w.run(w.open().append(inbox, std::move(one)));
        EXPECT_TRUE(done);
        auto const v = *w.run(w.open().view(inbox));
        auto const e = *w.run(w.open().emails(inbox, {v->at(v->size() - 1).email}));
        return e[0]->thread();
    };
    auto const a = put("plan", "a", "");
    EXPECT_EQ(put("Re: plan", "b", "a"), a);
    EXPECT_NE(put("other", "c", "a"), a);
    EXPECT_EQ(put("Re: plan", "d", "b"), a);
    EXPECT_EQ(put("plan", "e", "zz"), put("Re: plan", "f", "zz")) << "siblings of one that never came";
    // The first goes; its thread still knows it.
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 1}}, true)));
    EXPECT_EQ(put("Re: plan", "g", "a"), a);
    expect_sound(w);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 99}}, true)));
    expect_sound(w);
    EXPECT_EQ(w.rows_of("T") + w.rows_of("Q"), 0U);
}

TEST(account, removal_takes_everything)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 300);
    ASSERT_TRUE(w.run(w.service->remove(anna)));
    EXPECT_EQ(w.rows_of(""), 0U);
    EXPECT_EQ(w.run(w.open().find_mailbox("INBOX")).error().what, fault::kind::not_found);
    EXPECT_TRUE(w.run(w.service->remove(anna)));
}

TEST(account, after_stop_it_says_try_later)
{
    world w;
    w.make();
    w.run(w.service->stop());
    EXPECT_EQ(w.run(w.open().find_mailbox("INBOX")).error().what, fault::kind::try_later);
}
