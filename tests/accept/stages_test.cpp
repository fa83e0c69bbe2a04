// Each stage through the pipeline's own methods; what a stage leaves behind is looked at directly.
#include <gtest/gtest.h>

#include "accept/rig.hpp"
#include "accept/stages.hpp"
#include "base/bytes.hpp"

namespace mansio::accept {
namespace {

using test::accept_rig;
using test::code;

TEST(stage_connect, stops_harvesters_and_lets_them_in_again)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    EXPECT_TRUE(r.loop.run(r.pipeline->connect(m)));
    r.pipeline->distrust(c, r.limits.smtp_unknown_recipients + 1);
    auto const d = r.loop.run(r.pipeline->connect(m));
    EXPECT_EQ(d.what, decision::kind::defer);
    EXPECT_EQ(d.stage, "connect");
    EXPECT_EQ(code(d.say), "421 4.7.0");
    EXPECT_TRUE(d.say.hang_up);
    r.clock.advance(std::chrono::minutes{11});
    EXPECT_TRUE(r.loop.run(r.pipeline->connect(m)));
    c.local = true;
    r.pipeline->distrust(c, 1000);
    EXPECT_TRUE(r.loop.run(r.pipeline->connect(m)));
}

TEST(stage_greet, makes_the_name_harmless)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    EXPECT_TRUE(r.loop.run(r.pipeline->greet(m, "evil\r\nname", true)));
    EXPECT_EQ(c.greeting, "evil??name");
}

TEST(stage_sender, on_the_mx)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    EXPECT_EQ(code(r.begin(m, "x@elsewhere.example")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "x@elsewhere.example", r.limits.message_size)), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "x@elsewhere.example", r.limits.message_size + 1)), "552 5.3.4");
    EXPECT_FALSE(m.begun);
    auto hold = r.memory.take(r.memory.total() - 1000);
    EXPECT_EQ(code(r.begin(m, "x@elsewhere.example")), "452 4.3.1");
}

TEST(stage_sender, room_is_kept_for_deleting)
{
    accept_rig r{[](base::limits& l) { l.message_size = 1ULL << 60U; }};  // more than any disk has
    auto c = r.client();
    message m;
    m.from = &c;
    if (r.engine->health().free_octets < r.limits.message_size + r.limits.message_size / 2) EXPECT_EQ(code(r.begin(m, "x@elsewhere.example")), "452 4.3.1");
}

TEST(stage_sender, a_person_uses_their_own_addresses)
{
    accept_rig r;
    auto c = r.person();
    message m;
    m.from = &c;
    EXPECT_EQ(code(r.begin(m, "alice@example.test")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "Alice@EXAMPLE.test")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "alice+shop@example.test")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "info@example.test")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "both@example.test")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "")), "250 2.1.0");
    EXPECT_EQ(code(r.begin(m, "bob@example.test")), "553 5.7.1");
    EXPECT_EQ(code(r.begin(m, "nobody@example.test")), "553 5.7.1");
    EXPECT_EQ(code(r.begin(m, "alice@elsewhere.example")), "553 5.7.1");
    EXPECT_EQ(code(r.begin(m, "away@example.test")), "553 5.7.1");
    c.account = 0;
    EXPECT_EQ(code(r.begin(m, "alice@example.test")), "530 5.7.0");
}

TEST(stage_recipient, on_the_mx)
{
    accept_rig r{[](base::limits& l) { l.smtp_recipients = 5; }};
    auto c = r.client();
    message m;
    m.from = &c;
    EXPECT_EQ(code(r.begin(m, "x@elsewhere.example")), "250 2.1.0");
    EXPECT_EQ(code(r.rcpt(m, "alice@example.test")), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "ALICE+detail@Example.Test")), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "postmaster@example.test")), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "postmaster")), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "nobody@example.test")), "550 5.1.1");
    EXPECT_EQ(code(r.rcpt(m, "x@third.example")), "550 5.7.1");
    EXPECT_EQ(m.recipients.size(), 4U);
    EXPECT_EQ(m.recipients[1].targets.front().detail, "detail");
    EXPECT_EQ(code(r.rcpt(m, "bob@example.test")), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "bob@example.test")), "452 4.5.3");
}

