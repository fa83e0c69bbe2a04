#include "mailauth/dmarc.hpp"

#include <gtest/gtest.h>

#include "base/executor.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using mime::dkim_result;
using mime::dmarc_policy;
using mime::dmarc_result;
using mime::spf_result;

namespace {

/// A message from `from`, and what the DNS has.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    net::scripted_resolver dns;
    mime::spf_outcome spf;
    std::vector<mime::dkim_outcome> dkim;
    public_suffixes suffixes;
    organizational_by by = organizational_by::tree_walk;
    unsigned percentile = 0;

    world& record(std::string const& domain, std::string text)
    {
        dns.set_txt("_dmarc." + domain, net::dns_found<std::string>({std::move(text)}));
        return *this;
    }
    world& no_answer(std::string const& domain)
    {
        dns.set_txt("_dmarc." + domain, net::dns_without<std::string>(net::dns_status::failed, "SERVFAIL"));
        return *this;
    }
    world& spf_is(spf_result r, std::string domain)
    {
        spf.result = r;
        spf.domain = std::move(domain);
        return *this;
    }
    world& signed_by(std::string domain, dkim_result r = dkim_result::pass)
    {
        auto& s = dkim.emplace_back();
        s.result = r;
        s.domain = std::move(domain);
        return *this;
    }
    world& exists(std::string const& name)
    {
        dns.set_addresses(name, net::dns_found<net::ip_address>({net::ip_address::v4({192, 0, 2, 1})}));
        return *this;
    }
    dmarc_outcome check(std::string from)
    {
        dmarc_request r;
        r.from = std::move(from);
        r.spf = &spf;
        r.dkim = dkim;
        r.percentile = percentile;
        r.by = by;
        r.suffixes = &suffixes;
        return loop.run(check_dmarc(dns, clock, r));
    }
    /// "fail reject": result, and what is wanted.
    std::string says(std::string from)
    {
        auto const o = check(std::move(from));
        return std::string{name_of(o.result)} + " " + std::string{name_of(o.wanted)};
    }
};

}  // namespace

