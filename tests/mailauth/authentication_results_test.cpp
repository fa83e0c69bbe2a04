#include "mailauth/authentication_results.hpp"

#include <gtest/gtest.h>

#include "base/executor.hpp"
#include "mailauth/iprev.hpp"

using namespace mansio;
using namespace mansio::mailauth;

namespace {

mime::authentication all_good()
{
    mime::authentication a;
    a.iprev.result = mime::iprev_result::pass;
    a.iprev.address = "192.0.2.1";
    a.iprev.name = "mail.example.test";
    a.spf.result = mime::spf_result::pass;
    a.dmarc.result = mime::dmarc_result::pass;
    a.dmarc.domain = "example.test";
    a.dmarc.policy_domain = "example.test";
    a.dmarc.published = mime::dmarc_policy::reject;
    auto& s = a.dkim.emplace_back();
    s.result = mime::dkim_result::pass;
    s.domain = "example.test";
    s.selector = "k1";
    s.algorithm = "rsa-sha256";
    s.signature_start = "ab/+cd==";
    return a;
}

std::string told(std::vector<claimed_result> const& all)
{
    std::string out;
    for (auto const& r : all) {
        out += r.method + "=" + r.result;
        for (auto const& [name, value] : r.properties) out += " " + name + "=" + value;
        out += "; ";
    }
    return out;
}

}  // namespace

TEST(authentication_results, what_was_found)
{
    EXPECT_EQ(authentication_results("mx.here.test", all_good(), {"alice@example.test", "mail.example.test"}),
              "mx.here.test;\r\n"
              " iprev=pass policy.iprev=192.0.2.1 (mail.example.test);\r\n"
              " spf=pass smtp.mailfrom=alice@example.test;\r\n"
              " dkim=pass header.d=example.test header.s=k1 header.a=rsa-sha256\r\n"
              " header.b=\"ab/+cd==\";\r\n"
              " dmarc=pass (p=reject) header.from=example.test");
}

TEST(authentication_results, what_was_not_found)
{
    mime::authentication a;
    a.spf.of_helo = true;
    EXPECT_EQ(authentication_results("mx", a, {"", "mail.example.test"}),
              "mx;\r\n iprev=permerror;\r\n spf=none smtp.helo=mail.example.test;\r\n dkim=none;\r\n dmarc=none");
}

/// espoofer A4 to A7: names that end a quote, a comment or a result where they are told.
TEST(catalogue, W11_nothing_a_stranger_wrote_can_be_read_as_a_result)
{
    for (auto const& evil :
         std::initializer_list<std::string>{"legit.test(.evil.test", "legit.test'evil.test", "legit.test;dmarc=pass", "legit.test\";dmarc=pass header.from=\"x",
                                            "x\r\n dkim=pass", "a b", "(", ")", "\\", "\"", "=", "x@y@z", "@", "legit.test\xc3\xa9", std::string{"nul\0", 4}})
    {
        auto a = all_good();
        a.dkim[0].domain = a.dkim[0].selector = a.dmarc.domain = a.spf.problem = a.dkim[0].problem = a.iprev.name = a.vouched_by = evil;
        a.arc.result = mime::arc_result::fail;
        a.arc.problem = evil;
        auto const text = authentication_results("mx", a, {evil, evil});
        auto const read = read_authentication_results(text);
        ASSERT_EQ(read.size(), 5U) << evil << "\n" << text;
        for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(read[i].method, (std::vector<std::string>{"iprev", "spf", "dkim", "arc", "dmarc"}[i])) << text;
        for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
            EXPECT_EQ(text[at - 1], '\r');
            EXPECT_EQ(text[at + 1], ' ') << "a line that is no continuation: " << text;
        }
    }
}

TEST(authentication_results, as_others_write_them)
{
    struct row {
        char const* body;
        char const* says;
    };
    for (auto const& r : std::initializer_list<row>{
             // RFC 8601 appendix B.
             {"example.org 1; none", ""},
             {"example.com; spf=pass smtp.mailfrom=example.net", "spf=pass smtp.mailfrom=example.net; "},
             {"example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
              "auth=pass smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net; "},
             {"foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired "
              "(this surprised me) = (as I wasn't expecting it) 1362471462",
              "dkim=fail policy.expired=1362471462; "},
             {"example.com; dkim=pass reason=\"good signature\" header.i=@mail-router.example.net; dkim=fail reason=\"bad; signature\" "
              "header.i=@newyork.example.com",
              "dkim=pass reason=good signature header.i=@mail-router.example.net; dkim=fail reason=bad; signature header.i=@newyork.example.com; "},
             {"mx; SPF=Pass smtp.mailfrom=\"a b\"@example.test", "spf=pass smtp.mailfrom=a b@example.test; "},
             {"", ""},
             {"mx", ""},
             {"mx;", ""},
             {"mx; spf", ""},
             {"mx; spf=", ""},
             {"mx; spf=pass; =", "spf=pass; "},
         })
        EXPECT_TRUE(told(read_authentication_results(r.body)).starts_with(r.says)) << r.body << "\n" << told(read_authentication_results(r.body));
}

TEST(authentication_results, cut_anywhere)
{
    auto const whole = authentication_results("mx", all_good(), {"alice@example.test", "x"});
    for (std::size_t i = 0; i <= whole.size(); ++i) EXPECT_LE(read_authentication_results(whole.substr(0, i)).size(), 4U);
    std::string many = "mx";
    for (int i = 0; i < 1000; ++i) many += "; spf=pass";
    EXPECT_EQ(read_authentication_results(many).size(), 64U);
}

TEST(iprev, an_address_and_its_name)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    net::scripted_resolver dns;
    auto const client = net::ip_address::v4({192, 0, 2, 1});
    auto const says = [&] {
        auto const o = loop.run(check_iprev(dns, client));
        return std::string{name_of(o.result)} + " " + o.name;
    };
    EXPECT_EQ(says(), "permerror ");
    dns.set_ptr(client, net::dns_without<std::string>(net::dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(says(), "temperror ");
    dns.set_ptr(client, net::dns_found<std::string>({"a.test", "b.test"}));
    EXPECT_EQ(says(), "fail ");
    dns.set_addresses("a.test", net::dns_without<net::ip_address>(net::dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(says(), "temperror ");
    dns.set_addresses("b.test", net::dns_found<net::ip_address>({net::ip_address::v4({192, 0, 2, 2}), client}));
    EXPECT_EQ(says(), "pass b.test");
}