TEST(stage_recipient, quota_disabled_and_people)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    r.boxes->quotas[r.bob] = {900, 1000, 3};
    (void)r.begin(m, "x@elsewhere.example", 100);
    EXPECT_EQ(code(r.rcpt(m, "bob@example.test")), "250 2.1.5");
    (void)r.begin(m, "x@elsewhere.example", 101);
    EXPECT_EQ(code(r.rcpt(m, "bob@example.test")), "452 4.2.2");
    EXPECT_EQ(code(r.rcpt(m, "both@example.test")), "250 2.1.5");  // alice gets hers; the queue knows what to do for bob
    auto bob = *r.loop.run(r.people->account_by_number(r.bob));
    bob->enabled = false;
    ASSERT_TRUE(r.loop.run(r.people->update_account(*bob)));
    EXPECT_EQ(code(r.rcpt(m, "bob@example.test")), "550 5.2.1");
    auto p = r.person();
    m.from = &p;
    (void)r.begin(m, "alice@example.test");
    EXPECT_EQ(code(r.rcpt(m, "x@third.example")), "250 2.1.5");
    EXPECT_EQ(m.recipients.front().targets.front().account, 0U);
    EXPECT_EQ(m.recipients.front().targets.front().address, "x@third.example");
}

TEST(stage_recipient, srs_addresses_take_bounces_only)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    srs const maker{"0123456789abcdef0123456789abcdef"};
    auto const rewritten = maker.forward({"x", "third.example"}, "example.test", r.clock.wall());
    (void)r.begin(m, "");
    EXPECT_EQ(code(r.rcpt(m, rewritten.text())), "250 2.1.5");
    EXPECT_EQ(m.recipients.front().targets.front().address, "x@third.example");
    EXPECT_EQ(code(r.rcpt(m, "x" + rewritten.text())), "550 5.1.1");
    auto other = rewritten;
    other.domain = "third.example";
    EXPECT_EQ(code(r.rcpt(m, other.text())), "550 5.7.1");
    (void)r.begin(m, "spammer@elsewhere.example");
    EXPECT_EQ(code(r.rcpt(m, rewritten.text())), "550 5.7.1");
}

std::string const own = "From: alice@example.test\r\nSubject: hello\r\n\r\ntext\r\n";
std::string const body = "From: x@elsewhere.example\r\nSubject: hello\r\n\r\ntext\r\n";

TEST(stage_octets, passes_a_refusal_on)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    r.pipeline->open(m);
    m.incoming->put(body);
    m.incoming->refuse({550, "5.5.2", "line ends"});
    auto const d = r.loop.run(r.pipeline->finish(m));
    EXPECT_EQ(code(d.say), "550 5.5.2");
    EXPECT_EQ(d.stage, "octets");
    EXPECT_TRUE(r.boxes->delivered.empty());
}

TEST(stage_parse, loops_and_large_ones)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    std::string trace;
    for (std::uint64_t i = 0; i < r.limits.received_fields; ++i) trace += "Received: x\r\n";
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    EXPECT_TRUE(r.send(m, trace + body));
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    auto const d = r.send(m, "Received: x\r\n" + trace + body);
    EXPECT_EQ(code(d.say), "554 5.4.6");
    EXPECT_EQ(d.stage, "parse");
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    std::string large = body;
    while (large.size() < 600000) large += "a line of a message that is parsed on the pool, not on the shard\r\n";
    EXPECT_TRUE(r.send(m, large));
    EXPECT_EQ(r.boxes->delivered.back().octets, large);
}