TEST(dmarc_record, which_records_are_one)
{
    for (auto const* yes : {"v=DMARC1", "v=DMARC1;", "v=DMARC1; p=none", " v = DMARC1 ;p=none", "V=DMARC1;p=none"}) EXPECT_TRUE(is_dmarc_record(yes)) << yes;
    for (auto const* no : {"", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC12", "v=DMARC1x;p=none", "vDMARC1", "v=spf1 -all"})
        EXPECT_FALSE(is_dmarc_record(no)) << no;
}

TEST(dmarc_record, tags)
{
    auto const r = parse_dmarc_record("v=DMARC1; p=Reject; sp = quarantine;np=none; adkim=S; aspf=s; pct=20; psd=n; t=y;"
                                      " rua=mailto:a@example.test!10m , https://b.example.test/x; ri=86400; unknown=1; fo=1");
    ASSERT_TRUE(r);
    EXPECT_EQ(r->policy, dmarc_policy::reject);
    EXPECT_EQ(r->subdomain_policy, dmarc_policy::quarantine);
    EXPECT_EQ(r->absent_policy, dmarc_policy::none);
    EXPECT_TRUE(r->strict_dkim);
    EXPECT_TRUE(r->strict_spf);
    EXPECT_TRUE(r->testing);
    EXPECT_EQ(r->percent, 20U);
    EXPECT_EQ(r->is_suffix, dmarc_record::suffix::no);
    EXPECT_EQ(r->report_to, (std::vector<std::string>{"mailto:a@example.test!10m", "https://b.example.test/x"}));
}

TEST(dmarc_record, what_cannot_be_read_is_as_if_it_were_not_there)
{
    auto const r = parse_dmarc_record("v=DMARC1; garbage; =x; p=none; p=reject; pct=101; sp=perhaps; adkim=; ;;");
    ASSERT_TRUE(r);
    EXPECT_EQ(r->policy, dmarc_policy::none) << "of a tag that is there twice the first counts";
    EXPECT_EQ(r->percent, 100U);
    EXPECT_FALSE(r->subdomain_policy);
    EXPECT_FALSE(r->strict_dkim);
}

TEST(dmarc_record, without_a_policy_somebody_must_want_reports)
{
    EXPECT_FALSE(parse_dmarc_record("v=DMARC1"));
    EXPECT_FALSE(parse_dmarc_record("v=DMARC1; p=perhaps; rua=nobody"));
    auto const r = parse_dmarc_record("v=DMARC1; sp=reject; rua=mailto:a@example.test");
    ASSERT_TRUE(r);
    EXPECT_EQ(r->policy, dmarc_policy::none);
    EXPECT_FALSE(r->subdomain_policy);
}

TEST(dmarc, alignment)
{
    struct row {
        char const* record;
        char const* spf;
        char const* dkim;
        char const* want;
    };
    for (auto const& t : std::initializer_list<row>{
             {"v=DMARC1; p=reject", "example.test", "", "pass none"},
             {"v=DMARC1; p=reject", "", "example.test", "pass none"},
             {"v=DMARC1; p=reject", "bounces.example.test", "", "pass none"},
             {"v=DMARC1; p=reject; aspf=s", "bounces.example.test", "", "fail reject"},
             {"v=DMARC1; p=reject; aspf=s", "EXAMPLE.test", "", "pass none"},
             {"v=DMARC1; p=reject", "", "sub.example.test", "pass none"},
             {"v=DMARC1; p=reject; adkim=s", "", "sub.example.test", "fail reject"},
             {"v=DMARC1; p=reject; adkim=s", "sub.example.test", "other.test", "pass none"},
             {"v=DMARC1; p=quarantine", "other.test", "other.test", "fail quarantine"},
             {"v=DMARC1; p=none", "", "", "fail none"},
             {"v=DMARC1; p=reject", "badexample.test", "", "fail reject"},
             {"v=DMARC1; p=reject", "test", "test", "fail reject"},
         })
    {
        world w;
        w.record("example.test", t.record);
        if (*t.spf != 0) w.spf_is(spf_result::pass, t.spf);
        if (*t.dkim != 0) w.signed_by(t.dkim);
        EXPECT_EQ(w.says("example.test"), t.want) << t.record << " spf " << t.spf << " dkim " << t.dkim;
    }
}

TEST(dmarc, only_what_passed_aligns)
{
    world w;
    w.record("example.test", "v=DMARC1; p=reject").spf_is(spf_result::softfail, "example.test").signed_by("example.test", dkim_result::policy);
    EXPECT_EQ(w.says("example.test"), "fail reject");
}

TEST(dmarc, whose_policy)
{
    {
        world w;
        EXPECT_EQ(w.says("example.test"), "none none");
        EXPECT_EQ(w.says(""), "none none");
    }
    {
        world w;  // of the organisation, for its subdomains
        w.record("example.test", "v=DMARC1; p=none; sp=reject");
        EXPECT_EQ(w.says("a.b.example.test"), "fail reject");
        EXPECT_EQ(w.check("a.b.example.test").policy_domain, "example.test");
        EXPECT_EQ(w.says("example.test"), "fail none");
    }
    {
        world w;  // the author's own comes first, and sp= of it is nothing to itself
        w.record("example.test", "v=DMARC1; p=reject").record("a.example.test", "v=DMARC1; p=none; sp=reject");
        EXPECT_EQ(w.says("a.example.test"), "fail none");
    }
    {
        world w;  // what stands between the author and the organisation does not count (RFC 9989 §4.10.1)
        w.record("example.test", "v=DMARC1; p=quarantine").record("b.example.test", "v=DMARC1; p=reject");
        EXPECT_EQ(w.says("a.b.example.test"), "fail quarantine");
    }
    {
        world w;  // two records are none
        w.dns.set_txt("_dmarc.example.test", net::dns_found<std::string>({"v=DMARC1; p=reject", "v=DMARC1; p=none"}));
        EXPECT_EQ(w.says("example.test"), "none none");
        w.dns.set_txt("_dmarc.example.test", net::dns_found<std::string>({"v=spf1 -all", "v=DMARC1; p=reject"}));
        EXPECT_EQ(w.says("example.test"), "fail reject");
    }
    {
        world w;
        w.record("example.test", "v=DMARC1; p=perhaps");
        EXPECT_EQ(w.says("example.test"), "permerror none");
    }
}

TEST(dmarc, where_an_organisation_ends)
{
    {
        world w;  // a suffix says so, and has no say in what is below it but its own policy
        w.record("gov.test", "v=DMARC1; p=reject; psd=y").record("agency.gov.test", "v=DMARC1; p=none");
        auto const o = w.spf_is(spf_result::pass, "other.gov.test").check("mail.agency.gov.test");
        EXPECT_EQ(o.organizational_domain, "agency.gov.test");
        EXPECT_EQ(o.policy_domain, "agency.gov.test");
        EXPECT_EQ(o.result, dmarc_result::fail) << "the same suffix is not the same organisation";
    }
    {
        world w;  // nothing published but by the suffix (RFC 9091)
        w.record("gov.test", "v=DMARC1; p=none; sp=quarantine; np=reject; psd=y").exists("there.gov.test");
        EXPECT_EQ(w.says("there.gov.test"), "fail quarantine");
        EXPECT_EQ(w.says("absent.gov.test"), "fail reject");
        EXPECT_EQ(w.check("a.b.absent.gov.test").organizational_domain, "absent.gov.test");
    }
    {
        world w;  // psd=n cuts a part off from the rest
        w.record("example.test", "v=DMARC1; p=reject").record("own.example.test", "v=DMARC1; p=quarantine; psd=n");
        w.spf_is(spf_result::pass, "example.test");
        EXPECT_EQ(w.says("a.own.example.test"), "fail quarantine");
        EXPECT_EQ(w.says("example.test"), "pass none");
        w.spf_is(spf_result::pass, "own.example.test");
        EXPECT_EQ(w.says("example.test"), "fail reject") << "below the organisation, and not of it";
    }
    {
        world w;  // a suffix that sends mail itself
        w.record("gov.test", "v=DMARC1; p=reject; psd=y").spf_is(spf_result::pass, "gov.test");
        EXPECT_EQ(w.says("gov.test"), "pass none");
    }
    {
        world w;  // long names: the walk goes on with the last seven labels
        w.record("g.h.i.j.k.example.test", "v=DMARC1; p=none; sp=quarantine");
        EXPECT_EQ(w.says("a.b.c.d.e.f.g.h.i.j.k.example.test"), "fail quarantine");
        world v;
        v.record("f.g.h.i.j.k.example.test", "v=DMARC1; p=reject");
        EXPECT_EQ(v.says("a.b.c.d.e.f.g.h.i.j.k.example.test"), "none none");
    }
}

TEST(dmarc, by_the_public_suffix_list)
{
    world w;
    w.by = organizational_by::public_suffix;
    w.record("example.co.uk", "v=DMARC1; p=reject").spf_is(spf_result::pass, "bounce.example.co.uk");
    EXPECT_EQ(w.says("www.example.co.uk"), "pass none");
    w.spf_is(spf_result::pass, "other.co.uk");
    EXPECT_EQ(w.says("www.example.co.uk"), "fail reject");
    EXPECT_EQ(w.suffixes.registrable("a.b.example.com"), "example.com");
    EXPECT_EQ(w.suffixes.registrable("com"), "com");
}

TEST(dmarc, what_is_not_known_is_no_failure)
{
    {
        world w;  // trust.md D11
        w.no_answer("example.test");
        EXPECT_EQ(w.says("example.test"), "temperror none");
    }
    {
        world w;
        w.record("example.test", "v=DMARC1; p=reject").spf_is(spf_result::temperror, "example.test");
        EXPECT_EQ(w.says("example.test"), "temperror none");
        w.signed_by("example.test");
        EXPECT_EQ(w.says("example.test"), "pass none");
    }
    {
        world w;
        w.record("example.test", "v=DMARC1; p=reject").signed_by("example.test", dkim_result::temperror);
        EXPECT_EQ(w.says("example.test"), "temperror none");
    }
}

TEST(dmarc, who_tests_is_taken_one_step_milder)
{
    world w;
    w.record("example.test", "v=DMARC1; p=reject; t=y");
    EXPECT_EQ(w.says("example.test"), "fail quarantine");
    EXPECT_TRUE(w.check("example.test").tested);
    w.record("example.test", "v=DMARC1; p=quarantine; t=y");
    EXPECT_EQ(w.says("example.test"), "fail none");
    w.record("example.test", "v=DMARC1; p=reject; pct=30");
    w.percentile = 29;
    EXPECT_EQ(w.says("example.test"), "fail reject");
    w.percentile = 30;
    EXPECT_EQ(w.says("example.test"), "fail quarantine");
    w.record("example.test", "v=DMARC1; p=reject; pct=0");
    w.percentile = 0;
    EXPECT_EQ(w.says("example.test"), "fail quarantine");
}

TEST(dmarc, what_is_told_for_reports)
{
    world w;
    w.record("example.test", "v=DMARC1; p=reject; rua=mailto:a@example.test").spf_is(spf_result::pass, "example.test").signed_by("other.test");
    auto const o = w.check("example.test");
    EXPECT_EQ(o.record, "v=DMARC1; p=reject; rua=mailto:a@example.test");
    EXPECT_EQ(o.report_to, std::vector<std::string>{"mailto:a@example.test"});
    EXPECT_TRUE(o.spf_aligned);
    EXPECT_FALSE(o.dkim_aligned);
    EXPECT_EQ(o.published, dmarc_policy::reject);
}
