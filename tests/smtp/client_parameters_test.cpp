// What is said to the next server, by what it offers (docs/smtp.md, "Passed on").
#include "smtp/client/parameters.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::smtp::client;
using namespace std::chrono_literals;
using mode = queue::deliver_by::mode;

namespace {
/// "dsn by=30 binary chunking priority tls verified sure null": what the world is like.
facts world_of(std::string const& words, passed_on& p)
{
    facts f;
    auto const has = [&](std::string_view w) { return words.find(w) != std::string::npos; };
    f.offers.dsn = has("dsn");
    f.offers.deliver_by = has("by");
    if (has("by=30")) f.offers.by_minimum = 30s;
    f.offers.binary = has("binary");
    f.offers.chunking = has("chunking");
    f.offers.priority = has("priority");
    f.offers.require_tls = has("tls");
    f.verified_tls = has("verified");
    f.null_sender = has("null");
    p.name_is_sure = has("sure");
    return f;
}
passed_on with(std::function<void(passed_on&)> set)
{
    passed_on p;
    set(p);
    return p;
}
}  // namespace

TEST(client_parameters, of_mail)
{
    auto const everything = with([](passed_on& p) {
        p.asked.content = queue::returned::headers;
        p.asked.envelope_id = "a+2Bb";
        p.asked.priority = -3;
        p.asked.by = {mode::notify, true, 100s};
        p.since = 40s;
    });
    struct {
        passed_on p;
        std::string world, want;
    } const cases[] = {
        {{}, "dsn by priority tls verified sure binary chunking", ""},
        {everything, "", ""},
        {everything, "dsn", " RET=HDRS ENVID=a+2Bb"},
        {everything, "dsn null", " ENVID=a+2Bb"},
        {everything, "by", " BY=60;NT"},
        {everything, "priority", " MT-PRIORITY=-3"},
        {everything, "dsn by priority", " RET=HDRS ENVID=a+2Bb BY=60;NT MT-PRIORITY=-3"},
        {with([](passed_on& p) { p.asked.by = {mode::notify, false, 10s}, p.since = 15s; }), "by", " BY=-5;N"},
        {with([](passed_on& p) { p.asked.by = {mode::give_back, false, 98s}; }), "by", " BY=98;R"},
        {with([](passed_on& p) { p.asked.require_tls = true; }), "tls verified sure", " REQUIRETLS"},
        {with([](passed_on& p) { p.asked.require_tls = true; }), "null", ""},
        {with([](passed_on& p) { p.asked.require_tls = true; }), "null tls verified sure", " REQUIRETLS"},
        {with([](passed_on& p) { p.asked.binary = true; }), "binary chunking", " BODY=BINARYMIME"},
        {with([](passed_on& p) { p.asked.priority = 0; }), "priority", " MT-PRIORITY=0"},
    };
    for (auto c : cases) {
        auto const f = world_of(c.world, c.p);
        EXPECT_EQ(mail_parameters(c.p, f), c.want) << c.world;
    }
}

TEST(client_parameters, of_rcpt)
{
    auto const asking = [](queue::notify n, std::string orcpt, mode by = mode::none) {
        return with([&](passed_on& p) {
            p.notify = {n};
            p.orcpt = {std::move(orcpt)};
            p.asked.by.how = by;
        });
    };
    struct {
        passed_on p;
        std::string world, want;
    } const cases[] = {
        {asking({}, ""), "dsn", ""},
        {asking({true, true, false, false}, "rfc822;A@b"), "dsn", " NOTIFY=SUCCESS ORCPT=rfc822;A@b"},
        {asking({true, true, false, false}, "rfc822;A@b"), "", ""},
        {asking({true}, ""), "dsn", " NOTIFY=NEVER"},
        // RFC 2852 §4.1.4.2
        {asking({}, "", mode::notify), "dsn", " NOTIFY=FAILURE,DELAY"},
        {asking({true, true, false, false}, "", mode::notify), "dsn", " NOTIFY=SUCCESS,DELAY"},
        {asking({true}, "", mode::notify), "dsn", " NOTIFY=NEVER"},
        {asking({}, "", mode::notify), "dsn by", ""},
        {asking({}, "", mode::notify), "dsn null", ""},
        {asking({}, "", mode::give_back), "dsn", ""},
    };
    for (auto c : cases) {
        auto const f = world_of(c.world, c.p);
        EXPECT_EQ(rcpt_parameters(c.p, f, 0), c.want) << c.world;
    }
}

TEST(client_parameters, what_cannot_be_said)
{
    auto const back = with([](passed_on& p) { p.asked.by = {mode::give_back, false, 100s}, p.since = 80s; });
    auto const binary = with([](passed_on& p) { p.asked.binary = true; });
    struct {
        passed_on p;
        std::string world, want;
    } const cases[] = {
        {{}, "", ""},
        {back, "by", ""},
        {back, "", "5.3.3"},
        {back, "by=30", "5.3.3"},
        {with([](passed_on& p) { p.asked.by = {mode::give_back, false, 100s}, p.since = 100s; }), "by", "5.4.7"},
        {with([](passed_on& p) { p.asked.by = {mode::notify, false, 100s}, p.since = 200s; }), "", ""},
        {binary, "binary chunking", ""},
        {binary, "binary", "5.6.3"},
        {binary, "chunking", "5.6.3"},
    };
    for (auto c : cases) {
        auto const f = world_of(c.world, c.p);
        auto const why = find_obstacle(c.p, f, "mx");
        EXPECT_EQ(why ? why->status : "", c.want) << c.world;
    }
}
