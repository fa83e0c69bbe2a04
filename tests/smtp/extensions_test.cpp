// The extensions of SMTP from door to queue (docs/smtp.md).
#include "smtp/server/extensions.hpp"

#include <gtest/gtest.h>

#include "smtp/rig.hpp"
#include "support/support.hpp"

namespace mansio::test {
namespace {

using accept::door;

void give(smtp_peer& p, std::string const& mail, std::vector<std::string> const& rcpt, std::string const& text = "Subject: x\r\n\r\nhello\r\n")
{
    EXPECT_EQ(p.code("MAIL FROM:" + mail), "250") << mail;
    for (auto const& r : rcpt) EXPECT_EQ(p.code("RCPT TO:" + r), "250") << r;
    EXPECT_EQ(p.code("DATA"), "354");
    std::string const from = mail.starts_with("<alice@") ? "alice@example.test" : "x@elsewhere.example";
    EXPECT_EQ(smtp_peer::last_code(p.say("From: " + from + "\r\n" + text + ".\r\n")), "250");
}

}  // namespace

TEST(smtp_extensions, the_page_says_what_is)
{
    auto const table = smtp::extension_table();
    EXPECT_TRUE(read_file(MANSIO_SOURCE "/docs/smtp.md").contains(table)) << "docs/smtp.md wants this table:\n" << table;
    for (auto const& row : smtp::extensions())
        EXPECT_FALSE(read_file(std::string{MANSIO_SOURCE} + "/tests/dialogs/smtp/" + std::string{row.dialogues} + ".dlg").empty()) << row.keyword;
}

TEST(smtp_extensions, what_is_switched_off_does_not_exist)
{
    for (auto const& row : smtp::extensions()) {
        if (!row.has_switch) continue;
        smtp_rig_options o;
        o.server = [&](smtp::server_options& s) { s.off = smtp::switched_off({std::string{row.keyword}}); };
        smtp_rig r{o};
        smtp_peer p{r, door::submission};
        p.sign_in();
        EXPECT_EQ(p.line("EHLO x").find("-" + std::string{row.keyword} + "\r"), std::string::npos) << row.keyword;
    }
    EXPECT_EQ(smtp::find_switch("STARTTLS"), nullptr);
    EXPECT_EQ(smtp::find_switch("nonsense"), nullptr);
    smtp_rig_options o;
    o.server = [](smtp::server_options& s) { s.off = smtp::switched_off({"dsn", "BINARYMIME"}); };
    smtp_rig r{o};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO x");
    EXPECT_EQ(p.status("MAIL FROM:<a@b.example> RET=FULL"), "555 5.5.4");
    EXPECT_EQ(p.status("MAIL FROM:<a@b.example> BODY=BINARYMIME"), "501 5.5.4");
    EXPECT_EQ(p.code("MAIL FROM:<a@b.example>"), "250");
    EXPECT_EQ(p.status("RCPT TO:<alice@example.test> NOTIFY=NEVER"), "555 5.5.4");
}

TEST(smtp_extensions, reach_the_queue_as_they_were_said)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    (void)p.line("EHLO x");
    give(p, "<alice@example.test> RET=HDRS ENVID=QQ+2B1 BY=600;NT MT-PRIORITY=4 HOLDFOR=300 REQUIRETLS",
         {"<x@third.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;X@third.example", "<y@third.example>"}, "Subject: x\r\nTLS-Required: No\r\n\r\nhello\r\n");
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    auto const& s = r.envelopes.queued[0];
    EXPECT_EQ(s.asked.content, queue::returned::headers);
    EXPECT_EQ(s.asked.envelope_id, "QQ+2B1");
    EXPECT_EQ(s.asked.by, (queue::deliver_by{queue::deliver_by::mode::notify, true, std::chrono::seconds{600}}));
    EXPECT_EQ(s.asked.priority, 4);
    EXPECT_EQ(s.asked.hold, std::chrono::seconds{300});
    EXPECT_EQ(s.asked.hold_words, "for;300");
    EXPECT_TRUE(s.asked.require_tls);
    EXPECT_FALSE(s.asked.tls_optional) << "RFC 8689 §4.1: the field is ignored beside REQUIRETLS";
    EXPECT_EQ(s.recipients[0].wanted.text(), "SUCCESS,DELAY");
    EXPECT_EQ(s.recipients[0].orcpt, "rfc822;X@third.example");
    EXPECT_FALSE(s.recipients[1].wanted.said);
    EXPECT_NE(s.prefix.find("PRIORITY 4"), std::string::npos) << s.prefix;
    // A transaction does not inherit from the one before.
    give(p, "<alice@example.test>", {"<x@third.example>"}, "Subject: x\r\nTLS-Required: no\r\n\r\nhello\r\n");
    EXPECT_FALSE(r.envelopes.queued[1].asked.require_tls || r.envelopes.queued[1].asked.priority || r.envelopes.queued[1].recipients[0].wanted.said);
    EXPECT_TRUE(r.envelopes.queued[1].asked.tls_optional);
}

TEST(smtp_extensions, a_local_recipient_is_queued_only_where_the_queue_has_work)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO x");
    give(p, "<x@elsewhere.example>", {"<bob@example.test> NOTIFY=FAILURE,DELAY"});
    give(p, "<>", {"<bob@example.test> NOTIFY=SUCCESS"});
    EXPECT_TRUE(r.envelopes.queued.empty());
    EXPECT_EQ(r.mail_of(r.bob).size(), 2U);
    give(p, "<x@elsewhere.example>", {"<bob@example.test> NOTIFY=SUCCESS"});
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    EXPECT_TRUE(r.envelopes.queued[0].recipients[0].wanted.success);
}

