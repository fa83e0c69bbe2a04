#include "reports/sender.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/bytes.hpp"
#include "mime/message.hpp"
#include "net/address.hpp"
#include "reports/packing.hpp"
#include "reports/texts.hpp"
#include "store/engines.hpp"

using namespace mansio;
using namespace mansio::reports;
using namespace std::chrono_literals;

namespace {

constexpr store::partition_id partition{store::partition_kind::report, 1};

/// Keeps what it is given; fails by script.
class scripted_outbox final : public outbox {
public:
    std::deque<report_mail> mails;
    std::deque<fault> faults;
    std::function<void()> after_enqueue;
    task<result<void>> enqueue(report_mail m) override
    {
        if (!faults.empty()) {
            auto f = faults.front();
            faults.pop_front();
            co_return std::unexpected(f);
        }
        mails.push_back(std::move(m));
        if (after_enqueue) after_enqueue();
        co_return result<void>{};
    }
};
class scripted_poster final : public https_poster {
public:
    struct posted {
        std::string url, type, octets;
    };
    std::vector<posted> posts;
    std::deque<unsigned> codes;
    task<result<unsigned>> post(std::string url, std::string media_type, std::string octets) override
    {
        posts.push_back({std::move(url), std::move(media_type), std::move(octets)});
        unsigned code = 200;
        if (!codes.empty()) {
            code = codes.front();
            codes.pop_front();
        }
        co_return code;
    }
};

/// One server over an engine that outlives its crashes. 2026-01-01T00:00:00Z.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{9};
    base::worker_pool pool{"reports", 1, 16};
    base::metrics metrics;
    base::memory_log log;
    net::scripted_resolver dns;
    bool fail_commits = false;
    std::chrono::nanoseconds delay{0};
    std::function<bool(store::change const&)> fail_some = [](store::change const&) { return false; };
    std::unique_ptr<store::engine> engine;
    scripted_outbox mail;
    scripted_poster https;
    observed_figures::bounds bounds;
    std::unique_ptr<observed_figures> figures;
    std::unique_ptr<report_sender> sender;

    world()
    {
        store::memory_faults faults;
        faults.delay = [this](store::change const&) { return delay; };
        faults.fail = [this](store::change const& c) { return fail_commits || fail_some(c); };
        engine = store::make_memory_engine(clock, random, faults);
        open();
    }
    ~world() { close(); }
    void open()
    {
        figures = std::make_unique<observed_figures>(*engine, loop, random, log, metrics, bounds);
        sender = std::make_unique<report_sender>(report_sender::parts{*engine,
                                                                      loop,
                                                                      dns,
                                                                      pool,
                                                                      random,
                                                                      log,
                                                                      metrics,
                                                                      *figures,
                                                                      mail,
                                                                      &https,
                                                                      [this](std::string name) { return organization(std::move(name)); },
                                                                      {"Ours & Co", "noreply-reports@ours.test", "mansio/1"}});
    }
    void close()
    {
        if (sender) loop.run(sender->stop());
        if (figures) loop.run(figures->stop());
        sender.reset();
        figures.reset();
    }
    /// The process dies: what was not written is gone.
    void crash()
    {
        fail_commits = true;
        close();
        fail_commits = false;
        open();
    }
    task<std::optional<std::string>> organization(std::string domain) { co_return domain; }

