#include "mailauth/sts_policies.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::mailauth;
using namespace std::chrono_literals;
using mode = sts_policy::mode;
using net::dns_found;
using net::dns_status;
using net::dns_without;

namespace {

std::string policy_text(std::string const& what, std::string const& max_age = "604800")
{
    return "version: STSv1\nmode: " + what + "\nmx: mx.example.test\nmax_age: " + max_age + "\n";
}

/// A policy host: what it answers, and what it was asked.
class scripted_host final : public policy_fetcher {
public:
    result<answer> says = fail(fault::kind::try_later, "connection refused");
    std::vector<std::string> asked;
    std::chrono::seconds takes{0};
    void serve(std::string body, std::string media_type = "text/plain", unsigned status = 200)
    {
        says = answer{status, std::move(media_type), std::move(body)};
    }
    task<result<answer>> fetch(std::string host) override
    {
        asked.push_back(std::move(host));
        if (takes > 0s) co_await base::sleep_for{takes};
        co_return says;
    }
};

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::memory_log log;
    net::scripted_resolver dns;
    scripted_host host;
    std::unique_ptr<policy_store> store = make_memory_policy_store();
    sts_policies policies{loop, dns, host, *store, log};
    void announce(std::string const& id) { dns.set_txt("_mta-sts.example.test", dns_found<std::string>({"v=STSv1; id=" + id + ";"})); }
    void announce_nothing(dns_status s) { dns.set_txt("_mta-sts.example.test", dns_without<std::string>(s, "SERVFAIL")); }
    sts_finding find(std::string domain = "example.test")
    {
        auto f = loop.run(policies.find(std::move(domain)));
        MANSIO_ASSERT(f);
        return std::move(*f);
    }
};

}  // namespace

TEST(sts_policies, found_once_and_kept)
{
    world w;
    w.announce("1");
    w.host.serve(policy_text("enforce"), "Text/Plain; charset=utf-8");
    auto const f = w.find("Example.TEST");
    ASSERT_TRUE(f.policy);
    EXPECT_EQ(f.policy->what, mode::enforce);
    EXPECT_FALSE(f.failure);
    EXPECT_FALSE(f.uncertain);
    EXPECT_EQ(w.host.asked, (std::vector<std::string>{"mta-sts.example.test"}));
    EXPECT_TRUE(w.find().policy);
    EXPECT_EQ(w.host.asked.size(), 1U) << "the id is the same";
    w.announce("2");
    w.host.serve(policy_text("testing"));
    EXPECT_EQ(w.find().policy->what, mode::testing);
    EXPECT_EQ(w.host.asked.size(), 2U);
    EXPECT_EQ((*w.loop.run(w.store->load("example.test")))->id, "2");
    // A restart.
    sts_policies again{w.loop, w.dns, w.host, *w.store, w.log};
    EXPECT_EQ(w.loop.run(again.find("example.test"))->policy->what, mode::testing);
    EXPECT_EQ(w.host.asked.size(), 2U);
}

TEST(sts_policies, nothing_announced_nothing_asked)
{
    for (auto const status : {dns_status::no_such_name, dns_status::no_data, dns_status::failed}) {
        world w;
        w.announce_nothing(status);
        w.host.serve(policy_text("enforce"));
        auto const f = w.find();
        EXPECT_FALSE(f.policy);
        EXPECT_FALSE(f.failure);
        EXPECT_EQ(f.uncertain, status == dns_status::failed);
        EXPECT_TRUE(w.host.asked.empty());
    }
}

