#include "reports/tls_report.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "reports/texts.hpp"
#include "samples.hpp"

using namespace mansio;
using namespace mansio::reports;
using test::replaced;
using test::tls_sample;

namespace {

std::string problem_of(std::string_view json)
{
    auto const r = read_tls_report(json);
    return r ? std::string{} : std::string{base::name_of(r.error().what)} + ": " + r.error().say;
}

TEST(tls_report, reads_the_rfcs_example)
{
    auto const got = read_tls_report(tls_sample);
    ASSERT_TRUE(got) << base::describe(got.error());
    EXPECT_EQ(got->organization, "Company-X");
    EXPECT_EQ(got->contact, "sts-reporting@company-x.example");
    EXPECT_EQ(got->report_id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
    EXPECT_EQ(got->begin, 1459468800);
    EXPECT_EQ(got->end, 1459555199);
    ASSERT_EQ(got->policies.size(), 1U);
    auto const& p = got->policies[0];
    EXPECT_EQ(p.type, "sts");
    EXPECT_EQ(p.domain, "company-y.example");
    EXPECT_EQ(p.text, (std::vector<std::string>{"version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"}));
    EXPECT_EQ(p.mx_hosts, std::vector<std::string>{"*.mail.company-y.example"});
    EXPECT_EQ(p.successes, 5326U);
    EXPECT_EQ(p.failures, 303U);
    ASSERT_EQ(p.details.size(), 3U);
    EXPECT_EQ(p.details[1].result_type, "starttls-not-supported");
    EXPECT_EQ(p.details[1].receiving_ip, "203.0.113.56");
    EXPECT_EQ(p.details[1].sessions, 200U);
    EXPECT_EQ(p.details[2].reason_code, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
}

TEST(tls_report, what_is_written_reads_back)
{
    auto first = read_tls_report(tls_sample).value();
    first.policies.push_back({"tlsa", {"3 0 1 1F85"}, "company-y.example", {}, 0, 0, {}});
    first.policies[0].details[0].mx_helo = "\"mx\"\\\n";
    auto const text = write_tls_report(first);
    auto const again = read_tls_report(text);
    ASSERT_TRUE(again) << base::describe(again.error());
    EXPECT_EQ(*again, first);
    first.organization = "\xFF\x01";
    EXPECT_EQ(problem_of(write_tls_report(first)), "");
}

TEST(tls_report, takes_what_reporters_really_write)
{
    for (auto const& json : {
             replaced(tls_sample, "\"*.mail.company-y.example\"\n", "[\"*.mail.company-y.example\"]\n"),
             replaced(tls_sample, "2016-04-01T00:00:00Z", "2016-04-01T02:00:00.000+02:00"),
             replaced(tls_sample, "\"contact-info\"", "\"unknown\": {\"a\": [1.5, null]}, \"contact-info\""),
             "\xEF\xBB\xBF" + std::string{tls_sample},
         })
    {
        auto const got = read_tls_report(json);
        ASSERT_TRUE(got) << base::describe(got.error());
        EXPECT_EQ(*got, read_tls_report(tls_sample).value());
    }
    EXPECT_EQ(problem_of(replaced(tls_sample, "\"contact-info\": \"sts-reporting@company-x.example\"", "\"contact-info\": null")), "");
}

TEST(tls_report, says_what_is_wrong)
{
    struct {
        std::string json, want;
    } const cases[] = {
        {"", "syntax: no JSON: incomplete JSON"},
        {"<feedback/>", "syntax: no JSON: syntax error"},
        {"[]", "syntax: no TLS report: its JSON is no object"},
        {"{}", "syntax: a TLS report without \"report-id\""},
        {std::string{tls_sample} + "x", "syntax: no JSON: extra data"},
        {std::string{tls_sample.substr(0, tls_sample.size() - 3)}, "syntax: no JSON: incomplete JSON"},
        {replaced(tls_sample, "Company-X", "\xFF"), "syntax: no JSON: syntax error"},
        {replaced(tls_sample, "5326", "-1"), "syntax: \"total-successful-session-count\" is no count"},
        {replaced(tls_sample, "5326", "1.5"), "syntax: \"total-successful-session-count\" is no count"},
        {replaced(tls_sample, "5326", "\"5326\""), "syntax: \"total-successful-session-count\" is no count"},
        {replaced(tls_sample, "5326", "9223372036854775808"), "syntax: \"total-successful-session-count\" is no count"},
        {replaced(tls_sample, "5326", std::string(400, '9')), "syntax: \"total-successful-session-count\" is no count"},
        {replaced(tls_sample, "23:59:59Z", "23:59:59"), "syntax: \"end-datetime\" is no date and time"},
        {replaced(tls_sample, "2016-04-01T23", "2016-03-01T23"), "syntax: a TLS report that ends before it begins"},
        {replaced(tls_sample, "\"policies\": [{", "\"policies\": [1, {"), "syntax: \"policies\" holds something that is no object"},
        {replaced(tls_sample, "\"report-id\":", "\"report-id\": \"a\", \"report-id\":"), "syntax: \"report-id\" twice in one object"},
        {replaced(tls_sample, "\"failed-session-count\": 3", "\"failed-session-count\": 3, \"failed-session-count\": 3"),
         "syntax: \"failed-session-count\" twice in one object"},
        {replaced(tls_sample, "\"report-id\":", "\"report\\u002did\": \"a\", \"report-id\":"), "syntax: \"report-id\" twice in one object"},
        {std::string(17, '[') + std::string(17, ']'), "over_limit: JSON of more than 16 levels"},
    };
    for (auto const& c : cases) EXPECT_EQ(problem_of(c.json), c.want) << c.json.substr(0, 200);
    std::string many = "[0";
    for (int i = 0; i < 500'000; ++i) many += ",0";
    EXPECT_EQ(problem_of(many + "]"), "over_limit: more than 500000 JSON values");
    EXPECT_EQ(problem_of(std::string((16 << 20U) + 1, ' ')), "over_limit: a TLS report of more than 16777216 octets");
    EXPECT_EQ(problem_of(replaced(tls_sample, "5326", "9223372036854775807")), "");
}

TEST(tls_report, every_cut_is_an_error)
{
    auto const end = tls_sample.rfind('}');
    for (std::size_t cut = 0; cut <= end; ++cut) EXPECT_NE(problem_of(tls_sample.substr(0, cut)), "") << cut;
}

TEST(report_texts, moments)
{
    struct {
        std::string_view text;
        std::optional<std::int64_t> want;
    } const cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2016-04-01T00:00:00Z", 1459468800},
        {"2016-04-01t00:00:00z", 1459468800},
        {"2016-03-31T24:00:00Z", 1459468800},
        {"2016-04-01T00:00:60Z", 1459468860},
        {"2016-04-01T05:30:00.123456+05:30", 1459468800},
        {"2016-03-31T16:00:00-08:00", 1459468800},
        {"9999-12-31T23:59:59Z", last_moment},
        {"9999-12-31T23:59:59-01:00", std::nullopt},
        {"1970-01-01T00:00:00+01:00", std::nullopt},
        {"2016-02-30T00:00:00Z", std::nullopt},
        {"2016-04-01T24:00:01Z", std::nullopt},
        {"2016-04-01T00:00:00", std::nullopt},
        {"2016-04-01T00:00:00.Z", std::nullopt},
        {"2016-04-01", std::nullopt},
        {"2016-4-1T00:00:00Z", std::nullopt},
        {"", std::nullopt},
    };
    for (auto const& c : cases) EXPECT_EQ(read_moment(c.text), c.want) << c.text;
    EXPECT_EQ(write_moment(1459468800), "2016-04-01T00:00:00Z");
    EXPECT_EQ(write_day(16892), "2016-04-01");
}

TEST(report_texts, counts_stay_in_range)
{
    EXPECT_EQ(add_counts(3, 4), 7U);
    EXPECT_EQ(add_counts(9223372036854775807U, 1), 9223372036854775807U);
    EXPECT_EQ(add_counts(9223372036854775807U, 9223372036854775807U), 9223372036854775807U);
    EXPECT_EQ(read_count("9223372036854775807"), 9223372036854775807U);
    EXPECT_EQ(read_count("+1"), std::nullopt);
    EXPECT_EQ(read_count(""), std::nullopt);
}

TEST(report_texts, domains_as_keys)
{
    EXPECT_EQ(domain_key("Example.ORG."), "example.org");
    EXPECT_EQ(domain_key("bücher.example"), "xn--bcher-kva.example");
    EXPECT_EQ(domain_key("_dmarc.Example.org"), "_dmarc.example.org");
    for (auto const bad : {"", ".", "a..b", "a b.example", "[192.0.2.1]", "a/b.example"}) EXPECT_EQ(domain_key(bad), std::nullopt) << bad;
}

}  // namespace
