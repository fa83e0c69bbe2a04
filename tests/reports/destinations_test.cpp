#include "reports/destinations.hpp"

#include <gtest/gtest.h>

#include "base/executor.hpp"

using namespace mansio;
using namespace mansio::reports;

namespace {

std::string text_of(std::vector<report_uri> const& uris)
{
    std::string out;
    for (auto const& u : uris)
        out += (u.how == report_uri::scheme::https ? "POST " : "") + u.target + (u.most_octets ? "!" + std::to_string(*u.most_octets) : "") + " ";
    return out;
}

TEST(report_destinations, dmarc_uris)
{
    struct {
        std::string_view list, want;
    } const cases[] = {
        {"mailto:dmarc@example.org", "dmarc@example.org "},
        {"MAILTO:Dmarc@Example.ORG", "Dmarc@example.org "},
        {" mailto:a@b.example , mailto:c@b.example!50m", "a@b.example c@b.example!52428800 "},
        {"mailto:a@b.example!10", "a@b.example!10 "},
        {"mailto:a@b.example!1k,mailto:b@b.example!2G,mailto:c@b.example!3t", "a@b.example!1024 b@b.example!2147483648 c@b.example!3298534883328 "},
        {"mailto:a@b.example!16777216t", ""},   // 2^64
        {"mailto:a@b.example!8388608t", "a@b.example!9223372036854775808 "},
        {"mailto:a@b.example!", ""},
        {"mailto:a@b.example!m", ""},
        {"mailto:a@b.example!-1", ""},
        {"mailto:a%2Bdmarc@b.example", "a+dmarc@b.example "},
        {"mailto:a%21b@b.example", "a!b@b.example "},
        {"mailto:a%zz@b.example", ""},
        {"mailto:a%0D%0ARCPT@b.example", ""},
        {"mailto:a@b.example?subject=x", "a@b.example "},
        {"mailto:a@b.example,mailto:a@B.example", "a@b.example "},
        {"mailto:a@[192.0.2.1]", ""},
        {"mailto:a", ""},
        {"https://b.example/x", ""},
        {"http://b.example/x,mailto:a@b.example,ftp:x", "a@b.example "},
        {"", ""},
        {",,,", ""},
        {"mailto:1@a.b,mailto:2@a.b,mailto:3@a.b,mailto:4@a.b,mailto:5@a.b,mailto:6@a.b", "1@a.b 2@a.b 3@a.b 4@a.b 5@a.b "},
    };
    for (auto const& c : cases) EXPECT_EQ(text_of(parse_dmarc_rua(c.list)), c.want) << c.list;
}

TEST(report_destinations, tls_records)
{
    struct {
        std::string_view record, want;
    } const cases[] = {
        {"v=TLSRPTv1;rua=mailto:reports@example.com", "reports@example.com "},                                      // RFC 8460 §3.1.1
        {"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "POST https://reporting.example.com/v1/tlsrpt "},  // §3.1.2
        {"v=TLSRPTv1 ; rua=mailto:a@b.example , https://b.example/x ;", "a@b.example POST https://b.example/x "},
        {"v=TLSRPTv1; ext=1; rua=mailto:a@b.example; more=x", "a@b.example "},
        {"v=TLSRPTv1; rua=mailto:a@b.example!10m", ""},
        {"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@b.example", "a@b.example "},
        {"v=TLSRPTv1; rua=https://user@b.example/,https://b.example:8443/y,https:///z,https://[::1]/", "POST https://b.example:8443/y "},
        {"v=TLSRPTv1; rua=ftp://b.example/", ""},
        {"v=TLSRPTv1;", "none"},
        {"v=TLSRPTv1", "none"},
        {"v=TLSRPTv1; rua", "none"},
        {"v=TLSRPTv1; RUA=mailto:a@b.example", "none"},
        {"v=TLSRPTv2; rua=mailto:a@b.example", "none"},
        {"rua=mailto:a@b.example; v=TLSRPTv1", "none"},
        {"", "none"},
    };
    for (auto const& c : cases) {
        auto const got = parse_tls_record(c.record);
        EXPECT_EQ(got ? text_of(*got) : "none", c.want) << c.record;
    }
}

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    net::scripted_resolver dns;
    bool organizations_known = true;

    task<std::optional<std::string>> organization(std::string domain)
    {
        if (!organizations_known) co_return std::nullopt;
        for (std::string const& o : {"example.org", "example.net", "example.com"})
            if (domain == o || domain.ends_with("." + o)) co_return o;
        co_return domain;
    }
    std::string dmarc(std::string domain, std::string rua)
    {
        auto const got =
            loop.run(dmarc_destinations(dns, [this](std::string name) { return organization(std::move(name)); }, std::move(domain), std::move(rua)));
        return text_of(got.uris) + (got.later ? "later" : "");
    }
    std::string tls(std::string domain)
    {
        auto const got = loop.run(tls_destinations(dns, std::move(domain)));
        return text_of(got.uris) + (got.later ? "later" : "");
    }
    void say(std::string name, std::vector<std::string> records) { dns.set_txt(std::move(name), net::dns_found(std::move(records))); }
};

TEST(report_destinations, those_outside_must_agree)
{
    world w;
    EXPECT_EQ(w.dmarc("example.org", "mailto:a@example.org"), "a@example.org ");
    EXPECT_EQ(w.dmarc("mail.example.org", "mailto:a@reports.example.org"), "a@reports.example.org ");
    EXPECT_EQ(w.dmarc("example.org", "mailto:a@example.net"), "");
    auto const name = "example.org._report._dmarc.example.net";
    struct {
        std::vector<std::string> records;
        std::string_view want;
    } const cases[] = {
        {{"v=DMARC1"}, "a@example.net "},
        {{"v=DMARC1;"}, "a@example.net "},
        {{" v = DMARC1 ; x=y"}, "a@example.net "},
        {{"something else", "v=DMARC1; rua=mailto:b@example.net!1k"}, "b@example.net!1024 "},
        {{"v=DMARC1; rua=mailto:b@example.com"}, ""},       // step 8: never to another host
        {{"v=DMARC1; rua=mailto:b@sub.example.net"}, ""},
        {{"v=DMARC1; rua=https://x"}, "a@example.net "},
        {{"x=y; v=DMARC1"}, ""},
        {{"v=DMARC2"}, ""},
        {{"v=spf1 -all"}, ""},
        {{""}, ""},
    };
    for (auto const& c : cases) {
        w.say(name, c.records);
        EXPECT_EQ(w.dmarc("example.org", "mailto:a@example.net"), c.want) << c.records[0];
    }
    w.say(name, {"v=DMARC1"});
    EXPECT_EQ(w.dmarc("example.org", "mailto:x@example.com,mailto:a@example.net,mailto:b@example.org"), "a@example.net b@example.org ");
    w.dns.set_txt(name, net::dns_without<std::string>(net::dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(w.dmarc("example.org", "mailto:a@example.net,mailto:b@example.org"), "b@example.org later");
    w.organizations_known = false;
    EXPECT_EQ(w.dmarc("example.org", "mailto:a@example.org"), "a@example.org ");
    EXPECT_EQ(w.dmarc("example.org", "mailto:a@sub.example.org"), "later");
}

TEST(report_destinations, tls_records_in_the_dns)
{
    world w;
    EXPECT_EQ(w.tls("example.org"), "");
    w.say("_smtp._tls.example.org", {"unrelated", "v=TLSRPTv1;rua=mailto:t@example.net"});
    EXPECT_EQ(w.tls("example.org"), "t@example.net ");  // RFC 8460 §7: no consent is asked for
    w.say("_smtp._tls.example.org", {"v=TLSRPTv1;rua=mailto:t@example.net", "v=TLSRPTv1;rua=mailto:u@example.net"});
    EXPECT_EQ(w.tls("example.org"), "");
    w.dns.set_txt("_smtp._tls.example.org", net::dns_without<std::string>(net::dns_status::failed, "timeout"));
    EXPECT_EQ(w.tls("example.org"), "later");
}

}  // namespace
