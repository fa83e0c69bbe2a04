// The authorisation gate: each call with each right taken away, and nobody learns of what he may not look up (trust.md I8).
#include <gtest/gtest.h>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

constexpr rights bit(right r) { return static_cast<rights>(r); }
constexpr rights operator|(right a, right b) { return static_cast<rights>(bit(a) | bit(b)); }

template <class T> std::optional<fault> outcome(result<T> const& r) { return r ? std::nullopt : std::optional<fault>{r.error()}; }

flag_change adding(std::string flag)
{
    flag_change c;
    c.names = {std::move(flag)};
    return c;
}

struct scene {
    world w;
    mailbox_id shared = 0, other = 0;
    email_record_ptr record;
    email_id email = 0;
    scene()
    {
        w.make();
        w.make(bert);
        w.make(cora);
        shared = w.box("Shared");
        other = w.box("Other");
        w.add(shared, "one", {"\\Deleted"});
        w.add(shared, "two");
        w.add(other, "three");
        auto const v = *w.run(w.open().view(shared));
        email = v->at(0).email;
        grant(other, all_rights);
    }
    void grant(mailbox_id m, rights r) { ASSERT_TRUE(w.run(w.open().set_acl(m, bert, r))); }
    std::vector<new_message> letter()
    {
        std::vector<new_message> one;
        one.push_back(w.letter("x", "x"));
        return one;
    }
};

struct gated_call {
    std::string_view name;
    rights needed;  ///< besides lookup
    std::function<std::optional<fault>(scene&, account_ref, mailbox_id, std::string const&)> make;
};

std::vector<gated_call> const& calls()
{
    static std::vector<gated_call> const all{
        {"find", 0, [](scene& s, account_ref a, mailbox_id, std::string const& n) { return outcome(s.w.run(a.find_mailbox(n))); }},
        {"subscribe", 0, [](scene& s, account_ref a, mailbox_id, std::string const& n) { return outcome(s.w.run(a.subscribe_mailbox(n, true))); }},
        {"watch", 0, [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.watch(m, [] {}))); }},
        {"my_rights", 0, [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.my_rights(m))); }},
        {"view", bit(right::read), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.view(m))); }},
        {"counts", bit(right::read), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.counts(m))); }},
        {"claim_recent", bit(right::read),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.claim_recent(m, false))); }},
        {"vanished_since", bit(right::read),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.vanished_since(m, 0))); }},
        {"emails", bit(right::read), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.emails(m, {s.email}))); }},
        {"append", bit(right::insert), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.append(m, s.letter()))); }},
        {"store seen", bit(right::keep_seen),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.change_flags(m, {{1, 9}}, adding("\\Seen")))); }},
        {"store deleted", bit(right::delete_message),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.change_flags(m, {{1, 9}}, adding("\\Deleted")))); }},
        {"store flagged", bit(right::write),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.change_flags(m, {{1, 9}}, adding("\\Flagged")))); }},
        {"store keyword", bit(right::write),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.change_flags(m, {{1, 9}}, adding("work")))); }},
        {"expunge", bit(right::expunge),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.expunge(m, std::nullopt))); }},
        {"remove", right::expunge | right::delete_message,
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.expunge(m, uid_set{{2, 2}}, true))); }},
        {"copy from", bit(right::read),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.copy(m, {{1, 9}}, s.other))); }},
        {"copy to", bit(right::insert),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.copy(s.other, {{1, 9}}, m))); }},
        {"move from", static_cast<rights>((right::read | right::delete_message) | bit(right::expunge)),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.move(m, {{2, 2}}, s.other))); }},
        {"move to", bit(right::insert),
         [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.move(s.other, {{1, 9}}, m))); }},
        {"get_acl", bit(right::administer), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.get_acl(m))); }},
        {"set_acl", bit(right::administer), [](scene& s, account_ref a, mailbox_id m, std::string const&) { return outcome(s.w.run(a.set_acl(m, cora, 1))); }},
        {"create below", bit(right::create),
         [](scene& s, account_ref a, mailbox_id, std::string const& n) { return outcome(s.w.run(a.create_mailbox(n + "/x/y"))); }},
        {"rename", bit(right::remove_mailbox),
         [](scene& s, account_ref a, mailbox_id, std::string const& n) { return outcome(s.w.run(a.rename_mailbox(n, "Other/moved"))); }},
        {"delete", bit(right::remove_mailbox), [](scene& s, account_ref a, mailbox_id, std::string const& n) { return outcome(s.w.run(a.delete_mailbox(n))); }},
    };
    return all;
}

