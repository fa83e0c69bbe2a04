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

auto const everything = extension_set::all();
extension_set without(extension e)
{
    auto s = extension_set::all();
    s.remove(e);
    return s;
}

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
        {"FROM:<a@b.example> BODY=BINARYMIME", "<a@b.example> 8bit"},
        {"FROM:<a@b.example> XYZZY=FULL", "555 5.5.4"},
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
    for (auto const& c : cases) EXPECT_EQ(shown(parse_mail(c.args, everything)), c.want) << c.args;
    EXPECT_EQ(shown(parse_mail("FROM:<a@b.example> SIZE=1", {})), "555 5.5.4");  // RFC 5321 §4.1.1.2: parameters come with EHLO
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
        {"TO:<a@b.example> SIZE=1", "555 5.5.4"},
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
    for (auto const& c : cases) EXPECT_EQ(shown(parse_rcpt(c.args, false, everything)), c.want) << c.args;
}

std::string shown_wishes(parsed<mail_parameters> const& m)
{
    if (!m) return accept::describe(m.error()).substr(0, 9);
    auto const& q = m->asked;
    std::string out;
    if (q.binary) out += " binary";
    if (q.content != queue::returned::unsaid) out += q.content == queue::returned::full ? " full" : " headers";
    if (!q.envelope_id.empty()) out += " id=" + *queue::from_xtext(q.envelope_id);
    if (q.by.asked()) out += " by=" + std::to_string(q.by.within.count()) + (q.by.how == queue::deliver_by::mode::notify ? "N" : "R") + (q.by.trace ? "T" : "");
    if (q.priority) out += " priority=" + std::to_string(*q.priority);
    if (q.require_tls) out += " tls";
    if (m->hold_for) out += " for=" + std::to_string(*m->hold_for);
    if (m->hold_until) out += " until=" + std::to_string(*m->hold_until);
    if (!q.hold_words.empty()) out += " " + q.hold_words;
    return out;
}

TEST(mail_parameters, of_mail)
{
    struct {
        std::string text, want;
    } const cases[] = {
        {"", ""},
        {"RET=FULL", " full"},
        {"ret=hdrs", " headers"},
        {"RET=BODY", "501 5.5.4"},
        {"RET", "501 5.5.4"},
        {"RET=FULL RET=FULL", "501 5.5.4"},
        {"ENVID=QQ314159", " id=QQ314159"},
        {"ENVID=a+2Bb+20c", " id=a+b c"},
        {"ENVID=a+2bb", "501 5.5.4"},   // lower case is no hexchar (RFC 3461 §4)
        {"ENVID=a+2", "501 5.5.4"},
        {"ENVID=a+0D+0AX:+20y", "501 5.5.4"},  // W11
        {"ENVID=a+09b", "501 5.5.4"},
        {"ENVID=a+C3+BC", "501 5.5.4"},
        {"ENVID=" + std::string(100, 'x'), " id=" + std::string(100, 'x')},
        {"ENVID=" + std::string(101, 'x'), "501 5.5.4"},
        {"ENVID=a ENVID=a", "501 5.5.4"},
        {"BODY=BINARYMIME", " binary"},
        {"BY=120;R", " by=120R"},
        {"BY=+120;rt", " by=120RT"},
        {"BY=-5;N", " by=-5N"},
        {"BY=0;N", " by=0N"},
        {"BY=0;R", "501 5.5.4"},
        {"BY=-1;R", "501 5.5.4"},
        {"BY=1000000000;R", "501 5.5.4"},
        {"BY=;R", "501 5.5.4"},
        {"BY=1", "501 5.5.4"},
        {"BY=1;", "501 5.5.4"},
        {"BY=1;X", "501 5.5.4"},
        {"BY=1;RTT", "501 5.5.4"},
        {"BY=1;T", "501 5.5.4"},
        {"BY=+-1;N", "501 5.5.4"},
        {"MT-PRIORITY=3", " priority=3"},
        {"MT-PRIORITY=-9", " priority=-9"},
        {"MT-PRIORITY=0", " priority=0"},
        {"MT-PRIORITY=-0", "501 5.5.4"},
        {"MT-PRIORITY=10", "501 5.5.4"},
        {"MT-PRIORITY=+3", "501 5.5.4"},
        {"MT-PRIORITY=-", "501 5.5.4"},
        {"REQUIRETLS", " tls"},
        {"REQUIRETLS=YES", "501 5.5.4"},
        {"REQUIRETLS REQUIRETLS", "501 5.5.4"},
        {"HOLDFOR=300", " for=300 for;300"},
        {"HOLDFOR=0", "501 5.5.4"},
        {"HOLDFOR=007", "501 5.5.4"},
        {"HOLDFOR=-1", "501 5.5.4"},
        {"HOLDFOR=1000000000", "501 5.5.4"},
        {"HOLDUNTIL=1970-01-02T00:00:01Z", " until=86401 until;1970-01-02T00:00:01Z"},
        {"HOLDUNTIL=2027-02-28T23:59:59.5Z", " until=1803859200 until;2027-02-28T23:59:59.5Z"},
        {"HOLDUNTIL=2027-02-28T23:59:59.0z", " until=1803859199 until;2027-02-28T23:59:59.0z"},
        {"HOLDUNTIL=2027-02-29T00:00:00Z", "501 5.5.4"},
        {"HOLDUNTIL=2027-02-28T24:00:00Z", "501 5.5.4"},
        {"HOLDUNTIL=2027-02-28T00:00:00+01:00", "501 5.5.4"},
        {"HOLDUNTIL=2027-02-28T00:00:00.Z", "501 5.5.4"},
        {"HOLDUNTIL=2027-2-28T00:00:00Z", "501 5.5.4"},
        {"HOLDUNTIL=Z", "501 5.5.4"},
        {"HOLDFOR=1 HOLDUNTIL=2027-01-01T00:00:00Z", "501 5.5.4"},  // RFC 4865 §4.1: one, and only one
        {"RET=HDRS ENVID=x BY=9;N MT-PRIORITY=-1 SIZE=5 REQUIRETLS", " headers id=x by=9N priority=-1 tls"},
    };
    for (auto const& c : cases) EXPECT_EQ(shown_wishes(parse_mail_parameters(c.text, everything)), c.want) << c.text;
    // What is not offered is not known (RFC 5321 §4.1.1.11).
    struct {
        extension part;
        char const* text;
    } const parts[] = {{extension::dsn, "RET=FULL"},
                       {extension::dsn, "ENVID=x"},
                       {extension::deliver_by, "BY=9;N"},
                       {extension::priority, "MT-PRIORITY=1"},
                       {extension::require_tls, "REQUIRETLS"},
                       {extension::future_release, "HOLDFOR=9"},
                       {extension::size, "SIZE=1"},
                       {extension::future_release, "HOLDUNTIL=2027-01-01T00:00:00Z"}};
    for (auto const& p : parts) EXPECT_EQ(shown_wishes(parse_mail_parameters(p.text, without(p.part))), "555 5.5.4") << p.text;
    EXPECT_EQ(shown_wishes(parse_mail_parameters("BODY=BINARYMIME", without(extension::binary))), "501 5.5.4");
    EXPECT_EQ(shown_wishes(parse_mail_parameters("BODY=8BITMIME", without(extension::binary))), "");
}

