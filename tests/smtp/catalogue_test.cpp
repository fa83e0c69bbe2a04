// Rows of the catalogue of bad input (docs/catalogue.md) that speak SMTP.
#include <gtest/gtest.h>

#include "smtp/rig.hpp"

namespace mansio::test {
namespace {

using accept::door;

std::string const envelope = "MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n";
std::string const second =
    "MAIL FROM:<admin@evil.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: x@elsewhere.example\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n";

/// Sends `ending` where one of two servers might see the end of the message, a second message behind it, and the true end.
/// Answers what arrived.
std::vector<std::string> smuggle(std::string_view ending, door through, std::string* said = nullptr)
{
    smtp_rig r;
    smtp_peer p{r, through, "192.0.2.7", through == door::lmtp};
    if (through == door::submission) p.sign_in();
    (void)p.line(through == door::lmtp ? "LHLO client.example" : "EHLO client.example");
    auto const mail = through == door::submission ? std::string{"MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"} : envelope;
    EXPECT_EQ(smtp_peer::last_code(p.say(mail)), "354");
    auto const from = through == door::submission ? std::string{"alice@example.test"} : std::string{"x@elsewhere.example"};
    auto const reply = p.say("From: " + from + "\r\nSubject: one\r\n\r\none" + std::string{ending} + second + "\r\n.\r\n");
    if (said != nullptr) *said = reply;
    EXPECT_EQ(p.code("NOOP"), "250");
    return r.mail_of(r.bob);
}

void expect_not_two(std::string_view ending)
{
    std::string said;
    auto const on_mx = smuggle(ending, door::mx, &said);
    EXPECT_TRUE(on_mx.empty()) << testing::PrintToString(ending);
    EXPECT_EQ(said.substr(0, 9), "550 5.5.2") << testing::PrintToString(ending);
    for (auto const d : {door::submission, door::lmtp}) {
        auto const mail = smuggle(ending, d, &said);
        ASSERT_EQ(mail.size(), 1U) << testing::PrintToString(ending);
        EXPECT_NE(mail[0].find("smuggled"), std::string::npos);
        // Mended once, at entry (W2): no lone CR or LF is left.
        for (std::size_t i = 0; i < mail[0].size(); ++i) {
            if (mail[0][i] == '\n') EXPECT_TRUE(i > 0 && mail[0][i - 1] == '\r');
            if (mail[0][i] == '\r') EXPECT_TRUE(i + 1 < mail[0].size() && mail[0][i + 1] == '\n');
        }
    }
}

}  // namespace

// CVE-2023-51764, -51765, -51766: SMTP smuggling.
TEST(catalogue, W1_lone_lf_dot_lf) { expect_not_two("\n.\n"); }
TEST(catalogue, W1_lf_dot_cr) { expect_not_two("\n.\r"); }
TEST(catalogue, W1_cr_dot_lf) { expect_not_two("\r.\n"); }
TEST(catalogue, W1_cr_dot_cr) { expect_not_two("\r.\r"); }
TEST(catalogue, W1_lf_dot_crlf) { expect_not_two("\n.\r\n"); }
TEST(catalogue, W1_cr_dot_crlf) { expect_not_two("\r.\r\n"); }
TEST(catalogue, W1_crlf_dot_lf) { expect_not_two("\r\n.\n"); }
TEST(catalogue, W1_crlf_dot_cr) { expect_not_two("\r\n.\r"); }
TEST(catalogue, W1_crlf_dot_crcrlf) { expect_not_two("\r\n.\r\r\n"); }
TEST(catalogue, W1_crcrlf_dot_crcrlf) { expect_not_two("\r\r\n.\r\r\n"); }
TEST(catalogue, W1_crlf_nul_dot_crlf)
{
    // No line end is broken here, so the message is whole; but it is one.
    for (auto const d : {door::mx, door::submission, door::lmtp}) {
        auto const mail = smuggle(std::string_view{"\r\n\0.\r\n", 6}, d);
        ASSERT_EQ(mail.size(), 1U);
        EXPECT_NE(mail[0].find("smuggled"), std::string::npos);
    }
}
TEST(catalogue, W1_only_crlf_dot_crlf_ends)
{
    // The honest pipelined second message, as the control.
    auto const mail = smuggle("\r\n.\r\n", door::lmtp);
    EXPECT_EQ(mail.size(), 2U);
}

TEST(catalogue, W2_submission_mends_line_ends_once)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<alice@example.test>\r\nRCPT TO:<far@third.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")), "354");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: alice@example.test\r\nSubject: a\nTo: b\r\rone\rtwo\nthree\r\n.\n\r\n.\r\n")), "250");
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    // What the relay would send: read from the blob of the envelope.
    auto const& q = r.envelopes.queued.front();
    store::change c;
    c.where = {store::partition_kind::queue, 0};
    c.new_blobs.push_back(q.blob);
    c.add_holders.push_back({q.blob->id(), {c.where, "q"}});
    r.must(r.engine->commit(std::move(c)));
    auto const text = q.prefix + r.must(r.engine->blob_read(q.blob->id(), 0, 1U << 20U));
    EXPECT_NE(text.find("From: alice@example.test\r\nSubject: a\r\nTo: b\r\n\r\none\r\ntwo\r\nthree\r\n\r\n\r\n"), std::string::npos) << text;
}

