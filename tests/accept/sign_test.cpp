// People write in their own names, and what they send is signed; what is handed on is sealed (trust.md R2).
#include <gtest/gtest.h>

#include "accept/rig.hpp"
#include "mailauth/arc.hpp"

namespace mansio::accept {
namespace {

using test::accept_rig;
using test::code;

std::string text(std::string const& from) { return from + "Subject: hello\r\n\r\ntext\r\n"; }

struct rig : accept_rig {
    mailauth::signing_key const rsa = mailauth::signing_key::generate(mailauth::key_type::rsa);
    mailauth::signing_key const ed25519 = mailauth::signing_key::generate(mailauth::key_type::ed25519);
    void give_keys(std::string const& domain)
    {
        keys.all.push_back({domain, "r1", rsa});
        keys.all.push_back({domain, "e1", ed25519});
        for (auto const& k : keys.all)
            dns.set_txt(mailauth::dkim_key_name(k.selector, k.domain), net::dns_found<std::string>({mailauth::dkim_key_record(k.key)}));
    }
    std::string submit(std::string const& octets, std::string const& to = "alice@elsewhere.example")
    {
        auto c = person();
        message m;
        m.from = &c;
        (void)begin(m, "alice@example.test");
        (void)rcpt(m, to);
        auto const d = send(m, octets);
        return d ? code(m.outcomes.front()) : code(d.say) + " " + d.say.text;
    }
    std::vector<mailauth::dkim_outcome> verify(std::string octets)
    {
        mailauth::signed_message m{mime::octets{std::move(octets)}, limits};
        return loop.run(mailauth::verify_dkim(dns, clock, pool, m));
    }
};

TEST(stage_sign, what_a_person_sends_is_signed_by_each_key_of_the_from_domain)
{
    rig r;
    r.give_keys("example.test");
    auto const sent = text("From: Alice <alice@example.test>\r\n");
    EXPECT_EQ(r.submit(sent), "250 2.0.0");
    auto const& prefix = r.envelopes.queued.back().prefix;
    EXPECT_TRUE(prefix.starts_with("DKIM-Signature: v=1; a=rsa-sha256;")) << prefix;
    auto const stored = r.octets_of(r.envelopes.queued.back());
    auto const found = r.verify(prefix + stored);
    ASSERT_EQ(found.size(), 2U);
    for (auto const& s : found) EXPECT_EQ(s.result, mime::dkim_result::pass) << s.problem;
    EXPECT_EQ(found[1].algorithm, "ed25519-sha256");
}

TEST(stage_sign, without_keys_or_an_author_mail_goes_out_unsigned)
{
    rig r;
    EXPECT_EQ(r.submit(text("From: alice@example.test\r\n")), "250 2.0.0");
    EXPECT_TRUE(r.envelopes.queued.back().prefix.starts_with("Received:"));
    r.give_keys("example.test");
    EXPECT_EQ(r.submit(text("")), "250 2.0.0");
    EXPECT_TRUE(r.envelopes.queued.back().prefix.starts_with("Received:"));
}

TEST(stage_sign, what_is_forwarded_is_sealed_by_the_domain_that_forwards)
{
    rig r;
    r.give_keys("example.test");
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "away@example.test");
    auto const sent = text("From: x@elsewhere.example\r\n");
    EXPECT_TRUE(r.send(m, sent));
    auto const whole = r.envelopes.queued.back().prefix + r.octets_of(r.envelopes.queued.back());
    mailauth::signed_message s{mime::octets{whole}, r.limits};
    auto const chain = r.loop.run(mailauth::verify_arc(r.dns, r.clock, r.pool, s));
    EXPECT_EQ(chain.result, mime::arc_result::pass) << chain.problem << whole;
    ASSERT_EQ(chain.seals.size(), 1U);
    EXPECT_EQ(chain.seals[0].domain, "example.test");
    EXPECT_TRUE(chain.seals[0].results.starts_with("mx.example.test;")) << chain.seals[0].results;
    EXPECT_NE(chain.seals[0].results.find("dmarc=none"), std::string::npos);
}

TEST(catalogue, R2_people_write_in_their_own_names)
{
    rig r;
    r.give_keys("example.test");
    for (std::string const good : {"From: alice@example.test\r\n", "From: Alice <Alice+shop@EXAMPLE.test>\r\n",
                                   "From: info@example.test\r\nSender: alice@example.test\r\n", "From: alice@example.test\r\nReply-To: bob@example.test\r\n"})
        EXPECT_EQ(r.submit(text(good)), "250 2.0.0") << good;
    EXPECT_EQ(r.submit("From: alice@example.test\r\nContent-Type: message/rfc822\r\n\r\nFrom: bob@example.test\r\n\r\nx\r\n"), "250 2.0.0");
    for (std::string const bad :
         {"From: bob@example.test\r\n", "From: alice@elsewhere.example\r\n", "From: alice@example.test, bob@example.test\r\n",
          "From: alice@example.test\r\nSender: bob@example.test\r\n", "From: alice@example.test\r\nResent-From: bob@example.test\r\n",
          "From: alice@example.test\r\nResent-Sender: x@elsewhere.example\r\n", "From: team: alice@example.test, bob@example.test;\r\n"})
        EXPECT_TRUE(r.submit(text(bad)).starts_with("553 5.7.1")) << bad << r.submit(text(bad));
    for (std::string const unclear :
         {"From: alice@example.test\r\nFrom: bob@example.test\r\n", "From: alice@example.test <bob@elsewhere.example>\r\n", "From: alice\r\n"})
        EXPECT_TRUE(r.submit(text(unclear)).starts_with("550 5.7.1")) << unclear << r.submit(text(unclear));
    std::string many = "From: alice@example.test";
    for (int i = 0; i < 30; ++i) many += ", alice@example.test";
    EXPECT_TRUE(r.submit(text(many + "\r\n")).starts_with("550 5.7.1"));
}

}  // namespace
}  // namespace mansio::accept
