// What an account keeps for POP3: names that stay, dates of first fetches, the time of the last sign-in.
#include <gtest/gtest.h>

#include "account_support.hpp"
#include "store/keys.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
std::vector<std::string> names(world& w, mailbox_id m)
{
    auto const marks = w.run(w.open().pop3_open(m));
    EXPECT_TRUE(marks);
    auto const view = w.run(w.open().view(m)).value();
    std::vector<std::string> all;
    for (std::uint32_t i = 0; i < view->size(); ++i) all.push_back(marks->unique_id(view->at(i)));
    return all;
}
/// The account as a version made it that knew no rows U.
void make_old(world& w)
{
    change c;
    c.where = partition_id{partition_kind::account, anna};
    c.id = change_id::make(w.random);
    c.rows.push_back({keys::pop3(), std::nullopt});
    ASSERT_TRUE(w.run(w.storage->commit(std::move(c))));
    w.crash();  // what is in memory does not know of this commit
}
std::vector<email_id> emails_of(world& w, mailbox_id m)
{
    auto const view = w.run(w.open().view(m)).value();
    std::vector<email_id> all;
    for (std::uint32_t i = 0; i < view->size(); ++i) all.push_back(view->at(i).email);
    return all;
}
}  // namespace

TEST(pop3_marks, names_stay_with_the_message)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 3);
    auto const before = names(w, inbox);
    EXPECT_EQ(before, (std::vector<std::string>{"m.1", "m.2", "m.3"}));
    w.restart();
    EXPECT_EQ(names(w, inbox), before);
    w.crash();
    EXPECT_EQ(names(w, inbox), before);
    // RENAME of INBOX moves its messages; they come back with other UIDs and their old names.
    ASSERT_TRUE(w.run(w.open().rename_mailbox("INBOX", "Old")));
    EXPECT_TRUE(names(w, inbox).empty());
    w.add(inbox);
    auto const old = w.box("Old");
    ASSERT_TRUE(w.run(w.open().move(old, uid_set{{1, 9}}, inbox)));
    EXPECT_EQ(names(w, inbox), (std::vector<std::string>{"m.4", "m.1", "m.2", "m.3"}));
    expect_sound(w);
}

TEST(pop3_marks, an_older_account_keeps_the_names_it_gave)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 2);
    make_old(w);
    auto const validity = std::to_string(w.run(w.open().view(inbox)).value()->uid_validity());
    std::vector<std::string> const seen{validity + ".1", validity + ".2"};
    EXPECT_EQ(names(w, inbox), seen);
    w.add(inbox);
    w.restart();
    EXPECT_EQ(names(w, inbox), (std::vector<std::string>{seen[0], seen[1], "m.3"}));
}

TEST(pop3_marks, an_import_brings_names_along)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    std::vector<new_message> some;
    for (auto const& id : std::vector<std::string>{"0000002a4f5e", "m.7", "with blank", "", std::string(71, 'x'), std::string(70, 'x')}) {
        some.push_back(w.letter("s", "<" + std::to_string(some.size()) + "@x>"));
        some.back().pop3_id = id;
    }
    ASSERT_TRUE(w.run(w.open().append(inbox, std::move(some))));
    std::vector<std::string> const want{"0000002a4f5e", "m.2", "m.3", "m.4", "m.5", std::string(70, 'x')};
    EXPECT_EQ(names(w, inbox), want);
    w.restart();
    EXPECT_EQ(names(w, inbox), want);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, std::nullopt, true)));
    w.settle();
    EXPECT_EQ(w.rows_of("U"), 1U);  // what was known of them went with them
    expect_sound(w);
}

TEST(pop3_marks, the_first_fetch_counts_and_is_kept)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 3);
    auto const all = emails_of(w, inbox);
    ASSERT_TRUE(w.run(w.open().pop3_fetched(inbox, {all[0], all[2]})));
    auto const first = w.run(w.open().pop3_open(inbox)).value();
    w.clock.advance(std::chrono::hours{24});
    ASSERT_TRUE(w.run(w.open().pop3_fetched(inbox, all)));
    w.crash();
    auto const later = w.run(w.open().pop3_open(inbox)).value();
    ASSERT_EQ(later.marks.size(), 3U);
    EXPECT_EQ(later.find(all[0])->fetched, first.find(all[0])->fetched);
    EXPECT_EQ(later.find(all[1])->fetched, first.find(all[0])->fetched + 86'400);
    // An email that is gone gets no row; who may only read starts no clock.
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 1}}, true)));
    ASSERT_TRUE(w.run(w.open().pop3_fetched(inbox, {all[0], 999})));
    EXPECT_EQ(w.rows_of("U"), 3U);
    auto const reader = w.open_as(anna, anna, static_cast<rights>(static_cast<rights>(right::lookup) | static_cast<rights>(right::read)));
    EXPECT_EQ(w.run(reader.pop3_fetched(inbox, all)).error().what, fault::kind::refused);
    // RENAME of INBOX leaves the dates with the messages.
    ASSERT_TRUE(w.run(w.open().rename_mailbox("INBOX", "Old")));
    EXPECT_EQ(w.run(w.open().pop3_open(w.box("Old"))).value().find(all[1])->fetched, later.find(all[1])->fetched);
    expect_sound(w);
}

TEST(pop3_marks, sign_ins_keep_their_distance)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    ASSERT_TRUE(w.run(w.open().pop3_open(inbox, 60)));
    w.clock.advance(std::chrono::seconds{59});
    w.crash();  // it is written down
    auto const early = w.run(w.open().pop3_open(inbox, 60));
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().detail, "login_delay");
    EXPECT_TRUE(w.run(w.open().pop3_open(inbox)));  // a look is no sign-in
    w.clock.advance(std::chrono::seconds{1});
    EXPECT_TRUE(w.run(w.open().pop3_open(inbox, 60)));
    w.clock.jump_wall(std::chrono::hours{-5});  // a clock set back locks nobody out
    EXPECT_TRUE(w.run(w.open().pop3_open(inbox, 60)));
}

TEST(pop3_marks, a_commit_that_fails_notes_nothing)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 2);
    auto const all = emails_of(w, inbox);
    w.faults.fail = [](change const&) { return true; };
    EXPECT_FALSE(w.run(w.open().pop3_fetched(inbox, all)));
    w.faults.fail = nullptr;
    w.clock.advance(std::chrono::seconds{30});
    EXPECT_TRUE(w.run(w.open().pop3_open(inbox)).value().marks.empty());
}