TEST(catalogue, W3_bdat_never_loses_its_place)
{
    smtp_rig r;
    {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        EXPECT_EQ(p.say("BDAT 6\r\nQUIT\r\n").substr(0, 3), "503");               // without MAIL
        EXPECT_EQ(p.say("BDAT 0 LAST\r\n").substr(0, 3), "503");
        EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nBDAT 4\r\nA: b")), "250");
        EXPECT_EQ(p.code("DATA"), "503");
        EXPECT_EQ(p.code("STARTTLS"), "503");
        EXPECT_EQ(p.code("EHLO client.example"), "250");                          // forgets the chunks
        EXPECT_EQ(p.say("BDAT 6 LAST\r\nQUIT\r\n").substr(0, 3), "503");
        EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
        EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\n\r\n.\r\n")), "250");
        EXPECT_EQ(p.say("BDAT 6 LAST\r\nQUIT\r\n").substr(0, 3), "503");          // after DATA
        EXPECT_EQ(p.code("NOOP"), "250");
    }
    for (auto const* size : {"18446744073709551615", "18446744073709551615 LAST", "9223372036854775807", "4294967296"}) {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\n");
        auto const said = p.say("BDAT " + std::string{size} + "\r\nRCPT TO:<alice@example.test>\r\n");
        EXPECT_EQ(said.substr(0, 9), "552 5.3.4") << size;
        EXPECT_TRUE(p.closed);
        EXPECT_EQ(said.find("250"), std::string::npos);
    }
    for (auto const* size : {"18446744073709551616", "-1", "", "x", "1 2", "0x10"}) {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        auto const said = p.say("BDAT " + std::string{size} + "\r\nNOOP\r\n");
        EXPECT_EQ(said.substr(0, 3), "501") << size;
        EXPECT_TRUE(p.closed) << size;
    }
    EXPECT_EQ(r.mail_of(r.bob).size(), 1U);
}

TEST(catalogue, W3_chunks_before_tls_are_not_chunks_after)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    (void)p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nBDAT 4\r\nA: b");
    EXPECT_EQ(p.code("RSET"), "250");
    EXPECT_EQ(p.code("STARTTLS"), "220");
    p.start_tls();
    EXPECT_EQ(p.say("BDAT 4 LAST\r\nquit").substr(0, 3), "503");
    EXPECT_TRUE(r.mail_of(r.bob).empty());
}