    void saw(std::string domain, std::string source, int times = 1, std::string rua = {}, std::string p = "none")
    {
        dmarc_observation o;
        o.policy.domain = domain;
        o.policy.p = p;
        o.policy.adkim = "r";
        o.policy.pct = 100;
        o.rua = rua.empty() ? "mailto:dmarc@" + domain : rua;
        o.seen.source_ip = source;
        o.seen.disposition = "none";
        o.seen.dkim = "pass";
        o.seen.spf = "fail";
        o.seen.header_from = domain;
        o.seen.envelope_from = "bounce." + domain;
        o.seen.dkim_results = {{domain, "s1", "pass", ""}};
        o.seen.spf_results = {{"bounce." + domain, "mfrom", "softfail", ""}};
        for (int i = 0; i < times; ++i) figures->record(o);
        loop.run_ready();
    }
    void tls(std::string domain, std::optional<std::string> failure, int times = 1)
    {
        tls_observation o;
        o.domain = domain;
        o.policy_type = "sts";
        o.policy_text = {"version: STSv1", "mode: testing"};
        o.mx_hosts = {"*." + domain};
        if (failure) o.failure = tls_report::failure{*failure, "192.0.2.1", "mx." + domain, "", "192.0.2.9", 0, "", ""};
        for (int i = 0; i < times; ++i) figures->record(o);
        loop.run_ready();
    }
    void flush() { ASSERT_TRUE(loop.run(figures->flush())); }
    std::size_t due() { return loop.run(sender->run_due()); }
    /// To the day after, when all jitter is over.
    void next_day()
    {
        flush();
        clock.advance(24h + 5h);
    }
    std::size_t rows(char letter) { return loop.run(engine->scan(partition, store::key_range::prefix(std::string(1, letter)), 10'000)).value().size(); }
};

/// The report in a mail.
any_report report_in(report_mail const& m)
{
    auto const parts = find_reports(mime::octets{m.message}, base::limits{});
    EXPECT_EQ(parts.size(), 1U);
    auto r = read_report(parts.at(0));
    EXPECT_TRUE(r) << base::describe(r.error());
    return std::move(*r);
}
dmarc_report dmarc_in(report_mail const& m) { return std::get<dmarc_report>(report_in(m)); }
tls_report tls_in(report_mail const& m) { return std::get<tls_report>(report_in(m)); }

std::string field_of(report_mail const& m, std::string_view name)
{
    auto const h = mime::parse_header(m.message, base::limits{});
    auto const* f = mime::find_field(h, name);
    return f == nullptr ? "none" : std::string{base::trim_blanks(mime::unfold(f->body))};
}

TEST(report_sender, a_day_of_mail_becomes_one_report)
{
    world w;
    w.saw("example.org", "192.0.2.1", 3);
    w.clock.advance(5h);
    w.saw("example.org", "192.0.2.2", 1, {}, "reject");
    w.saw("example.org", "192.0.2.1", 2, {}, "reject");
    EXPECT_EQ(w.due(), 0U);
    w.next_day();
    w.saw("example.org", "192.0.2.3");  // of the next day
    EXPECT_EQ(w.due(), 1U);
    ASSERT_EQ(w.mail.mails.size(), 1U);
    auto const& m = w.mail.mails[0];
    EXPECT_EQ(m.to, "dmarc@example.org");
    EXPECT_EQ(m.sign_domain, "ours.test");
    EXPECT_FALSE(m.despite_tls_policy);
    EXPECT_EQ(field_of(m, "From"), "Ours & Co <noreply-reports@ours.test>");
    EXPECT_EQ(field_of(m, "Subject"), "Report Domain: example.org Submitter: ours.test Report-ID: <" + m.id + "@ours.test>");
    EXPECT_EQ(field_of(m, "Message-ID"), "<" + m.id + "@ours.test>");
    EXPECT_EQ(field_of(m, "Auto-Submitted"), "auto-generated");
    EXPECT_EQ(field_of(m, "TLS-Required"), "none");
    auto const parts = find_reports(mime::octets{m.message}, base::limits{});
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].file_name, "ours.test!example.org!1767225600!1767311999!" + m.id + ".xml.gz");
    EXPECT_EQ(packing_of(parts[0].octets), packing::gzip);
    auto const r = dmarc_in(m);
    EXPECT_EQ(r.org_name, "Ours & Co");
    EXPECT_EQ(r.email, "noreply-reports@ours.test");
    EXPECT_EQ(r.report_id, m.id + "@ours.test");
    EXPECT_EQ(r.begin, 1767225600);
    EXPECT_EQ(r.end, 1767311999);
    EXPECT_EQ(r.policy.p, "reject");  // as last seen
    EXPECT_EQ(r.policy.domain, "example.org");
    EXPECT_TRUE(r.errors.empty());
    ASSERT_EQ(r.records.size(), 2U);
    EXPECT_EQ(r.records[0].source_ip, "192.0.2.1");
    EXPECT_EQ(r.records[0].count, 5U);
    EXPECT_EQ(r.records[1].count, 1U);
    EXPECT_EQ(r.records[0].dkim_results, (std::vector<dmarc_report::dkim_result>{{"example.org", "s1", "pass", ""}}));
    EXPECT_EQ(r.records[0].spf_results, (std::vector<dmarc_report::spf_result>{{"bounce.example.org", "mfrom", "softfail", ""}}));
    // Every line fits.
    for (std::size_t at = 0, end = 0; (end = m.message.find("\r\n", at)) != std::string::npos; at = end + 2) EXPECT_LE(end - at, 998U);
    // Nothing of that day is left, and nothing comes again.
    EXPECT_EQ(w.due(), 0U);
    EXPECT_EQ(w.mail.mails.size(), 1U);
    w.flush();
    EXPECT_EQ(w.rows('g'), 0U);
    EXPECT_EQ(w.rows('c'), 1U);
    EXPECT_EQ(w.rows('t'), 1U);
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    ASSERT_EQ(w.mail.mails.size(), 2U);
    EXPECT_EQ(dmarc_in(w.mail.mails[1]).records.at(0).source_ip, "192.0.2.3");
    EXPECT_NE(w.mail.mails[1].id, m.id);
}

TEST(report_sender, domains_that_ask_for_nothing_get_nothing)
{
    world w;
    dmarc_observation o;
    o.policy.domain = "example.org";
    w.figures->record(o);
    w.saw("other.example", "192.0.2.1", 1, "mailto:x@stranger.example");
    w.tls("example.net", "certificate-expired");
    w.next_day();
    EXPECT_EQ(w.due(), 2U);
    EXPECT_TRUE(w.mail.mails.empty());
    for (char const letter : {'c', 'p', 'g', 't'}) EXPECT_EQ(w.rows(letter), 0U) << letter;
}

TEST(report_sender, tls_reports_by_mail_and_https)
{
    world w;
    w.dns.set_txt("_smtp._tls.example.net", net::dns_found<std::string>({"v=TLSRPTv1;rua=mailto:tls@example.net,https://reports.example.net/v1"}));
    w.tls("example.net", std::nullopt, 7);
    w.tls("example.net", "certificate-expired", 3);
    w.tls("example.net", "validation-failure");
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    ASSERT_EQ(w.mail.mails.size(), 1U);
    auto const& m = w.mail.mails[0];
    EXPECT_TRUE(m.despite_tls_policy);
    EXPECT_EQ(field_of(m, "TLS-Report-Domain"), "example.net");
    EXPECT_EQ(field_of(m, "TLS-Report-Submitter"), "ours.test");
    EXPECT_EQ(field_of(m, "TLS-Required"), "No");
    EXPECT_TRUE(field_of(m, "Content-Type").starts_with("multipart/report; report-type=\"tlsrpt\"; boundary="));
    EXPECT_NE(m.message.find("Content-Type: application/tlsrpt+gzip"), std::string::npos);
    auto const r = tls_in(m);
    EXPECT_EQ(r.contact, "noreply-reports@ours.test");
    EXPECT_EQ(r.report_id, m.id + "@ours.test");
    ASSERT_EQ(r.policies.size(), 1U);
    EXPECT_EQ(r.policies[0].domain, "example.net");
    EXPECT_EQ(r.policies[0].type, "sts");
    EXPECT_EQ(r.policies[0].text, (std::vector<std::string>{"version: STSv1", "mode: testing"}));
    EXPECT_EQ(r.policies[0].mx_hosts, std::vector<std::string>{"*.example.net"});
    EXPECT_EQ(r.policies[0].successes, 7U);
    EXPECT_EQ(r.policies[0].failures, 4U);
    ASSERT_EQ(r.policies[0].details.size(), 2U);
    EXPECT_EQ(r.policies[0].details[0].result_type, "validation-failure");
    EXPECT_EQ(r.policies[0].details[1].sessions, 3U);
    ASSERT_EQ(w.https.posts.size(), 1U);
    EXPECT_EQ(w.https.posts[0].url, "https://reports.example.net/v1");
    EXPECT_EQ(w.https.posts[0].type, "application/tlsrpt+gzip");
    EXPECT_EQ(read_report({report_kind::tls, "", w.https.posts[0].octets}), any_report{r});
}

TEST(report_sender, leaves_at_a_random_time_of_the_night)
{
    world w;
    for (int i = 0; i < 30; ++i) w.saw("d" + std::to_string(i) + ".example", "192.0.2.1");
    auto const begin = w.clock.wall();
    std::vector<std::chrono::minutes> sent_at;
    w.mail.after_enqueue = [&] { sent_at.push_back(std::chrono::floor<std::chrono::minutes>(w.clock.wall() - begin) - 24h); };
    w.sender->start();
    ASSERT_TRUE(w.loop.run_until([&] { return sent_at.size() == 30; }));
    EXPECT_GE(sent_at.front(), 10min);
    EXPECT_LE(sent_at.back(), 4h + 15min);
    EXPECT_GE((std::set(sent_at.begin(), sent_at.end()).size()), 15U);
}

TEST(report_sender, a_crash_loses_a_minute_at_most)
{
    world w;
    w.saw("example.org", "192.0.2.1", 3);
    w.loop.run_for(61s);
    w.saw("example.org", "192.0.2.1", 2);  // these are lost
    w.crash();
    w.saw("example.org", "192.0.2.1", 1);
    w.saw("example.org", "192.0.2.7", 1);
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    auto const r = dmarc_in(w.mail.mails.at(0));
    ASSERT_EQ(r.records.size(), 2U);
    EXPECT_EQ(r.records[0].count, 4U);  // two runs, one row
    EXPECT_EQ(r.records[1].count, 1U);
}

/// Dies at every commit of the sending in turn, before it or after it.
TEST(report_sender, a_crash_anywhere_forgets_nothing_and_repeats_to_the_octet)
{
    for (int at = 0; at < 12; ++at) {
        world w;
        w.saw("example.org", "192.0.2.1", 3, "mailto:a@example.org,mailto:b@example.org");
        w.saw("example.org", "192.0.2.2", 4, "mailto:a@example.org,mailto:b@example.org");
        w.flush();
        w.next_day();
        int commits = 0;
        bool died = false;
        w.fail_some = [&](store::change const&) {
            died = died || commits++ == at;
            return died;
        };
        (void)w.due();
        w.fail_some = [](store::change const&) { return false; };
        w.crash();
        w.clock.advance(7min);
        for (int i = 0; i < 60; ++i) {
            (void)w.due();
            w.clock.advance(5min);
        }
        std::map<std::string, std::set<std::string>> octets_to;
        for (auto const& m : w.mail.mails) octets_to[m.to].insert(m.message);
        ASSERT_EQ(octets_to.size(), 2U) << at;
        EXPECT_EQ(octets_to["a@example.org"].size(), 1U) << at;
        EXPECT_EQ(octets_to["b@example.org"].size(), 1U) << at;
        EXPECT_LE(w.mail.mails.size(), 3U) << at;  // at most the one that was handed on when it died
        auto const r = dmarc_in(w.mail.mails[0]);
        ASSERT_EQ(r.records.size(), 2U);
        EXPECT_EQ(r.records[0].count + r.records[1].count, 7U);
        for (char const letter : {'c', 'p', 'g'}) EXPECT_EQ(w.rows(letter), 0U) << at << letter;
        EXPECT_EQ(w.rows('t'), 1U);
        if (!died) EXPECT_GE(at, 4);
    }
}

TEST(report_sender, what_comes_later_for_a_day_is_a_report_of_its_own)
{
    world w;
    w.saw("example.org", "192.0.2.1", 3);
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    w.clock.jump_wall(-29h);  // the clock goes back
    w.saw("example.org", "192.0.2.1", 2);
    w.flush();
    w.clock.jump_wall(29h);
    EXPECT_EQ(w.due(), 1U);
    ASSERT_EQ(w.mail.mails.size(), 2U);
    EXPECT_EQ(dmarc_in(w.mail.mails[1]).records.at(0).count, 2U);
    EXPECT_NE(w.mail.mails[1].id, w.mail.mails[0].id);
}

TEST(report_sender, events_while_a_report_is_under_way_wait_for_the_next)
{
    world w;
    w.mail.faults = {fault{fault::kind::try_later, "full"}};
    w.saw("example.org", "192.0.2.1", 3);
    w.next_day();
    EXPECT_EQ(w.due(), 0U);
    EXPECT_EQ(w.rows('g'), 1U);
    w.clock.jump_wall(-28h);
    w.saw("example.org", "192.0.2.1", 2, {}, "reject");
    w.flush();
    w.clock.jump_wall(28h);
    w.clock.advance(11min);
    EXPECT_EQ(w.due(), 1U);
    EXPECT_EQ(dmarc_in(w.mail.mails.at(0)).records.at(0).count, 3U);
    EXPECT_EQ(dmarc_in(w.mail.mails.at(0)).policy.p, "none");
    EXPECT_EQ(w.due(), 1U);
    EXPECT_EQ(dmarc_in(w.mail.mails.at(1)).records.at(0).count, 2U);
}

TEST(report_sender, tries_again_for_a_day_then_gives_up)
{
    world w;
    w.dns.set_txt("_smtp._tls.example.net", net::dns_found<std::string>({"v=TLSRPTv1;rua=https://reports.example.net/v1"}));
    w.tls("example.net", std::nullopt);
    w.next_day();
    for (int i = 0; i < 200; ++i) w.https.codes.push_back(503);
    std::size_t ended = 0;
    int looks = 0;
    for (; looks < 500 && ended == 0; ++looks) {
        ended = w.due();
        w.clock.advance(5min);
    }
    EXPECT_EQ(ended, 1U);
    EXPECT_GE(looks, 24 * 12);
    EXPECT_LE(looks, 30 * 12);
    EXPECT_GE(w.https.posts.size(), 8U);
    EXPECT_LE(w.https.posts.size(), 14U);
    EXPECT_EQ(w.rows('p') + w.rows('c') + w.rows('g'), 0U);
    EXPECT_NE(w.log.text().find("given_up=yes"), std::string::npos) << w.log.text();
}

TEST(report_sender, a_refusal_is_final_and_touches_no_other)
{
    world w;
    w.mail.faults = {fault{fault::kind::refused, "no such address"}};
    w.saw("example.org", "192.0.2.1", 1, "mailto:a@example.org,mailto:b@example.org");
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    ASSERT_EQ(w.mail.mails.size(), 1U);
    EXPECT_EQ(w.mail.mails[0].to, "b@example.org");
}

TEST(report_sender, a_dns_that_does_not_answer_is_asked_again)
{
    world w;
    w.dns.set_txt("_smtp._tls.example.net", net::dns_without<std::string>(net::dns_status::failed, "timeout"));
    w.tls("example.net", std::nullopt);
    w.next_day();
    EXPECT_EQ(w.due(), 0U);
    EXPECT_EQ(w.rows('p'), 1U);
    w.dns.set_txt("_smtp._tls.example.net", net::dns_found<std::string>({"v=TLSRPTv1;rua=mailto:tls@example.net"}));
    EXPECT_EQ(w.due(), 0U);  // not at once
    w.clock.advance(11min);
    EXPECT_EQ(w.due(), 1U);
    EXPECT_EQ(w.mail.mails.size(), 1U);
    // One that never answers is given up, and leaves nothing.
    w.dns.set_txt("_smtp._tls.example.net", net::dns_without<std::string>(net::dns_status::failed, "timeout"));
    w.tls("example.net", std::nullopt);
    w.next_day();
    std::size_t ended = 0;
    for (int i = 0; i < 500 && ended == 0; ++i) {
        ended = w.due();
        w.clock.advance(5min);
    }
    EXPECT_EQ(ended, 1U);
    EXPECT_EQ(w.mail.mails.size(), 1U);
    EXPECT_EQ(w.rows('p'), 0U);
}

TEST(report_sender, size_limits)
{
    world w;
    w.saw("example.org", "192.0.2.1", 1, "mailto:small@example.org!1k,mailto:large@example.org!1m");
    w.saw("example.net", "192.0.2.1", 1, "mailto:small@example.net!1k");
    w.next_day();
    EXPECT_EQ(w.due(), 2U);
    ASSERT_EQ(w.mail.mails.size(), 2U);
    // Nobody takes example.net's: word of it goes out instead.
    EXPECT_EQ(w.mail.mails[0].to, "small@example.net");
    EXPECT_NE(w.mail.mails[0].message.find("\r\n\r\nReport-Date: "), std::string::npos) << w.mail.mails[0].message;
    EXPECT_NE(w.mail.mails[0].message.find("\r\nReport-Size: "), std::string::npos) << w.mail.mails[0].message;
    EXPECT_NE(w.mail.mails[0].message.find("\r\nSubmitting-URI: mailto:small@example.net\r\n"), std::string::npos);
    EXPECT_EQ(w.mail.mails[1].to, "large@example.org");
    (void)dmarc_in(w.mail.mails[1]);
}

TEST(report_sender, bounds_are_told)
{
    world w;
    w.close();
    w.bounds = {.rows_of_a_domain = 10, .domains = 2, .rows = 15};
    w.open();
    for (int i = 0; i < 25; ++i) w.saw("example.org", net::ip_address::v4({192, 0, 2, static_cast<unsigned char>(i)}).text(), 2);
    for (int i = 0; i < 7; ++i) w.saw("example.net", net::ip_address::v4({192, 0, 2, static_cast<unsigned char>(i)}).text());
    w.saw("example.com", "192.0.2.1");
    w.next_day();
    EXPECT_EQ(w.due(), 2U);
    ASSERT_EQ(w.mail.mails.size(), 2U);
    auto const net = dmarc_in(w.mail.mails[0]), org = dmarc_in(w.mail.mails[1]);
    EXPECT_EQ(org.records.size(), 10U);
    EXPECT_EQ(org.errors, std::vector<std::string>{"30 further messages were seen that are not listed here."});
    EXPECT_EQ(net.records.size(), 5U);
    EXPECT_EQ(net.errors, std::vector<std::string>{"2 further messages were seen that are not listed here."});
    EXPECT_NE(w.metrics.exposition().find("mansio_reports_unlisted_total 33"), std::string::npos);
    // What was reported makes room.
    w.saw("example.com", "192.0.2.1");
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
}

TEST(observed_figures, a_failed_write_is_made_good)
{
    world w;
    w.fail_commits = true;
    w.saw("example.org", "192.0.2.1", 3);
    w.loop.run_for(61s);
    EXPECT_EQ(w.rows('c'), 0U);
    w.saw("example.org", "192.0.2.1", 1);
    w.fail_commits = false;
    w.loop.run_for(61s);
    EXPECT_EQ(w.rows('c'), 1U);
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    EXPECT_EQ(dmarc_in(w.mail.mails.at(0)).records.at(0).count, 4U);
}

TEST(observed_figures, what_is_being_written_is_not_closed_before_it_is_there)
{
    world w;
    w.saw("example.org", "192.0.2.1", 3);
    w.delay = 10s;
    bool failed = false;
    w.fail_some = [&](store::change const&) { return !std::exchange(failed, true); };
    bool flushed = false;
    base::spawn_detached(w.loop, [](world& in) -> task<void> { (void)co_await in.figures->flush(); }(w), [&] { flushed = true; });
    w.loop.run_ready();
    ASSERT_TRUE(w.loop.run(w.figures->close(20454, report_kind::dmarc, "example.org")));  // 2026-01-01
    EXPECT_TRUE(flushed);
    EXPECT_TRUE(failed);
    EXPECT_EQ(w.rows('c'), 1U);
}

TEST(observed_figures, many_rows_are_written_in_pieces)
{
    world w;
    for (int i = 0; i < 1000; ++i) {
        dmarc_observation o;
        o.policy.domain = "example.org";
        o.rua = "mailto:a@example.org";
        o.seen.source_ip = "192.0.2.1";
        o.seen.header_from = std::to_string(i) + std::string(250, 'x');
        for (int n = 0; n < 10; ++n) o.seen.dkim_results.push_back({base::to_hex(w.random.octets(125)), std::string(250, 's'), "fail", std::string(5000, 'h')});
        w.figures->record(std::move(o));
    }
    w.loop.run_ready();
    w.flush();
    EXPECT_EQ(w.rows('c'), 1000U);
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    EXPECT_EQ(dmarc_in(w.mail.mails.at(0)).records.size(), 1000U);
}

TEST(observed_figures, strangers_octets_do_no_harm)
{
    world w;
    dmarc_observation o;
    o.policy.domain = "Example.ORG";
    o.policy.fo = "\xFF\r\n<x>";
    o.rua = "mailto:a@example.org";
    o.seen.source_ip = "192.0.2.1";
    o.seen.header_from = "evil\r\nBcc: x@y\r\n\xFF<&>";
    w.figures->record(o);
    o.policy.domain = "not a domain";
    w.figures->record(o);
    w.loop.run_ready();
    w.next_day();
    EXPECT_EQ(w.due(), 1U);
    auto const r = dmarc_in(w.mail.mails.at(0));
    EXPECT_EQ(r.policy.domain, "example.org");
    EXPECT_EQ(r.records.at(0).header_from, "evil\r\nBcc: x@y\r\n\xEF\xBF\xBD<&>");
}

}  // namespace