bool same(fault const& a, fault const& b) { return a.what == b.what && a.say == b.say && a.detail == b.detail; }

}  // namespace

TEST(account_rights, each_call_needs_its_rights_and_no_other)
{
    for (auto const& call : calls()) {
        SCOPED_TRACE(std::string{call.name});
        // Just enough: it is done.
        {
            scene s;
            s.grant(s.shared, static_cast<rights>(bit(right::lookup) | call.needed));
            auto const wrong = call.make(s, s.w.open_as(anna, bert), s.shared, "Shared");
            EXPECT_FALSE(wrong) << base::describe(*wrong);
        }
        // Everything but one of them: refused, or without `lookup` not there.
        for (unsigned i = 0; i < 11; ++i) {
            auto const without = static_cast<right>(1U << i);
            bool const lookup = without == right::lookup;
            scene s;
            auto const before = s.w.picture(s.shared, s.w.open());
            s.grant(s.shared, static_cast<rights>(all_rights & ~bit(without)));
            auto const wrong = call.make(s, s.w.open_as(anna, bert), s.shared, "Shared");
            // Without `lookup` and without the mailbox: nobody can tell which.
            auto const absent = call.make(s, s.w.open_as(anna, bert), 9999, "Nothing");
            ASSERT_TRUE(absent);
            EXPECT_EQ(absent->what, fault::kind::not_found);
            if (!lookup && !has(call.needed, without)) {
                EXPECT_FALSE(wrong) << rights_text(bit(without)) << ": " << (wrong ? base::describe(*wrong) : "");
                continue;
            }
            ASSERT_TRUE(wrong) << "without " << rights_text(bit(without));
            if (lookup)
                EXPECT_TRUE(same(*wrong, *absent)) << base::describe(*wrong) << " / " << base::describe(*absent);
            else
                EXPECT_EQ(wrong->what, fault::kind::refused);
            EXPECT_EQ(s.w.picture(s.shared, s.w.open()), before);
        }
    }
}

TEST(account_rights, a_credential_narrows_the_owner_too)
{
    for (auto const& call : calls()) {
        if (call.name == "create below" || call.name == "rename") continue;  // their target is another mailbox
        SCOPED_TRACE(std::string{call.name});
        for (unsigned i = 0; i < 11; ++i) {
            auto const without = static_cast<right>(1U << i);
            if (without == right::lookup || !has(call.needed, without)) continue;
            scene s;
            auto const wrong = call.make(s, s.w.open_as(anna, anna, static_cast<rights>(all_rights & ~bit(without))), s.shared, "Shared");
            ASSERT_TRUE(wrong);
            EXPECT_EQ(wrong->what, fault::kind::refused);
        }
    }
    scene s;
    auto const reader = s.w.open_as(anna, anna, static_cast<rights>(right::lookup | right::read));
    EXPECT_EQ(s.w.run(reader.create_mailbox("new")).error().what, fault::kind::refused);
    EXPECT_TRUE(s.w.run(reader.view(s.shared)));
}

