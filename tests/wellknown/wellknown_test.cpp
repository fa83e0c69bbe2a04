// What programs and other servers are told, and who is told nothing.
#include <gtest/gtest.h>

#include "support/support.hpp"
#include "wellknown/service.hpp"
#include "wellknown/texts.hpp"
#include "wellknown/xml.hpp"

using namespace mansio;
using namespace mansio::wellknown;

namespace {
settings all_faces()
{
    settings s;
    s.hostname = "mail.example.test";
    s.imaps = 993;
    s.imap = 143;
    s.pop3s = 995;
    s.submissions = 465;
    s.submission = 587;
    s.mta_sts_mode = "enforce";
    s.mta_sts_mx = {"mail.example.test", "*.backup.example.test"};
    return s;
}

struct rig {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::limits limits;
    base::metrics metrics;
    http::server web{limits, base::null_log(), metrics, "https"};
    bool directory_broken = false;
    service told{all_faces(), [this](std::string domain) { return ours(std::move(domain)); }, web};

    task<result<bool>> ours(std::string domain) const
    {
        if (directory_broken) co_return fail(fault::kind::broken, "broken");
        co_return domain == "example.test";
    }
    using answerer = task<http::response> (service::*)(http::request) const;
    http::response ask(answerer which, std::string const& host, std::string path = "/", std::string query = {}, std::string body = {})
    {
        http::request r;
        r.fields = {{"Host", host}};
        r.path = std::move(path);
        r.query = std::move(query);
        r.body = std::move(body);
        return loop.run((told.*which)(std::move(r)));
    }
};

std::string outlook_asks(std::string const& address)
{
    return R"(<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>)" +
           address + "</EMailAddress></Request></Autodiscover>";
}
std::size_t place(std::string const& in, std::string const& what)
{
    auto const at = in.find(what);
    EXPECT_NE(at, std::string::npos) << what << " is not in " << in;
    return at;
}
}  // namespace

TEST(wellknown, mta_sts_policy_of_our_domains_alone)
{
    rig r;
    auto const got = r.ask(&service::mta_sts, "MTA-STS.example.test:443");
    EXPECT_EQ(got.status, 200U);
    EXPECT_EQ(got.content_type, "text/plain");
    EXPECT_EQ(got.body, "version: STSv1\r\nmode: enforce\r\nmx: mail.example.test\r\nmx: *.backup.example.test\r\nmax_age: 604800\r\n");
    for (auto const* host : {"example.test", "mta-sts.other.test", "mta-sts.", "", "x.mta-sts.example.test", "mta-sts.example.test/.."})
        EXPECT_EQ(r.ask(&service::mta_sts, host).status, 404U) << host;
    r.directory_broken = true;
    EXPECT_EQ(r.ask(&service::mta_sts, "mta-sts.example.test").status, 503U);
}

// trust.md W6, RFC 8314: programs are led to TLS from the start; where STARTTLS is offered too, it comes after.
TEST(catalogue, W6_autoconfiguration_prefers_implicit_tls)
{
    rig r;
    auto const xml = r.ask(&service::thunderbird, "autoconfig.example.test").body;
    EXPECT_LT(place(xml, "<port>993</port>"), place(xml, "<port>143</port>"));
    EXPECT_LT(place(xml, "<port>465</port>"), place(xml, "<port>587</port>"));
    EXPECT_EQ(xml.find("plain<"), std::string::npos);
    auto const pox = r.ask(&service::outlook, "x", "/", "", outlook_asks("anna@example.test")).body;
    EXPECT_LT(place(pox, "<Port>993</Port>"), place(pox, "<Port>143</Port>"));
    EXPECT_LT(place(pox, "<Port>465</Port>"), place(pox, "<Port>587</Port>"));
    EXPECT_EQ(pox.find("<SSL>off"), std::string::npos);
    auto const apple = r.ask(&service::apple, "x", "/", "email=anna%40example.test").body;
    place(apple, "<integer>993</integer>");
    place(apple, "<integer>465</integer>");
    EXPECT_EQ(apple.find("<false/>"), std::string::npos);
}

