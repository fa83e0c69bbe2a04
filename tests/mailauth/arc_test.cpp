#include "mailauth/arc.hpp"

#include <gtest/gtest.h>

#include "mailauth/authentication_results.hpp"
#include "mailauth/dkim_rig.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using mime::arc_result;

namespace {

constexpr std::string_view message = "From: Alice <alice@example.test>\r\nTo: list@list.test\r\nSubject: hello\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
                                     "Message-ID: <1@example.test>\r\n\r\nHello.\r\n";

struct setting : test::dkim_rig {
    dkim_signing sealer(std::string domain, key_type t = key_type::rsa)
    {
        static signing_key const rsa = signing_key::generate(key_type::rsa);
        static signing_key const ed25519 = signing_key::generate(key_type::ed25519);
        dkim_signing h;
        h.domain = std::move(domain);
        h.selector = "arc";
        h.key = t == key_type::rsa ? rsa : ed25519;
        h.now = 1767225600;
        publish(dkim_key_name(h.selector, h.domain), dkim_key_record(h.key));
        return h;
    }
    arc_outcome verify_chain(std::string_view text)
    {
        signed_message m{mime::octets{std::string{text}}, limits};
        return loop.run(verify_arc(dns, clock, pool, m));
    }
    /// What `domain` hands on.
    std::string sealed(std::string_view text, std::string const& domain, std::string const& results, key_type t = key_type::rsa)
    {
        signed_message m{mime::octets{std::string{text}}, limits};
        auto const chain = loop.run(verify_arc(dns, clock, pool, m));
        auto const fields = seal_arc(m, chain, results, sealer(domain, t));
        EXPECT_TRUE(fields);
        return fields.value_or("") + std::string{text};
    }
    std::string says(std::string_view text)
    {
        auto const o = verify_chain(text);
        return std::string{name_of(o.result)} + (o.problem.empty() ? "" : ": " + o.problem);
    }
};

std::string changed(std::string text, std::string_view from, std::string_view to)
{
    auto const at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    return text;
}

/// Without the field that begins with `start`, folded lines included.
std::string without_field(std::string text, std::string_view start)
{
    auto const at = text.find(start);
    EXPECT_NE(at, std::string::npos) << start;
    auto end = text.find("\r\n", at);
    while (end + 2 < text.size() && text[end + 2] == ' ') end = text.find("\r\n", end + 2);
    text.erase(at, end + 2 - at);
    return text;
}

}  // namespace

TEST(arc, a_message_that_was_never_sealed)
{
    setting s;
    EXPECT_EQ(s.says(message), "none");
}

TEST(arc, seals_of_several_handlers_make_a_chain)
{
    setting s;
    auto const one = s.sealed(message, "first.test", "mx.first.test; dmarc=pass header.from=example.test");
    EXPECT_EQ(s.says(one), "pass");
    auto const two = s.sealed(changed(one, "Subject: hello", "Subject: [list] hello"), "second.test", "mx.second.test; arc=pass", key_type::ed25519);
    EXPECT_NE(two.find("cv=fail"), std::string::npos) << "what the first signed was changed before the second saw it";
    auto const whole = s.sealed(one, "second.test", "mx.second.test; arc=pass", key_type::ed25519);
    auto const o = s.verify_chain(whole);
    EXPECT_EQ(o.result, arc_result::pass) << o.problem;
    ASSERT_EQ(o.seals.size(), 2U);
    EXPECT_EQ(o.seals[0].domain, "first.test");
    EXPECT_EQ(o.seals[0].results, "mx.first.test; dmarc=pass header.from=example.test");
    EXPECT_EQ(o.seals[1].domain, "second.test");
    // What was changed after the first handler is covered by the second's signature alone.
    auto text = changed(one, "Hello.", "Hello. -- the list");
    EXPECT_EQ(s.says(text), "fail: the body is not the one that was signed (instance 1)");
}

