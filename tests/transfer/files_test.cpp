// Maildirs and mbox files: read as they lie, written so that they can be read again.
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
export_options out_to(rig const& r, export_form form)
{
    export_options o;
    o.account = "anna";
    o.path = r.path("out");
    o.form = form;
    return o;
}
import_report from_mbox(rig& r, std::string const& name)
{
    auto from = open_mbox(r.path(name), "", *r.spool);
    EXPECT_TRUE(from);
    return r.import(**from, into("anna"));
}
import_report from_maildir(rig& r, std::string const& name, std::string const& account = "anna")
{
    auto from = open_maildir(r.path(name), *r.spool);
    EXPECT_TRUE(from);
    return r.import(**from, into(account));
}
strings texts(mailbox_picture const& p)
{
    strings out;
    for (auto const& [uid, m] : p) out.push_back(m.octets);
    return out;
}
std::string why(import_report const& r) { return r.problems.empty() ? "" : r.problems[0].message + "|" + r.problems[0].why; }

constexpr auto from = "From a@b Tue Apr 27 08:30:01 2021\n";

/// Every awkward thing a mailbox may hold, in the account "anna".
void fill(rig& r)
{
    r.make("anna");
    made_up there;
    auto& inbox = there.add("INBOX", 1'700'000'000, 40);
    made_up::put(inbox, 2, {"\\Seen", "\\Answered", "$Junk"}, "Subject: one\r\n\r\nFrom here\r\n>From there\r\n\r\n\r\n");
    made_up::put(inbox, 5, {"\\Flagged", "\\Draft", "\\Deleted"}, "Subject: no body\r\n\r\n");
    made_up::put(inbox, 9, {}, "Subject: long\r\n\r\n" + std::string(200'000, 'x') + "\r\n");
    made_up::put(there.add("Sent", 1'700'000'001, 2), 1, {"other"});
    made_up::put(there.add("Entw\xc3\xbcrfe/a.b", 1'700'000'002, 2), 1);
    made_up::put(there.add("Entw\xc3\xbcrfe/a_b", 1'700'000'003, 2), 1);
    made_up::put(there.add("Entw\xc3\xbcrfe", 1'700'000'004, 2), 1);
    made_up::put(there.add(".hidden/.x", 1'700'000'005, 2), 1);
    there.all[1].what.use = "\\Sent";
    there.all[4].what.subscribed = true;
    auto const report = r.import(there, into("anna"));
    EXPECT_TRUE(report.complete()) << why(report);
    EXPECT_EQ(report.renumbered, 0U);
}
}  // namespace

TEST(mbox_source, every_way_to_write_one)
{
    std::string const f = from;
    struct {
        char const* what;
        std::string file;
        strings want;
    } const cases[] = {
        {"plain", f + "Subject: a\n\nb\n\n" + f + "Subject: c\n\nd\n\n", {"Subject: a\r\n\r\nb\r\n", "Subject: c\r\n\r\nd\r\n"}},
        {"no line end at the end", f + "Subject: a\n\nb", {"Subject: a\r\n\r\nb"}},
        {"no body", f + "Subject: a\n\n\n" + f + "Subject: c\n\n", {"Subject: a\r\n\r\n", "Subject: c\r\n\r\n"}},
        {"a body that ends in blank lines", f + "Subject: a\n\nb\n\n\n\n" + f + "S: c\n\n", {"Subject: a\r\n\r\nb\r\n\r\n\r\n", "S: c\r\n\r\n"}},
        {"CRLF",
         "From a@b Tue Apr 27 08:30:01 2021\r\nSubject: a\r\n\r\nb\r\n\r\nFrom a@b Tue Apr 27 08:30:01 2021\r\nS: c\r\n\r\nd\r\n\r\n",
         {"Subject: a\r\n\r\nb\r\n", "S: c\r\n\r\nd\r\n"}},
        {"status fields, one folded",
         f + "Status: RO\nX-Keywords: k\n  l\nSubject: a\n b\nX-UID: 3\n\nStatus: stays\n\n",
         {"Subject: a\r\n b\r\n\r\nStatus: stays\r\n"}},
        {"quoted", f + "S: a\n\n>From x\n>>From y\n> From z\n\n", {"S: a\r\n\r\nFrom x\r\n>From y\r\n> From z\r\n"}},
        {"a From in the text", f + "S: a\n\nx\nFrom here on\n\nFrom me\n\n", {"S: a\r\n\r\nx\r\nFrom here on\r\n\r\nFrom me\r\n"}},
        {"a length that is believed",
         f + "Content-Length: " + std::to_string(f.size() + 7) + "\nS: a\n\n\n" + f + "S: no\n\n" + f + "S: c\n\n",
         {"Content-Length: " + std::to_string(f.size() + 7) + "\r\nS: a\r\n\r\n\r\nFrom a@b Tue Apr 27 08:30:01 2021\r\nS: no\r\n", "S: c\r\n\r\n"}},
        {"one that lies", f + "Content-Length: 3\nS: a\n\nlonger\n\n" + f + "S: c\n\n", {"Content-Length: 3\r\nS: a\r\n\r\nlonger\r\n", "S: c\r\n\r\n"}},
        {"a line longer than a piece", f + "S: a\n\n" + std::string(150'000, 'y') + "\n\n", {"S: a\r\n\r\n" + std::string(150'000, 'y') + "\r\n"}},
        {"twice the same", f + "S: a\n\n" + f + "S: a\n\n", {"S: a\r\n\r\n", "S: a\r\n\r\n"}},
        {"empty", "", {}},
    };
    for (auto const& c : cases) {
        rig r;
        r.make("anna");
        r.write_file("box", c.file);
        auto const report = from_mbox(r, "box");
        EXPECT_TRUE(report.complete()) << c.what << ": " << why(report);
        EXPECT_EQ(texts(r.picture("anna", "INBOX")), c.want) << c.what;
        EXPECT_EQ(from_mbox(r, "box").imported, 0U) << c.what;
    }
}

TEST(mbox_source, tells_what_it_left_out)
{
    rig r;
    r.make("anna");
    r.write_file("boxes/good", from + std::string{"S: a\n\n"});
    r.write_file("boxes/picture.png", "PNG\n");
    r.write_file("boxes/Work.mbox/mbox", from + std::string{"S: b\n\n"});
    r.write_file("elsewhere/secret", from + std::string{"S: c\n\n"});
    std::filesystem::create_symlink(r.path("elsewhere"), r.path("boxes/link"));
    auto const report = from_mbox(r, "boxes");
    EXPECT_EQ(report.imported, 2U);
    ASSERT_EQ(report.problems.size(), 1U);
    EXPECT_EQ(report.problems[0].folder, "picture.png");
    EXPECT_NE(report.problems[0].why.find("is no mbox file"), std::string::npos);
    ASSERT_FALSE(report.notes.empty());
    EXPECT_EQ(r.picture("anna", "Work").size(), 1U);
    auto const names = r.names("anna");
    EXPECT_TRUE(std::none_of(names.begin(), names.end(), [](std::string const& n) { return n.starts_with("link"); }));
}

TEST(mbox_source, notices_a_file_that_others_write)
{
    class rewriting final : public message_receiver {
    public:
        task<result<void>> message(source_message const&, mime::octets) override { co_return result<void>{}; }
        void unreadable(source_message const&, std::string why) override { told = std::move(why); }
        std::string told;
    };
    rig r;
    r.write_file("box", from + std::string{"S: a\n\nlong enough\n\n"} + from + "S: b\n\n");
    auto box = open_mbox(r.path("box"), "", *r.spool);
    auto folders = *r.run((*box)->folders());
    auto const messages = *r.run((*box)->messages(folders[0]));
    ASSERT_EQ(messages.size(), 2U);
    r.write_file("box", from + std::string{"S: b\n\n"} + from + "S: other\n\n\n\n\n\n\n\n\n");
    rewriting to;
    ASSERT_TRUE(r.run((*box)->read(folders[0], messages, to)));
    EXPECT_EQ(to.told, "the file was changed while it was read: import again");
}

TEST(maildir_source, dovecots_files_and_links)
{
    rig r;
    r.make("anna");
    for (auto const* d : {"m/cur", "m/new", "m/tmp", "m/.Sent/cur", "m/.Sent/new"}) std::filesystem::create_directories(r.path(d));
    r.write_file("m/cur/1700000000.a.h,S=9:2,FSa", "S: a\n\nb\n");
    r.write_file("m/new/1700000001.b.h", "S: b\n\n");
    r.write_file("m/cur/1700000002.c.h:2,", "");
    r.write_file("m/dovecot-uidlist", "3 V1500000000 N50 Gx\n17 :1700000000.a.h,S=9\n");
    r.write_file("m/dovecot-keywords", "0 $Junk\n");
    r.write_file("m/subscriptions", "Sent\n");
    r.write_file("secret/cur/1.x.h:2,S", "S: secret\n\n");
    std::filesystem::create_symlink(r.path("secret"), r.path("m/.Mine"));
    std::filesystem::create_symlink(r.path("secret/cur/1.x.h:2,S"), r.path("m/cur/1700000003.d.h:2,S"));
    auto const report = from_maildir(r, "m");
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(report.skipped, 2U) << "the empty one, and the link";
    auto const inbox = r.picture("anna", "INBOX");
    ASSERT_TRUE(inbox.contains(17));
    EXPECT_EQ(inbox.at(17).flags, (strings{"$Junk", "\\Flagged", "\\Seen"}));
    EXPECT_EQ(inbox.at(17).octets, "S: a\r\n\r\nb\r\n");
    EXPECT_EQ(texts(inbox).back(), "S: b\r\n\r\n");
    EXPECT_TRUE(inbox.contains(50)) << "a message without a UID comes above all that were given";
    auto const names = r.names("anna");
    EXPECT_TRUE(std::find(names.begin(), names.end(), "Sent\\Sent+") != names.end());
    EXPECT_TRUE(std::none_of(names.begin(), names.end(), [](std::string const& n) { return n.starts_with("Mine"); }));
}

TEST(exporting, out_and_in_again_is_the_same)
{
    for (auto const form : {export_form::maildir, export_form::mbox}) {
        rig r;
        fill(r);
        auto const out = r.write(out_to(r, form));
        EXPECT_EQ(out.skipped, 0U);
        EXPECT_TRUE(out.problems.empty()) << out.problems[0].why;
        r.make("bert");
        auto source = form == export_form::maildir ? open_maildir(r.path("out"), *r.spool) : open_mbox(r.path("out"), "", *r.spool);
        ASSERT_TRUE(source);
        auto const in = r.import(**source, into("bert"));
        EXPECT_EQ(in.imported, out.exported);
        EXPECT_TRUE(in.complete()) << in.problems[0].folder << why(in);
        EXPECT_EQ(in.renumbered, 0U);
        EXPECT_EQ(r.names("bert"), r.names("anna"));
        for (auto const* name : {"INBOX", "Sent", "Entw\xc3\xbcrfe/a.b", "Entw\xc3\xbcrfe/a_b", "Entw\xc3\xbcrfe", ".hidden/.x"}) {
            EXPECT_EQ(r.picture("bert", name), r.picture("anna", name)) << name;
            auto const before = r.run(r.open("anna").find_mailbox(name)), after = r.run(r.open("bert").find_mailbox(name));
            ASSERT_TRUE(before && after);
            EXPECT_EQ(after->uid_validity, before->uid_validity) << name;
        }
    }
}

TEST(exporting, again_adds_what_is_new_and_takes_over_flags)
{
    rig r;
    fill(r);
    EXPECT_EQ(r.write(out_to(r, export_form::maildir)).exported, 8U);
    auto const inbox = r.run(r.open("anna").find_mailbox("INBOX"))->id;
    store::flag_change change;
    change.names = {"\\Seen", "new"};
    ASSERT_TRUE(r.run(r.open("anna").change_flags(inbox, {{9, 9}}, change)));
    made_up more{"later"};
    made_up::put(more.add("INBOX", 0, 0), 0, {"$Junk"});
    EXPECT_EQ(r.import(more, into("anna", false)).imported, 1U);
    auto const again = r.write(out_to(r, export_form::maildir));
    EXPECT_EQ(again.exported, 1U);
    EXPECT_EQ(again.already, 8U);
    r.make("bert");
    EXPECT_TRUE(from_maildir(r, "out", "bert").complete());
    EXPECT_EQ(r.picture("bert", "INBOX"), r.picture("anna", "INBOX"));
}

TEST(exporting, touches_nothing_that_is_not_its_own)
{
    rig r;
    fill(r);
    r.write_file("out/cur/x", "somebody's");
    auto const link = r.connect();
    auto const done = r.run(export_mail(*link, out_to(r, export_form::maildir)));
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().say.find("is not empty and holds no export"), std::string::npos);
    r.run(link->close());
}

namespace {
/// A server that has three messages and cannot read the second to its end.
task<void> with_a_damaged_message(std::unique_ptr<net::stream> s, base::clock& clock)
{
    net::buffered_stream peer{std::move(s)};
    auto const far = clock.monotonic() + std::chrono::hours{1};
    while (true) {
        auto const line = co_await peer.read_line(10'000, far);
        if (!line) co_return;
        auto const asked = *parse_object(line->text);
        auto const what = text_of(asked, "do");
        std::string say = "{}\r\n";
        if (what == "mailboxes")
            say = R"({"mailboxes":[{"id":1,"name":"INBOX","uid_validity":5,"uid_next":9}]})"
                  "\r\n";
        if (what == "list" && number_of(asked, "from") == 1)
            say = R"({"messages":[{"uid":1,"flags":[]},{"uid":2,"flags":[]},{"uid":3,"flags":[]}]})"
                  "\r\n";
        if (what == "list" && number_of(asked, "from") != 1) say = "{\"messages\":[]}\r\n";
        if (what == "read") {
            say = "{\"octets\":4,\"last\":false}\r\nS: a{\"octets\":2,\"last\":true}\r\n\r\n";
            if (number_of(asked, "uid") == 2) say = "{\"octets\":4,\"last\":false}\r\nS: a{\"error\":\"it is damaged\",\"kind\":\"broken\"}\r\n";
        }
        auto const sent = co_await peer.send(say, far);
        if (!sent) co_return;
        auto const flushed = co_await peer.flush(far);
        if (!flushed) co_return;
    }
}
}  // namespace

TEST(exporting, a_message_that_cannot_be_read_stops_nothing)
{
    for (auto const form : {export_form::maildir, export_form::mbox}) {
        rig r;
        auto const link = r.scripted([&r](std::unique_ptr<net::stream> s) { return with_a_damaged_message(std::move(s), r.clock); });
        auto const done = r.run(export_mail(*link, out_to(r, form)));
        ASSERT_TRUE(done) << base::describe(done.error());
        EXPECT_EQ(done->exported, 2U);
        EXPECT_EQ(done->skipped, 1U);
        ASSERT_EQ(done->problems.size(), 1U);
        EXPECT_EQ(done->problems[0].message + done->problems[0].why, "UID 2it is damaged");
        r.run(link->close());
        if (form == export_form::mbox) EXPECT_EQ(r.read_file("out/INBOX.mbox").find("X-UID: 2"), std::string::npos) << "half a message is none";
    }
}
