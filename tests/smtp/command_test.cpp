#include "smtp/wire/command.hpp"

#include <gtest/gtest.h>

#include "smtp/wire/reply.hpp"

namespace mansio::smtp::wire {
namespace {

std::string shown(parsed<mail_args> const& m)
{
    if (!m) return accept::describe(m.error()).substr(0, 9);
    return "<" + (m->sender ? m->sender->text() : std::string{}) + ">" + (m->size ? " size=" + std::to_string(*m->size) : "") + (m->body_8bit ? " 8bit" : "") +
           (m->smtputf8 ? " utf8" : "");
}
std::string shown(parsed<rcpt_args> const& r) { return r ? "<" + r->recipient.text() + ">" : accept::describe(r.error()).substr(0, 9); }

TEST(command, mail)
{
    std::string const long_local(65, 'a');
    std::string const digits20(20, '9');
    struct {
        std::string args;
        std::string want;
    } const cases[] = {
        {"FROM:<a@b.example>", "<a@b.example>"},
        {"from:<a@b.example>", "<a@b.example>"},
        {"FROM: <a@b.example>", "<a@b.example>"},
        {"FROM:<>", "<>"},
        {"FROM:<> SIZE=10", "<> size=10"},
        {"FROM:<a@b.example> SIZE=1000 BODY=8BITMIME SMTPUTF8", "<a@b.example> size=1000 8bit utf8"},
        {"FROM:<a@b.example> body=7bit", "<a@b.example>"},
        {"FROM:<a@b.example> AUTH=<>", "<a@b.example>"},
        {"FROM:<a@b.example> AUTH=e+3Dmc2@example.com", "<a@b.example>"},
        {"FROM:<a@b.example> AUTH=e+3z", "501 5.5.4"},
        {"FROM:<a@b.example> SIZE=", "501 5.5.4"},
        {"FROM:<a@b.example> SIZE", "501 5.5.4"},
        {"FROM:<a@b.example> SIZE=-1", "501 5.5.4"},
        {"FROM:<a@b.example> SIZE=1 SIZE=2", "501 5.5.4"},
        {"FROM:<a@b.example> SIZE=" + digits20, "<a@b.example> size=18446744073709551615"},
        {"FROM:<a@b.example> SIZE=" + digits20 + "9", "501 5.5.4"},
        {"FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"},
        {"FROM:<a@b.example> RET=FULL", "555 5.5.4"},
        {"FROM:<a@b.example> =x", "501 5.5.4"},
        {"FROM:<a@b.example>SIZE=1", "501 5.5.4"},
        {"FROM:a@b.example", "501 5.5.4"},
        {"FROM:<a@b.example", "501 5.5.4"},
        {"FROM:<a b@b.example>", "501 5.5.4"},
        {"FROM", "501 5.5.4"},
        {"", "501 5.5.4"},
        {"FROM:<user>", "501 5.1.7"},
        {"FROM:<;cmd;>", "501 5.1.7"},
        {"FROM:<-froot>", "501 5.1.7"},
        {"FROM:<@localhost>", "501 5.5.4"},
        {"FROM:<@a.example,@b.example:c@d.example>", "<c@d.example>"},
        {"FROM:<@a.example:>", "501 5.5.4"},
        {"FROM:<\"a b\"@d.example>", "<\"a b\"@d.example>"},
        {"FROM:<\"a>b\"@d.example>", "<\"a>b\"@d.example>"},
        {"FROM:<\"a\\\"b\"@d.example>", "<\"a\\\"b\"@d.example>"},
        {"FROM:<\"\"@d.example>", "501 5.1.7"},
        {"FROM:<" + long_local + "@d.example>", "501 5.1.7"},
        {"FROM:<a@" + std::string(256, 'd') + ">", "501 5.1.7"},
        {"FROM:<j\xC3\xBCrgen@d.example>", "501 5.1.7"},
        {"FROM:<j\xC3\xBCrgen@d.example> SMTPUTF8", "<j\xC3\xBCrgen@d.example> utf8"},
        {"FROM:<j\xFFrgen@d.example> SMTPUTF8", "501 5.1.7"},
    };
    for (auto const& c : cases) EXPECT_EQ(shown(parse_mail(c.args, true)), c.want) << c.args;
    EXPECT_EQ(shown(parse_mail("FROM:<a@b.example> SIZE=1", false)), "555 5.5.4");  // RFC 5321 §4.1.1.2: parameters come with EHLO
}

TEST(command, rcpt)
{
    auto const long_srs = "SRS0=abcdefgh=aa=d.example=" + std::string(60, 'x');
    struct {
        std::string args;
        std::string want;
    } const cases[] = {
        {"TO:<a@b.example>", "<a@b.example>"},
        {"TO:<Postmaster>", "<postmaster>"},
        {"TO:<>", "501 5.1.3"},
        {"TO:<a@b.example> NOTIFY=NEVER", "555 5.5.4"},
        {"TO:<u@d@ours.example>", "501 5.1.3"},
        {"TO:<\"u@d\">", "501 5.1.3"},
        {"TO:<d!u>", "501 5.1.3"},
        {"TO:<u@d.>", "501 5.1.3"},
        {"TO:<@ours.example:u@d.example>", "<u@d.example>"},
        {"TO:<" + std::string(65, 'x') + "@d.example>", "501 5.1.3"},
        {"TO:<" + long_srs + "@d.example>", "<" + long_srs + "@d.example>"},
        {"TO:<" + long_srs + std::string(600, 'x') + "@d.example>", "501 5.1.3"},
        {"TO:<" + long_srs + "\"@d.example>", "501 5.5.4"},
    };
    for (auto const& c : cases) EXPECT_EQ(shown(parse_rcpt(c.args, false)), c.want) << c.args;
}

TEST(command, bdat)
{
    EXPECT_EQ(parse_bdat("0 LAST")->size, 0U);
    EXPECT_TRUE(parse_bdat("0 last")->last);
    EXPECT_EQ(parse_bdat("18446744073709551615")->size, 18446744073709551615U);
    for (auto const* bad : {"", "x", "-1", "18446744073709551616", "99999999999999999999999", "1 FIRST", "1 LAST LAST", "+1", "1,5"})
        EXPECT_EQ(parse_bdat(bad).error().code, 501) << bad;
}

TEST(command, auth)
{
    EXPECT_EQ(parse_auth("plain AGEAYg==")->mechanism, "PLAIN");
    EXPECT_EQ(*parse_auth("PLAIN =")->initial, "=");
    EXPECT_FALSE(parse_auth("LOGIN")->initial);
    for (auto const* bad : {"", "PLA%N", "AMECHANISMTHATISTOOLONG", "PLAIN a b"}) EXPECT_EQ(parse_auth(bad).error().code, 501) << bad;
}

TEST(command, verbs)
{
    EXPECT_EQ(parse_command("noop").what, verb::noop);
    EXPECT_EQ(parse_command("MAIL FROM:<>  ").args, "FROM:<>");
    EXPECT_EQ(parse_command("STARTTLS").what, verb::starttls);
    EXPECT_EQ(parse_command("STARTTLSX").what, verb::unknown);
    EXPECT_EQ(parse_command("").what, verb::unknown);
    EXPECT_EQ(parse_command("GET / HTTP/1.1").what, verb::foreign);
    EXPECT_EQ(parse_command("SSH-2.0-OpenSSH_9.2p1").what, verb::foreign);
    EXPECT_EQ(parse_command("XCLIENT ADDR=127.0.0.1").what, verb::unknown);
    EXPECT_EQ(name_of(verb::unknown), "unknown");
}

TEST(command, greeting)
{
    EXPECT_EQ(*parse_greeting("mail.example"), "mail.example");
    EXPECT_EQ(*parse_greeting("[127.0.0.1] extra"), "[127.0.0.1]");
    EXPECT_EQ(parse_greeting("").error().code, 501);
    EXPECT_EQ(parse_greeting("a\tb").error().code, 501);
    EXPECT_EQ(parse_greeting("\xC3\xBC.example").error().code, 501);
}

TEST(reply, cannot_be_split_by_what_it_quotes)
{
    EXPECT_EQ(render({250, "", "one\ntwo"}), "250-one\r\n250 two\r\n");
    EXPECT_EQ(render({550, "5.1.1", "no\r250 yes\x7F\x01"}), "550 5.1.1 no?250 yes??\r\n");
    EXPECT_EQ(render({550, "5.1.1", "j\xC3\xBC"}), "550 5.1.1 j??\r\n");
    EXPECT_EQ(render({550, "5.1.1", "j\xC3\xBC"}, true), "550 5.1.1 j\xC3\xBC\r\n");
    EXPECT_EQ(render({550, "5.1.1", std::string(9999, 'x')}).size(), 512U);
}

}  // namespace
}  // namespace mansio::smtp::wire
