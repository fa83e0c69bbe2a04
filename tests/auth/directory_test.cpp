#include "rig.hpp"

#include "auth/rows.hpp"

using namespace mansio;
using mansio::test::auth_rig;

TEST(directory, domains_are_added_changed_and_removed)
{
    auth_rig r;
    r.add_domain("Example.TEST");
    EXPECT_TRUE(r.must(r.people.is_local_domain("EXAMPLE.test")));
    EXPECT_FALSE(r.must(r.people.is_local_domain("example.org")));
    auth::domain again;
    again.name = "example.test";
    auto const second = r.run(r.people.add_domain(again));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().what, fault::kind::conflict);
    again.catch_all = "All@Example.test";
    again.subaddress_separator = '-';
    r.must(r.people.update_domain(again));
    auto const found = r.must(r.people.find_domain("example.test"));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->catch_all, "all@example.test");
    EXPECT_EQ(found->subaddress_separator, '-');
    again.subaddress_separator = 'a';
    EXPECT_FALSE(r.run(r.people.update_domain(again)));
    again.name = "absent.test";
    again.subaddress_separator = '+';
    auto const absent = r.run(r.people.update_domain(again));
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().what, fault::kind::not_found);

    auto const alice = r.add("alice@example.test");
    auto const refused = r.run(r.people.remove_domain("example.test"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, fault::kind::refused);
    r.must(r.people.remove_account(alice));
    r.must(r.people.remove_domain("example.test"));
    EXPECT_TRUE(r.must(r.people.domains()).empty());
}

TEST(directory, a_domain_whose_name_begins_another_is_apart)
{
    auth_rig r;
    r.add_domain("a.test");
    r.add_domain("a.test.org");
    r.add("x@a.test.org");
    r.must(r.people.remove_domain("a.test"));  // nobody uses it
    EXPECT_EQ(r.must(r.people.domains()).size(), 1U);
}

TEST(directory, accounts_get_numbers_that_are_never_reused)
{
    auth_rig r;
    r.add_domain("example.test");
    auto const alice = r.must(r.people.add_account("Alice@Example.Test", "Alice", 1000, true));
    EXPECT_EQ(alice.number, 1U);
    EXPECT_EQ(alice.address, "alice@example.test");
    ASSERT_EQ(r.must(r.people.pending_accounts()).size(), 1U);
    r.must(r.people.account_ready(1));
    EXPECT_TRUE(r.must(r.people.pending_accounts()).empty());

    auto const twice = r.run(r.people.add_account("ALICE@example.test", "", 0, false));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().what, fault::kind::conflict);
    auto const nowhere = r.run(r.people.add_account("a@nowhere.test", "", 0, false));
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().what, fault::kind::not_found);
    auto const nonsense = r.run(r.people.add_account("not an address", "", 0, false));
    ASSERT_FALSE(nonsense);
    EXPECT_EQ(nonsense.error().what, fault::kind::syntax);

    auto const bob = r.add("bob@example.test");
    r.must(r.people.remove_account(bob));
    EXPECT_EQ(r.add("carol@example.test"), bob + 1);
    EXPECT_FALSE(r.must(r.people.account_by_number(bob)));
    auto const found = r.must(r.people.account_by_number(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->display_name, "Alice");
    EXPECT_EQ(found->quota_octets, 1000U);
    EXPECT_TRUE(found->administrator);
}

TEST(directory, finds_bare_names_where_there_is_one_domain)
{
    auth_rig r;
    r.add_domain("example.test");
    r.add("alice@example.test");
    EXPECT_TRUE(r.must(r.people.find_account("ALICE")));
    EXPECT_TRUE(r.must(r.people.find_account("alice@EXAMPLE.test")));
    EXPECT_FALSE(r.must(r.people.find_account("alice@")));
    EXPECT_FALSE(r.must(r.people.find_account("")));
    EXPECT_FALSE(r.must(r.people.find_account(std::string("a\0b", 3))));
    r.add_domain("second.test");
    EXPECT_FALSE(r.must(r.people.find_account("alice")));
}

