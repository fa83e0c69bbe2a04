// What does not fit into a dialogue: what is stored, stopping, revocation, large messages.
#include <gtest/gtest.h>

#include "smtp/rig.hpp"

namespace mansio::test {
namespace {

using accept::door;

TEST(smtp_server, stores_the_octets_unchanged_behind_the_recipients_own_fields)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    EXPECT_EQ(p.greeting, "220 mx.example.test ESMTP Mansio\r\n");
    (void)p.line("EHLO client.example");
    (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<Alice+Sent@example.test>\r\nDATA\r\n");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\nSubject: hello\r\n\r\n..dot\r\n\t\xff\r\n.\r\n")), "250");
    auto const mail = r.mail_of(r.alice, "Sent");  // "+detail": a mailbox of that name, letter case ignored
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_TRUE(mail[0].starts_with("Return-Path: <x@elsewhere.example>\r\nDelivered-To: alice@example.test\r\nAuthentication-Results: mx.example.test;"));
    EXPECT_NE(mail[0].find("\r\nReceived: from client.example ([192.0.2.7])"), std::string::npos);
    EXPECT_TRUE(mail[0].ends_with("+0000\r\nFrom: x@elsewhere.example\r\nSubject: hello\r\n\r\n.dot\r\n\t\xff\r\n")) << mail[0];
    EXPECT_TRUE(r.mail_of(r.alice).empty());
    (void)p.say("MAIL FROM:<>\r\nRCPT TO:<alice+nonesuch@example.test>\r\nDATA\r\n");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\nSubject: hello\r\n\r\n.\r\n")), "250");
    EXPECT_TRUE(r.mail_of(r.alice).at(0).starts_with("Return-Path: <>\r\n"));
}

TEST(smtp_server, a_submission_to_one_of_ours_has_date_and_id)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    (void)p.say("MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: alice@example.test\r\nBcc: hidden@example.test\r\n\r\nx\r\n.\r\n")), "250");
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_NE(mail[0].find("\r\nDate: "), std::string::npos);
    EXPECT_NE(mail[0].find("\r\nMessage-ID: <"), std::string::npos);
    EXPECT_NE(mail[0].find("with ESMTPSA"), std::string::npos);
    EXPECT_EQ(mail[0].find("hidden"), std::string::npos);
}

TEST(smtp_server, quota_is_asked_at_rcpt_and_at_the_commit)
{
    smtp_rig r;
    auto const a = r.accounts->open(r.bob, store::principal::server("test"));
    r.must(a.set_quota(1000));
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    (void)p.line("MAIL FROM:<x@elsewhere.example> SIZE=2000");
    EXPECT_EQ(p.status("RCPT TO:<bob@example.test>"), "452 4.2.2");
    (void)p.line("RSET");
    (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    EXPECT_EQ(p.say("From: x@elsewhere.example\r\nSubject: x\r\n\r\n" + std::string(2000, 'x') + "\r\n.\r\n").substr(0, 9), "452 4.2.2");
    EXPECT_TRUE(r.mail_of(r.bob).empty());
}

TEST(smtp_server, a_large_message_takes_little_memory)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    std::string piece;
    while (piece.size() < 60000) piece += "a line of a large message, sixty-four octets with its end.....\r\n";
    std::string sent = "From: x@elsewhere.example\r\nSubject: large\r\n\r\n";
    (void)p.say(sent);
    std::uint64_t most = 0;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(p.say(piece), "");
        sent += piece;
        most = std::max(most, r.memory.used());
    }
    EXPECT_LT(most, 400U << 10U);
    auto said = p.say(".\r\n");
    (void)r.loop.run_until([&] { return !said.empty() || !(said = p.drain()).empty(); });  // parsed on the pool
    EXPECT_EQ(said.substr(0, 3), "250");
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_TRUE(mail[0].ends_with(sent));
    EXPECT_EQ(r.memory.used(), 0U);
}

TEST(smtp_server, stops_between_commands_and_lets_messages_end)
{
    smtp_rig r;
    smtp_peer idle{r, door::mx}, busy{r, door::mx}, stuck{r, door::mx};
    for (auto* p : {&busy, &stuck}) {
        (void)p->line("EHLO client.example");
        EXPECT_EQ(smtp_peer::last_code(p->say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")), "354");
    }
    bool stopped = false;
    base::spawn_detached(r.loop, r.server->stop(), [&] { stopped = true; });
    r.loop.run_ready();
    EXPECT_EQ(idle.drain().substr(0, 9), "421 4.3.2");
    EXPECT_TRUE(idle.closed);
    EXPECT_FALSE(stopped);
    EXPECT_EQ(busy.say("From: x@elsewhere.example\r\nSubject: in time\r\n\r\n.\r\n").substr(0, 3), "250");
    EXPECT_EQ(r.mail_of(r.bob).size(), 1U);
    r.loop.run_for(std::chrono::seconds{static_cast<long>(r.limits.shutdown_wait) + 1});
    EXPECT_TRUE(stopped);
    (void)stuck.drain();
    EXPECT_TRUE(stuck.closed);
    EXPECT_EQ(r.mail_of(r.bob).size(), 1U);
    smtp_peer late{r, door::mx};
    EXPECT_EQ(late.greeting, "");
}

TEST(smtp_server, a_revoked_password_cuts_its_sessions)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    auto const all = r.must(r.door->app_passwords(r.alice));
    r.must(r.door->revoke_app_password(r.alice, all.front().id));
    r.loop.run_for(std::chrono::seconds{1});
    (void)p.drain();
    EXPECT_TRUE(p.closed);
}

TEST(smtp_server, strikes_and_transactions_are_bounded)
{
    smtp_rig r{{.limits = [](base::limits& l) { l.smtp_transactions = 3; }, .faults = {}, .server = {}, .accept = {}}};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    for (int i = 0; i < 3; ++i) {
        (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
        EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\n\r\n.\r\n")), "250");
    }
    EXPECT_EQ(p.line("MAIL FROM:<x@elsewhere.example>").substr(0, 9), "421 4.7.0");
    smtp_peer q{r, door::mx};
    int n = 0;
    std::string said;
    while (!q.closed && n < 100) {
        said = q.line("WHAT");
        ++n;
    }
    EXPECT_EQ(n, static_cast<int>(r.limits.smtp_strikes) + 1);
    EXPECT_EQ(said.substr(0, 9), "421 4.7.0");
}

TEST(smtp_server, a_full_budget_defers_new_mail)
{
    smtp_rig r;
    auto const hold = r.memory.take(r.memory.total() - 1000);
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    EXPECT_EQ(p.status("MAIL FROM:<x@elsewhere.example>"), "452 4.3.1");
}

TEST(smtp_server, figures_and_events)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<x@third.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    (void)p.say("From: x@elsewhere.example\r\n\r\n.\r\n");
    auto const figures = r.metrics.exposition();
    EXPECT_NE(figures.find("mansio_smtp_commands_total{verb=\"RCPT\"} 2"), std::string::npos);
    EXPECT_NE(figures.find("mansio_messages_accepted_total{door=\"mx\"} 1"), std::string::npos);
    EXPECT_NE(figures.find("mansio_accept_refused_total{stage=\"recipient\"} 1"), std::string::npos);
    auto const log = r.log.text();
    EXPECT_NE(log.find("message_accepted"), std::string::npos);
    EXPECT_NE(log.find("message_refused"), std::string::npos);
}

}  // namespace
}  // namespace mansio::test