// CVE-2011-0411, CVE-2021-33515.
TEST(catalogue, W4_starttls_injection)
{
    for (auto const d : {door::mx, door::submission, door::lmtp}) {
        smtp_rig r;
        smtp_peer p{r, d};
        auto const hello = d == door::lmtp ? "LHLO c.example" : "EHLO c.example";
        (void)p.line(hello);
        auto const said = p.say("STARTTLS\r\n" + std::string{hello} + "\r\n" + envelope);
        EXPECT_TRUE(p.closed);
        EXPECT_EQ(said, "");
    }
}
TEST(catalogue, W4_half_a_line_behind_starttls)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO c.example");
    EXPECT_EQ(p.say("STARTTLS\r\nMAIL FR"), "");
    EXPECT_TRUE(p.closed);
}
TEST(catalogue, W4_tail_in_a_later_segment)
{
    // The server reads exactly the line; what follows is still on its way when the handshake begins, and is no ClientHello.
    smtp_rig r;
    auto const client = r.connect(r.face(door::mx), "192.0.2.7", 10);
    r.loop.run_for(std::chrono::milliseconds{1});
    (void)r.loop.run(client->write("STARTTLS\r\nEHLO injected\r\n", base::monotonic_time::max()));
    r.loop.run_ready();
    std::string said;
    char buffer[512];
    bool closed = false;
    while (!closed) {
        auto const got = client->try_read(buffer);
        if (!got || !*got) break;
        closed = **got == 0;
        said.append(buffer, **got);
    }
    EXPECT_TRUE(closed);
    EXPECT_EQ(said.find("250"), std::string::npos) << said;
    client->abort();
    r.loop.run_ready();
}
TEST(catalogue, W4_state_is_forgotten)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO before.example");
    EXPECT_EQ(p.code("STARTTLS"), "220");
    p.start_tls();
    EXPECT_EQ(p.code("MAIL FROM:<x@elsewhere.example>"), "503");
    auto const offered = p.line("EHLO after.example");
    EXPECT_EQ(offered.find("STARTTLS"), std::string::npos);
    EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\n\r\n.\r\n")), "250");
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_NE(mail[0].find("from after.example"), std::string::npos);
    EXPECT_NE(mail[0].find("TLSv1.3"), std::string::npos);
    EXPECT_NE(mail[0].find("ESMTPS"), std::string::npos);
}

TEST(catalogue, W6_no_password_in_clear)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    EXPECT_EQ(p.line("EHLO c.example").find("AUTH"), std::string::npos);
    EXPECT_EQ(p.status("AUTH PLAIN " + smtp_rig::plain("alice@example.test", r.alice_secret)), "538 5.7.1");
    EXPECT_EQ(p.status("AUTH LOGIN"), "538 5.7.1");
    EXPECT_EQ(p.status("MAIL FROM:<alice@example.test>"), "530 5.7.0");
    // The demo's exception is for loopback, and only there.
    smtp_rig demo{{.limits = {}, .faults = {}, .server = [](smtp::server_options& o) { o.cleartext_sign_in = true; }, .accept = {}}};
    smtp_peer near{demo, door::submission, "127.0.0.1"};
    EXPECT_NE(near.line("EHLO c.example").find("AUTH PLAIN LOGIN"), std::string::npos);
    EXPECT_EQ(near.code("AUTH PLAIN " + smtp_rig::plain("alice@example.test", demo.alice_secret)), "235");
    smtp_peer far{demo, door::submission, "192.0.2.7"};
    EXPECT_EQ(far.line("EHLO c.example").find("AUTH"), std::string::npos);
}