TEST(directory, an_address_is_compared_folded_and_composed)
{
    auth_rig r;
    r.add_domain("b\xC3\xBC"
                 "cher.test");
    auto const n = r.add("ren\xC3\xA9@b\xC3\xBC"
                         "cher.test");
    for (std::string_view const a : {"rene\xCC\x81@xn--bcher-kva.test", "REN\xC3\x89@B\xC3\x9C"
                                                                        "CHER.test"})
        EXPECT_EQ(r.means(a), "local " + std::to_string(n)) << a;
}

TEST(directory, lists_accounts_in_pages)
{
    auth_rig r;
    r.add_domain("example.test");
    std::vector<std::string> names;
    for (int i = 0; i < 1200; ++i) names.push_back("u" + std::to_string(i) + "@example.test");
    auto const before = r.engine.commits;
    auto const made = r.must(r.people.add_accounts(names, 0));
    EXPECT_LE(r.engine.commits - before, 3U);
    ASSERT_EQ(made.size(), 1200U);
    EXPECT_EQ(made.back().number, 1200U);
    std::vector<auth::account_number> numbers;
    for (auto const& a : made) numbers.push_back(a.number);
    EXPECT_EQ(r.must(r.people.pending_accounts()).size(), 1200U);
    r.must(r.people.accounts_ready(numbers));
    EXPECT_TRUE(r.must(r.people.pending_accounts()).empty());
    r.add_alias("u5000@example.test", {"u1@example.test"});

    std::set<std::string> seen;
    std::string after;
    while (true) {
        auto const page = r.must(r.people.list_accounts(after, 100));
        for (auto const& a : page) EXPECT_TRUE(seen.insert(a.address).second);
        if (page.size() < 100) break;
        after = page.back().address;
    }
    EXPECT_EQ(seen.size(), 1200U);
}

TEST(directory, an_update_keeps_what_is_not_its_own)
{
    auth_rig r;
    r.add_domain("example.test");
    auto const n = r.add("alice@example.test");
    r.must(r.door.set_portal_password(n, "correct horse battery staple"));
    auto a = *r.must(r.people.account_by_number(n));
    EXPECT_TRUE(a.has_portal_password);
    a.has_portal_password = false;
    a.administrator = true;
    r.must(r.people.update_account(a));
    EXPECT_TRUE(r.must(r.people.account_by_number(n))->has_portal_password);
    a.address = "other@example.test";
    auto const moved = r.run(r.people.update_account(a));
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().what, fault::kind::refused);
}

TEST(directory, a_lost_acknowledgement_is_looked_up)
{
    auth_rig r;
    r.engine.lose_acks = true;
    r.add_domain("example.test");
    EXPECT_EQ(r.add("alice@example.test"), 1U);
    EXPECT_EQ(r.add("bob@example.test"), 2U);
}

TEST(directory, writers_at_once_come_one_after_the_other)
{
    auth_rig r;
    r.add_domain("example.test");
    base::task_group group{r.loop};
    std::vector<auth::account_number> numbers;
    auto add = [](auth_rig& rig, std::string address, std::vector<auth::account_number>& out) -> task<void> {
        auto made = co_await rig.people.add_account(std::move(address), "", 0, false);
        if (made) out.push_back(made->number);
    };
    for (int i = 0; i < 20; ++i) group.spawn(add(r, "u" + std::to_string(i / 2) + "@example.test", numbers));  // each address twice
    r.run(group.join());
    std::ranges::sort(numbers);
    std::vector<auth::account_number> want;
    for (auth::account_number n = 1; n <= 10; ++n) want.push_back(n);
    EXPECT_EQ(numbers, want);
}

