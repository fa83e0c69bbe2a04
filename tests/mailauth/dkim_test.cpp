#include <gtest/gtest.h>

#include "mailauth/dkim_rig.hpp"
#include "mailauth/tag_list.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using mime::dkim_result;

namespace {

constexpr std::string_view message =
    "From: Alice <alice@example.test>\r\nTo: bob@there.test\r\nSubject: =?utf-8?q?a?= long\r\n one\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: "
    "<1@example.test>\r\n\r\nHello  Bob,\r\n\r\nall is well.\r\n\r\n";

struct setting : test::dkim_rig {
    dkim_signing how(key_type t)
    {
        static signing_key const rsa = signing_key::generate(key_type::rsa);
        static signing_key const ed25519 = signing_key::generate(key_type::ed25519);
        dkim_signing h;
        h.domain = "example.test";
        h.selector = t == key_type::rsa ? "r1" : "e1";
        h.key = t == key_type::rsa ? rsa : ed25519;
        h.now = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count());
        publish(dkim_key_name(h.selector, h.domain), dkim_key_record(h.key), true);
        return h;
    }
    dkim_outcome only(std::string_view text)
    {
        auto const all = verify(text);
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? dkim_outcome{} : all[0];
    }
};

/// `text` with one place changed.
std::string changed(std::string text, std::string_view from, std::string_view to)
{
    auto const at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    return text;
}

}  // namespace

TEST(tag_list, tables)
{
    auto const good = tag_list::parse(" v = 1 ;\r\n\ta=rsa-sha256; b= ab\r\n cd ;empty=;");
    ASSERT_TRUE(good);
    EXPECT_EQ(good->tags().size(), 4U);
    EXPECT_EQ(good->get("v"), "1");
    EXPECT_EQ(good->get("b"), "ab\r\n cd");
    EXPECT_EQ(good->find("b")->whole_value, " ab\r\n cd ");
    EXPECT_EQ(good->get("empty"), "");
    EXPECT_FALSE(good->get("V"));
    for (auto const* bad : {"", ";", "v", "v=1;;a=b", "v=1; v=1", "1v=1", "=1", "a b=1", "v=1\x7f", "v=\x01"}) EXPECT_FALSE(tag_list::parse(bad)) << bad;
    EXPECT_EQ(split_colons(" a :b: "), (std::vector<std::string_view>{"a", "b", ""}));
    EXPECT_EQ(read_decimal("007", 12), 7U);
    EXPECT_FALSE(read_decimal("1234567890123", 12));
    EXPECT_FALSE(read_decimal("-1", 12));
}

TEST(dkim_signature, what_is_wrong_is_named)
{
    std::string const good = "v=1; a=rsa-sha256; c=relaxed/simple; d=Example.test; s=Sel.A; t=100; x=200; l=5; i=a=20b@sub.example.test; h=From:\r\n To; bh=" +
                             base::to_base64(std::string(32, 'x')) + "; b=YWJj\r\n ZGVm";
    auto const s = parse_dkim_signature(good);
    ASSERT_TRUE(s) << s.error().say;
    EXPECT_EQ(s->domain, "example.test");
    EXPECT_EQ(s->selector, "sel.a");
    EXPECT_EQ(s->signature, "abcdef");
    EXPECT_EQ(s->header, canonicalization::relaxed);
    EXPECT_EQ(s->body, canonicalization::simple);
    EXPECT_EQ(s->fields, (std::vector<std::string>{"From", "To"}));
    EXPECT_EQ(s->length, 5U);
    struct row {
        char const* from;
        char const* to;
        char const* say;
    };
    for (auto const& r : {row{"v=1; ", "", "required tag v= is missing"},
                          {"v=1", "v=2", "unknown version v=2"},
                          {"rsa-sha256", "rsa-md5", "unknown algorithm a=rsa-md5"},
                          {"relaxed/simple", "nofws", "unknown canonicalization c=nofws"},
                          {"d=Example.test", "d=test", "d= is no domain name"},
                          {"s=Sel.A", "s=a b", "s= is no name"},
                          {"t=100", "t=300", "x= is not after t="},
                          {"t=100", "t=x", "t= or x= is no time"},
                          {"l=5", "l=-5", "l= is no number"},
                          {"i=a=20b@sub.example.test", "i=@other.test", "i= is not within d="},
                          {"i=a=20b@sub.example.test", "i=@notexample.test", "i= is not within d="},
                          {"h=From:\r\n To", "h=To", "From is not signed"},
                          {"h=From:\r\n To", "h=From:", "h= is no list of field names"},
                          {"b=YWJj", "b=!", "b= is not base64"},
                          {"bh=", "bh=QUJD; q=", "bh= is not the base64 of a hash"},
                          {"l=5", "q=dns/other", "no key can be fetched by q="},
                          {"l=5", "t=5", "not a list of tags, or a tag twice"}})
    {
        auto const bad = parse_dkim_signature(changed(good, r.from, r.to));
        ASSERT_FALSE(bad) << r.say;
        EXPECT_EQ(bad.error().say, r.say);
    }
    for (std::size_t i = 0; i < good.size(); ++i) (void)parse_dkim_signature(std::string_view{good}.substr(0, i));
}