TEST(catalogue, W7_other_protocols)
{
    for (std::string_view const banner :
         {std::string_view{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, std::string_view{"POST / HTTP/1.0\r\n"}, std::string_view{"CONNECT mail:25 HTTP/1.1\r\n"},
          std::string_view{"SSH-2.0-OpenSSH_9.2\r\n"}, std::string_view{"\x16\x03\x01\x02\x00\x01\x00\x01", 8}, std::string_view{"\x80\x2e\x01\x00\x02", 5},
          std::string_view{"\x00\x00\x00\x01", 4}})
    {
        smtp_rig r;
        smtp_peer p{r, door::mx};
        auto const said = p.say(banner);
        EXPECT_EQ(said.substr(0, 3), "521") << testing::PrintToString(banner);
        EXPECT_EQ(said.find("GET"), std::string::npos);
        EXPECT_TRUE(p.closed);
    }
}
TEST(catalogue, W7_talk_before_banner)
{
    smtp_rig r;
    auto const client = r.connect(r.face(door::mx));
    (void)r.loop.run(client->write("EHLO early.example\r\n", base::monotonic_time::max()));
    r.loop.run_for(std::chrono::seconds{1});
    char buffer[512];
    auto const got = client->try_read(buffer);
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((std::string_view{buffer, **got}.substr(0, 3)), "521");
    client->abort();
    r.loop.run_ready();
}
TEST(catalogue, W7_scores_the_address)
{
    smtp_rig r;
    for (int i = 0; i < 5; ++i) {
        smtp_peer p{r, door::mx};
        (void)p.line("GET / HTTP/1.1");
    }
    smtp_peer p{r, door::mx};
    EXPECT_EQ(p.greeting.substr(0, 9), "421 4.7.0");
    smtp_peer other{r, door::mx, "192.0.2.8"};
    EXPECT_EQ(other.greeting.substr(0, 3), "220");
}

TEST(catalogue, W8_octets_that_have_no_place_in_an_envelope)
{
    smtp_rig r;
    smtp_peer p{r, door::lmtp, "127.0.0.1", true};
    (void)p.line("LHLO client.example");
    for (std::string_view const bad : {std::string_view{"a\0b", 3}, std::string_view{"a\x1b[2J"}, std::string_view{"a\x7f"}, std::string_view{"a\x80"},
                                       std::string_view{"a\xff"}, std::string_view{"a\tb"}})
    {
        EXPECT_EQ(p.code("MAIL FROM:<" + std::string{bad} + "@d.example>"), "501") << testing::PrintToString(bad);
        (void)p.line("MAIL FROM:<x@elsewhere.example>");
        EXPECT_EQ(p.code("RCPT TO:<" + std::string{bad} + "@example.test>"), "501") << testing::PrintToString(bad);
        EXPECT_EQ(p.code("LHLO " + std::string{bad}), "501") << testing::PrintToString(bad);
        (void)p.line("RSET");
    }
    EXPECT_EQ(p.code("MAIL FROM:<j\xC3\xBCrgen@d.example> SMTPUTF8"), "250");
}
TEST(catalogue, W8_header_octets_are_kept_raw_and_escaped_in_the_log)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
    std::string const header{"From: x@elsewhere.example\r\nSubject: a\0b\x1b[2J\x80\r\nMessage-ID: <x\x1b[31m\0y@z>\r\n", 72};
    EXPECT_EQ(smtp_peer::last_code(p.say(header + "\r\nafter the NUL\r\n.\r\n")), "250");
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_TRUE(mail[0].ends_with(header + "\r\nafter the NUL\r\n"));
    EXPECT_EQ(r.log.text().find('\x1b'), std::string::npos);
    EXPECT_EQ(r.log.text().find('\0'), std::string::npos);
}

// CVE-2020-7247: an address is text, whatever it looks like.
TEST(catalogue, W9_addresses_that_look_like_commands)
{
    smtp_rig r;
    for (auto const* path : {";cmd;", "$(x)", "-froot", "|cmd", "/etc/passwd", "`id`"}) {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        EXPECT_EQ(p.code("MAIL FROM:<" + std::string{path} + ">"), "501") << path;
    }
    for (auto const* local : {"|cmd", "/etc/x", "-froot", "\"$(x)\"", "\";cmd;\"", "\"| cmd\"", "`id`"}) {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        EXPECT_EQ(p.code("MAIL FROM:<x@elsewhere.example>"), "250");
        EXPECT_EQ(p.code("RCPT TO:<" + std::string{local} + "@example.test>"), "550") << local;
        EXPECT_EQ(p.code("RCPT TO:<" + std::string{local} + "@third.example>"), "550") << local;
    }
    EXPECT_TRUE(r.envelopes.queued.empty());
}