// A command cut short is another command, never a crash or a half-read value.
TEST(mail_parameters, cut_at_every_octet)
{
    std::string const whole = "SIZE=5 RET=HDRS ENVID=a+2Bb BY=-12;NT MT-PRIORITY=-9 HOLDUNTIL=2027-01-31T12:00:00.25Z BODY=BINARYMIME SMTPUTF8 REQUIRETLS";
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        auto const m = parse_mail_parameters(std::string_view{whole}.substr(0, cut), everything);
        if (m && !m->asked.envelope_id.empty()) EXPECT_TRUE(queue::from_xtext(m->asked.envelope_id)) << cut;
        if (m && m->asked.by.asked()) EXPECT_EQ(m->asked.by.within.count(), -12) << cut;
    }
    std::string const rcpt = "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c";
    for (std::size_t cut = 0; cut <= rcpt.size(); ++cut) {
        auto const r = parse_rcpt_parameters(std::string_view{rcpt}.substr(0, cut), everything, false);
        if (r && !r->orcpt.empty()) EXPECT_TRUE(r->orcpt.starts_with("rfc822;a")) << cut;
    }
}

TEST(mail_parameters, of_rcpt)
{
    struct {
        std::string text, want;
        bool utf8 = false;
    } const cases[] = {
        {"", " "},
        {"NOTIFY=NEVER", "NEVER "},
        {"notify=never", "NEVER "},
        {"NOTIFY=DELAY,success", "SUCCESS,DELAY "},
        {"NOTIFY=SUCCESS,FAILURE,DELAY", "SUCCESS,FAILURE,DELAY "},
        {"NOTIFY=NEVER,DELAY", "501"},
        {"NOTIFY=DELAY,NEVER", "501"},
        {"NOTIFY=DELAY,", "501"},
        {"NOTIFY=,DELAY", "501"},
        {"NOTIFY=", "501"},
        {"NOTIFY", "501"},
        {"NOTIFY=NEVER NOTIFY=NEVER", "501"},
        {"ORCPT=rfc822;Bob@Example.COM", " rfc822;Bob@Example.COM"},
        {"ORCPT=rfc822;a+2Bb@c", " rfc822;a+2Bb@c"},
        {"ORCPT=rfc822;", "501"},
        {"ORCPT=;a@b", "501"},
        {"ORCPT=a@b", "501"},
        {"ORCPT=rf:c;a@b", "501"},
        {"ORCPT=rfc822;a+0D+0AX-Injected:+20yes", "501"},  // W11
        {"ORCPT=rfc822;a+09", "501"},
        {"ORCPT=rfc822;a ORCPT=rfc822;a", "501"},
        {"ORCPT=rfc822;" + std::string(493, 'x'), " rfc822;" + std::string(493, 'x')},
        {"ORCPT=rfc822;" + std::string(494, 'x'), "501"},
        {"ORCPT=utf-8;j\xC3\xBC@b", "501"},
        {"ORCPT=utf-8;j\xC3\xBC@b", " utf-8;j\xC3\xBC@b", true},
        {"ORCPT=utf-8;j\xC3@b", "501", true},
        {"ORCPT=rfc822;j\xC3\xBC@b", "501", true},
        {"RET=FULL", "555"},
    };
    for (auto const& c : cases) {
        auto const r = parse_rcpt_parameters(c.text, everything, c.utf8);
        EXPECT_EQ(r ? r->wanted.text() + " " + r->orcpt : std::to_string(r.error().code), c.want) << c.text;
    }
    EXPECT_EQ(parse_rcpt_parameters("NOTIFY=NEVER", without(extension::dsn), false).error().code, 555);
    EXPECT_EQ(parse_rcpt_parameters("NOTIFY=NEVER", {}, false).error().code, 555);
}

TEST(xtext, goes_both_ways)
{
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    EXPECT_EQ(queue::from_xtext(queue::to_xtext(all)), all);
    for (auto const* bad : {"+", "+4", "+4g", "+ab", "a=b", "a b", "\x7F"}) EXPECT_FALSE(queue::from_xtext(bad)) << bad;
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
    EXPECT_EQ(parse_command("XCLIENT ADDR=127.0.0.1").what, verb::xclient);
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
