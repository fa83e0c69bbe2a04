#include "reports/received.hpp"

#include <gtest/gtest.h>

#include "archives.hpp"
#include "base/bytes.hpp"
#include "net/address.hpp"
#include "reports/texts.hpp"
#include "samples.hpp"
#include "store/engines.hpp"

using namespace mansio;
using namespace mansio::reports;
using namespace std::chrono_literals;
using test::dmarc_sample;
using test::replaced;
using test::tls_sample;

namespace {

constexpr std::uint32_t sample_day = 1767398400 / 86400;

/// A message as reporters send it: a sentence and the report.
std::string mail(std::string_view type, std::string_view name, std::string_view octets, std::string_view subject = "Report Domain: example.org",
                 std::string_view top = "multipart/mixed")
{
    std::string out = "From: noreply@receiver.example\r\nSubject: " + std::string{subject} + "\r\nMIME-Version: 1.0\r\nContent-Type: " + std::string{top} +
                      "; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--b\r\nContent-Type: " + std::string{type} + "\r\n";
    if (!name.empty()) out += "Content-Disposition: attachment;\r\n filename=\"" + std::string{name} + "\"\r\n";
    return out + "Content-Transfer-Encoding: base64\r\n\r\n" + base::to_base64(octets) + "\r\n--b--\r\n";
}
std::string dmarc_mail(std::string_view xml) { return mail("application/gzip", "receiver.example!example.org!1767398400!1767484799.xml.gz", gzip(xml)); }
std::string tls_mail(std::string_view json)
{
    return mail("application/tlsrpt+gzip", "company-x.example!company-y.example!1!2.json.gz", gzip(json), "Report Domain: company-y.example",
                "multipart/report; report-type=\"tlsrpt\"");
}

struct world {
    base::manual_clock clock;  // 2026-01-01
    base::manual_executor loop{clock};
    base::seeded_random random{5};
    base::worker_pool pool{"reports", 1, 16};
    base::metrics metrics;
    base::limits limits;
    base::memory_log log;
    store::memory_faults faults;
    std::function<bool(store::change const&)> conflict = [](store::change const&) { return false; };
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<received_reports> reports;
    bool directory_fails = false;