TEST(catalogue, I8_a_stranger_cannot_tell_hidden_from_absent)
{
    scene s;
    s.w.make(bert);
    for (auto const& call : calls()) {
        if (call.name == "copy to" || call.name == "move to" || call.name == "copy from" || call.name == "move from") continue;
        SCOPED_TRACE(std::string{call.name});
        auto const stranger = s.w.open_as(anna, cora);
        auto const hidden = call.make(s, stranger, s.shared, "Shared");
        auto const absent = call.make(s, stranger, 9999, "Nothing");
        auto const nowhere = call.make(s, s.w.open_as(777, cora), s.shared, "Shared");
        ASSERT_TRUE(hidden && absent && nowhere);
        EXPECT_TRUE(same(*hidden, *absent)) << base::describe(*hidden) << " / " << base::describe(*absent);
        EXPECT_TRUE(same(*hidden, *nowhere)) << base::describe(*hidden) << " / " << base::describe(*nowhere);
    }
    EXPECT_TRUE(s.w.run(s.w.open_as(anna, cora).list_mailboxes())->empty());
    EXPECT_TRUE(s.w.run(s.w.open_as(777, cora).list_mailboxes())->empty());
    EXPECT_EQ(s.w.run(s.w.open_as(anna, cora).get_quota()).error().what, fault::kind::not_found);
}

TEST(catalogue, I8_an_email_is_read_only_through_a_mailbox_that_holds_it)
{
    scene s;
    auto const secret = s.w.box("Secret");
    s.w.add(secret, "hidden");
    auto const mine = *s.w.run(s.w.open().view(secret));
    auto const id = mine->at(0).email;
    auto const own = *s.w.run(s.w.open().emails(secret, {id}));
    ASSERT_NE(own[0], nullptr);
    auto const guest = s.w.open_as(anna, bert);
    EXPECT_EQ((*s.w.run(guest.emails(s.other, {id})))[0], nullptr);
    EXPECT_EQ(s.w.run(guest.read(own[0], 0, 10)).error().what, fault::kind::not_found);
    ASSERT_TRUE(s.w.run(s.w.open().copy(secret, {{1, 1}}, s.other)));
    auto const shared = *s.w.run(guest.emails(s.other, {id}));
    ASSERT_NE(shared[0], nullptr);
    EXPECT_TRUE(s.w.run(guest.read(shared[0], 0, 10)));
    // The right taken away: what was given out before opens nothing.
    s.grant(s.other, 0);
    EXPECT_EQ(s.w.run(guest.read(shared[0], 0, 10)).error().what, fault::kind::not_found);
    // Another account's record opens nothing here.
    s.w.make(bert);
    EXPECT_EQ(s.w.run(s.w.open(bert).read(own[0], 0, 10)).error().what, fault::kind::not_found);
}

TEST(account_rights, a_guest_sees_only_what_he_may_look_up)
{
    scene s;
    static_cast<void>(s.w.box("Other/child"));
    auto const hidden = s.w.box("Other/hidden");
    s.grant(hidden, 0);
    auto const list = *s.w.run(s.w.open_as(anna, bert).list_mailboxes());
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].name, "Other");
    EXPECT_TRUE(list[0].has_children);
    EXPECT_EQ(list[1].name, "Other/child");
    EXPECT_EQ(list[0].my_rights, all_rights);
    EXPECT_EQ(s.w.run(s.w.open_as(anna, bert).create_mailbox("Other/hidden")).error().detail, "cannot");
    EXPECT_EQ(s.w.run(s.w.open().set_acl(s.other, anna, 0)).error().what, fault::kind::refused);
}