TEST(catalogue, W10_addresses_at_and_over_their_bounds)
{
    smtp_rig r{{.limits = [](base::limits& l) { l.smtp_strikes = 1000; }, .faults = {}, .server = {}, .accept = {}}};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    std::string const deep = "<" + std::string(500, '"') + "@d.example>";
    for (std::string const& bad : {std::string{"<\"\"@d.example>"}, "<" + std::string(65, 'l') + "@d.example>", "<l@" + std::string(256, 'd') + ">",
                                   std::string{"<@a,@b:>"}, deep, std::string{"<\"a\\\"@d.example>"}, std::string{"<a..b@d.example>"},
                                   std::string{"<.a@d.example>"}, std::string{"<a@-d.example>"}, std::string{"<a@[300.1.1.1]>"}, std::string{"<a@d.example"}})
        EXPECT_EQ(p.code("MAIL FROM:" + bad), "501") << bad;
    EXPECT_EQ(p.code("MAIL FROM:<@a.example,@b.example:c@d.example>"), "250");
    EXPECT_EQ(p.code("RCPT TO:<@relay.example:bob@example.test>"), "250");  // the route is dropped, not followed
    std::string all;
    for (std::uint64_t i = 0; i < r.limits.smtp_recipients; ++i) all += "RCPT TO:<bob+" + std::to_string(i) + "@example.test>\r\n";
    auto const said = p.say(all);
    EXPECT_NE(said.find("452 4.5.3"), std::string::npos);
    EXPECT_EQ(smtp_peer::last_code(said), "452");
    EXPECT_EQ(p.code("DATA"), "354");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: x@elsewhere.example\r\n\r\n.\r\n")), "250");
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    EXPECT_EQ(r.envelopes.queued.front().recipients.size(), r.limits.smtp_recipients);
}

TEST(catalogue, W11_names_from_outside_write_no_fields)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO (evil)\"<>;X-Forged:1");
    EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
    EXPECT_EQ(smtp_peer::last_code(p.say("Authentication-Results: mx.example.test; dmarc=pass\r\nFrom: x@elsewhere.example\r\nSubject: x\r\n\r\n.\r\n")),
              "250");
    auto const mail = r.mail_of(r.bob);
    ASSERT_EQ(mail.size(), 1U);
    EXPECT_NE(mail[0].find("from ?evil????"), std::string::npos) << mail[0];
    EXPECT_EQ(mail[0].find("dmarc=pass"), std::string::npos);
}

TEST(catalogue, W12_header_bombs)
{
    std::string fields, tos, folded = "From: x@elsewhere.example\r\nSubject: x\r\n";
    for (int i = 0; i < 200000; ++i) fields += "X: y\r\n";
    for (int i = 0; i < 50000; ++i) tos += "To: a@b.example\r\n";
    for (int i = 0; i < 100000; ++i) folded += " folded\r\n";
    std::string one = "X: " + std::string(10U << 20U, 'x') + "\r\n";
    std::string missing;
    for (int i = 0; i < 100000; ++i) missing += "no colon here\r\n";
    smtp_rig r;
    for (auto const* bomb : {&fields, &tos, &folded, &one, &missing}) {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
        EXPECT_EQ(p.say(*bomb + "\r\nbody\r\n.\r\n").substr(0, 9), "552 5.3.4");
        EXPECT_EQ(p.code("NOOP"), "250");
    }
    EXPECT_TRUE(r.mail_of(r.bob).empty());
    EXPECT_EQ(r.memory.used(), 0U);
}
TEST(catalogue, W12_a_message_without_end)
{
    smtp_rig r{{.limits = [](base::limits& l) { l.message_size = 100000; }, .faults = {}, .server = {}, .accept = {}}};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
    std::string piece;
    for (int i = 0; i < 1000; ++i) piece += "another line of it\r\n";
    std::string said;
    for (int i = 0; i < 1000 && !p.closed; ++i) said += p.say(piece);
    EXPECT_TRUE(p.closed);
    EXPECT_EQ(said.substr(0, 9), "552 5.3.4");
}