TEST(stage_commit, one_account_is_committed_directly)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "info@example.test");
    (void)r.rcpt(m, "alice@example.test");
    auto const d = r.send(m, body);
    ASSERT_TRUE(d);
    ASSERT_EQ(m.outcomes.size(), 1U);
    EXPECT_EQ(code(m.outcomes.front()), "250 2.0.0");
    ASSERT_EQ(r.boxes->delivered.size(), 1U);
    EXPECT_TRUE(r.envelopes.queued.empty());
    auto const& kept = r.boxes->delivered.front();
    EXPECT_EQ(kept.octets, body);
    EXPECT_EQ(kept.what.sender, "x@elsewhere.example");
    EXPECT_TRUE(kept.what.trace.starts_with("Authentication-Results: mx.example.test;")) << kept.what.trace;
    EXPECT_NE(kept.what.trace.find("\r\nReceived: from client.example ([192.0.2.7])"), std::string::npos);
    EXPECT_NE(r.log.text().find("message_accepted"), std::string::npos);
}

TEST(stage_commit, several_are_one_envelope)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "both@example.test");
    (void)r.rcpt(m, "bob@example.test");
    EXPECT_TRUE(r.send(m, body));
    EXPECT_TRUE(r.boxes->delivered.empty());
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    auto const& q = r.envelopes.queued.front();
    ASSERT_EQ(q.recipients.size(), 2U);
    EXPECT_EQ(q.recipients[0].account, r.alice);
    EXPECT_EQ(q.recipients[1].account, r.bob);
    EXPECT_EQ(q.recipients[1].original, "both@example.test");
    EXPECT_TRUE(q.recipients[0].sender.empty());
    EXPECT_FALSE(q.authenticated);
    EXPECT_NE(q.prefix.find("\r\nReceived:"), std::string::npos);
    // Two mailboxes of one account are two deliveries: not one commit, so an envelope.
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice+a@example.test");
    (void)r.rcpt(m, "alice+b@example.test");
    EXPECT_TRUE(r.send(m, body));
    EXPECT_EQ(r.envelopes.queued.size(), 2U);
}

TEST(stage_commit, forwarded_mail_gets_a_sender_of_ours)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@third.example");
    (void)r.rcpt(m, "mixed@example.test");
    EXPECT_TRUE(r.send(m, body));
    ASSERT_EQ(r.envelopes.queued.size(), 1U);
    auto const& q = r.envelopes.queued.front();
    EXPECT_EQ(q.sender, "x@third.example");
    ASSERT_EQ(q.recipients.size(), 2U);
    EXPECT_EQ(q.recipients[0].address, "bob@example.test");
    EXPECT_TRUE(q.recipients[0].sender.empty());
    EXPECT_EQ(q.recipients[1].address, "bob@elsewhere.example");
    EXPECT_TRUE(q.recipients[1].sender.starts_with("SRS0=")) << q.recipients[1].sender;
    EXPECT_TRUE(q.recipients[1].sender.ends_with("=third.example=x@example.test")) << q.recipients[1].sender;
    // Bounces and our own people's mail stay as they are.
    (void)r.begin(m, "");
    (void)r.rcpt(m, "away@example.test");
    EXPECT_TRUE(r.send(m, body));
    EXPECT_TRUE(r.envelopes.queued.back().recipients.front().sender.empty());
    auto p = r.person();
    m.from = &p;
    (void)r.begin(m, "alice@example.test");
    (void)r.rcpt(m, "away@example.test");
    EXPECT_TRUE(r.send(m, own));
    EXPECT_TRUE(r.envelopes.queued.back().recipients.front().sender.empty());
    EXPECT_TRUE(r.envelopes.queued.back().authenticated);
}

