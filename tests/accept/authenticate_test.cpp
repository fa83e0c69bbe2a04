// The stage that asks who sent a message: what is refused, what is told, and to whom a bounce may go.
#include <gtest/gtest.h>

#include "accept/rig.hpp"
#include "mailauth/arc.hpp"
#include "mailauth/message_signing.hpp"

namespace mansio::accept {
namespace {

using test::accept_rig;
using test::code;

net::ip_address const sender_host = net::ip_address::v4({192, 0, 2, 7});
constexpr std::string_view body = "From: Carol <carol@sender.example>\r\nSubject: hello\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\ntext\r\n";

struct rig : accept_rig {
    mailauth::signing_key const key = mailauth::signing_key::generate(mailauth::key_type::ed25519);
    void publish(std::string const& name, std::string record) { dns.set_txt(name, net::dns_found<std::string>({std::move(record)})); }
    /// sender.example sends from 192.0.2.7, signs, and wants everything else refused.
    void set_up_sender(std::string const& policy = "v=DMARC1; p=reject")
    {
        publish("sender.example", "v=spf1 ip4:192.0.2.7 -all");
        publish("_dmarc.sender.example", policy);
        publish("k._domainkey.sender.example", mailauth::dkim_key_record(key));
        dns.set_ptr(sender_host, net::dns_found<std::string>({"mail.sender.example"}));
        dns.set_addresses("mail.sender.example", net::dns_found<net::ip_address>({sender_host}));
    }
    mailauth::dkim_signing signing(std::string domain) const
    {
        mailauth::dkim_signing how;
        how.domain = std::move(domain);
        how.selector = "k";
        how.key = key;
        how.now = 1'764'000'000;
        return how;
    }
    std::string sign(std::string const& text)
    {
        mailauth::signed_message m{mime::octets{text}, limits};
        return mailauth::sign_dkim(m, signing("sender.example")) + text;
    }
    struct sent {
        std::string reply, results;
        std::shared_ptr<mime::authentication const> found;
    };
    sent send_from(std::string const& peer, std::string_view text, std::string const& mail_from = "carol@sender.example",
                   std::string const& to = "bob@example.test", door through = door::mx)
    {
        auto c = client(through);
        c.peer = peer;
        message m;
        m.from = &c;
        (void)begin(m, mail_from);
        (void)rcpt(m, to);
        auto const d = send(m, std::string{text});
        return {d ? code(m.outcomes.front()) : code(d.say) + " " + d.say.text, m.results, m.authentication};
    }
};

TEST(stage_authenticate, what_was_found_is_told_above_received)
{
    rig r;
    r.set_up_sender();
    auto const s = r.send_from("192.0.2.7", r.sign(std::string{body}));
    EXPECT_EQ(s.reply, "250 2.0.0");
    ASSERT_TRUE(s.found);
    EXPECT_EQ(s.found->dmarc.result, mime::dmarc_result::pass);
    EXPECT_TRUE(s.found->dmarc.spf_aligned && s.found->dmarc.dkim_aligned);
    auto const& trace = r.boxes->delivered.front().what.trace;
    EXPECT_TRUE(trace.starts_with("Authentication-Results: mx.example.test;\r\n iprev=pass policy.iprev=192.0.2.7 (mail.sender.example);\r\n"
                                  " spf=pass smtp.mailfrom=carol@sender.example;\r\n dkim=pass header.d=sender.example"))
        << trace;
    EXPECT_NE(trace.find(" dmarc=pass (p=reject) header.from=sender.example\r\nReceived: "), std::string::npos) << trace;
}

TEST(stage_authenticate, what_the_authors_domain_wants_refused_is)
{
    rig r;
    r.set_up_sender();
    auto const s = r.send_from("198.51.100.9", body, "evil@elsewhere.example");
    EXPECT_TRUE(s.reply.starts_with("550 5.7.1 the message is not from sender.example")) << s.reply;
    EXPECT_TRUE(r.boxes->delivered.empty());
    EXPECT_NE(r.log.text().find("authenticate"), std::string::npos);
    r.set_up_sender("v=DMARC1; p=quarantine");
    EXPECT_EQ(r.send_from("198.51.100.9", body, "evil@elsewhere.example").reply, "250 2.0.0");
    r.set_up_sender("v=DMARC1; p=none");
    EXPECT_EQ(r.send_from("198.51.100.9", body, "evil@elsewhere.example").reply, "250 2.0.0");
}

TEST(stage_authenticate, a_server_that_only_tells)
{
    rig r;
    r.options.obey_dmarc = false;
    r.build();
    r.set_up_sender();
    auto const s = r.send_from("198.51.100.9", body, "evil@elsewhere.example");
    EXPECT_EQ(s.reply, "250 2.0.0");
    EXPECT_NE(s.results.find("dmarc=fail (p=reject) header.from=sender.example"), std::string::npos) << s.results;
}

TEST(stage_authenticate, a_resolver_that_is_down_refuses_nothing)
{
    rig r;  // trust.md D11
    r.set_up_sender();
    r.dns.set_txt("_dmarc.sender.example", net::dns_without<std::string>(net::dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(r.send_from("198.51.100.9", body, "evil@elsewhere.example").reply, "250 2.0.0");
}

TEST(stage_authenticate, a_listed_sealer_vouches_for_what_was_changed_on_the_way)
{
    rig r;
    r.set_up_sender();
    r.publish("k._domainkey.sealer.test", mailauth::dkim_key_record(r.key));
    r.publish("k._domainkey.other.test", mailauth::dkim_key_record(r.key));
    auto const sealed = [&](std::string const& sealer) {
        mailauth::signed_message m{mime::octets{std::string{body}}, r.limits};
        return *mailauth::seal_arc(m, {}, "mx." + sealer + "; dmarc=pass header.from=sender.example", r.signing(sealer)) + std::string{body};
    };
    auto const s = r.send_from("198.51.100.9", sealed("sealer.test"), "list@sealer.test");
    EXPECT_EQ(s.reply, "250 2.0.0");
    EXPECT_NE(s.results.find("(vouched for by sealer.test)"), std::string::npos) << s.results;
    EXPECT_TRUE(r.send_from("198.51.100.9", sealed("other.test"), "list@other.test").reply.starts_with("550 5.7.1"));
}

TEST(stage_authenticate, signatures_are_checked_against_the_header_as_it_came)
{
    rig r;
    r.set_up_sender();
    // A field that is cut at entry, because it bears our name, and was signed: the signature holds all the same.
    std::string const text = "Authentication-Results: mx.example.test; dmarc=fail\r\n" + std::string{body};
    mailauth::signed_message m{mime::octets{text}, r.limits};
    auto names = mailauth::fields_to_sign(m.header());
    names.emplace_back("Authentication-Results");
    mailauth::folded_field field{"DKIM-Signature: v=1;"};
    mailauth::put_signature(field, m, names, r.signing("sender.example"));
    auto const s = r.send_from("198.51.100.9", field.text() + text, "x@elsewhere.example");
    EXPECT_EQ(s.reply, "250 2.0.0");
    ASSERT_TRUE(s.found);
    EXPECT_EQ(s.found->dkim.at(0).result, mime::dkim_result::pass) << s.found->dkim.at(0).problem;
    EXPECT_EQ(r.boxes->delivered.front().octets.find("dmarc=fail"), std::string::npos);
}

TEST(stage_authenticate, other_doors_and_this_machine_ask_nobody)
{
    rig r;
    r.set_up_sender();
    EXPECT_EQ(r.send_from("198.51.100.9", body, "evil@elsewhere.example", "bob@example.test", door::lmtp).results, "");
    auto const here = r.send_from("127.0.0.1", body, "evil@elsewhere.example");
    EXPECT_EQ(here.reply, "250 2.0.0");
    EXPECT_EQ(here.results, "Authentication-Results: mx.example.test; none\r\n");
    EXPECT_EQ(r.send_from("127.0.0.1", "Subject: cron\r\n\r\n").reply, "250 2.0.0");
    EXPECT_EQ(r.send_from("::1", "Subject: cron\r\n\r\n").reply, "250 2.0.0");
    EXPECT_EQ(r.send_from("198.51.100.9", "Subject: cron\r\n\r\n").reply, "550 5.7.1 the message has no From field");
    r.options.check_senders = false;
    r.build();
    EXPECT_EQ(r.send_from("198.51.100.9", body, "evil@elsewhere.example").reply, "250 2.0.0");
}

TEST(catalogue, M2_no_message_without_one_clear_author)
{
    rig r;
    for (std::string const from : {"From: a@sender.example\r\nFrom: b@evil.example\r\n", "From: a@sender.example, b@evil.example\r\n",
                                   "From: a@sender.example <b@evil.example>\r\n", "From: nobody\r\n", "From : a@sender.example\r\nFrom: a@sender.example\r\n"})
        for (std::string const peer : {"198.51.100.9", "127.0.0.1"})
            EXPECT_TRUE(r.send_from(peer, from + "Subject: x\r\n\r\n").reply.starts_with("550 5.7.1")) << from;
}

TEST(catalogue, R4_bounces_go_only_to_senders_that_are_proved)
{
    rig r;
    r.set_up_sender("v=DMARC1; p=none");
    auto const bounces = [&](std::string const& peer, std::string const& text, std::string const& mail_from) {
        r.envelopes.queued.clear();
        EXPECT_EQ(r.send_from(peer, text, mail_from, "both@example.test").reply, "250 2.0.0");
        return !r.envelopes.queued.empty() && !r.envelopes.queued.front().sender_unproved;
    };
    std::string const plain{body};
    EXPECT_TRUE(bounces("192.0.2.7", plain, "carol@sender.example")) << "SPF";
    EXPECT_FALSE(bounces("198.51.100.9", plain, "carol@sender.example"));
    EXPECT_TRUE(bounces("198.51.100.9", r.sign(plain), "carol@sender.example")) << "DKIM of the reverse-path's domain";
    EXPECT_TRUE(bounces("198.51.100.9", r.sign(plain), "carol@bounces.sender.example"));
    EXPECT_FALSE(bounces("198.51.100.9", r.sign(plain), "victim@elsewhere.example")) << "a signature of another domain";
    EXPECT_TRUE(bounces("127.0.0.1", plain, "carol@sender.example")) << "nobody was asked";
    r.options.check_senders = false;
    r.build();
    EXPECT_TRUE(bounces("198.51.100.9", plain, "carol@sender.example")) << "nobody was asked";
}

}  // namespace
}  // namespace mansio::accept