TEST(catalogue, W13_harvesting)
{
    smtp_rig r;
    auto ask = [&r](int n, std::string const& from) {
        smtp_peer p{r, door::mx, from};
        (void)p.line("EHLO client.example");
        (void)p.line("MAIL FROM:<x@elsewhere.example>");
        return p.status("RCPT TO:<nobody" + std::to_string(n) + "@example.test>");
    };
    for (std::uint64_t i = 0; i < r.limits.smtp_unknown_recipients; ++i) EXPECT_EQ(ask(static_cast<int>(i), "192.0.2.7"), "550 5.1.1");
    {
        smtp_peer p{r, door::mx};
        (void)p.line("EHLO client.example");
        (void)p.line("MAIL FROM:<x@elsewhere.example>");
        EXPECT_EQ(p.line("RCPT TO:<nobody@example.test>"), "");  // slowed down …
        r.loop.run_for(std::chrono::seconds{6});
        EXPECT_EQ(p.drain().substr(0, 9), "421 4.7.0");          // … and refused
        EXPECT_TRUE(p.closed);
    }
    smtp_peer again{r, door::mx};
    EXPECT_EQ(again.greeting.substr(0, 9), "421 4.7.0");
    EXPECT_EQ(ask(0, "192.0.2.8"), "550 5.1.1");
    r.clock.advance(std::chrono::minutes{11});
    EXPECT_EQ(ask(0, "192.0.2.7"), "550 5.1.1");
    // VRFY and EXPN tell nothing.
    smtp_peer p{r, door::mx, "192.0.2.8"};
    EXPECT_EQ(p.line("VRFY alice"), p.line("VRFY nobody"));
    EXPECT_EQ(p.code("EXPN both"), "502");
}

TEST(catalogue, A1_sasl_garbage)
{
    smtp_rig r{{.limits = [](base::limits& l) { l.sign_in_failures = l.smtp_strikes = 100; }, .faults = {}, .server = {}, .accept = {}}};
    smtp_peer p{r, door::submission};
    (void)p.line("EHLO c.example");
    (void)p.line("STARTTLS");
    p.start_tls();
    (void)p.line("EHLO c.example");
    auto const b64 = [](std::string_view s) { return base::to_base64(s); };
    for (std::string const& initial : {std::string{"not base64"}, std::string{"===="}, std::string{"AGEAYg"}, std::string{"="}, b64("no separators"),
                                       b64(std::string(1, '\0')), b64(std::string(3, '\0')), b64(std::string{"\0\0secret", 8}), b64(std::string{"\0user\0", 6}),
                                       smtp_rig::plain("' OR 1=1 --", "x"), smtp_rig::plain("*)(uid=*", "x"), smtp_rig::plain("alice%", "x"),
                                       smtp_rig::plain("\xff\xfe", "x"), b64(std::string{"bob\0alice@example.test\0", 23} + r.alice_secret),
                                       b64(std::string{"\0alice@example.test\0", 20} + r.alice_secret + std::string{"\0x", 2})})
    {
        auto const said = p.line("AUTH PLAIN " + initial);
        EXPECT_TRUE(said.starts_with("501") || said.starts_with("535")) << initial << ": " << said;
        EXPECT_EQ(p.code("MAIL FROM:<alice@example.test>"), "530");
    }
    EXPECT_EQ(p.line("AUTH PLAIN").substr(0, 3), "334");
    EXPECT_EQ(p.line(std::string(65536, 'A')).substr(0, 3), "500");
    EXPECT_EQ(p.line("AUTH PLAIN " + std::string(65536, 'A')).substr(0, 3), "500");
    EXPECT_EQ(p.line("AUTH LOGIN").substr(0, 3), "334");
    EXPECT_EQ(p.line("*").substr(0, 3), "501");
    EXPECT_EQ(p.line("AUTH LOGIN").substr(0, 3), "334");
    EXPECT_EQ(p.line("").substr(0, 3), "535");  // an empty name
    // None of it concerned anything else.
    EXPECT_EQ(p.code("AUTH PLAIN " + smtp_rig::plain("alice@example.test", r.alice_secret)), "235");
    EXPECT_EQ(p.code("MAIL FROM:<alice@example.test>"), "250");
}
TEST(catalogue, A1_tries_are_counted)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    (void)p.line("EHLO c.example");
    (void)p.line("STARTTLS");
    p.start_tls();
    (void)p.line("EHLO c.example");
    std::string said;
    for (std::uint64_t i = 0; i < r.limits.sign_in_failures; ++i) said = p.line("AUTH PLAIN " + smtp_rig::plain("alice@example.test", "x" + std::to_string(i)));
    EXPECT_EQ(said.substr(0, 9), "421 4.7.0");
    EXPECT_TRUE(p.closed);
}

