#include "mailauth/spf.hpp"

#include <gtest/gtest.h>

#include "base/executor.hpp"
#include "mailauth/spf_macro.hpp"
#include "mailauth/spf_record.hpp"
#include "zone_resolver.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using mime::spf_result;

namespace {

spf_macro_values values_of(std::string_view client)
{
    spf_macro_values v;
    v.local = "strong-bad";
    v.sender_domain = v.domain = "email.example.com";
    v.client = net::ip_address::parse(client).value();
    v.validated = "mx.example.org";
    return v;
}

test::zone_record record(std::string type, std::string value) { return {std::move(type), {std::move(value)}}; }

struct checked {
    spf_outcome out;
    unsigned questions = 0;
};
checked check(test::zone z, std::string mail_from = "a@example.test", std::string client = "192.0.2.1")
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    test::zone_resolver dns{std::move(z)};
    spf_request r;
    r.client = net::ip_address::parse(client).value();
    r.helo = "mail.example.test";
    r.mail_from = std::move(mail_from);
    r.receiver = "mx.here.test";
    checked c;
    c.out = loop.run(check_spf(dns, clock, r));
    c.questions = dns.questions;
    return c;
}

}  // namespace

TEST(spf_macro, the_examples_of_rfc7208_7_4)
{
    auto const v4 = values_of("192.0.2.3");
    auto const v6 = values_of("2001:db8::cb01");
    struct row {
        char const* macro;
        char const* expansion;
    };
    for (auto const& r : {row{"%{s}", "strong-bad@email.example.com"},
                          {"%{o}", "email.example.com"},
                          {"%{d}", "email.example.com"},
                          {"%{d4}", "email.example.com"},
                          {"%{d3}", "email.example.com"},
                          {"%{d2}", "example.com"},
                          {"%{d1}", "com"},
                          {"%{dr}", "com.example.email"},
                          {"%{d2r}", "example.email"},
                          {"%{l}", "strong-bad"},
                          {"%{l-}", "strong.bad"},
                          {"%{lr}", "strong-bad"},
                          {"%{lr-}", "bad.strong"},
                          {"%{l1r-}", "strong"},
                          {"%{p}", "mx.example.org"},
                          {"%{S}", "strong-bad%40email.example.com"},
                          {"a%%b%-c", "a%b%20c"},
                          {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
                          {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
                          {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
                          {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"}})
        EXPECT_EQ(expand_spf_macros(r.macro, v4, spf_text::term), r.expansion);
    EXPECT_EQ(expand_spf_macros("%{ir}.%{v}._spf.%{d2}", v6, spf_text::term),
              "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com");
    EXPECT_EQ(expand_spf_macros("%{c} to %{r} at %{t}", v6, spf_text::explanation), "2001:db8::cb01 to unknown at 0");
}

TEST(spf_macro, broken_ones_are_refused_at_every_octet)
{
    auto const v = values_of("192.0.2.3");
    for (auto const* bad : {"%", "%a", "%{", "%{}", "%{x}", "%{d0}", "%{dr1}", "%{d!}", "%{d", "%{c}", "%{t}", "a b", "\x01", "\xc3\xa9"})
        EXPECT_FALSE(expand_spf_macros(bad, v, spf_text::term)) << bad;
    std::string_view const whole = "%{l1r-}.%{ir}._spf.%{d2}";
    for (std::size_t i = 0; i <= whole.size(); ++i) {
        auto const cut = whole.substr(0, i);
        EXPECT_EQ(expand_spf_macros(cut, v, spf_text::term).has_value(), is_spf_macro_string(cut, spf_text::term)) << cut;
    }
    EXPECT_EQ(spf_target_name(std::string(200, 'a') + "." + std::string(60, 'b') + ".test"), std::string(60, 'b') + ".test");
}

TEST(spf_record, terms)
{
    auto const r =
        parse_spf_record("v=spf1 a/24//64 -mx:x.test/8 ?ip4:192.0.2.0/24 ~IP6:2001:db8::/32 Include:_spf.%{d} x-new=%{l} redirect=y.test exp=why.test  ");
    ASSERT_TRUE(r) << r.error().say;
    ASSERT_EQ(r->directives.size(), 5U);
    EXPECT_EQ(r->directives[0].v4_bits, 24U);
    EXPECT_EQ(r->directives[0].v6_bits, 64U);
    EXPECT_EQ(r->directives[1].when_matched, spf_result::fail);
    EXPECT_EQ(r->directives[1].target, "x.test");
    EXPECT_EQ(r->directives[2].when_matched, spf_result::neutral);
    EXPECT_EQ(r->directives[3].when_matched, spf_result::softfail);
    EXPECT_EQ(r->directives[3].network.bits, 32U);
    EXPECT_EQ(r->directives[4].target, "_spf.%{d}");
    EXPECT_EQ(r->redirect, "y.test");
    EXPECT_EQ(r->explanation, "why.test");
    for (auto const* bad : {"v=spf1 a:",
                            "v=spf1 a/33",
                            "v=spf1 a/01",
                            "v=spf1 a//129",
                            "v=spf1 ip4:192.0.2/24",
                            "v=spf1 ip4:2001:db8::/32",
                            "v=spf1 ip6:192.0.2.1",
                            "v=spf1 all:x.test",
                            "v=spf1 include",
                            "v=spf1 include:test",
                            "v=spf1 include:x.1",
                            "v=spf1 exists:a.-b",
                            "v=spf1 redirect=x.test redirect=x.test",
                            "v=spf1 exp=",
                            "v=spf1 -",
                            "v=spf1 foo",
                            "v=spf1 =x",
                            "v=spf1\tall",
                            "v=spf1 a=%",
                            "v=spf1 all\x80"})
    {
        auto const broken = parse_spf_record(bad);
        EXPECT_FALSE(broken) << bad;
        if (!broken && is_spf_record(bad)) EXPECT_NE(broken.error().say.find("the term \""), std::string::npos);
    }
}

TEST(spf, what_decided_and_what_was_wrong_is_told)
{
    auto const failed = check({{"example.test", {record("TXT", "v=spf1 ip4:198.51.100.0/24 -all exp=why.%{d}")}},
                               {"why.example.test", {record("TXT", "%{i} may not, says %{d} to %{r}")}}});
    EXPECT_EQ(failed.out.result, spf_result::fail);
    EXPECT_EQ(failed.out.domain, "example.test");
    EXPECT_EQ(failed.out.mechanism, "-all");
    EXPECT_EQ(failed.out.explanation, "192.0.2.1 may not, says example.test to mx.here.test");
    EXPECT_FALSE(failed.out.of_helo);
    auto const two = check({{"example.test", {record("TXT", "v=spf1 all"), record("TXT", "v=spf1 -all")}}});
    EXPECT_EQ(two.out.result, spf_result::permerror);
    EXPECT_EQ(two.out.problem, "example.test has more than one SPF record");
    auto const broken = check({{"example.test", {record("TXT", "v=spf1 ip5:1")}}});
    EXPECT_EQ(broken.out.problem, "example.test: the term \"ip5:1\" is not valid");
    auto const silent = check({{"example.test", {record("TXT", "v=spf1 a:gone.test -all")}}, {"gone.test", {{"TIMEOUT", {}}}}});
    EXPECT_EQ(silent.out.result, spf_result::temperror);
    EXPECT_EQ(silent.out.problem, "the DNS did not answer for gone.test: timeout");
    auto const bounce = check({{
                                  "mail.example.test",
                                  {record("TXT", "v=spf1 a -all")},
                              }},
                              "");
    EXPECT_EQ(bounce.out.result, spf_result::fail);
    EXPECT_EQ(bounce.out.domain, "mail.example.test");
    EXPECT_TRUE(bounce.out.of_helo);
}

TEST(spf, what_an_included_record_decides_is_its_own_affair)
{
    auto const c = check({{"example.test", {record("TXT", "v=spf1 include:other.test ?all exp=why.test")}},
                          {"other.test", {record("TXT", "v=spf1 -all exp=why.test")}},
                          {"why.test", {record("TXT", "because")}}});
    EXPECT_EQ(c.out.result, spf_result::neutral);
    EXPECT_EQ(c.out.mechanism, "?all");
    EXPECT_EQ(c.out.explanation, "");
    auto const open = check({{"example.test", {record("TXT", "v=spf1 include:other.test")}}, {"other.test", {record("TXT", "v=spf1 -all")}}});
    EXPECT_EQ(open.out.result, spf_result::neutral);
    EXPECT_EQ(open.out.mechanism, "");
}

TEST(spf, the_work_of_one_evaluation_is_bounded)
{
    // Each record includes two others: without the bound shared by all of them there would be 2^20 questions.
    test::zone wide;
    for (int i = 0; i < 20; ++i) {
        auto const include = " include:i" + std::to_string(i + 1) + ".test";
        wide["i" + std::to_string(i) + ".test"] = {record("TXT", "v=spf1" + include + include + " ?all")};
    }
    auto const c = check(wide, "a@i0.test");
    EXPECT_EQ(c.out.result, spf_result::permerror);
    EXPECT_LE(c.questions, 12U);
    auto const loop = check({{"example.test", {record("TXT", "v=spf1 redirect=example.test")}}});
    EXPECT_EQ(loop.out.result, spf_result::permerror);
    EXPECT_EQ(loop.out.problem, "more than ten terms ask the DNS");
    test::zone many;
    many["example.test"] = {record("TXT", "v=spf1 ptr -all")};
    for (int i = 0; i < 500; ++i) many["1.2.0.192.in-addr.arpa"].push_back(record("PTR", "h" + std::to_string(i) + ".test"));
    EXPECT_EQ(check(many).questions, 1U + 1U + 10U);
    auto const in_vain = check({{"example.test", {record("TXT", "v=spf1 a:x.test a:y.test a:z.test +all")}}});
    EXPECT_EQ(in_vain.out.problem, "more than two terms ask the DNS for what is not there");
}
