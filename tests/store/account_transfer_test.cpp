// What an import may ask of an account: UIDVALIDITY and UIDs from elsewhere, and never one twice (trust.md D5).
#include <gtest/gtest.h>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
result<appended> append_as(world& w, account_ref const& to, mailbox_id m, store::uid u, delivery_id id = {})
{
    auto message = w.letter("s" + std::to_string(u), "id" + std::to_string(u));
    return w.run(to.append_as(m, u, std::move(message), std::move(id)));
}
}  // namespace

TEST(account_transfer, keeps_uidvalidity_and_uids_from_elsewhere)
{
    world w;
    w.make();
    auto const server = w.open_server();
    auto const inbox = w.box("INBOX");
    ASSERT_TRUE(w.run(server.adopt_uid_validity(inbox, 1700000000)));
    ASSERT_TRUE(w.run(server.adopt_uid_validity(inbox, 1700000000))) << "again is no change";
    ASSERT_EQ(append_as(w, server, inbox, 7)->uids, (std::vector<store::uid>{7}));
    ASSERT_EQ(append_as(w, server, inbox, 1000)->uid_validity, 1700000000U);
    EXPECT_EQ((*w.run(server.view(inbox)))->uid_validity(), 1700000000U);
    w.restart();
    EXPECT_EQ((*w.run(w.open_server().view(inbox)))->uid_validity(), 1700000000U);
    EXPECT_EQ(w.add(inbox), 1001U);
    EXPECT_EQ(w.uids(inbox), (std::vector<store::uid>{7, 1000, 1001}));
    EXPECT_EQ(w.run(w.open_server().adopt_uid_validity(w.box("Sent"), 0xFFFFFFFFU)).error().detail, "uid_validity") << "room for others";
    // New mailboxes go on above it.
    auto const made = w.run(w.open().create_mailbox("later"));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->uid_validity, 1700000001U);
    expect_sound(w);
}

TEST(account_transfer, never_uses_a_number_twice)
{
    world w;
    w.make();
    auto const server = w.open_server();
    auto const inbox = w.box("INBOX"), sent = w.box("Sent");
    ASSERT_TRUE(w.run(server.adopt_uid_validity(inbox, 500)));
    for (std::uint32_t const used : {1U, 3U, 499U, 500U}) {
        auto const no = w.run(server.adopt_uid_validity(sent, used));
        // Sent's own number is no change, any other is refused.
        if (!no) {
            EXPECT_EQ(no.error().detail, "uid_validity") << used;
        } else {
            EXPECT_EQ(w.run(server.find_mailbox("Sent"))->uid_validity, used);
        }
    }
    ASSERT_TRUE(append_as(w, server, inbox, 10));
    auto const again = append_as(w, server, inbox, 10);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().detail, "uid");
    // Also after the message has gone, and for a mailbox that was emptied.
    ASSERT_TRUE(w.run(server.expunge(inbox, std::nullopt, true)));
    EXPECT_FALSE(append_as(w, server, inbox, 10));
    EXPECT_EQ(w.run(server.adopt_uid_validity(inbox, 900)).error().detail, "not_fresh");
    EXPECT_TRUE(append_as(w, server, inbox, 11));
}

TEST(account_transfer, several_bring_the_same_uidvalidity_and_no_name_has_it_twice)
{
    world w;
    w.make();
    auto const server = w.open_server();
    auto const a = w.box("a"), b = w.box("b"), c = w.box("b/c");
    for (auto const m : {a, b, c}) ASSERT_TRUE(w.run(server.adopt_uid_validity(m, 1700000000)));
    ASSERT_TRUE(append_as(w, server, a, 7));
    ASSERT_TRUE(append_as(w, server, b, 7));
    // By deleting and making it again …
    ASSERT_TRUE(w.run(w.open().delete_mailbox("a")));
    auto const again = w.run(w.open().create_mailbox("a"));
    ASSERT_TRUE(again);
    EXPECT_EQ(w.run(server.adopt_uid_validity(again->id, 1700000000)).error().detail, "uid_validity");
    // … by giving its name to another …
    ASSERT_TRUE(w.run(w.open().delete_mailbox("a")));
    ASSERT_TRUE(w.run(w.open().rename_mailbox("b", "a")));
    EXPECT_GT(w.run(server.find_mailbox("a"))->uid_validity, 1700000000U);
    EXPECT_GT(w.run(server.find_mailbox("a/c"))->uid_validity, 1700000000U);
    EXPECT_EQ(w.uids(b), (std::vector<store::uid>{7}));
    // … or to one that never had messages.
    ASSERT_TRUE(w.run(w.open().rename_mailbox("a", "d")));
    ASSERT_TRUE(w.run(w.open().rename_mailbox("Archive", "a")));
    EXPECT_EQ(w.run(server.adopt_uid_validity(w.box("a"), 1700000000)).error().detail, "uid_validity");
    w.restart();
    EXPECT_GT(w.run(w.open_server().find_mailbox("d/c"))->uid_validity, 1700000000U);
    expect_sound(w);
}

TEST(account_transfer, goes_on_where_the_other_server_would_have)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    ASSERT_TRUE(w.run(w.open_server().raise_uid_next(inbox, 50)));
    ASSERT_TRUE(w.run(w.open_server().raise_uid_next(inbox, 20))) << "never lower";
    EXPECT_EQ((*w.run(w.open_server().view(inbox)))->uid_next(), 50U);
    w.restart();
    EXPECT_EQ(w.run(w.open_server().counts(inbox))->uid_next, 50U);
    EXPECT_EQ(w.add(inbox), 50U);
}

TEST(account_transfer, is_for_the_server_alone)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    EXPECT_EQ(w.run(w.open().adopt_uid_validity(inbox, 1000)).error().what, fault::kind::refused);
    EXPECT_EQ(append_as(w, w.open(), inbox, 5).error().what, fault::kind::refused);
    EXPECT_EQ(w.run(w.open().raise_uid_next(inbox, 5)).error().what, fault::kind::refused);
    EXPECT_EQ(w.run(w.open().delivered({"x"})).error().what, fault::kind::refused);
}

TEST(account_transfer, remembers_what_came)
{
    world w;
    w.make();
    auto const server = w.open_server();
    auto const inbox = w.box("INBOX");
    ASSERT_TRUE(append_as(w, server, inbox, 5, "import/a"));
    auto const again = append_as(w, server, inbox, 5, "import/a");
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->already);
    EXPECT_EQ(*w.run(server.delivered({"import/a", "import/b"})), (std::vector<bool>{true, false}));
    EXPECT_EQ(w.uids(inbox).size(), 1U);
}