namespace {
/// One try to have something relayed. Whatever is answered, nothing may leave.
void battery(door through, std::function<void(smtp_peer&, smtp_rig&)> const& before, std::string const& from = "192.0.2.7")
{
    struct {
        std::string sender, recipient;
    } const tries[] = {
        {"<spam@elsewhere.example>", "<u@third.example>"},
        {"<>", "<u@third.example>"},
        {"<alice@example.test>", "<u@third.example>"},
        {"<x@localhost>", "<u@third.example>"},
        {"<user>", "<u@third.example>"},
        {"<x@[127.0.0.1]>", "<u@third.example>"},
        {"<x@elsewhere.example>", "<u%third.example@example.test>"},
        {"<x@elsewhere.example>", "<u%third.example@[127.0.0.1]>"},
        {"<x@elsewhere.example>", "<\"u@third.example\">"},
        {"<x@elsewhere.example>", "<\"u%third.example\">"},
        {"<x@elsewhere.example>", "<\"u@third.example\"@example.test>"},
        {"<x@elsewhere.example>", "<\"u@third.example\"@[127.0.0.1]>"},
        {"<x@elsewhere.example>", "<u@third.example@example.test>"},
        {"<x@elsewhere.example>", "<@example.test:u@third.example>"},
        {"<x@elsewhere.example>", "<@[127.0.0.1]:u@third.example>"},
        {"<x@elsewhere.example>", "<third.example!u>"},
        {"<x@elsewhere.example>", "<third.example!u@example.test>"},
        {"<x@elsewhere.example>", "<third.example!u@[127.0.0.1]>"},
        {"<x@elsewhere.example>", "<u@third.example.>"},
        {"<x@elsewhere.example>", "<u@THIRD.example>"},
        {"<x@elsewhere.example>", "<u@ex\xC3\xA1mple.test>"},           // looks like ours
        {"<x@elsewhere.example> SMTPUTF8", "<u@\xD0\xB5xample.test>"},  // so does this, in Cyrillic
        {"<x@elsewhere.example>", "<u@xn--example-9c.test>"},
        {"<x@elsewhere.example>", "<SRS0=aaaaaaaa=aa=third.example=u@example.test>"},
        {"<>", "<SRS0=aaaaaaaa=aa=third.example=u@example.test>"},
        {"<>", "<SRS1=aaaaaaaa=third.example==aaaaaaaa=aa=x=u@example.test>"},
    };
    for (auto const& t : tries) {
        smtp_rig r;
        smtp_peer p{r, through, from, false};
        (void)p.line(through == door::lmtp ? "LHLO client.example" : "EHLO client.example");
        if (before) before(p, r);
        auto const mail = p.line("MAIL FROM:" + t.sender);
        auto const rcpt = p.line("RCPT TO:" + t.recipient);
        EXPECT_TRUE(rcpt.starts_with("550 5.7.1") || rcpt.starts_with("501") || rcpt.starts_with("503") || rcpt.starts_with("550 5.1.1"))
            << t.sender << t.recipient << ": " << rcpt;
        // Local parts that hide a route are refused as relaying, not as unknown people.
        if (through == door::mx && (t.recipient.find('%') != std::string::npos || t.recipient.find('!') != std::string::npos))
            EXPECT_TRUE(rcpt.starts_with("550 5.7.1") || rcpt.starts_with("501")) << rcpt;
        EXPECT_EQ(p.line("DATA").substr(0, 3), "503");
        (void)p.say("From: x@elsewhere.example\r\nSubject: relayed?\r\n\r\n.\r\n");
        EXPECT_TRUE(r.envelopes.queued.empty()) << t.sender << t.recipient;
        EXPECT_TRUE(r.mail_of(r.alice).empty() && r.mail_of(r.bob).empty());
    }
}
}  // namespace

