// The relay's TLS by destination: DANE (RFC 7672), MTA-STS (RFC 8461), REQUIRETLS and "TLS-Required: no" (RFC 8689), and what TLSRPT is told (RFC 8460).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mailauth/sts_policies.hpp"
#include "rig.hpp"
#include "smtp/client/relay.hpp"

using namespace mansio;
using namespace mansio::smtp::client;
using namespace std::chrono_literals;
using mailauth::tls_policy_type;
using mailauth::tls_result;
using net::dns_found;
using net::dns_status;
using net::dns_without;
using net::tls_problem;
using queue::outcome;

namespace {

/// A mail server at one address.
struct server {
    bool offers_tls = true, refuses_tls = false, breaks_tls = false, requires_tls = false;  ///< requires_tls: offers REQUIRETLS
    tls_problem shows = tls_problem::none;  ///< what the client finds when it verifies the certificate
    bool dead = false;
    std::string heard;      ///< verbs, "+TLS" where it began
    std::vector<net::tls_client_options> asked;
    std::string answer_to_mail = "250 ok\r\n";
};

task<void> serve(std::unique_ptr<net::stream> s, server& script, net::tls_server_context& tls)
{
    net::buffered_stream io{std::move(s)};
    auto const soon = base::monotonic_time::max();
    io.put("220 mx ESMTP\r\n");
    auto sent = co_await io.flush(soon);
    bool in_data = false, secured = false;
    while (sent) {
        auto const line = co_await io.read_line(10'000, soon);
        if (!line) break;
        auto const verb = line->text.substr(0, 4);
        std::string answer = "250 ok\r\n";
        if (in_data) {
            if (line->text != ".") continue;
            in_data = false;
        } else {
            script.heard += (script.heard.empty() ? "" : " ") + (verb == "MAIL" ? line->text.substr(line->text.find('>') + 1) + "MAIL" : verb);
            if (verb == "EHLO")
                answer = std::string{"250-mx\r\n"} + (script.offers_tls && !secured ? "250-STARTTLS\r\n" : "") +
                         (script.requires_tls ? "250-REQUIRETLS\r\n" : "") + "250 8BITMIME\r\n";
            if (verb == "STAR") answer = script.refuses_tls ? "454 4.7.0 not now\r\n" : "220 go\r\n";
            if (verb == "MAIL") answer = script.answer_to_mail;
            if (verb == "DATA") answer = "354 go on\r\n";
            if (verb == "STAR" && script.breaks_tls) answer += "250 injected\r\n";
            in_data = verb == "DATA";
        }
        io.put(answer);
        sent = co_await io.flush(soon);
        if (verb == "QUIT") break;
        if (verb == "STAR" && !script.refuses_tls && !script.breaks_tls) {
            auto const done = co_await io.start_tls_server(tls, soon);
            secured = done.has_value();
            script.heard += " +TLS";
        }
    }
    co_await io.raw().finish();
}

class servers final : public dialer {
public:
    servers(base::executor& loop, net::tls_server_context& tls) : group(loop), loop_(loop), tls_(tls) {}
    std::map<std::string, server> at;  ///< by address
    base::task_group group;
    task<result<std::unique_ptr<net::stream>>> connect(net::endpoint to, base::monotonic_time) override
    {
        auto const found = at.find(to.address.text());
        if (found == at.end() || found->second.dead) co_return fail(fault::kind::try_later, "connection refused");
        auto& s = found->second;
        net::memory_pair_options o;
        o.certify = [&s](net::tls_client_options const& asked, net::tls_facts& facts) {
            s.asked.push_back(asked);
            facts.problem = s.shows;
            facts.peer_verified = s.shows == tls_problem::none;
            if (!facts.peer_verified) facts.verify_error = "flawed";
            if (facts.peer_verified && !asked.tlsa.empty()) facts.matched = asked.tlsa.front();
        };
        auto pair = net::make_memory_pair(loop_, std::move(o));
        group.spawn(serve(std::move(pair.server), s, tls_));
        co_return std::move(pair.client);
    }

private:
    base::executor& loop_;
    net::tls_server_context& tls_;
};

class text_message final : public queue::message_source {
public:
    std::uint64_t size() const noexcept override { return text.size(); }
    task<result<std::string>> read(std::uint64_t offset, std::uint64_t length) override
    {
        co_return text.substr(std::min<std::size_t>(offset, text.size()), length);
    }
    std::string text = "Subject: x\r\n\r\nhello\r\n";
};

class notes final : public mailauth::tls_observer {
public:
    std::vector<mailauth::tls_observation> all;
    void observed(mailauth::tls_observation o) override { all.push_back(std::move(o)); }
    [[nodiscard]] std::string text() const
    {
        std::string t;
        for (auto const& o : all)
            t += fmt::format("{}{} {} {}", t.empty() ? "" : ", ", name_of(o.policy_type), o.mx_host.empty() ? "-" : o.mx_host.substr(0, 3), name_of(o.result));
        return t;
    }
};

class one_policy final : public mailauth::policy_fetcher {
public:
    result<answer> says = fail(fault::kind::try_later, "connection refused");
    task<result<answer>> fetch(std::string) override { co_return says; }
};

/// example.org with mx1 (8.8.8.1) and mx2 (8.8.8.2), both alive, TLS with certificates that verify.
class world {
public:
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::metrics metrics;
    base::limits limits;
    base::memory_log log;
    net::scripted_resolver dns;
    net::egress_gate gate{{}};
    servers dial{loop, *mansio::test::tls_for_tests::get().server};
    net::tls_client_context& tls = *test::tls_for_tests::get().client;
    one_policy host;
    std::unique_ptr<mailauth::policy_store> store = mailauth::make_memory_policy_store();
    mailauth::sts_policies policies{loop, dns, host, *store, log};
    notes seen;
    text_message message;
    server& mx1 = dial.at["8.8.8.1"];
    server& mx2 = dial.at["8.8.8.2"];
    bool require_tls = false, tls_optional = false;

    explicit world(bool secure_mx = false, bool secure_hosts = false)
    {
        dns.set_mx("example.org", dns_found<net::mx_record>({{10, "mx1.example.org"}, {20, "mx2.example.org"}}, secure_mx));
        dns.set_addresses("mx1.example.org", dns_found<net::ip_address>({*net::ip_address::parse("8.8.8.1")}, secure_hosts));
        dns.set_addresses("mx2.example.org", dns_found<net::ip_address>({*net::ip_address::parse("8.8.8.2")}, secure_hosts));
    }
    void publish_tlsa(std::string const& name, net::tlsa_record r)
    {
        dns.set_tlsa("_25._tcp." + name + ".example.org", dns_found<net::tlsa_record>({std::move(r)}, true));
    }
    static net::tlsa_record good() { return {3, 1, 1, std::string(32, 'd')}; }
    void publish_sts(std::string const& mode, std::string const& mx = "*.example.org")
    {
        dns.set_txt("_mta-sts.example.org", dns_found<std::string>({"v=STSv1; id=1;"}));
        host.says = mailauth::policy_fetcher::answer{200, "text/plain", "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 604800\n"};
    }
    outcome send(std::string const& domain = "example.org", std::string sender = "a@ours.test")
    {
        relay_options o{"mail.ours.test", 25, "", {}, &policies, &seen};
        relay r{dns, gate, dial, tls, limits, random, log, metrics, std::move(o)};
        auto along = loop.run(r.find_route(domain));
        MANSIO_ASSERT(!along.instead);
        transaction t{std::move(sender), {"b@" + domain}, false, false, &message, {}};
        t.further.asked.require_tls = require_tls;
        t.further.asked.tls_optional = tls_optional && !require_tls;
        auto out = loop.run(r.send(std::move(along), std::move(t)));
        loop.run(dial.group.join());
        MANSIO_ASSERT(out.size() == 1);
        return out.front();
    }
};

constexpr auto in_tls = "EHLO STAR +TLS EHLO MAIL RCPT DATA QUIT";
constexpr auto in_clear = "EHLO MAIL RCPT DATA QUIT";

struct bad_server {
    char const* what;
    std::function<void(server&)> set;
    char const* heard_without_policy;
    char const* status;   ///< where a verified connection is enforced
    tls_result dane, sts; ///< what is reported then
};
bad_server const bad_servers[] = {
    {"no STARTTLS", [](server& s) { s.offers_tls = false; }, in_clear, "4.7.4", tls_result::starttls_not_supported, tls_result::starttls_not_supported},
    {"STARTTLS refused", [](server& s) { s.refuses_tls = true; }, "EHLO STAR MAIL RCPT DATA QUIT", "4.7.4", tls_result::starttls_not_supported,
     tls_result::starttls_not_supported},
    {"octets before TLS (W5)", [](server& s) { s.breaks_tls = true; }, "EHLO STAR EHLO MAIL RCPT DATA QUIT", "4.7.5", tls_result::validation_failure,
     tls_result::validation_failure},
    {"another name", [](server& s) { s.shows = tls_problem::name_mismatch; }, in_tls, "4.7.5", tls_result::certificate_host_mismatch,
     tls_result::certificate_host_mismatch},
    {"expired", [](server& s) { s.shows = tls_problem::expired; }, in_tls, "4.7.5", tls_result::certificate_expired, tls_result::certificate_expired},
    {"not trusted", [](server& s) { s.shows = tls_problem::not_trusted; }, in_tls, "4.7.5", tls_result::certificate_not_trusted,
     tls_result::certificate_not_trusted},
    {"no record fits", [](server& s) { s.shows = tls_problem::tlsa_mismatch; }, in_tls, "4.7.5", tls_result::tlsa_invalid, tls_result::tlsa_invalid},
};

}  // namespace

TEST(tls_policy, without_a_policy_whatever_is_offered)
{
    world good;
    EXPECT_EQ(good.send().what, outcome::kind::delivered);
    EXPECT_EQ(good.mx1.heard, in_tls);
    EXPECT_EQ(good.seen.text(), "no-policy-found mx1 success");
    for (auto const& b : bad_servers) {
        world w;
        b.set(w.mx1);
        EXPECT_EQ(w.send().what, outcome::kind::delivered) << b.what;
        EXPECT_EQ(w.mx1.heard, b.heard_without_policy) << b.what;
        EXPECT_EQ(w.mx2.heard, "") << b.what;
    }
}

// trust.md R8: under an enforced policy a flaw is never answered with clear text nor with another certificate.
TEST(catalogue, R8_enforced_policies_are_never_answered_in_clear)
{
    for (auto const& b : bad_servers)
        for (bool const dane : {true, false}) {
            auto const what = std::string{b.what} + (dane ? ", DANE" : ", MTA-STS");
            auto const make = [&](world& w) {
                for (auto const* h : {"mx1", "mx2"})
                    if (dane) w.publish_tlsa(h, world::good());
                if (!dane) w.publish_sts("enforce");
                b.set(w.mx1);
            };
            auto const type = std::string{dane ? "tlsa" : "sts"};
            auto const result = std::string{name_of(dane ? b.dane : b.sts)};
            {
                world w{dane, dane};
                make(w);
                auto const out = w.send();
                EXPECT_EQ(out.what, outcome::kind::delivered) << what << ": the next server";
                EXPECT_EQ(out.host, "mx2.example.org") << what;
                EXPECT_EQ(w.mx1.heard.find("MAIL"), std::string::npos) << what << ": " << w.mx1.heard;
                EXPECT_EQ(w.mx2.heard, in_tls) << what;
                EXPECT_EQ(w.seen.text(), type + " mx1 " + result + ", " + type + " mx2 success") << what;
            }
            world w{dane, dane};
            make(w);
            b.set(w.mx2);
            auto const out = w.send();
            EXPECT_EQ(out.what, outcome::kind::later) << what;
            // Octets before TLS are an attack or a fault: either way said as what they are.
            EXPECT_EQ(out.status, b.status) << what << ": " << out.reply;
            EXPECT_NE(out.reply.find(dane ? "(DANE)" : "the MTA-STS policy of example.org"), std::string::npos) << out.reply;
            EXPECT_EQ((w.mx1.heard + w.mx2.heard).find("MAIL"), std::string::npos) << what;
        }
}

TEST(tls_policy, testing_delivers_and_reports)
{
    for (auto const& b : bad_servers) {
        world w;
        w.publish_sts("testing");
        b.set(w.mx1);
        EXPECT_EQ(w.send().what, outcome::kind::delivered) << b.what;
        EXPECT_EQ(w.mx1.heard, b.heard_without_policy) << b.what;
        EXPECT_EQ(w.seen.text(), "sts mx1 " + std::string{name_of(b.sts)}) << b.what;
    }
    world w;
    w.publish_sts("testing", "other.example.org");
    EXPECT_EQ(w.send().what, outcome::kind::delivered);
    EXPECT_EQ(w.seen.text(), "sts mx1 validation-failure") << "an MX the policy does not name is told once";
    EXPECT_EQ(w.seen.all.front().policy.front(), "version: STSv1");
    EXPECT_EQ(w.seen.all.front().mx_patterns, (std::vector<std::string>{"other.example.org"}));
}

TEST(tls_policy, enforce_passes_over_servers_it_does_not_name)
{
    world w;
    w.publish_sts("enforce", "mx2.example.org");
    EXPECT_EQ(w.send().host, "mx2.example.org");
    EXPECT_EQ(w.mx1.heard, "") << "not even dialled";
    EXPECT_EQ(w.seen.text(), "sts mx1 validation-failure, sts mx2 success");
    ASSERT_EQ(w.mx2.asked.size(), 1U);
    EXPECT_TRUE(w.mx2.asked[0].alternative_names_only);
    EXPECT_EQ(w.mx2.asked[0].server_name, "mx2.example.org");
    world none;
    none.publish_sts("enforce", "other.example.org");
    auto const out = none.send();
    EXPECT_EQ(out.what, outcome::kind::later);
    EXPECT_EQ(out.status, "4.7.5");
    EXPECT_EQ(none.mx1.heard + none.mx2.heard, "");
}

TEST(tls_policy, a_policy_that_cannot_be_had_is_reported_and_stops_nothing)
{
    world w;
    w.dns.set_txt("_mta-sts.example.org", dns_found<std::string>({"v=STSv1; id=1;"}));
    EXPECT_EQ(w.send().what, outcome::kind::delivered);
    EXPECT_EQ(w.seen.text(), "sts - sts-policy-fetch-error, no-policy-found mx1 success");
    world kept;
    kept.publish_sts("enforce");
    EXPECT_EQ(kept.send().what, outcome::kind::delivered);
    kept.dns.set_txt("_mta-sts.example.org", dns_without<std::string>(dns_status::failed, "SERVFAIL"));
    kept.mx1.shows = kept.mx2.shows = tls_problem::expired;
    EXPECT_EQ(kept.send().status, "4.7.5") << "who blocks the DNS does not lift a policy that is known";
}

TEST(tls_policy, dane_by_what_the_dns_says)
{
    struct {
        char const* what;
        std::function<void(world&)> set;
        bool secure_mx, secure_hosts;
        outcome::kind want;
        std::string status;
        std::string seen;
    } const cases[] = {
        {"verified", [](world& w) { w.publish_tlsa("mx1", world::good()); }, true, true, outcome::kind::delivered, "2.0.0", "tlsa mx1 success"},
        {"unusable records: encrypted, by whomever",
         [](world& w) {
             w.publish_tlsa("mx1", {1, 1, 1, std::string(32, 'd')});
             w.mx1.shows = tls_problem::not_trusted;
         },
         true, true, outcome::kind::delivered, "2.0.0", "tlsa mx1 success"},
        {"unusable records and no TLS",
         [](world& w) {
             w.publish_tlsa("mx1", {1, 1, 1, std::string(32, 'd')});
             w.mx1.offers_tls = false;
             w.mx2.dead = true;
         },
         true, true, outcome::kind::later, "4.7.4", "tlsa mx1 starttls-not-supported"},
        {"insecure hosts: nobody asks",
         [](world& w) {
             w.publish_tlsa("mx1", world::good());
             w.mx1.shows = tls_problem::tlsa_mismatch;
         },
         true, false, outcome::kind::delivered, "2.0.0", "no-policy-found mx1 success"},
        {"insecure MX: the server's own records hold all the same",
         [](world& w) {
             w.publish_tlsa("mx1", world::good());
             w.mx1.shows = tls_problem::tlsa_mismatch;
             w.mx2.dead = true;
         },
         false, true, outcome::kind::later, "4.7.5", "tlsa mx1 tlsa-invalid"},
        {"the records cannot be had: the next server",
         [](world& w) { w.dns.set_tlsa("_25._tcp.mx1.example.org", dns_without<net::tlsa_record>(dns_status::failed, "bogus")); }, true, true,
         outcome::kind::delivered, "2.0.0", "tlsa mx1 dnssec-invalid, no-policy-found mx2 success"},
        {"no server's records can be had",
         [](world& w) {
             for (auto const* h : {"mx1", "mx2"})
                 w.dns.set_tlsa(std::string{"_25._tcp."} + h + ".example.org", dns_without<net::tlsa_record>(dns_status::failed, "bogus"));
         },
         true, true, outcome::kind::later, "4.7.5", "tlsa mx1 dnssec-invalid, tlsa mx2 dnssec-invalid"},
        {"DANE goes before MTA-STS",
         [](world& w) {
             w.publish_tlsa("mx1", world::good());
             w.publish_sts("enforce", "other.example.org");
         },
         true, true, outcome::kind::delivered, "2.0.0", "tlsa mx1 success"},
        {"a policy does not make good what DANE refuses",
         [](world& w) {
             w.publish_tlsa("mx1", world::good());
             w.publish_sts("enforce");
             w.mx1.shows = tls_problem::tlsa_mismatch;
             w.mx2.dead = true;
         },
         false, true, outcome::kind::later, "4.7.5", "tlsa mx1 tlsa-invalid, sts mx2"},
        {"insecure MX, and the policy does not name it",
         [](world& w) {
             w.publish_tlsa("mx1", world::good());
             w.publish_sts("enforce", "mx2.example.org");
         },
         false, true, outcome::kind::delivered, "2.0.0", "sts mx1 validation-failure, sts mx2 success"},
    };
    for (auto const& c : cases) {
        world w{c.secure_mx, c.secure_hosts};
        c.set(w);
        auto const out = w.send();
        EXPECT_EQ(out.what, c.want) << c.what << ": " << out.reply;
        EXPECT_EQ(out.status, c.status) << c.what << ": " << out.reply;
        auto const end = c.seen.rfind(", sts mx2");
        EXPECT_EQ(w.seen.text(), c.seen.ends_with(", sts mx2") ? c.seen.substr(0, end) : c.seen) << c.what;
    }
    world names{true, true};
    names.publish_tlsa("mx1", world::good());
    names.send();
    ASSERT_EQ(names.mx1.asked.size(), 1U);
    EXPECT_EQ(names.mx1.asked[0].also_named, (std::vector<std::string>{"example.org"}));
    EXPECT_EQ(names.mx1.asked[0].tlsa, (std::vector{world::good()}));
    EXPECT_EQ(names.seen.all[0].policy, (std::vector<std::string>{mailauth::text_of(world::good())}));
    EXPECT_EQ(names.seen.all[0].policy_domain, "example.org");
    EXPECT_NE(names.log.text().find("verified=tlsa"), std::string::npos) << names.log.text();
}

// RFC 8689 §2, §4.2.1, §5.
TEST(tls_policy, mail_that_requires_tls)
{
    auto const both = [](world& w, auto set) {
        set(w.mx1);
        set(w.mx2);
    };
    auto const promise = [](server& s) { s.requires_tls = true; };
    struct {
        char const* what;
        std::function<void(world&)> set;
        bool secure_mx;
        outcome::kind want;
        std::string status;
        std::string heard;  ///< by mx1
        std::string sender = "a@ours.test";
    } const cases[] = {
        {"all as it must be", [&](world& w) { both(w, promise); }, true, outcome::kind::delivered, "2.0.0",
         "EHLO STAR +TLS EHLO  REQUIRETLSMAIL RCPT DATA QUIT"},
        {"a policy names the server",
         [&](world& w) {
             both(w, promise);
             w.publish_sts("enforce");
         },
         false, outcome::kind::delivered, "2.0.0", "EHLO STAR +TLS EHLO  REQUIRETLSMAIL RCPT DATA QUIT"},
        {"nobody vouches for the MX", [&](world& w) { both(w, promise); }, false, outcome::kind::never, "5.7.10", ""},
        {"nobody vouches for the MX, but a policy may come",
         [&](world& w) {
             both(w, promise);
             w.dns.set_txt("_mta-sts.example.org", dns_without<std::string>(dns_status::failed, "SERVFAIL"));
         },
         false, outcome::kind::later, "4.7.10", ""},
        {"not promised", [](world&) {}, true, outcome::kind::never, "5.7.30", "EHLO STAR +TLS EHLO QUIT"},
        {"not promised by the first", [&](world& w) { w.mx2.requires_tls = true; }, true, outcome::kind::delivered, "2.0.0", "EHLO STAR +TLS EHLO QUIT"},
        {"no TLS",
         [&](world& w) {
             both(w, promise);
             both(w, [](server& s) { s.offers_tls = false; });
         },
         true, outcome::kind::never, "5.7.10", "EHLO QUIT"},
        {"not verified",
         [&](world& w) {
             both(w, promise);
             both(w, [](server& s) { s.shows = tls_problem::expired; });
         },
         true, outcome::kind::never, "5.7.10", "EHLO STAR +TLS QUIT"},
        {"testing is no excuse",
         [&](world& w) {
             both(w, promise);
             w.publish_sts("testing");
             both(w, [](server& s) { s.shows = tls_problem::expired; });
         },
         false, outcome::kind::never, "5.7.10", "EHLO STAR +TLS QUIT"},
        {"the other server may do and is dead now", [&](world& w) { w.mx2.dead = true; }, true, outcome::kind::later, "4.7.10", "EHLO STAR +TLS EHLO QUIT"},
        {"a bounce goes all the same", [](world&) {}, true, outcome::kind::delivered, "2.0.0", in_tls, ""},
        {"a bounce to an MX nobody vouches for", [&](world& w) { both(w, promise); }, false, outcome::kind::delivered, "2.0.0", in_tls, ""},
        {"a bounce keeps the promise where it can", [&](world& w) { both(w, promise); }, true, outcome::kind::delivered, "2.0.0",
         "EHLO STAR +TLS EHLO  REQUIRETLSMAIL RCPT DATA QUIT", ""},
    };
    for (auto const& c : cases) {
        world w{c.secure_mx};
        w.require_tls = true;
        c.set(w);
        auto const out = w.send("example.org", c.sender);
        EXPECT_EQ(out.what, c.want) << c.what << ": " << out.reply;
        EXPECT_EQ(out.status, c.status) << c.what << ": " << out.reply;
        EXPECT_EQ(w.mx1.heard, c.heard) << c.what;
        if (c.sender.empty()) continue;
        EXPECT_EQ((w.mx1.heard + w.mx2.heard).find("EHLO MAIL"), std::string::npos) << c.what << ": mail that is no bounce went without the word";
    }
}

// RFC 8689 §4.2.2: "TLS-Required: no".
TEST(tls_policy, mail_that_wants_no_policies)
{
    for (auto const& b : bad_servers)
        for (bool const dane : {true, false}) {
            world w{dane, dane};
            w.tls_optional = true;
            if (dane) w.publish_tlsa("mx1", world::good());
            if (!dane) w.publish_sts("enforce");
            b.set(w.mx1);
            EXPECT_EQ(w.send().what, outcome::kind::delivered) << b.what;
            EXPECT_EQ(w.mx1.heard, b.heard_without_policy) << b.what;
        }
    world bogus{true, true};
    bogus.tls_optional = true;
    bogus.dns.set_tlsa("_25._tcp.mx1.example.org", dns_without<net::tlsa_record>(dns_status::failed, "bogus"));
    EXPECT_EQ(bogus.send().host, "mx1.example.org");
    world unnamed;
    unnamed.tls_optional = true;
    unnamed.publish_sts("enforce", "other.example.org");
    EXPECT_EQ(unnamed.send().host, "mx1.example.org");
}

TEST(tls_policy, two_conversations_at_most)
{
    world w{true, true};
    std::vector<net::mx_record> many;
    for (std::uint16_t i = 1; i < 5; ++i) {
        auto const name = "mx" + std::to_string(i);
        many.push_back({i, name + ".example.org"});
        w.publish_tlsa(name, world::good());
        w.dns.set_addresses(name + ".example.org", dns_found<net::ip_address>({*net::ip_address::parse("8.8.8." + std::to_string(i))}, true));
        w.dial.at["8.8.8." + std::to_string(i)].shows = tls_problem::tlsa_mismatch;
    }
    w.dns.set_mx("example.org", dns_found<net::mx_record>(many, true));
    EXPECT_EQ(w.send().status, "4.7.5");
    EXPECT_EQ(w.dial.at["8.8.8.3"].heard, "") << "trust.md R5";
}