TEST(dkim, what_is_signed_verifies_and_what_is_changed_does_not)
{
    setting s;
    for (auto const t : {key_type::rsa, key_type::ed25519}) {
        auto const whole = s.sign(message, s.how(t));
        for (std::size_t at = 0, end = 0; (end = whole.find("\r\n", at)) != std::string::npos; at = end + 2) EXPECT_LE(end - at, 78U);
        auto const o = s.only(whole);
        EXPECT_EQ(o.result, dkim_result::pass) << o.problem;
        EXPECT_EQ(o.domain, "example.test");
        EXPECT_TRUE(o.secure);
        EXPECT_EQ(o.key_bits, t == key_type::rsa ? 2048U : 256U);
        // Relaxed: blanks and empty lines at the end may come and go.
        EXPECT_EQ(s.only(changed(whole, "Hello  Bob", "Hello \t Bob") + "\r\n\r\n").result, dkim_result::pass);
        EXPECT_EQ(s.only(changed(whole, "long\r\n one", "long one")).result, dkim_result::pass);
        EXPECT_EQ(s.only("Received: from somewhere\r\n" + whole).result, dkim_result::pass);
        // Over-signing: a field that is added breaks the signature.
        EXPECT_EQ(s.only("From: mallory@example.test\r\n" + whole).problem, "the signature is not that key's over this header");
        EXPECT_EQ(s.only("Reply-To: mallory@example.test\r\n" + whole).result, dkim_result::fail);
        EXPECT_EQ(s.only("Content-Type: text/html\r\n" + whole).result, dkim_result::fail);
        EXPECT_EQ(s.only(whole + "P.S. Send money.\r\n").problem, "the body is not the one that was signed");
        EXPECT_EQ(s.only(changed(whole, "t=", "t=1")).result, dkim_result::fail);
    }
}

TEST(signed_message, of_several_fields_the_last_is_taken_first)
{
    base::limits const limits;
    signed_message const m{mime::octets{"X: 1\r\nX: 2\r\nY: 3\r\nx: 4\r\n\r\n"}, limits};
    std::vector<std::string> const names{"X", "none", "y", "X"};
    EXPECT_EQ(m.hash_header(names, canonicalization::relaxed, "S: b="), base::sha256("x:4\r\ny:3\r\nx:2\r\ns:b="));
    EXPECT_EQ(m.hash_header(names, canonicalization::simple, "S: b="), base::sha256("x: 4\r\nY: 3\r\nX: 2\r\nS: b="));
}