TEST(directory, an_address_is_an_account_or_an_alias)
{
    auth_rig r;
    r.add_domain("example.test");
    r.add("alice@example.test");
    auth::alias a;
    a.address = "alice@example.test";
    a.targets = {"bob@example.test"};
    auto const taken = r.run(r.people.set_alias(a));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().what, fault::kind::conflict);
    r.add_alias("team@example.test", {"alice@example.test"});
    r.add_alias("Team@example.test", {"alice@example.test", "Carl@Other.test"});
    auto const all = r.must(r.people.aliases());
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].targets, (std::vector<std::string>{"alice@example.test", "carl@other.test"}));
    auto const account = r.run(r.people.add_account("team@example.test", "", 0, false));
    ASSERT_FALSE(account);
    EXPECT_EQ(account.error().what, fault::kind::conflict);
    EXPECT_FALSE(r.run(r.people.remove_alias("alice@example.test")));
    r.must(r.people.remove_alias("team@example.test"));
    EXPECT_EQ(r.means("team@example.test"), "unknown");
}

TEST(resolve, what_addresses_mean)
{
    auth_rig r;
    r.add_domain("example.test");
    r.add_domain("minus.test", {}, '-');
    r.add_domain("plain.test", {}, '\0');
    r.add_domain("all.test", "alice@example.test");
    r.add_domain("self.test", "gone@self.test");
    auto const alice = std::to_string(r.add("alice@example.test"));
    auto const bob = std::to_string(r.add("bob@example.test"));
    auto const boss = std::to_string(r.add("boss@example.test", true));
    auto const dash = std::to_string(r.add("dora@minus.test"));
    auto const plain = std::to_string(r.add("p@plain.test"));
    auto const plus = std::to_string(r.add("bob+box@example.test"));
    auto const gone = r.add("left@example.test");
    r.add_alias("team@example.test", {"alice@example.test", "bob@example.test", "carl@other.test"});
    r.add_alias("both@example.test", {"team@example.test", "alice@example.test", "crew@example.test"});
    r.add_alias("crew@example.test", {"bob@example.test", "Carl@other.test"});
    r.add_alias("fwd@example.test", {"x@other.test"});
    r.add_alias("mixed@example.test", {"left@example.test", "nobody@example.test", "bob@example.test"});
    r.add_alias("dead@example.test", {"nobody@example.test"});
    r.add_alias("deadend@example.test", {"left@example.test"});
    r.add_alias("me@example.test", {"me@example.test"});
    r.add_alias("ping@example.test", {"pong@example.test"});
    r.add_alias("pong@example.test", {"ping@example.test", "bob@example.test"});
    r.add_alias("abuse@minus.test", {"dora@minus.test"});
    auto a = *r.must(r.people.account_by_number(gone));
    a.enabled = false;
    r.must(r.people.update_account(a));

    struct {
        std::string_view address;
        std::string want;
    } const cases[] = {
        {"alice@example.test", "local " + alice},
        {"ALICE@EXAMPLE.TEST", "local " + alice},
        {"nobody@example.test", "unknown"},
        {"alice@other.test", "elsewhere"},
        {"alice@[127.0.0.1]", "elsewhere"},
        {"left@example.test", "disabled"},
        {"left+x@example.test", "disabled"},
        // Subaddresses: exact names first, then what stands before the separator.
        {"alice+shop@example.test", "local " + alice + "+shop"},
        {"alice+@example.test", "local " + alice},
        {"+x@example.test", "unknown"},
        {"bob+box@example.test", "local " + plus},
        {"bob+box+more@example.test", "local " + bob + "+box+more"},
        {"dora-x@minus.test", "local " + dash + "+x"},
        {"dora+x@minus.test", "unknown"},
        {"p+x@plain.test", "unknown"},
        {"p@plain.test", "local " + plain},
        // Aliases: each recipient once, other servers' marked as forwarded.
        {"team@example.test", "local " + alice + "* " + bob + "* carl@other.test*"},
        {"both@example.test", "local " + alice + "* " + bob + "* carl@other.test*"},
        {"team+news@example.test", "local " + alice + "+news* " + bob + "+news* carl@other.test*"},
        {"fwd@example.test", "local x@other.test*"},
        {"mixed@example.test", "local " + bob + "*"},
        {"dead@example.test", "unknown"},
        {"deadend@example.test", "disabled"},
        {"me@example.test", "loop"},
        {"ping@example.test", "loop"},
        {"pong@example.test", "loop"},
        // postmaster and abuse always answer (RFC 5321 §4.5.1, RFC 2142 §4).
        {"postmaster@example.test", "local " + boss},
        {"Abuse@example.test", "local " + boss},
        {"abuse+x@example.test", "local " + boss},
        {"postmaster@all.test", "local " + boss},
        {"abuse@minus.test", "local " + dash + "*"},
        {"Postmaster", "local " + boss},
        {"alice", "elsewhere"},
        // Catch-all.
        {"whoever@all.test", "local " + alice + "*"},
        {"whoever@self.test", "unknown"},
        {"gone@self.test", "unknown"},
    };
    for (auto const& c : cases) EXPECT_EQ(r.means(c.address), c.want) << c.address;
}