// RFC 3461 §5.2.7.3 (c)
TEST(smtp_extensions, success_of_an_alias_for_several_is_told_once)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO x");
    give(p, "<x@elsewhere.example>", {"<both@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;both@example.test"});
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    auto const& to = r.envelopes.queued[0].recipients;
    ASSERT_EQ(to.size(), 3U);
    EXPECT_TRUE(to[0].expansion);
    EXPECT_EQ(to[0].address, "both@example.test");
    for (std::size_t i = 1; i < 3; ++i) {
        EXPECT_FALSE(to[i].expansion);
        EXPECT_EQ(to[i].wanted.text(), "FAILURE");
        EXPECT_EQ(to[i].orcpt, "rfc822;both@example.test");
    }
}

TEST(smtp_extensions, binary_is_what_lines_cannot_carry)
{
    struct {
        std::string text;
        bool binary;
    } const cases[] = {
        {"From: a@b\r\n\r\nlines\r\n", false},
        {"From: a@b\r\n\r\na\rb", true},
        {"From: a@b\r\n\r\na\nb", true},
        {std::string{"From: a@b\r\n\r\na\0b", 16}, true},
        {"From: a@b\r\n\r\n" + std::string(998, 'x') + "\r\n", false},
        {"From: a@b\r\n\r\n" + std::string(999, 'x') + "\r\n", true},
        {"From: a@b\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\nlines\r\n", true},
    };
    for (auto const& c : cases) {
        smtp_rig r;
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO x");
        EXPECT_EQ(p.code("MAIL FROM:<x@elsewhere.example> BODY=BINARYMIME"), "250");
        EXPECT_EQ(p.code("RCPT TO:<both@example.test>"), "250");
        EXPECT_EQ(smtp_peer::last_code(p.say("BDAT " + std::to_string(c.text.size()) + " LAST\r\n" + c.text)), "250");
        ASSERT_EQ(r.envelopes.queued.size(), 1U);
        EXPECT_EQ(r.envelopes.queued[0].asked.binary, c.binary) << testing::PrintToString(c.text);
        EXPECT_TRUE(r.envelopes.queued[0].body_8bit);
        EXPECT_EQ(r.envelopes.queued[0].blob->size(), c.text.size()) << "every octet is kept";
    }
}

TEST(smtp_extensions, xclient_changes_who_it_is_and_nothing_else)
{
    smtp_rig_options o;
    o.server = [](smtp::server_options& s) { s.xclient_from.push_back(*net::cidr::parse("198.51.100.0/24")); };
    smtp_rig r{o};
    smtp_peer p{r, door::mx, "198.51.100.9"};
    (void)p.line("EHLO filter.example");
    EXPECT_EQ(p.code("XCLIENT ADDR=203.0.113.5"), "220");
    (void)p.line("EHLO real.example");
    give(p, "<x@elsewhere.example>", {"<bob@example.test>"});
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_NE(mail[0].find("from real.example ([203.0.113.5])"), std::string::npos) << mail[0];
    // Its harvesting is its own, not the filter's.
    (void)p.line("MAIL FROM:<x@elsewhere.example>");
    for (int i = 0; i < 25; ++i) (void)p.line("RCPT TO:<nobody" + std::to_string(i) + "@example.test>");
    r.loop.run_for(std::chrono::seconds{10});
    smtp_peer again{r, door::mx, "198.51.100.9"};
    (void)again.line("EHLO filter.example");
    EXPECT_EQ(again.code("XCLIENT ADDR=203.0.113.5"), "421");
    smtp_peer other{r, door::mx, "198.51.100.9"};
    (void)other.line("EHLO filter.example");
    EXPECT_EQ(other.code("XCLIENT ADDR=203.0.113.6"), "220");
}

TEST(smtp_extensions, xclient_signs_nobody_in_and_out_who_was)
{
    smtp_rig_options o;
    o.server = [](smtp::server_options& s) { s.xclient_from.push_back(*net::cidr::parse("198.51.100.0/24")); };
    smtp_rig r{o};
    smtp_peer p{r, door::submission, "198.51.100.9"};
    p.sign_in();
    EXPECT_EQ(p.code("XCLIENT ADDR=203.0.113.5"), "220");
    (void)p.line("EHLO real.example");
    EXPECT_EQ(p.status("MAIL FROM:<alice@example.test>"), "530 5.7.0");
}

// W11: nothing of ENVID, ORCPT or XCLIENT begins a line anywhere.
TEST(catalogue, W11_parameters_inject_nothing)
{
    smtp_rig_options o;
    o.server = [](smtp::server_options& s) { s.xclient_from.push_back(*net::cidr::parse("192.0.2.0/24")); };
    smtp_rig r{o};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO x");
    for (auto const* evil : {"a+0D+0AX-Evil:+20y", "a+0AX-Evil:+20y", "a+0DX", "a+09X-Evil", "a+00", "a+7F"}) {
        EXPECT_EQ(p.status(std::string{"MAIL FROM:<x@elsewhere.example> ENVID="} + evil), "501 5.5.4") << evil;
        EXPECT_EQ(p.status(std::string{"XCLIENT HELO="} + evil), "501 5.5.4") << evil;
    }
    EXPECT_EQ(p.code("MAIL FROM:<x@elsewhere.example>"), "250");
    for (auto const* evil : {"a+0D+0AX-Evil:+20y", "a+0AX", "a+09", "a+00", "a+7F"})
        EXPECT_EQ(p.status(std::string{"RCPT TO:<bob@example.test> ORCPT=rfc822;"} + evil), "501 5.5.4") << evil;
    EXPECT_EQ(r.log.text().find("\nX-Evil"), std::string::npos);
}

}  // namespace mansio::test
