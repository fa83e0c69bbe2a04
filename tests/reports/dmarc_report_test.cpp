#include "reports/dmarc_report.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "samples.hpp"

using namespace mansio;
using namespace mansio::reports;
using test::dmarc_sample;
using test::replaced;

namespace {

/// "" when it is read, else "KIND: sentence".
std::string problem_of(std::string_view xml)
{
    auto const r = read_dmarc_report(xml);
    return r ? std::string{} : std::string{base::name_of(r.error().what)} + ": " + r.error().say;
}

result<dmarc_report> read_in_two(std::string_view xml, std::size_t cut)
{
    dmarc_reader in;
    for (auto const piece : {xml.substr(0, cut), xml.substr(cut)}) {
        auto const done = in.feed(piece);
        if (!done) return fail(done);
    }
    return in.finish();
}

TEST(dmarc_report, reads_all_of_the_schema)
{
    auto const got = read_dmarc_report(dmarc_sample);
    ASSERT_TRUE(got) << base::describe(got.error());
    auto const& r = *got;
    EXPECT_EQ(r.org_name, "Receiver & Sons");
    EXPECT_EQ(r.email, "noreply-dmarc@receiver.example");
    EXPECT_EQ(r.extra_contact_info, "https://receiver.example/help");
    EXPECT_EQ(r.report_id, "20260103.1@receiver.example");
    EXPECT_EQ(r.begin, 1767398400);
    EXPECT_EQ(r.end, 1767484799);
    EXPECT_EQ(r.errors, std::vector<std::string>{"pct= was no number"});
    EXPECT_EQ(r.policy.domain, "example.org");
    EXPECT_EQ(r.policy.adkim + r.policy.aspf, "rs");
    EXPECT_EQ(r.policy.p + "/" + r.policy.sp + "/" + r.policy.fo, "quarantine/none/1");
    EXPECT_EQ(r.policy.pct, 100U);
    ASSERT_EQ(r.records.size(), 2U);
    EXPECT_EQ(r.records[0].source_ip, "192.0.2.17");
    EXPECT_EQ(r.records[0].count, 12U);
    EXPECT_EQ(r.records[0].disposition + r.records[0].dkim + r.records[0].spf, "nonepasspass");
    EXPECT_EQ(r.records[0].envelope_to, "receiver.example");
    ASSERT_EQ(r.records[0].dkim_results.size(), 1U);
    EXPECT_EQ(r.records[0].dkim_results[0], (dmarc_report::dkim_result{"example.org", "s1", "pass", ""}));
    EXPECT_EQ(r.records[1].source_ip, "2001:db8::17");
    EXPECT_EQ(r.records[1].envelope_from, "");
    EXPECT_EQ(r.records[1].header_from, "news.example.org");
    ASSERT_EQ(r.records[1].reasons.size(), 1U);
    EXPECT_EQ(r.records[1].reasons[0].comment, "List-Id: <things>");
    ASSERT_EQ(r.records[1].spf_results.size(), 1U);
    EXPECT_EQ(r.records[1].spf_results[0], (dmarc_report::spf_result{"lists.example.net", "helo", "softfail", ""}));
}

TEST(dmarc_report, does_not_depend_on_where_it_is_cut)
{
    auto const whole = read_dmarc_report(dmarc_sample);
    ASSERT_TRUE(whole);
    for (std::size_t cut = 0; cut <= dmarc_sample.size(); ++cut) {
        auto const got = read_in_two(dmarc_sample, cut);
        ASSERT_TRUE(got) << cut << base::describe(got.error());
        ASSERT_EQ(*got, *whole) << cut;
    }
    // Up to the last ">" something is missing.
    for (std::size_t end = 0; end < dmarc_sample.rfind('>') + 1; ++end) EXPECT_NE(problem_of(dmarc_sample.substr(0, end)), "") << end;
}

TEST(dmarc_report, takes_what_reporters_really_write)
{
    struct {
        std::string xml, why;
    } const cases[] = {
        {replaced(dmarc_sample, "<feedback>", "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\" xmlns:x=\"urn:x\">"), "RFC 9990's namespace"},
        {replaced(dmarc_sample, "<feedback>", "<feedback xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'>"), "AOL's"},
        {replaced(dmarc_sample, "  <version>1.0</version>\n", ""), "the drafts had no version"},
        {replaced(dmarc_sample, "<pct>100</pct>", "<pct/>"), "nothing said"},
        {replaced(dmarc_sample, "  <record>", "  <extension><x:y><row/><row/></x:y></extension><record>"), "an extension"},
        {replaced(dmarc_sample, "</auth_results>", "</auth_results><x:arc xmlns:x='urn:x'><row/></x:arc>"), "an extension of a record"},
        {replaced(dmarc_sample, "</auth_results>", "</auth_results><row xmlns='urn:x'><row/></row>"), "an extension by default namespace"},
        {replaced(dmarc_sample, "<count>12</count>", "<count>\n 12 </count>"), "blanks around"},
        {replaced(dmarc_sample, "encoding=\"UTF-8\"", "encoding=\"windows-1252\""), "a charset expat does not know"},
        {replaced(dmarc_sample, "12", "<![CDATA[12]]>"), "a CDATA section"},
        {"\xEF\xBB\xBF" + std::string{dmarc_sample}, "a byte order mark"},
    };
    auto const want = read_dmarc_report(dmarc_sample);
    ASSERT_TRUE(want);
    for (auto const& c : cases) {
        auto got = read_dmarc_report(c.xml);
        ASSERT_TRUE(got) << c.why << ": " << base::describe(got.error());
        if (!got->policy.pct) got->policy.pct = 100;
        EXPECT_EQ(*got, *want) << c.why;
    }
    // Every element under the root's prefix.
    std::string prefixed;
    for (std::size_t i = 0; i < dmarc_sample.size(); ++i) {
        prefixed += dmarc_sample[i];
        if (dmarc_sample[i] == '<' && dmarc_sample[i + 1] != '?') prefixed += dmarc_sample[i + 1] == '/' ? (++i, "/d:") : "d:";
    }
    auto const got = read_dmarc_report(replaced(prefixed, "<d:feedback>", "<d:feedback xmlns:d=\"http://dmarc.org/dmarc-xml/0.1\">"));
    ASSERT_TRUE(got) << base::describe(got.error());
    EXPECT_EQ(*got, *want);
}

TEST(dmarc_report, charsets_are_undone)
{
    auto const latin = replaced(replaced(dmarc_sample, "Receiver", "\x93S\xF6hne\x94"), "UTF-8", "windows-1252");
    auto const got = read_dmarc_report(latin);
    ASSERT_TRUE(got) << base::describe(got.error());
    EXPECT_EQ(got->org_name, "“Söhne” & Sons");
    EXPECT_EQ(problem_of(replaced(latin, "windows-1252", "UTF-8")), "syntax: line 5: no XML: not well-formed (invalid token)");
    EXPECT_EQ(problem_of(replaced(latin, "windows-1252", "shift_jis")), "refused: XML in a charset we do not read");
}

TEST(dmarc_report, says_what_is_wrong)
{
    struct {
        std::string xml, want;
    } const cases[] = {
        {"", "syntax: line 1: no XML: no element found"},
        {"no report at all", "syntax: line 1: no XML: syntax error"},
        {"{\"json\": 1}", "syntax: line 1: no XML: not well-formed (invalid token)"},
        {"<html/>", "syntax: no DMARC report: its root is not <feedback>"},
        {"<feedback/>", "syntax: a DMARC report without report_id"},
        {std::string{dmarc_sample} + "<feedback/>", "syntax: line 80: no XML: junk after document element"},
        {replaced(dmarc_sample, "<count>12</count>", ""), "syntax: line 52: <record>: a record without count"},
        {replaced(dmarc_sample, "<source_ip>192.0.2.17</source_ip>", ""), "syntax: line 52: <record>: a record without source_ip"},
        {replaced(dmarc_sample, "192.0.2.17", "192.0.2.1777"), "syntax: line 26: <source_ip>: a source_ip that is no address"},
        {replaced(dmarc_sample, "<count>12", "<count>-1"), "syntax: line 27: <count>: a count that is none"},
        {replaced(dmarc_sample, "<count>12", "<count>12.0"), "syntax: line 27: <count>: a count that is none"},
        {replaced(dmarc_sample, "<count>12", "<count>9223372036854775808"), "syntax: line 27: <count>: a count that is none"},
        {replaced(dmarc_sample, "<count>12", "<count>" + std::string(5000, '9')), "syntax: line 27: <count>: a count that is none"},
        {replaced(dmarc_sample, "<begin>1767398400", "<begin>253402300800"), "syntax: line 10: <begin>: a time that is none"},
        {replaced(dmarc_sample, "<end>1767484799", "<end>1"), "syntax: a DMARC report that ends before it begins"},
        {replaced(dmarc_sample, "<pct>100", "<pct>101"), "syntax: line 21: <pct>: a pct that is none"},
        {replaced(dmarc_sample, "<count>12</count>", "<count>12</count><count>13</count>"), "syntax: line 27: <count> twice"},
        {replaced(dmarc_sample, "</policy_published>", "</policy_published><policy_published/>"), "syntax: line 23: <policy_published> twice"},
        {replaced(dmarc_sample, "example.org</domain>", std::string(1001, 'a') + "</domain>"),
         "over_limit: line 16: <domain>: a text of more than 1000 octets"},
        {replaced(dmarc_sample, "<domain>example.org</domain>", ""), "syntax: a DMARC report without the domain of its policy"},
        {replaced(dmarc_sample, "<email>", "<email"), "syntax: line 6: no XML: not well-formed (invalid token)"},
        {replaced(dmarc_sample, "&amp;", "&nbsp;"), "syntax: line 5: no XML: undefined entity"},
    };
    for (auto const& c : cases) EXPECT_EQ(problem_of(c.xml), c.want) << c.xml.substr(0, 300);
    // The largest number there is, is one.
    EXPECT_EQ(problem_of(replaced(dmarc_sample, "<count>12", "<count>9223372036854775807")), "");
}

TEST(dmarc_report, document_types_and_entities_are_refused)
{
    std::string const refusal = "refused: a document type declaration, which no report needs";
    struct {
        std::string_view declaration, use;
    } const cases[] = {
        {"<!DOCTYPE feedback>", "x"},
        {"<!DOCTYPE feedback SYSTEM \"http://attacker.example/x.dtd\">", "x"},
        {"<!DOCTYPE feedback [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "&x;"},
        {"<!DOCTYPE feedback [<!ENTITY % x SYSTEM \"http://attacker.example/x.dtd\"> %x;]>", "x"},
        {"<!DOCTYPE f [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>", "&c;"},
    };
    for (auto const& c : cases) {
        auto const xml = replaced(replaced(dmarc_sample, "<feedback>", std::string{c.declaration} + "<feedback>"), "Receiver", c.use);
        EXPECT_EQ(problem_of(xml), refusal) << c.declaration;
    }
}

TEST(dmarc_report, budgets_end_it)
{
    auto const many = [](std::string_view what, std::size_t count) {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) out += what;
        return out;
    };
    auto const row = "<record><row><source_ip>::1</source_ip><count>1</count></row></record>";
    auto const with_rows = [&](std::size_t count) { return replaced(dmarc_sample, "</feedback>", many(row, count) + "</feedback>"); };
    EXPECT_EQ(problem_of(with_rows(49'998)), "");
    EXPECT_EQ(problem_of(with_rows(49'999)), "over_limit: more than 50000 <record>");
    EXPECT_EQ(problem_of("<feedback>" + many("<a>", 16)), "over_limit: more than 16 levels");
    EXPECT_EQ(problem_of("<feedback>" + many("<a/>", 4'000'000)), "over_limit: more than 4000000 elements");
    EXPECT_EQ(problem_of(replaced(dmarc_sample, "<error>", many("<error/>", 100) + "<error>")), "over_limit: more than 100 <error>");
    EXPECT_EQ(problem_of(replaced(dmarc_sample, "<spf>\n", many("<dkim/>", 100) + "<spf>\n")), "over_limit: more than 100 <dkim>");
    // A tag and a comment that never end: expat would begin them anew with every piece.
    EXPECT_EQ(problem_of("<feedback a=\"" + std::string(2 << 20U, 'x')), "over_limit: a tag or comment of more than 1048576 octets");
    EXPECT_EQ(problem_of("<feedback><!--" + std::string(2 << 20U, 'x')), "over_limit: a tag or comment of more than 1048576 octets");
    // Much text that nobody keeps, and much that is kept.
    EXPECT_EQ(problem_of(replaced(dmarc_sample, "<version>1.0", "<version>" + std::string(5 << 20U, 'x'))), "");
    auto const prose = replaced(dmarc_sample, "</record>",
                                "</record><record><row><source_ip>::1</source_ip><count>1</count><policy_evaluated>" +
                                    many("<reason><comment>" + std::string(990, 'x') + "</comment></reason>", 100) + "</policy_evaluated></row></record>");
    std::string const record = prose.substr(prose.find("<record><row><source_ip>::1"), 103'000);
    dmarc_reader in;
    auto const head = prose.substr(0, prose.find("<record><row><source_ip>::1"));
    ASSERT_TRUE(in.feed(head));
    auto const one = record.substr(0, record.find("</record>") + 9);
    result<void> done;
    for (int i = 0; i < 2000 && done; ++i) done = in.feed(one);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().what, fault::kind::over_limit);
    EXPECT_TRUE(done.error().say.ends_with("too large a report")) << done.error().say;
}

TEST(dmarc_report, long_prose_is_cut_and_says_so)
{
    auto const got = read_dmarc_report(replaced(dmarc_sample, "List-Id:", std::string(900, 'a') + std::string(50'000, 'b')));
    ASSERT_TRUE(got) << base::describe(got.error());
    auto const& comment = got->records[1].reasons[0].comment;
    EXPECT_EQ(comment, std::string(900, 'a') + std::string(97, 'b') + "…");
}

TEST(dmarc_report, what_is_written_reads_back)
{
    auto first = read_dmarc_report(dmarc_sample);
    ASSERT_TRUE(first);
    first->generator = "mansio/1";
    first->policy.np = "reject";
    first->policy.testing = "n";
    first->policy.discovery_method = "psl";
    first->org_name = "<&>\"' \xC3\xA4 a\rb]]>";
    first->records[0].dkim_results[0].human_result = "ok";
    auto const xml = write_dmarc_report(*first);
    auto const again = read_dmarc_report(xml);
    ASSERT_TRUE(again) << base::describe(again.error()) << xml;
    EXPECT_EQ(*again, *first);
    EXPECT_EQ(write_dmarc_report(*again), xml);
}

TEST(dmarc_report, whatever_is_written_is_xml)
{
    base::seeded_random random{11};
    for (int i = 0; i < 200; ++i) {
        auto r = read_dmarc_report(dmarc_sample).value();
        r.org_name = random.octets(40);
        r.policy.fo = random.octets(20) + "\xEF\xBF\xBE\xEF\xBF\xBF\x01";
        r.records[0].reasons.push_back({"local_policy", random.octets(30)});
        auto const again = read_dmarc_report(write_dmarc_report(r));
        ASSERT_TRUE(again) << base::describe(again.error());
        EXPECT_EQ(again->records.size(), 2U);
    }
}

}  // namespace