    world()
    {
        faults.conflict = [this](store::change const& c) { return conflict(c); };
        engine = store::make_memory_engine(clock, random, faults);
        reports = std::make_unique<received_reports>(
            received_reports::parts{*engine, pool, limits, clock, random, log, metrics, [this](std::string domain) { return is_ours(std::move(domain)); }});
        clock.advance(72h);
    }
    task<result<bool>> is_ours(std::string domain)
    {
        if (directory_fails) co_return fail(fault::kind::broken, "");
        co_return domain == "example.org" || domain == "company-y.example";
    }
    result<receipt> take(std::string text, report_origin from) { return loop.run(reports->receive(mime::octets{std::move(text)}, std::move(from))); }
    /// "counted/repeated problem; problem"
    std::string told(std::string text, report_origin from)
    {
        auto const r = take(std::move(text), std::move(from));
        if (!r) return "!" + base::describe(r.error());
        auto out = std::to_string(r->counted) + "/" + std::to_string(r->repeated);
        for (auto const& p : r->problems) out += " " + p.say;
        return out;
    }
    static report_origin receiver() { return {"receiver.example", true, {"receiver.example"}}; }
    static report_origin company() { return {"company-x.example", true, {"company-x.example"}}; }
    /// The RFC's example, of a day that counts.
    static std::string tls_now() { return replaced(replaced(tls_sample, "2016-04-01T00", "2026-01-03T00"), "2016-04-01T23", "2026-01-03T23"); }
};

TEST(report_finder, names)
{
    struct {
        std::string_view name;
        std::optional<report_kind> want;
    } const cases[] = {
        {"mail.receiver.example!example.com!1013662812!1013749130.gz", report_kind::dmarc},  // RFC 7489 §7.2.1.1
        {"receiver.example!example.com!1!2.xml", report_kind::dmarc},
        {"Receiver.example!example.com!1!2!ab12.XML.GZ", report_kind::dmarc},
        {"google.com!example.com!1!2.zip", report_kind::dmarc},
        {"mail.sndr.example.com!example.net!1470013207!1470186007!001.json.gz", report_kind::tls},  // RFC 8460 §5.1
        {"a!b!1!2.json", report_kind::tls},
        {"a!b!1!2.exe", std::nullopt},
        {"a!b!1.xml", std::nullopt},
        {"a!b!1!2!3!4.xml", std::nullopt},
        {"a!b!one!2.xml", std::nullopt},
        {"a!b!1!2", std::nullopt},
        {"report.xml", std::nullopt},
        {"", std::nullopt},
    };
    for (auto const& c : cases) EXPECT_EQ(kind_of_name(c.name), c.want) << c.name;
}

TEST(report_finder, finds_reports_in_every_form)
{
    base::limits const limits;
    auto const found = [&](std::string const& text) {
        auto const all = find_reports(mime::octets{text}, limits);
        std::string out;
        for (auto const& p : all) {
            auto const r = read_report(p);
            out += std::string{name_of(p.what)} + (r ? " " : "! ");
        }
        return out;
    };
    auto const name = "receiver.example!example.org!1!2.xml.gz";
    EXPECT_EQ(found(dmarc_mail(dmarc_sample)), "dmarc ");
    EXPECT_EQ(found(mail("application/octet-stream", name, gzip(dmarc_sample), "whatever")), "dmarc ");
    EXPECT_EQ(found(mail("application/zip", "", test::zip_of("x.xml", dmarc_sample))), "dmarc ");
    EXPECT_EQ(found(mail("application/x-zip-compressed; name=\"a!b!1!2.zip\"", "", test::zip_of("x.xml", dmarc_sample), "")), "dmarc ");
    EXPECT_EQ(found(mail("text/xml", "", dmarc_sample)), "dmarc ");
    EXPECT_EQ(found(mail("text/xml", "", dmarc_sample, "=?utf-8?q?Report_Domain=3A_example.org?=")), "dmarc ");
    EXPECT_EQ(found(mail("text/xml", "invoice.xml", "<invoice/>", "Your invoice")), "");
    EXPECT_EQ(found(mail("text/xml", name, "<invoice/>")), "dmarc! ");
    EXPECT_EQ(found(tls_mail(tls_sample)), "tls ");
    EXPECT_EQ(found(mail("application/tlsrpt+json", "", tls_sample, "")), "tls ");
    EXPECT_EQ(found(mail("application/octet-stream", "", gzip(tls_sample), "", "multipart/report; report-type=tlsrpt")), "tls ");
    // The whole message is the report: RFC 7489 asks for no structure.
    EXPECT_EQ(found("Subject: Report Domain: example.org\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                    base::to_base64(gzip(dmarc_sample)) + "\r\n"),
              "dmarc ");
    EXPECT_EQ(found("Subject: hello\r\n\r\nhello\r\n"), "");
    EXPECT_EQ(found("Subject: Fwd\r\nContent-Type: message/rfc822\r\n\r\n" + dmarc_mail(dmarc_sample)), "");
}

TEST(received_reports, counts_once_and_sums_up)
{
    world w;
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), world::receiver()), "1/0");
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), world::receiver()), "0/1");
    auto const other = replaced(replaced(dmarc_sample, "20260103.1@", "20260103.2@"), "Receiver &amp; Sons", "Other");
    EXPECT_EQ(w.told(dmarc_mail(replaced(other, "example.org</domain>", "Example.ORG.</domain>")), world::receiver()), "1/0");

    auto const day = w.loop.run(w.reports->show_dmarc("example.org", sample_day));
    ASSERT_TRUE(day) << base::describe(day.error());
    EXPECT_EQ(day->reports, 2U);
    EXPECT_EQ(day->figures, (dmarc_figures{30, 24, 6, 0, 24, 24, 24}));
    EXPECT_EQ(day->reporters, (std::vector<std::string>{"Receiver & Sons", "Other"}));
    ASSERT_EQ(day->sources.size(), 2U);
    EXPECT_EQ(day->sources[0].address, "192.0.2.17");
    EXPECT_EQ(day->sources[0].figures, (dmarc_figures{24, 24, 0, 0, 24, 24, 24}));
    EXPECT_EQ(day->sources[1].figures, (dmarc_figures{6, 0, 6, 0, 0, 0, 0}));
    EXPECT_EQ(day->policy.p + day->policy.sp + day->policy.adkim + day->policy.aspf + day->policy.fo, "quarantinenoners1");
    EXPECT_EQ(day->policy.pct, 100U);
    auto const none = w.loop.run(w.reports->show_dmarc("example.org", sample_day + 1));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().what, fault::kind::not_found);
}

TEST(received_reports, tls_reports)
{
    world w;
    EXPECT_EQ(w.told(tls_mail(world::tls_now()), world::company()), "1/0");
    EXPECT_EQ(w.told(tls_mail(world::tls_now()), world::company()), "0/1");
    auto const day = w.loop.run(w.reports->show_tls("company-y.example", sample_day));
    ASSERT_TRUE(day) << base::describe(day.error());
    EXPECT_EQ(day->reports, 1U);
    ASSERT_EQ(day->policies.size(), 1U);
    EXPECT_EQ(day->policies[0], (tls_day::policy{"sts", 5326, 303}));
    ASSERT_EQ(day->failures.size(), 3U);
    EXPECT_EQ(day->failures[1], (tls_day::failure{"starttls-not-supported", "mx2.mail.company-y.example", 200}));
}

