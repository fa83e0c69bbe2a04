// Imports over the transfer socket: what is kept, what is told, and that a number never means two messages (trust.md D5).
#include "rig.hpp"

using namespace mansio;
using namespace mansio::transfer;
using namespace mansio::transfer::test;
using strings = std::vector<std::string>;

namespace {
import_options into(std::string account, bool keep_uids = true)
{
    import_options o;
    o.account = std::move(account);
    o.keep_uids = keep_uids;
    return o;
}
std::vector<std::uint32_t> uids(mailbox_picture const& p)
{
    std::vector<std::uint32_t> out;
    for (auto const& [uid, m] : p) out.push_back(uid);
    return out;
}
strings sentences(std::vector<problem> const& all)
{
    strings out;
    for (auto const& p : all) out.push_back(p.folder + "|" + p.message + "|" + p.why);
    return out;
}
}  // namespace

TEST(importing, keeps_what_messages_and_mailboxes_have)
{
    rig r;
    r.make("anna");
    made_up there;
    auto& inbox = there.add("INBOX", 1'600'000'000, 30);
    made_up::put(inbox, 3, {"\\Seen", "$Junk"}, "Subject: a\r\n\r\n.\r\nFrom b\r\n");
    made_up::put(inbox, 17, {"\\Flagged"});
    auto& sent = there.add("Sent", 1'600'000'001, 1);
    sent.what.use = "\\Sent";
    sent.what.subscribed = true;
    there.add("Work/2026/May", 1'600'000'002, 5).what.subscribed = true;
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(report.imported, 2U);
    EXPECT_TRUE(report.complete());
    EXPECT_EQ(report.renumbered, 0U);
    EXPECT_EQ(sentences(report.notes), strings{});
    auto const want = mailbox_picture{{3, {{"$Junk", "\\Seen"}, 1'700'000'003, "Subject: a\r\n\r\n.\r\nFrom b\r\n"}},
                                      {17, {{"\\Flagged"}, 1'700'000'017, "Subject: INBOX 1\r\n\r\nbody\r\n"}}};
    EXPECT_EQ(r.picture("anna", "INBOX"), want);
    for (auto const& [name, validity, next] : {std::tuple{"INBOX", 1'600'000'000U, 30U}, {"Sent", 1'600'000'001U, 1U}, {"Work/2026/May", 1'600'000'002U, 5U}}) {
        auto const c = *r.run(r.open("anna").counts(r.run(r.open("anna").find_mailbox(name))->id));
        EXPECT_EQ(c.uid_validity, validity) << name;
        EXPECT_EQ(c.uid_next, next) << name;
    }
    auto const names = r.names("anna");
    EXPECT_TRUE(std::find(names.begin(), names.end(), "Sent\\Sent+") != names.end());
    EXPECT_TRUE(std::find(names.begin(), names.end(), "Work/2026/May+") != names.end());
    auto const again = r.import(there, into("anna"));
    EXPECT_EQ(again.imported, 0U);
    EXPECT_EQ(again.already, 2U);
}

TEST(importing, levels_above_take_no_uidvalidity_that_a_folder_brings)
{
    rig r;
    r.make("anna");
    made_up there;
    for (auto const* name : {"A/x", "B/y/z", "A"}) made_up::put(there.add(name, 100 + static_cast<std::uint32_t>(there.all.size()), 2), 1);
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(sentences(report.notes), strings{});
    EXPECT_EQ(report.imported, 3U);
    EXPECT_EQ(r.run(r.open("anna").find_mailbox("A"))->uid_validity, 102U);
}

TEST(importing, a_message_that_cannot_be_had_stops_nothing)
{
    rig r;
    r.make("anna");
    r.limits.message_size = 1000;
    made_up there;
    auto& f = there.add("INBOX", 1000, 9);
    made_up::put(f, 1);
    made_up::put(f, 2, {}, "unreadable");
    made_up::put(f, 3, {}, "Subject: x\r\n\r\n" + std::string(2000, 'x'));
    made_up::put(f, 4);
    there.add("\x01", 1001, 2);
    made_up::put(there.all.back(), 1);
    made_up::put(there.add("Later", 1002, 2), 1, {"a b", "fine"});
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(report.imported, 3U);
    EXPECT_EQ(report.skipped, 3U);
    EXPECT_FALSE(report.complete());
    ASSERT_EQ(report.problems.size(), 3U);
    EXPECT_EQ(sentences(report.problems)[0], "INBOX|UID 2|nobody can read it");
    EXPECT_EQ(sentences(report.problems)[1], "INBOX|UID 3|the message is larger than this server takes");
    EXPECT_EQ(uids(r.picture("anna", "INBOX")), (std::vector<std::uint32_t>{1, 4}));
    EXPECT_EQ(r.picture("anna", "Later").at(1).flags, strings{"fine"});
    EXPECT_EQ(sentences(report.notes), strings{"Later||the keyword a b could not be kept"});
}

TEST(importing, never_gives_a_number_that_another_message_had_there)
{
    rig r;
    r.make("anna");
    made_up there;
    auto& f = there.add("INBOX", 5000, 4);
    for (std::uint32_t uid = 1; uid <= 3; ++uid) made_up::put(f, uid);
    EXPECT_EQ(r.import(there, into("anna")).imported, 3U);
    // Mail arrives on both sides: 4 is taken here, there 4 to 6 came and 6 is gone again.
    auto const inbox = r.run(r.open("anna").find_mailbox("INBOX"))->id;
    made_up local{"here"};
    made_up::put(local.add("INBOX", 0, 0), 0, {}, "Subject: local\r\n\r\n");
    EXPECT_EQ(r.import(local, into("anna", false)).imported, 1U);
    EXPECT_EQ(r.run(r.open("anna").counts(inbox))->uid_next, 5U);
    made_up::put(f, 4);
    made_up::put(f, 5);
    f.what.uid_next = 7;
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(report.renumbered, 1U);
    auto const after = r.picture("anna", "INBOX");
    EXPECT_EQ(uids(after), (std::vector<std::uint32_t>{1, 2, 3, 4, 5, 7})) << "6 was another message's there";
    EXPECT_EQ(after.at(4).octets, "Subject: local\r\n\r\n");
    EXPECT_EQ(after.at(5).octets, "Subject: INBOX 4\r\n\r\nbody\r\n");
    EXPECT_EQ(after.at(7).octets, "Subject: INBOX 3\r\n\r\nbody\r\n");
}

TEST(importing, those_without_a_number_come_above_all_that_were_given_there)
{
    rig r;
    r.make("anna");
    made_up there;
    auto& f = there.add("INBOX", 5000, 20);
    made_up::put(f, 0);
    made_up::put(f, 7);
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(uids(r.picture("anna", "INBOX")), (std::vector<std::uint32_t>{7, 20}));
}

TEST(importing, numbers_of_a_hostile_server_do_not_use_a_mailbox_up)
{
    rig r;
    r.make("anna");
    made_up there;
    made_up::put(there.add("INBOX", 5000, 0xFFFFFFFFU), 0xFFFFFFFEU);
    made_up::put(there.add("More", 0xFFFFFFFFU, 2), 1);
    auto const report = r.import(there, into("anna"));
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(report.renumbered, 1U);
    EXPECT_EQ(uids(r.picture("anna", "INBOX")), (std::vector<std::uint32_t>{1}));
    EXPECT_LT(r.run(r.open("anna").find_mailbox("More"))->uid_validity, 0xF0000001U);
    EXPECT_TRUE(r.run(r.open("anna").create_mailbox("another")));
}

TEST(importing, goes_on_where_it_was_cut)
{
    rig r;
    r.make("anna");
    made_up there;
    auto& f = there.add("INBOX", 5000, 2000);
    for (std::uint32_t uid = 1; uid <= 1500; ++uid) made_up::put(f, uid);
    there.lost_after = 700;
    auto const first = r.import(there, into("anna"));
    EXPECT_EQ(first.imported, 700U);
    EXPECT_EQ(first.skipped, 800U);
    EXPECT_EQ(sentences(first.problems), strings{"INBOX||it went away"});
    there.lost_after = SIZE_MAX;
    there.asked.clear();
    auto const second = r.import(there, into("anna"));
    EXPECT_EQ(second.imported, 800U);
    EXPECT_EQ(second.already, 700U);
    EXPECT_EQ(second.renumbered, 0U);
    EXPECT_EQ(there.asked.size(), 800U) << "what came before is not read again";
    EXPECT_EQ(r.picture("anna", "INBOX").size(), 1500U);
}

TEST(importing, a_journal_remembers_when_the_server_has_forgotten)
{
    rig r;
    r.make("anna");
    r.make("bert");
    made_up there;
    made_up::put(there.add("INBOX", 5000, 2), 1);
    auto o = into("anna");
    o.journal = r.path("journal");
    EXPECT_EQ(r.import(there, o).imported, 1U);
    r.write_file("journal", r.read_file("journal") + "0123");  // a line that a crash cut
    made_up::put(there.all[0], 2);
    EXPECT_EQ(r.import(there, o).imported, 1U);
    r.write_file("forgotten", "");
    made_up gone = there;
    o.account = "bert";
    EXPECT_EQ(r.import(gone, o).imported, 2U) << "one journal for several accounts";
    // Another server with the same account, which knows of nothing.
    rig other;
    other.make("anna");
    o.account = "anna";
    EXPECT_EQ(other.import(there, o).already, 2U);
    o.journal = r.path("");
    auto const link = other.connect();
    EXPECT_FALSE(other.run(import_mail(*link, there, o))) << "a journal that cannot be read";
    other.run(link->close());
}

TEST(importing, folders_whose_names_become_one_stay_two)
{
    rig r;
    r.make("anna");
    made_up there;
    made_up::put(there.add("a_b", 100, 2), 1);
    made_up::put(there.add("a_b", 100, 2), 1);
    there.all[1].what.id = "a.b";
    auto const report = r.import(there, into("anna", false));
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(sentences(report.notes), strings{"a_b_||another folder has the name a_b already"});
    EXPECT_EQ(r.picture("anna", "a_b_").size(), 1U);
}

TEST(importing, a_dead_source_is_not_asked_for_ever)
{
    rig r;
    r.make("anna");
    made_up there;
    for (unsigned n = 0; n < 6; ++n) made_up::put(there.add("F" + std::to_string(n), 0, 0), 0);
    there.lost_after = 1;
    auto const report = r.import(there, into("anna", false));
    ASSERT_EQ(report.problems.size(), 5U);
    EXPECT_EQ(sentences(report.problems)[2], "F3||it went away");
    EXPECT_EQ(sentences(report.problems)[3], "F4||left out, as the source does not answer any more");
}

TEST(importing, wants_an_account_that_is_there)
{
    rig r;
    made_up there;
    auto const link = r.connect();
    auto const done = r.run(import_mail(*link, there, into("nobody")));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().say, "there is no account nobody");
    r.run(link->close());
}