TEST(resolve, postmaster_falls_to_the_first_account)
{
    auth_rig r;
    r.add_domain("example.test");
    EXPECT_EQ(r.means("postmaster@example.test"), "unknown");  // nobody lives here yet
    auto const first = r.add("first@example.test");
    r.add("second@example.test");
    EXPECT_EQ(r.means("postmaster@example.test"), "local 1");
    auto a = *r.must(r.people.account_by_number(first));
    a.enabled = false;
    r.must(r.people.update_account(a));
    EXPECT_EQ(r.means("abuse@example.test"), "local 2");
}

TEST(resolve, chains_end_at_the_limit)
{
    auth_rig r;
    r.add_domain("example.test");
    r.add("end@example.test");
    auto const chain = [&](std::string const& name, std::uint64_t links) {
        for (std::uint64_t i = 0; i < links; ++i) {
            auto const next = i + 1 == links ? std::string{"end"} : name + std::to_string(i + 1);
            r.add_alias(name + std::to_string(i) + "@example.test", {next + "@example.test"});
        }
    };
    chain("ok", r.limits.alias_depth);
    chain("long", r.limits.alias_depth + 1);
    chain("thousand", 1000);
    EXPECT_EQ(r.means("ok0@example.test"), "local 1*");
    EXPECT_EQ(r.means("long0@example.test"), "loop");
    EXPECT_EQ(r.means("thousand0@example.test"), "loop");
}

TEST(resolve, a_damaged_row_is_an_error_and_not_an_unknown_user)
{
    auth_rig r;
    r.add_domain("example.test");
    r.add("alice@example.test");
    mime::mailbox_address who;
    who.local = "alice";
    who.domain = "example.test";
    store::change c;
    c.where = auth::rows::partition;
    c.id = store::change_id::make(r.random);
    c.rows.push_back({auth::rows::address_key(who), std::string{"\1\1\1\1\0\0\0oops", 10}});
    r.must(r.engine.commit(std::move(c)));
    auto const found = r.run(r.people.resolve(who));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().what, fault::kind::broken);
}

TEST(rows, come_back_as_they_were_written)
{
    auth::domain d;
    d.name = "example.test";
    d.catch_all = "all@example.test";
    d.subaddress_separator = '-';
    auto const d2 = auth::rows::decode_domain("example.test", auth::rows::encode(d));
    ASSERT_TRUE(d2);
    EXPECT_EQ(d2->catch_all, d.catch_all);
    EXPECT_EQ(d2->subaddress_separator, '-');

    auth::rows::app_password p;
    p.id = "abcdefgh";
    p.name = "Thunderbird at home";
    p.scope = 3;
    p.read_only = true;
    p.created = 1'767'225'600;
    auto const sealed = auth::rows::encode(p);
    auto const p2 = auth::rows::decode_app_password(sealed);
    ASSERT_TRUE(p2);
    EXPECT_EQ(p2->id, p.id);
    EXPECT_EQ(p2->name, p.name);
    EXPECT_EQ(p2->scope, 3);
    EXPECT_TRUE(p2->read_only);
    EXPECT_EQ(p2->created, p.created);
    EXPECT_EQ(p2->expires, 0);
    // Any damage is seen.
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto bad = sealed;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        EXPECT_FALSE(auth::rows::decode_app_password(bad)) << i;
        EXPECT_FALSE(auth::rows::decode_app_password(sealed.substr(0, i))) << i;
    }
}