TEST(catalogue, M1_signatures_that_prove_too_little)
{
    setting s;
    auto h = s.how(key_type::ed25519);
    h.expires = h.now + 100;
    auto const whole = s.sign(message, h);
    EXPECT_EQ(s.only(whole).result, dkim_result::pass);
    s.clock.advance(std::chrono::seconds{101});
    EXPECT_EQ(s.only(whole).problem, "the signature has expired");
    EXPECT_EQ(s.only(changed(whole, "ed25519-sha256", "rsa-sha1")).result, dkim_result::neutral);  // its hash is not SHA-1's
    EXPECT_EQ(s.only(changed(changed(s.sign(message, s.how(key_type::rsa)), "rsa-sha256", "rsa-sha1"), "bh=", "bh=2jmj7l5rSw0yVb/vlWAYkK/YBwk=; z=")).problem,
              "SHA-1");
    auto const signed_now = s.sign(message, s.how(key_type::ed25519));
    EXPECT_EQ(s.only(changed(signed_now, "v=1;", "v=1; l=3;")).result, dkim_result::policy);
    EXPECT_EQ(s.only(changed(signed_now, "v=1;", "v=1; l=3000;")).problem, "l= is more than there is");
    auto const rsa = s.sign(message, s.how(key_type::rsa));
    s.dns.set_txt("r1._domainkey.example.test",
                  net::dns_found<std::string>({"k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52Tb/mPfjC0QJTocVBq6Za/"
                                               "PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="}));
    EXPECT_EQ(s.only(rsa).problem, "an RSA key of 512 bits");
    EXPECT_EQ(s.only(rsa).result, dkim_result::policy);
    s.dns.set_txt("e1._domainkey.example.test", net::dns_found<std::string>({dkim_key_record(s.how(key_type::ed25519).key) + "; t=s"}));
    EXPECT_EQ(s.only(changed(signed_now, "v=1;", "v=1; i=@sub.example.test;")).problem, "the key does not take an i= below its domain");
}

TEST(catalogue, M1_a_flood_of_signatures_is_bounded_and_nothing_signed_is_nothing)
{
    setting s;
    EXPECT_TRUE(s.verify(std::string{message}).empty());
    auto const one = s.sign(message, s.how(key_type::ed25519));
    auto const field = one.substr(0, one.size() - message.size());
    std::string many;
    for (int i = 0; i < 1000; ++i) many += field;
    auto const all = s.verify(many + std::string{message});
    EXPECT_EQ(all.size(), 10U);
    for (auto const& o : all) EXPECT_EQ(o.result, dkim_result::pass) << o.problem;
    EXPECT_EQ(s.only("DKIM-Signature: nonsense\r\n" + std::string{message}).result, dkim_result::neutral);
}

TEST(dkim, a_large_message_is_hashed_on_the_pool)
{
    setting s;
    std::string large{message};
    for (int i = 0; i < 20'000; ++i) large += "line " + std::to_string(i) + " of many\r\n";
    EXPECT_EQ(s.only(s.sign(large, s.how(key_type::ed25519))).result, dkim_result::pass);
}

TEST(signing_key, pem_there_and_back)
{
    for (auto const t : {key_type::rsa, key_type::ed25519}) {
        auto const k = signing_key::generate(t);
        auto const again = signing_key::from_pem(k.pem());
        ASSERT_TRUE(again) << again.error().say;
        EXPECT_EQ(again->public_octets(), k.public_octets());
        EXPECT_EQ(again->type(), t);
        auto const digest = base::sha256("x");
        auto const open = public_key::from_octets(t, k.public_octets());
        ASSERT_TRUE(open);
        EXPECT_TRUE(open->verifies(digest, again->sign(digest)));
        EXPECT_FALSE(open->verifies(base::sha256("y"), again->sign(digest)));
        EXPECT_FALSE(open->verifies(digest, ""));
    }
    EXPECT_FALSE(signing_key::from_pem("nothing"));
    EXPECT_FALSE(public_key::from_octets(key_type::ed25519, std::string(31, 'x')));
    EXPECT_FALSE(public_key::from_octets(key_type::rsa, std::string(300, 'x')));
}