TEST(stage_commit, what_fails_is_told_and_nothing_is_kept)
{
    struct {
        fault f;
        std::string want;
    } const cases[] = {
        {fault{fault::kind::over_limit, "full"}, "452 4.2.2"},
        {fault{fault::kind::not_found, "gone"}, "550 5.1.1"},
        {fault{fault::kind::refused, "loop", "5.4.6"}, "554 5.4.6"},
        {fault{fault::kind::broken, "x"}, "451 4.3.0"},
        {fault{fault::kind::timeout, "x"}, "451 4.3.0"},
    };
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    for (auto const& k : cases) {
        r.boxes->faults.insert_or_assign(r.alice, k.f);
        (void)r.begin(m, "x@elsewhere.example");
        (void)r.rcpt(m, "alice@example.test");
        auto const d = r.send(m, body);
        EXPECT_FALSE(d);
        EXPECT_EQ(code(d.say), k.want);
    }
    r.envelopes.broken = fault{fault::kind::over_limit, "full"};
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "both@example.test");
    EXPECT_EQ(code(r.send(m, body).say), "452 4.3.1");
    EXPECT_TRUE(r.boxes->delivered.empty());
}

TEST(stage_commit, lmtp_answers_for_each_recipient)
{
    accept_rig r;
    auto c = r.client(door::lmtp);
    message m;
    m.from = &c;
    r.boxes->faults.insert_or_assign(r.bob, fault{fault::kind::over_limit, "full"});
    (void)r.begin(m, "x@elsewhere.example");
    for (auto const* to : {"alice@example.test", "bob@example.test", "alice@example.test", "alice+x@example.test", "both@example.test"})
        EXPECT_EQ(code(r.rcpt(m, to)), "250 2.1.5");
    EXPECT_EQ(code(r.rcpt(m, "x@third.example")), "550 5.7.1");
    EXPECT_TRUE(r.send(m, body));
    std::vector<std::string> said;
    for (auto const& o : m.outcomes) said.push_back(code(o));
    EXPECT_EQ(said, (std::vector<std::string>{"250 2.0.0", "452 4.2.2", "250 2.0.0", "250 2.0.0", "250 2.0.0"}));
    ASSERT_EQ(r.boxes->delivered.size(), 2U);  // the repeated recipient once
    EXPECT_TRUE(r.boxes->delivered[0].what.blob);
    EXPECT_TRUE(r.boxes->delivered[1].what.stored);  // the octets once
    EXPECT_EQ(r.boxes->delivered[1].octets, body);
    EXPECT_EQ(r.envelopes.queued.size(), 1U);
}

TEST(stage_commit, own_delivered_to_is_a_loop)
{
    accept_rig r;
    auto c = r.client();
    message m;
    m.from = &c;
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    EXPECT_EQ(code(r.send(m, "Delivered-To: Alice@example.test\r\n" + body).say), "554 5.4.6");
    (void)r.begin(m, "x@elsewhere.example");
    (void)r.rcpt(m, "alice@example.test");
    EXPECT_TRUE(r.send(m, "Delivered-To: bob@example.test\r\n" + body));
    auto p = r.person();  // sends on what was delivered to her
    m.from = &p;
    (void)r.begin(m, "alice@example.test");
    (void)r.rcpt(m, "alice@example.test");
    EXPECT_TRUE(r.send(m, "Delivered-To: alice@example.test\r\n" + own));
    EXPECT_TRUE(r.boxes->delivered.back().what.fresh);
}

TEST(stage_commit, submission_completes_the_header)
{
    accept_rig r;
    auto p = r.person();
    message m;
    m.from = &p;
    (void)r.begin(m, "alice@example.test");
    (void)r.rcpt(m, "alice@example.test");
    EXPECT_TRUE(r.send(m, "Bcc: secret@third.example\r\n" + own));
    auto const& text = r.boxes->delivered.back().octets;
    EXPECT_EQ(text.find("secret"), std::string::npos);
    EXPECT_TRUE(text.starts_with("Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <")) << text;
    EXPECT_TRUE(text.ends_with(own));
    EXPECT_FALSE(m.summary->message_id.empty());
}

}  // namespace
}  // namespace mansio::accept