TEST(sts_policies, why_a_policy_cannot_be_had)
{
    struct {
        char const* what;
        result<policy_fetcher::answer> says;
        tls_result want;
    } const cases[] = {
        {"refused connection", fail(fault::kind::try_later, "connection refused"), tls_result::sts_policy_fetch_error},
        {"no such host", fail(fault::kind::not_found, "no such host"), tls_result::sts_policy_fetch_error},
        {"slow", fail(fault::kind::timeout, "timeout"), tls_result::sts_policy_fetch_error},
        {"too long", fail(fault::kind::over_limit, "too long"), tls_result::sts_policy_fetch_error},
        {"certificate", fail(fault::kind::refused, "certificate has expired"), tls_result::sts_webpki_invalid},
        {"404", policy_fetcher::answer{404, "text/plain", policy_text("enforce")}, tls_result::sts_policy_fetch_error},
        {"redirect", policy_fetcher::answer{301, "text/plain", policy_text("enforce")}, tls_result::sts_policy_fetch_error},
        {"201", policy_fetcher::answer{201, "text/plain", policy_text("enforce")}, tls_result::sts_policy_fetch_error},
        {"HTML", policy_fetcher::answer{200, "text/html", policy_text("enforce")}, tls_result::sts_policy_invalid},
        {"no type", policy_fetcher::answer{200, "", policy_text("enforce")}, tls_result::sts_policy_invalid},
        {"syntax", policy_fetcher::answer{200, "text/plain", "version: STSv2\n"}, tls_result::sts_policy_invalid},
    };
    for (auto const& c : cases) {
        world w;
        w.announce("1");
        w.host.says = c.says;
        auto const f = w.find();
        EXPECT_FALSE(f.policy) << c.what;
        ASSERT_TRUE(f.failure) << c.what;
        EXPECT_EQ(*f.failure, c.want) << c.what;
        EXPECT_TRUE(f.uncertain) << c.what;
        EXPECT_FALSE(f.why.empty()) << c.what;
        EXPECT_FALSE(*w.loop.run(w.store->load("example.test"))) << c.what;
    }
}

TEST(sts_policies, what_cannot_be_refreshed_goes_on_until_its_time_is_over)
{
    // RFC 8461 §3.3, §5.1: an attacker who blocks the DNS or the policy host gains nothing before max_age.
    for (int how = 0; how < 3; ++how) {
        world w;
        w.announce("1");
        w.host.serve(policy_text("enforce", "86400"));
        EXPECT_TRUE(w.find().policy);
        w.host.says = fail(fault::kind::try_later, "connection refused");
        if (how == 0) w.announce_nothing(dns_status::no_such_name);
        if (how == 1) w.announce_nothing(dns_status::failed);
        if (how == 2) w.announce("2");
        w.clock.advance(86399s);
        auto const late = w.find();
        ASSERT_TRUE(late.policy) << how;
        EXPECT_FALSE(late.uncertain) << how;
        EXPECT_EQ(late.failure.has_value(), how == 2) << how;
        w.clock.advance(1s);
        EXPECT_FALSE(w.find().policy) << how;
    }
}

TEST(sts_policies, mode_none_takes_a_policy_away)
{
    world w;
    w.announce("1");
    w.host.serve(policy_text("enforce"));
    EXPECT_TRUE(w.find().policy);
    w.announce("2");
    w.host.serve("version: STSv1\nmode: none\nmax_age: 86400\n");
    auto const f = w.find();
    EXPECT_FALSE(f.policy);
    EXPECT_FALSE(f.failure);
    w.announce("3");
    w.host.says = fail(fault::kind::try_later, "gone");
    EXPECT_FALSE(w.find().failure) << "§6: nobody is told of failures while the cached policy says none";
}

TEST(sts_policies, a_host_that_fails_is_left_alone_for_five_minutes)
{
    world w;
    w.announce("1");
    EXPECT_TRUE(w.find().failure);
    w.clock.advance(299s);
    EXPECT_TRUE(w.find().failure);
    EXPECT_EQ(w.host.asked.size(), 1U);
    w.announce("2");
    EXPECT_TRUE(w.find().failure) << "another id is another policy";
    EXPECT_EQ(w.host.asked.size(), 2U);
    w.clock.advance(300s);
    w.host.serve(policy_text("enforce"));
    EXPECT_TRUE(w.find().policy);
    EXPECT_EQ(w.host.asked.size(), 3U);
}