TEST(catalogue, R1_no_open_relay_on_the_mx) { battery(door::mx, {}); }
TEST(catalogue, R1_no_open_relay_from_a_mapped_address) { battery(door::mx, {}, "::ffff:192.0.2.7"); }
TEST(catalogue, R1_no_open_relay_from_loopback) { battery(door::mx, {}, "127.0.0.1"); }
TEST(catalogue, R1_no_open_relay_on_submission_unsigned) { battery(door::submission, {}); }
TEST(catalogue, R1_no_open_relay_on_lmtp) { battery(door::lmtp, {}); }
TEST(catalogue, R1_no_open_relay_after_failed_auth)
{
    battery(door::submission, [](smtp_peer& p, smtp_rig&) {
        (void)p.line("STARTTLS");
        p.start_tls();
        (void)p.line("EHLO client.example");
        EXPECT_EQ(p.code("AUTH PLAIN " + smtp_rig::plain("alice@example.test", "wrong")), "535");
    });
}
TEST(catalogue, R1_no_open_relay_after_auth_elsewhere)
{
    battery(door::submission, [](smtp_peer&, smtp_rig& r) {
        smtp_peer other{r, door::submission};
        other.sign_in();
    });
}
TEST(catalogue, R1_no_open_relay_by_proxy_headers)
{
    battery(door::mx, [](smtp_peer& p, smtp_rig&) {
        EXPECT_EQ(p.line("XCLIENT ADDR=127.0.0.1 LOGIN=alice@example.test").substr(0, 3), "500");
        EXPECT_EQ(p.line("XFORWARD ADDR=127.0.0.1").substr(0, 3), "500");
        EXPECT_EQ(p.line("PROXY TCP4 127.0.0.1 127.0.0.1 25 25").substr(0, 3), "500");
    });
}
TEST(catalogue, R1_the_battery_can_fail)
{
    // The control: who may relay, does.
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<alice@example.test>\r\nRCPT TO:<u@third.example>\r\nDATA\r\n")), "354");
    EXPECT_EQ(smtp_peer::last_code(p.say("From: alice@example.test\r\n\r\n.\r\n")), "250");
    EXPECT_EQ(r.envelopes.queued.size(), 1U);
}

TEST(catalogue, R2_envelope_sender_of_somebody_else)
{
    smtp_rig r;
    smtp_peer p{r, door::submission};
    p.sign_in();
    EXPECT_EQ(p.status("MAIL FROM:<bob@example.test>"), "553 5.7.1");
    EXPECT_EQ(p.status("MAIL FROM:<alice@elsewhere.example>"), "553 5.7.1");
    EXPECT_EQ(p.status("MAIL FROM:<alice+shop@example.test>"), "250 2.1.0");
}

TEST(catalogue, R3_mail_in_circles)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    std::string many;
    for (std::uint64_t i = 0; i <= r.limits.received_fields; ++i) many += "Received: from a by b; now\r\n";
    for (auto const& header : {many, std::string{"Delivered-To: bob@example.test\r\n"}}) {
        EXPECT_EQ(smtp_peer::last_code(p.say(envelope)), "354");
        EXPECT_EQ(p.say(header + "From: x@elsewhere.example\r\n\r\n.\r\n").substr(0, 9), "554 5.4.6");
    }
    EXPECT_TRUE(r.mail_of(r.bob).empty());
}

TEST(catalogue, T3_silent_and_slow_peers)
{
    smtp_rig r;
    smtp_peer silent{r, door::mx}, half{r, door::mx, "192.0.2.8"}, drip{r, door::mx, "192.0.2.9"}, trickle{r, door::mx, "192.0.2.10"};
    (void)half.say("EHLO cli");
    (void)trickle.line("EHLO client.example");
    EXPECT_EQ(smtp_peer::last_code(trickle.say(envelope)), "354");
    EXPECT_EQ(r.server->open_connections(), 4U);
    // An octet now and then does not keep a command waiting for ever, nor a message.
    for (int i = 0; i < 10; ++i) {
        r.loop.run_for(std::chrono::seconds{60});
        (void)drip.say("N");
        (void)trickle.say("x");
    }
    for (auto* p : {&silent, &half, &drip, &trickle}) {
        (void)p->drain();
        EXPECT_TRUE(p->closed);
    }
    EXPECT_EQ(r.server->open_connections(), 0U);
}
TEST(catalogue, T3_idle_handshake_commands_do_not_hold_a_connection)
{
    smtp_rig r;
    smtp_peer p{r, door::mx};
    std::string said;
    int sent = 0;
    for (; sent < 1000 && !p.closed; ++sent) said = p.line("NOOP");
    EXPECT_LT(sent, 200);
    EXPECT_EQ(said.substr(0, 9), "421 4.7.0");
}

}  // namespace mansio::test