TEST(arc, broken_chains)
{
    setting s;
    auto const one = s.sealed(message, "first.test", "mx.first.test; spf=pass");
    auto const two = s.sealed(one, "second.test", "mx.second.test; arc=pass");
    struct row {
        std::string text, says;
    };
    auto const again = [&](std::string_view start) {
        auto const at = one.find(start);
        auto end = one.find("\r\n", at);
        while (one[end + 2] == ' ') end = one.find("\r\n", end + 2);
        return one.substr(at, end + 2 - at) + one;
    };
    for (auto const& r : std::initializer_list<row>{
             {changed(two, "spf=pass", "spf=fail"), "fail: a seal is not that key's over these sets (instance 2)"},
             {changed(two, "Subject: hello", "Subject: hallo"), "fail: the signature is not that key's over this header (instance 2)"},
             {changed(one, "Hello.", "Hallo."), "fail: the body is not the one that was signed (instance 1)"},
             {changed(two, "cv=pass", "cv=none"), "fail: a seal with the wrong cv= (instance 2)"},
             {changed(two, "cv=pass", "cv=fail"), "fail: a handler before us found the chain broken"},
             {changed(one, "cv=none", "cv=pass"), "fail: a seal with the wrong cv= (instance 1)"},
             {changed(one, "cv=none;", "cv=none; h=from;"), "fail: a seal with h= (instance 1)"},
             {changed(one, "cv=none;", ""), "fail: a seal without cv= (instance 1)"},
             {without_field(one, "ARC-Seal:"), "fail: no ARC-Seal of instance 1"},
             {without_field(one, "ARC-Message-Signature:"), "fail: no ARC-Message-Signature of instance 1"},
             {without_field(one, "ARC-Authentication-Results:"), "fail: no ARC-Authentication-Results of instance 1"},
             {again("ARC-Seal:"), "fail: ARC-Seal of instance 1 twice"},
             {again("ARC-Authentication-Results:"), "fail: ARC-Authentication-Results of instance 1 twice"},
             {changed(one, "ARC-Authentication-Results: i=1", "ARC-Authentication-Results: i=0"),
              "fail: ARC-Authentication-Results without an instance from 1 to 50"},
             {changed(one, "ARC-Authentication-Results: i=1", "ARC-Authentication-Results: i=51"),
              "fail: ARC-Authentication-Results without an instance from 1 to 50"},
             {changed(one, "ARC-Authentication-Results: i=1", "ARC-Authentication-Results: j=1"),
              "fail: ARC-Authentication-Results without an instance from 1 to 50"},
             {changed(one, "ARC-Authentication-Results: i=1", "ARC-Authentication-Results: i=2"), "fail: no ARC-Authentication-Results of instance 1"},
             {changed(one, "ARC-Seal: i=1", "ARC-Seal: i=9999999999999999999999"), "fail: ARC-Seal without an instance from 1 to 50"},
             {changed(one, "ARC-Seal: i=1; a=rsa-sha256", "ARC-Seal: i=1; a=rsa-sha1"), "fail: SHA-1 (instance 1)"},
             {changed(one, "s=arc", "s=gone"), "fail: no key at gone._domainkey.first.test (instance 1)"},
         })
        EXPECT_EQ(s.says(r.text), r.says);
}

TEST(arc, every_seal_is_checked_not_only_the_newest)
{
    setting s;
    auto const tampered = changed(s.sealed(message, "first.test", "mx.first.test; spf=fail"), "spf=fail", "spf=pass");
    // Somebody who seals a chain as good that is not.
    arc_outcome lie;
    lie.result = arc_result::pass;
    signed_message m{mime::octets{tampered}, s.limits};
    auto const text = *seal_arc(m, lie, "mx.second.test; arc=pass", s.sealer("second.test")) + tampered;
    EXPECT_EQ(s.says(text), "fail: a seal is not that key's over these sets (instance 1)");
}

TEST(arc, a_resolver_that_does_not_answer_is_named)
{
    setting s;
    auto const one = s.sealed(message, "first.test", "mx.first.test; spf=pass");
    s.dns.set_txt("arc._domainkey.first.test", net::dns_without<std::string>(net::dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(s.says(one), "fail: the DNS did not answer for arc._domainkey.first.test: SERVFAIL (instance 1)");
}

TEST(catalogue, M3_chains_are_bounded_and_broken_ones_end)
{
    setting s;
    std::string text{message};
    for (unsigned i = 1; i <= 50; ++i) text = s.sealed(text, "hop" + std::to_string(i) + ".test", "mx; none", key_type::ed25519);
    EXPECT_EQ(s.says(text), "pass");
    signed_message m{mime::octets{text}, s.limits};
    EXPECT_FALSE(seal_arc(m, s.verify_chain(text), "mx; none", s.sealer("one.more.test"))) << "fifty are the most";
    auto const more = changed(text, "ARC-Seal: i=50;", "ARC-Seal: i=51;");
    EXPECT_EQ(s.says(more), "fail: ARC-Seal without an instance from 1 to 50");
    // A broken chain is sealed as broken once, and then no more.
    auto const broken = changed(s.sealed(message, "first.test", "mx; none"), "Hello.", "Hallo.");
    auto const told = s.sealed(broken, "second.test", "mx; arc=fail");
    EXPECT_EQ(s.says(told), "fail: a handler before us found the chain broken");
    signed_message t{mime::octets{told}, s.limits};
    EXPECT_FALSE(seal_arc(t, s.verify_chain(told), "mx; none", s.sealer("third.test")));
    // One that is too large to be worth the hashing.
    std::string const large(40'000, 'x');
    std::string heavy{message};
    for (unsigned i = 1; i <= 4; ++i) heavy = s.sealed(heavy, "first.test", "mx; none (" + large + ")", key_type::ed25519);
    EXPECT_EQ(s.says(heavy), "fail: the chain is too large");
}

TEST(catalogue, M3_only_listed_sealers_vouch)
{
    mime::arc_outcome arc;
    arc.result = arc_result::pass;
    arc.seals = {{"one.test", "mx.one.test; dmarc=pass (p=reject) header.from=example.test"},
                 {"two.test", "mx.two.test; dmarc=fail header.from=example.test; arc=pass"}};
    EXPECT_EQ(vouching_sealer(arc, {"one.test", "two.test"}, "example.test"), "one.test");
    EXPECT_EQ(vouching_sealer(arc, {"two.test"}, "example.test"), "") << "the one who saw it pass is not listed";
    EXPECT_EQ(vouching_sealer(arc, {"one.test"}, "example.test"), "") << "somebody not listed had it last";
    EXPECT_EQ(vouching_sealer(arc, {"one.test", "two.test"}, "other.test"), "") << "another author";
    arc.result = arc_result::fail;
    EXPECT_EQ(vouching_sealer(arc, {"one.test", "two.test"}, "example.test"), "");
}