TEST(wellknown, thunderbird_finds_the_domain)
{
    rig r;
    auto const want = autoconfig(all_faces(), "example.test");
    EXPECT_EQ(r.ask(&service::thunderbird, "autoconfig.example.test").body, want);
    EXPECT_EQ(r.ask(&service::thunderbird, "example.test").body, want);
    EXPECT_EQ(r.ask(&service::thunderbird, "mail.example.test", "/", "x=1&emailaddress=anna%40Example.TEST").body, want);
    EXPECT_EQ(r.ask(&service::thunderbird, "mail.example.test").status, 404U);
    EXPECT_EQ(r.ask(&service::thunderbird, "mail.example.test", "/", "emailaddress=anna@other.test").status, 404U);
    place(want, "<emailProvider id=\"example.test\">");
    place(want, "<username>%EMAILADDRESS%</username>");
    place(want, "<incomingServer type=\"pop3\">");
}

TEST(wellknown, outlook_by_xml_and_json)
{
    rig r;
    auto const got = r.ask(&service::outlook, "x", "/", "", outlook_asks(" anna@Example.test "));
    EXPECT_EQ(got.status, 200U);
    place(got.body, "<LoginName>anna@example.test</LoginName>");
    place(got.body, "<Type>IMAP</Type>");
    for (auto const& body : {outlook_asks("anna@other.test"), outlook_asks("<!ENTITY x>&x;@example.test"), outlook_asks(""), std::string{},
                             std::string{"<EMailAddress>a@example.test"}})
        place(r.ask(&service::outlook, "x", "/", "", body).body, "<ErrorCode>600</ErrorCode>");
    auto const json = "/autodiscover/autodiscover.json/v1.0/";
    EXPECT_EQ(r.ask(&service::outlook_json, "x", json + std::string{"anna%40example.test"}, "Protocol=AutodiscoverV1").body,
              R"({"Protocol":"AutodiscoverV1","Url":"https://mail.example.test/autodiscover/autodiscover.xml"})");
    EXPECT_EQ(r.ask(&service::outlook_json, "x", json + std::string{"anna%40other.test"}, "Protocol=AutodiscoverV1").status, 404U);
    place(r.ask(&service::outlook_json, "x", json + std::string{"anna%40example.test"}, "Protocol=EWS").body, "ProtocolNotSupported");
}

TEST(wellknown, apple_profile)
{
    rig r;
    auto const got = r.ask(&service::apple, "x", "/", "email=anna@example.test");
    EXPECT_EQ(got.content_type, "application/x-apple-aspen-config");
    place(got.body, "<string>EmailTypeIMAP</string>");
    place(got.body, "<string>com.apple.mail.managed</string>");
    EXPECT_EQ(got.body, r.ask(&service::apple, "x", "/", "email=anna@example.test").body) << "installed again it replaces itself";
    EXPECT_NE(got.body, r.ask(&service::apple, "x", "/", "email=bert@example.test").body);
    EXPECT_EQ(r.ask(&service::apple, "x").status, 400U);
    EXPECT_EQ(r.ask(&service::apple, "x", "/", "email=anna@other.test").status, 404U);
}

TEST(wellknown, strangers_text_stays_text)
{
    EXPECT_EQ(escape_xml("a<b>&\"'\x01\x7f\n\xc3\xa9"), "a&lt;b&gt;&amp;&quot;&apos;\xc3\xa9");
    EXPECT_EQ(escape_xml("\xff"), "");
    for (auto const* wrong : {"", "a", "@b.test", "a@", "a@b@c.test", "a b@c.test", "a<@c.test", "a&@c.test", "a@c.test\r\nX: y", "a@c test", "a@c_test",
                              "a@\xc3\xa9.test", "\xff@c.test"})
        EXPECT_FALSE(parse_typed_address(wrong)) << wrong;
    EXPECT_FALSE(parse_typed_address(std::string(250, 'a') + "@c.test"));
    EXPECT_EQ(parse_typed_address("A.b+c@C.Test")->whole, "A.b+c@c.test");
    EXPECT_EQ(query_value("a=1&b=%41%", "b"), std::nullopt);
    EXPECT_EQ(query_value("a=1&b=%4", "b"), std::nullopt);
    EXPECT_EQ(query_value("a=1&B=%41x", "b"), "Ax");
    EXPECT_EQ(query_value("a", "a"), std::nullopt);
    EXPECT_EQ(host_name("A.Test.:443"), "a.test");
    EXPECT_EQ(host_name("a/b"), "");
}
