// What names and lines of Maildirs and mboxes say.
#include <gtest/gtest.h>

#include "transfer/maildir_names.hpp"
#include "transfer/mbox_text.hpp"

using namespace mansio::transfer;
using strings = std::vector<std::string>;

TEST(maildir_names, files)
{
    auto const f = parse_maildir_file("1700000000.M5P7.host,S=120,W=125:2,FRSab");
    EXPECT_EQ(f.unique, "1700000000.M5P7.host");
    EXPECT_EQ(f.flags, (strings{"\\Flagged", "\\Answered", "\\Seen"}));
    EXPECT_EQ(f.keyword_letters, "ab");
    EXPECT_EQ(*f.delivered, 1700000000);
    EXPECT_TRUE(parse_maildir_file("1700000000.M5P7.host").flags.empty());
    EXPECT_TRUE(parse_maildir_file("x:1,S").flags.empty());
    EXPECT_EQ(parse_maildir_file("x!2,PT").flags, (strings{"$Forwarded", "\\Deleted"}));
    EXPECT_EQ(maildir_letters({"\\Seen", "\\Draft", "$Forwarded", "k", "unknown"}, {{"k", 'b'}}), "DPSb");
}

TEST(maildir_names, dovecots_files)
{
    auto const list = parse_uid_list("3 V1700000001 N12 Gabc\n4 :17.a.host:2,S\n5 W99 S1 :17.b.host,S=3\nx\n0 :z\n");
    EXPECT_EQ(list.uid_validity, 1700000001U);
    EXPECT_EQ(list.uid_next, 12U);
    EXPECT_EQ(list.uids, (std::map<std::string, std::uint32_t, std::less<>>{{"17.a.host", 4}, {"17.b.host", 5}}));
    auto const old = parse_uid_list("1 1700000001 7\n3 17.a.host\n");
    EXPECT_EQ(old.uid_next, 7U);
    EXPECT_EQ(old.uids.at("17.a.host"), 3U);
    EXPECT_EQ(parse_uid_list("3 V17 N4\n3 :a\n9 :gone\n").uid_next, 10U) << "lines are added without a new head";
    EXPECT_TRUE(parse_uid_list("").uids.empty());
    EXPECT_EQ(parse_dovecot_keywords("0 $Junk\n1 NonJunk\n26 no\nx y\n"), (std::map<char, std::string>{{'a', "$Junk"}, {'b', "NonJunk"}}));
    EXPECT_EQ(parse_subscriptions("Sent\nEntw&APw-rfe.2020\n"), (strings{"Sent", "Entwürfe/2020"}));
    EXPECT_EQ(parse_subscriptions("V\t2\n\nSent\nA\tB\n"), (strings{"Sent", "A/B"}));
}

TEST(maildir_names, folders)
{
    for (auto const& [directory, name] : std::vector<std::pair<std::string, std::string>>{
             {".Sent", "Sent"}, {".Sent.2020", "Sent/2020"}, {".Entw&APw-rfe", "Entwürfe"}, {".a&AC8-b", "a&AC8-b"}, {".&-", "&"}})
    {
        EXPECT_EQ(maildir_folder_name(directory), name);
        if (directory != ".a&AC8-b") EXPECT_EQ(maildir_directory(name), directory);
    }
    EXPECT_EQ(maildir_directory("a.b/c"), ".a_b.c");
}

TEST(mbox_text, from_lines)
{
    auto const f = parse_from_line("From anna@example.org Sat Jan  3 01:05:34 1996");
    ASSERT_TRUE(f);
    EXPECT_EQ(f->sender, "anna@example.org");
    EXPECT_EQ(f->date.unix_seconds, 820631134);
    for (auto const* good : {"From - Tue Apr 27 08:30 2021", "From a@b Tue Apr 27 08:30:01 +0200 2021", "From a@b Tue Apr 27 08:30:01 2021 +0200",
                             "From a@b Tue Apr 27 08:30:01 MET 2021", "From Tue Apr 27 08:30:01 2021"})
        EXPECT_TRUE(parse_from_line(good)) << good;
    for (auto const* bad : {"From", "From ", "From here on all was well", "from a Tue Apr 27 08:30:01 2021", "From a Tue Apr 31 08:30:01 2021",
                            "From a Tue Apr 27 25:30:01 2021", "From a Tue Apr 27 08:30:01 40000"})
        EXPECT_FALSE(parse_from_line(bad)) << bad;
    EXPECT_EQ(make_from_line("", 820631134), "From MAILER-DAEMON Wed Jan  3 01:05:34 1996\n");
}

TEST(mbox_text, status_and_quotes)
{
    mbox_status s;
    EXPECT_TRUE(take_status("Status: RO", s));
    EXPECT_TRUE(take_status("x-status: AF", s));
    EXPECT_TRUE(take_status("X-Keywords: $Junk  two", s));
    EXPECT_TRUE(take_status("X-UID: 17", s));
    EXPECT_TRUE(take_status("X-IMAPbase: 1700000000 0000000123 $Junk", s));
    EXPECT_FALSE(take_status("Subject: Status: RO", s));
    EXPECT_FALSE(take_status("Statusquo: RO", s));
    EXPECT_EQ(s.flags, (strings{"\\Seen", "\\Answered", "\\Flagged", "$Junk", "two"}));
    EXPECT_EQ(s.uid, 17U);
    EXPECT_EQ(s.uid_validity, 1700000000U);
    EXPECT_EQ(s.uid_next, 124U);
    EXPECT_EQ(status_fields({"\\Seen", "\\Flagged", "k"}, 3), "Status: RO\nX-Status: F\nX-Keywords: k\nX-UID: 3\n");
    EXPECT_EQ(unquoted(">From x"), "From x");
    EXPECT_EQ(unquoted(">>From x"), ">From x");
    EXPECT_EQ(unquoted("> From x"), "> From x");
    EXPECT_TRUE(wants_quote("From x"));
    EXPECT_TRUE(wants_quote(">From x"));
    EXPECT_FALSE(wants_quote("Fromage"));
}