TEST(account_rights, a_guests_seen_is_his_own)
{
    scene s;
    auto const guest = s.w.open_as(anna, bert);
    s.w.add_many(s.other, 4);
    EXPECT_EQ(s.w.run(guest.counts(s.other))->unseen, 5U);
    auto const before = s.w.run(guest.counts(s.other))->highest_modseq;
    auto const done = s.w.run(guest.change_flags(s.other, {{2, 3}}, adding("\\Seen")));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->changed, (std::vector<store::uid>{2, 3}));
    EXPECT_EQ(s.w.picture(s.other, guest), "1: 2:\\Seen 3:\\Seen 4: 5:");
    EXPECT_EQ(s.w.picture(s.other, s.w.open()), "1: 2: 3: 4: 5:");
    EXPECT_GT(s.w.run(guest.counts(s.other))->highest_modseq, before);
    std::vector<store::uid> since;
    done->after->changed_since(before, [&](std::uint32_t p) { since.push_back(done->after->uid_at(p)); });
    EXPECT_EQ(since, (std::vector<store::uid>{2, 3}));
    flag_change both;
    both.names = {"\\Seen", "\\Flagged"};
    ASSERT_TRUE(s.w.run(guest.change_flags(s.other, {{3, 4}}, both)));
    EXPECT_EQ(s.w.picture(s.other, s.w.open()), "1: 2: 3:\\Flagged 4:\\Flagged 5:");
    EXPECT_EQ(s.w.run(guest.counts(s.other))->unseen, 2U);
    ASSERT_TRUE(s.w.run(s.w.open().change_flags(s.other, {{1, 1}}, adding("\\Seen"))));
    EXPECT_EQ(s.w.run(guest.counts(s.other))->unseen, 2U);
    ASSERT_TRUE(s.w.run(s.w.open().expunge(s.other, uid_set{{2, 2}}, true)));
    EXPECT_EQ(s.w.run(guest.counts(s.other))->unseen, 2U);
    EXPECT_EQ(s.w.run(guest.counts(s.other))->messages, 4U);
    auto const copied = s.w.run(guest.copy(s.other, {{3, 5}}, s.other));
    ASSERT_TRUE(copied);
    EXPECT_EQ(s.w.picture(s.other, guest), "1: 3:\\Flagged,\\Seen 4:\\Flagged,\\Seen 5: 6:\\Flagged,\\Seen 7:\\Flagged,\\Seen 8:");
    EXPECT_EQ(s.w.picture(s.other, s.w.open()), "1:\\Seen 3:\\Flagged 4:\\Flagged 5: 6:\\Flagged 7:\\Flagged 8:");
    auto const picture = s.w.picture(s.other, guest);
    expect_sound(s.w);
    EXPECT_EQ(s.w.picture(s.other, s.w.open_as(anna, bert)), picture);
    flag_change none;
    none.how = flag_operation::replace;
    ASSERT_TRUE(s.w.run(s.w.open_as(anna, bert).change_flags(s.other, {{1, 99}}, none)));
    EXPECT_EQ(s.w.picture(s.other, s.w.open_as(anna, bert)), "1: 3: 4: 5: 6: 7: 8:");
    EXPECT_EQ(s.w.picture(s.other, s.w.open()), "1:\\Seen 3: 4: 5: 6: 7: 8:");
}

TEST(account_rights, flags_that_one_may_not_set_are_left_out)
{
    scene s;
    s.grant(s.shared, static_cast<rights>((right::lookup | right::read) | (right::insert | right::delete_message)));
    auto const guest = s.w.open_as(anna, bert);
    flag_change c;
    c.names = {"\\Deleted", "\\Flagged"};
    ASSERT_TRUE(s.w.run(guest.change_flags(s.shared, {{2, 2}}, c)));
    EXPECT_EQ(s.w.picture(s.shared, s.w.open()), "1:\\Deleted 2:\\Deleted");
    std::vector<new_message> one = s.letter();
    one[0].flags = {"\\Flagged", "\\Deleted", "kw"};
    ASSERT_TRUE(s.w.run(guest.append(s.shared, std::move(one))));
    EXPECT_EQ(s.w.picture(s.shared, s.w.open()), "1:\\Deleted 2:\\Deleted 3:\\Deleted");
    flag_change replace;
    replace.how = flag_operation::replace;
    ASSERT_TRUE(s.w.run(s.w.open().change_flags(s.shared, {{1, 1}}, adding("\\Flagged"))));
    ASSERT_TRUE(s.w.run(guest.change_flags(s.shared, {{1, 9}}, replace)));
    EXPECT_EQ(s.w.picture(s.shared, s.w.open()), "1:\\Flagged 2: 3:");
}