TEST(received_reports, are_not_taken_from_just_anybody)
{
    world w;
    auto const stranger = report_origin{"receiver.example", false, {}};
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), stranger), "0/0 a DMARC report whose sender is not authenticated");
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), report_origin{"", true, {}}), "0/0 a DMARC report whose sender is not authenticated");
    // A report under another's id, of one who proved to be somebody else, hides nothing.
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), report_origin{"attacker.example", true, {}}), "1/0");
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), world::receiver()), "1/0");

    std::string const unsigned_report = "0/0 a TLS report that the domain of its contact did not sign";
    EXPECT_EQ(w.told(tls_mail(world::tls_now()), report_origin{"company-x.example", true, {}}), unsigned_report);
    EXPECT_EQ(w.told(tls_mail(world::tls_now()), report_origin{"company-x.example", true, {"attacker.example", "x.company-x.example"}}), unsigned_report);
    auto const below = replaced(world::tls_now(), "sts-reporting@company-x.example", "sts-reporting@mail.company-x.example");
    EXPECT_EQ(w.told(tls_mail(below), world::company()), "1/0");
}

TEST(received_reports, say_what_is_wrong)
{
    world w;
    struct {
        std::string text, want;
    } const cases[] = {
        {dmarc_mail(replaced(dmarc_sample, "<domain>example.org", "<domain>other.example")), "0/0 a report about a domain that is not ours"},
        {dmarc_mail(replaced(dmarc_sample, "<domain>example.org", "<domain>no domain")), "0/0 a report about something that is no domain"},
        {dmarc_mail(replaced(replaced(dmarc_sample, "1767398400", "1767657600"), "1767484799", "1767657600")), "0/0 a report of a day that has not come"},
        {dmarc_mail(replaced(dmarc_sample, "1767398400", "1700000000")), "0/0 a report older than 400 days"},
        {dmarc_mail("<html/>"), "0/0 no DMARC report: its root is not <feedback>"},
        {dmarc_mail(std::string(30 << 20U, ' ')), "0/0 unpacks to more than 100 times its size"},
        {mail("application/gzip", "a!b!1!2.xml.gz", gzip(dmarc_sample).substr(0, 300)), "0/0 a damaged archive: it ends in the middle"},
        {"Subject: no report\r\n\r\n", "0/0"},
    };
    for (auto const& c : cases) EXPECT_EQ(w.told(c.text, world::receiver()), c.want);
    EXPECT_EQ(
        w.told(tls_mail(replaced(world::tls_now(), "\"policy-domain\": \"company-y.example\"", "\"policy-domain\": \"other.example\"")), world::company()),
        "0/0 a report about a domain that is not ours");
    EXPECT_TRUE(w.loop.run(w.engine->scan({store::partition_kind::report, 0}, {}, 10)).value().empty());
    w.directory_fails = true;
    EXPECT_TRUE(w.told(dmarc_mail(dmarc_sample), world::receiver()).starts_with("!broken"));
}

TEST(received_reports, two_at_once_lose_nothing)
{
    world w;
    int conflicts = 3;
    w.conflict = [&](store::change const&) { return conflicts-- > 0; };
    EXPECT_EQ(w.told(dmarc_mail(dmarc_sample), world::receiver()), "1/0");
    w.conflict = [](store::change const&) { return false; };
    std::size_t ended = 0;
    for (int i = 0; i < 8; ++i) {
        auto const xml = replaced(dmarc_sample, "20260103.1@", std::to_string(i) + "@");
        base::spawn_detached(
            w.loop,
            [](world& in, std::string text) -> task<void> { (void)co_await in.reports->receive(mime::octets{text}, world::receiver()); }(w, dmarc_mail(xml)),
            [&] { ++ended; });
    }
    ASSERT_TRUE(w.loop.run_until([&] { return ended == 8; }));
    EXPECT_EQ(w.loop.run(w.reports->show_dmarc("example.org", sample_day))->reports, 9U);
    w.conflict = [](store::change const&) { return true; };
    EXPECT_TRUE(w.told(dmarc_mail(replaced(dmarc_sample, "20260103.1@", "x@")), world::receiver()).starts_with("!try_later"));
}