namespace {
task<void> find_into(sts_policies& p, std::vector<std::optional<sts_policy>>& all)
{
    auto f = co_await p.find("example.test");
    MANSIO_ASSERT(f);
    all.push_back(std::move(f->policy));
}
}  // namespace

TEST(sts_policies, one_fetch_at_a_time)
{
    world w;
    w.announce("1");
    w.host.takes = 30s;
    w.host.serve(policy_text("enforce"));
    std::vector<std::optional<sts_policy>> all;
    base::task_group group{w.loop};
    for (int i = 0; i < 5; ++i) group.spawn(find_into(w.policies, all));
    w.loop.run(group.join());
    ASSERT_EQ(all.size(), 5U);
    for (auto const& p : all) EXPECT_TRUE(p) << "who waits is not let through without it";
    EXPECT_EQ(w.host.asked.size(), 1U);
}

TEST(sts_policies, refreshed_when_older_than_a_day)
{
    world w;
    for (int i = 0; i < 200; ++i) {
        auto const domain = "d" + std::to_string(i) + ".test";
        ASSERT_TRUE(w.loop.run(w.store->save({domain, "1", policy_text("enforce", i < 50 ? "3600" : "604800"), w.clock.wall()})));
    }
    w.host.serve(policy_text("testing"));
    auto first = *w.loop.run(w.policies.refresh());
    EXPECT_EQ(first.seen, 200U);
    EXPECT_EQ(first.fetched + first.failed + first.removed, 0U) << "all are fresh";
    w.clock.advance(24h);
    auto second = *w.loop.run(w.policies.refresh());
    EXPECT_EQ(second.removed, 50U);
    EXPECT_EQ(second.fetched, 150U);
    auto const one = *w.loop.run(w.store->load("d60.test"));
    ASSERT_TRUE(one);
    EXPECT_EQ(one->fetched, w.clock.wall());
    EXPECT_EQ(one->text, policy_text("testing"));
    EXPECT_EQ(one->id, "1") << "no record any more: the id stays";
    w.clock.advance(24h);
    w.host.says = fail(fault::kind::try_later, "gone");
    auto third = *w.loop.run(w.policies.refresh());
    EXPECT_EQ(third.failed, 150U);
    EXPECT_EQ(*w.loop.run(w.store->load("d60.test")), one) << "the old one goes on";
    EXPECT_NE(w.log.text().find("sts_policy_not_refreshed"), std::string::npos);
}

TEST(sts_policies, a_store_that_fails_is_no_reason_to_go_on_without)
{
    class broken_store final : public policy_store {
        task<result<std::optional<stored_policy>>> load(std::string) override { co_return fail(fault::kind::broken, "disk"); }
        task<result<void>> save(stored_policy) override { co_return fail(fault::kind::broken, "disk"); }
        task<result<void>> remove(std::string) override { co_return fail(fault::kind::broken, "disk"); }
        task<result<std::vector<stored_policy>>> list(std::string, std::size_t) override { co_return fail(fault::kind::broken, "disk"); }
    };
    world w;
    broken_store broken;
    sts_policies policies{w.loop, w.dns, w.host, broken, w.log};
    EXPECT_EQ(w.loop.run(policies.find("example.test")).error().what, fault::kind::broken);
    EXPECT_EQ(w.loop.run(policies.refresh()).error().what, fault::kind::broken);
}

TEST(memory_policy_store, keeps_the_newest)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    auto const store = make_memory_policy_store(2);
    for (auto const* d : {"a.test", "b.test", "c.test"}) {
        ASSERT_TRUE(loop.run(store->save({d, "1", "text", clock.wall()})));
        clock.advance(1s);
    }
    auto const all = *loop.run(store->list("", 10));
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].domain, "b.test");
    EXPECT_EQ(loop.run(store->list("b.test", 10))->front().domain, "c.test");
    ASSERT_TRUE(loop.run(store->remove("b.test")));
    EXPECT_FALSE(*loop.run(store->load("b.test")));
}
