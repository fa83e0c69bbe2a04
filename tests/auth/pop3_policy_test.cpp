// POP3 policies: their words, their rows, and whose word counts.
#include "auth/pop3_policies.hpp"

#include "auth/rows.hpp"
#include "base/bytes.hpp"
#include "rig.hpp"

using namespace mansio;
using mansio::auth::pop3_keep;
using mansio::auth::pop3_settings;
using mansio::test::auth_rig;

namespace {
pop3_settings says(std::string_view keep, std::optional<std::uint32_t> delay = {})
{
    pop3_settings s;
    if (!keep.empty()) s.keep = pop3_keep::parse(keep).value();
    s.login_delay = delay;
    return s;
}
std::string told(auth::pop3_bounds const& b)
{
    return (b.least_days ? std::to_string(*b.least_days) : "NEVER") + (b.keep_differs ? " USER" : "") + ", " + std::to_string(b.longest_delay) +
           (b.delay_differs ? " USER" : "");
}
}  // namespace

TEST(pop3_policy, words)
{
    for (std::string_view const good : {"forever", "until-fetched", "1-day", "1-day-after-fetch", "7-days", "7-days-after-fetch", "36500-days"}) {
        auto const k = pop3_keep::parse(good);
        ASSERT_TRUE(k) << good;
        EXPECT_EQ(k->text(), good);
    }
    for (std::string_view const bad :
         {"", "never", "0-days", "0-days-after-fetch", "36501-days", "-1-days", "7", "7-days ", "7-dayss", "7-days-after", "4294967297-days", "Forever"})
        EXPECT_FALSE(pop3_keep::parse(bad)) << bad;
    EXPECT_EQ(pop3_keep::parse("forever")->expire_days(), std::nullopt);
    EXPECT_EQ(pop3_keep::parse("until-fetched")->expire_days(), 0U);
    EXPECT_EQ(pop3_keep::parse("9-days-after-fetch")->expire_days(), 9U);
    EXPECT_EQ(pop3_keep::parse("9-days")->expire_days(), 9U);
}

TEST(pop3_policy, rows_hold_it_and_old_ones_still_decode)
{
    auth::account a;
    a.number = 7;
    a.address = "a@example.test";
    a.quota_octets = 5;
    a.pop3 = says("7-days-after-fetch", 600);
    auto const back = auth::rows::decode_address_row(auth::rows::encode(a));
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<auth::account>(*back).pop3, a.pop3);
    auth::domain d;
    d.pop3 = says("", 0);
    EXPECT_EQ(auth::rows::decode_domain("x.test", auth::rows::encode(d))->pop3, d.pop3);
    EXPECT_EQ(auth::rows::decode_pop3_settings(auth::rows::encode(a.pop3)).value(), a.pop3);
    // As written before there were settings: format, kind, number, flags (enabled), quota, name, address.
    auto const old = base::row_writer{}.u8(1).u8(1).varint(7).u8(1).varint(5).octets("").octets("a@example.test").take_sealed();
    auto const read = auth::rows::decode_address_row(old);
    ASSERT_TRUE(read);
    EXPECT_TRUE(std::get<auth::account>(*read).pop3.empty());
    a.pop3 = {};
    EXPECT_EQ(auth::rows::encode(a), old);  // and who has none writes the same
}

TEST(pop3_policy, a_row_that_nobody_could_have_written_is_refused)
{
    auto const row = [](std::uint64_t count, std::uint8_t tag, std::string const& octets) {
        return base::row_writer{}.u8(1).varint(count).u8(tag).octets(octets).take_sealed();
    };
    auto const keep = [](std::uint8_t rule, std::uint64_t days) { return base::row_writer{}.u8(rule).varint(days).take(); };
    EXPECT_TRUE(auth::rows::decode_pop3_settings(row(1, 3, keep(2, 7))));
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(1, 3, keep(2, 0))));  // it would empty a mailbox at once
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(1, 3, keep(3, 36'501))));
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(1, 3, keep(4, 7))));
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(1, 3, keep(2, 7) + "x")));
    EXPECT_TRUE(auth::rows::decode_pop3_settings(row(1, 9, "")).value().empty());  // a setting of a later version
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(2, 3, keep(2, 7))));
    EXPECT_FALSE(auth::rows::decode_pop3_settings(row(1, 4, base::row_writer{}.varint(86'401).take())));
}

TEST(pop3_policy, the_account_then_its_domain_then_the_server)
{
    auth_rig r;
    auth::pop3_policies policies{r.people, says("30-days")};
    r.add_domain("example.test");
    r.add_domain("other.test");
    auto const alice = r.add("alice@example.test");
    auto const carl = r.add("carl@other.test");
    EXPECT_EQ(told(r.must(policies.bounds())), "30, 0");
    auto p = r.must(policies.of(alice));
    EXPECT_EQ(p.keep.text(), "30-days");
    EXPECT_EQ(p.keep_from, auth::pop3_policy::origin::server);

    auto d = r.must(r.people.find_domain("example.test")).value();
    d.pop3 = says("7-days", 60);
    r.must(r.people.update_domain(d));
    EXPECT_EQ(told(r.must(policies.bounds())), "7 USER, 60 USER");
    auto a = r.must(r.people.account_by_number(alice)).value();
    a.pop3 = says("until-fetched");
    r.must(r.people.update_account(a));
    EXPECT_EQ(told(r.must(policies.bounds())), "0 USER, 60 USER");
    p = r.must(policies.of(alice));
    EXPECT_EQ(p.keep.text(), "until-fetched");
    EXPECT_EQ(p.keep_from, auth::pop3_policy::origin::account);
    EXPECT_EQ(p.login_delay, 60U);
    EXPECT_EQ(p.login_delay_from, auth::pop3_policy::origin::domain);
    EXPECT_EQ(r.must(policies.of(carl)).keep.text(), "30-days");

    r.must(r.people.remove_account(alice));
    EXPECT_EQ(told(r.must(policies.bounds())), "7 USER, 60 USER");
    d.pop3 = {};
    r.must(r.people.update_domain(d));
    EXPECT_EQ(told(r.must(policies.bounds())), "30, 0");
}