TEST(received_reports, list_and_forget)
{
    world w;
    w.clock.advance(24h * 10);
    for (int day = 0; day < 5; ++day) {
        auto const begin = 1767398400 + day * 86400;
        auto const xml = replaced(replaced(dmarc_sample, "1767398400", std::to_string(begin)), "1767484799", std::to_string(begin + 86399));
        ASSERT_EQ(w.told(dmarc_mail(xml), world::receiver()), "1/0");
    }
    ASSERT_EQ(w.told(tls_mail(world::tls_now()), world::company()), "1/0");
    auto const listed = [&](day_filter f) {
        std::string out;
        for (auto const& l : w.loop.run(w.reports->list(std::move(f))).value())
            out += std::string{name_of(l.what)} + " " + l.domain + " " + write_day(l.day).substr(5) + " " + std::to_string(l.reports) + " " +
                   std::to_string(l.failed) + "/" + std::to_string(l.messages) + "; ";
        return out;
    };
    EXPECT_EQ(listed({.what = {}, .domain = {}, .from = sample_day + 3, .to = UINT32_MAX, .most = 10}),
              "dmarc example.org 01-06 1 3/15; dmarc example.org 01-07 1 3/15; ");
    EXPECT_EQ(listed({.what = report_kind::tls, .domain = {}, .from = 0, .to = UINT32_MAX, .most = 10}), "tls company-y.example 01-03 1 303/5629; ");
    EXPECT_EQ(listed({.what = {}, .domain = "Example.org", .from = 0, .to = UINT32_MAX, .most = 1}), "dmarc example.org 01-03 1 3/15; ");
    EXPECT_EQ(listed({.what = {}, .domain = "example.net", .from = 0, .to = UINT32_MAX, .most = 10}), "");
    EXPECT_EQ(w.loop.run(w.reports->forget()).value(), 0U);
    w.clock.advance(24h * 391);  // 401 days after the second
    EXPECT_EQ(w.loop.run(w.reports->forget()).value(), 6U);
    EXPECT_EQ(listed({.what = {}, .domain = {}, .from = 0, .to = UINT32_MAX, .most = 10}),
              "dmarc example.org 01-05 1 3/15; dmarc example.org 01-06 1 3/15; dmarc example.org 01-07 1 3/15; ");
}

TEST(received_reports, what_is_listed_is_bounded_and_the_rest_is_told)
{
    dmarc_day d;
    dmarc_report r;
    for (int i = 0; i < 600; ++i) {
        dmarc_report::record row;
        row.source_ip = net::ip_address::v4({10, 0, static_cast<unsigned char>(i / 256), static_cast<unsigned char>(i % 256)}).text();
        row.count = 2;
        r.records.push_back(row);
    }
    for (int i = 0; i < 120; ++i) {
        r.org_name = "reporter " + std::to_string(i);
        add_report(d, r);
    }
    EXPECT_EQ(d.sources.size(), 500U);
    EXPECT_EQ(d.figures.messages, 144'000U);
    EXPECT_EQ(d.unlisted, 24'000U);
    EXPECT_EQ(d.reporters.size(), 100U);
    EXPECT_EQ(decode_dmarc_day(encode(d)), d);
    r.records.resize(1);
    r.records[0].count = 9223372036854775807U;
    add_report(d, r);
    add_report(d, r);
    EXPECT_EQ(d.figures.messages, 9223372036854775807U);

    tls_day t;
    tls_report report = read_tls_report(tls_sample).value();
    report.policies[0].details.clear();
    for (int i = 0; i < 600; ++i) report.policies[0].details.push_back({"x", "", "mx" + std::to_string(i), "", "", 3, "", ""});
    add_report(t, report, "company-y.example");
    EXPECT_EQ(t.failures.size(), 500U);
    EXPECT_EQ(t.unlisted, 300U);
    EXPECT_EQ(decode_tls_day(encode(t)), t);
}

TEST(received_reports, damaged_rows_are_told_apart)
{
    dmarc_day d;
    d.reporters = {"a"};
    d.sources = {{"192.0.2.1", {1, 1, 0, 0, 1, 1, 1}}};
    tls_day t;
    t.failures = {{"a", "b", 3}};
    for (auto const& row : {encode(d), encode(t)}) {
        for (std::size_t cut = 0; cut < row.size(); ++cut) {
            EXPECT_FALSE(decode_dmarc_day(row.substr(0, cut)));
            EXPECT_FALSE(decode_tls_day(row.substr(0, cut)));
        }
    }
    EXPECT_EQ(decode_dmarc_day(encode(d)), d);
    EXPECT_EQ(decode_tls_day(encode(t)), t);
}

}  // namespace
