#include "rig.hpp"

#include <chrono>
#include <set>

#include "auth/app_password.hpp"

using namespace mansio;
using namespace std::chrono_literals;
using auth::protocol;
using mansio::test::auth_rig;

namespace {
struct people_rig : auth_rig {
    auth::account_number alice = 0, bob = 0, left = 0;
    std::string alice_secret, left_secret;
    static constexpr std::string_view portal = "correct horse battery staple";
    people_rig()
    {
        add_domain("example.test");
        alice = add("alice@example.test");
        bob = add("bob@example.test");
        left = add("left@example.test");
        alice_secret = password_for(alice);
        left_secret = password_for(left);
        must(door.set_portal_password(bob, std::string{portal}));
        disable(left, true);
    }
    void disable(auth::account_number n, bool off)
    {
        auto a = *must(people.account_by_number(n));
        a.enabled = !off;
        must(people.update_account(a));
    }
    /// "ok", or the words of the failure.
    std::string try_in(std::string user, std::string secret, protocol p = protocol::imap)
    {
        auto const r = run(door.check(std::move(user), std::move(secret), from(p)));
        if (r) return "ok";
        return std::string{base::name_of(r.error().what)} + ": " + r.error().say;
    }
    std::uint64_t hashes(std::string_view kind) { return metrics.get_counter("mansio_auth_hashes_total", "", "kind=\"" + std::string{kind} + "\"").value(); }
};
constexpr auto no = "refused: authentication failed";

/// One character changed and the checksum put right: a well-formed secret that opens nothing.
std::string other_secret(base::random& r) { return auth::make_app_password(r); }
}  // namespace

TEST(app_password, has_a_shape_that_slips_of_the_pen_break)
{
    base::seeded_random random{1};
    for (int i = 0; i < 200; ++i) {
        auto const secret = auth::make_app_password(random);
        ASSERT_EQ(secret.size(), 33U);
        EXPECT_TRUE(auth::is_app_password_shape(secret)) << secret;
        EXPECT_EQ(secret.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567_"), std::string::npos);
        // Every change of one character and every exchange of neighbours is seen.
        for (std::size_t at = 3; at < secret.size(); ++at) {
            auto bad = secret;
            bad[at] = bad[at] == 'a' ? 'b' : 'a';
            EXPECT_FALSE(auth::is_app_password_shape(bad));
            bad = secret;
            std::swap(bad[at], bad[at - 1]);
            if (bad != secret) EXPECT_FALSE(auth::is_app_password_shape(bad));
        }
    }
    for (std::string_view const s : {"", "mn_", "password", "mn_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "MN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
        EXPECT_FALSE(auth::is_app_password_shape(s)) << s;
    EXPECT_FALSE(auth::is_app_password_shape(auth::make_app_password(random) + "\n"));
    EXPECT_FALSE(auth::is_app_password_shape(base::to_upper_ascii(auth::make_app_password(random))));
}

TEST(app_password, is_the_one_the_format_describes)
{
    // docs/formats/directory.md, computed apart from the code.
    EXPECT_TRUE(auth::is_app_password_shape("mn_abcdefghijklmnopqrstuvwxyzxk73"));
}

TEST(sign_in, opens_with_an_app_password_only)
{
    people_rig r;
    EXPECT_EQ(r.try_in("alice@example.test", r.alice_secret), "ok");
    EXPECT_EQ(r.try_in("ALICE", r.alice_secret, protocol::pop3), "ok");
    EXPECT_EQ(r.try_in("alice@example.test", r.alice_secret, protocol::submission), "ok");
    EXPECT_EQ(r.try_in("bob@example.test", r.alice_secret), no);
    EXPECT_EQ(r.try_in("alice@example.test", r.alice_secret, protocol::admin), no);
    auto const in = r.must(r.door.check("alice", r.alice_secret, r.from()));
    EXPECT_EQ(in.account, r.alice);
    EXPECT_EQ(in.address, "alice@example.test");
    EXPECT_EQ(in.who.who(), r.alice);
    EXPECT_EQ(in.who.scope(), store::all_rights);
    EXPECT_FALSE(in.who.credential().empty());
}

TEST(sign_in, scope_of_protocols_and_rights)
{
    people_rig r;
    for (unsigned scope = 1; scope <= 7; ++scope) {
        auto const secret = r.password_for(r.bob, static_cast<auth::protocols>(scope));
        for (auto const p : {protocol::imap, protocol::pop3, protocol::submission})
            EXPECT_EQ(r.try_in("bob@example.test", secret, p), (scope & static_cast<unsigned>(p)) != 0 ? "ok" : no) << scope;
    }
    auto const read_only = r.password_for(r.bob, auth::all_mail_protocols, true);
    auto const in = r.must(r.door.check("bob", read_only, r.from()));
    EXPECT_EQ(store::rights_text(in.who.scope()), "lrs");
    EXPECT_EQ(r.try_in("bob", read_only, protocol::pop3), "ok");
    EXPECT_EQ(r.try_in("bob", read_only, protocol::submission), no);
}

TEST(sign_in, app_passwords_expire)
{
    people_rig r;
    auto const made = r.must(r.door.add_app_password(r.bob, "short", 7, false, std::chrono::days{2}));
    auto const forever = r.must(r.door.add_app_password(r.bob, "long", 7, false, std::chrono::days{0}));
    r.clock.advance(std::chrono::days{2} - 1s);
    EXPECT_EQ(r.try_in("bob", made.secret), "ok");
    r.clock.advance(1s);
    EXPECT_EQ(r.try_in("bob", made.secret), no);
    r.clock.advance(std::chrono::days{4000});
    EXPECT_EQ(r.try_in("bob", forever.secret), "ok");
}

TEST(sign_in, at_most_so_many_app_passwords)
{
    people_rig r;
    std::set<std::string> ids;
    for (std::uint64_t i = 0; i < r.limits.app_passwords; ++i)
        EXPECT_TRUE(ids.insert(r.must(r.door.add_app_password(r.bob, "n" + std::to_string(i), 7, false, std::chrono::days{1})).info.id).second);
    auto const one_more = r.run(r.door.add_app_password(r.bob, "more", 7, false, std::chrono::days{1}));
    ASSERT_FALSE(one_more);
    EXPECT_EQ(one_more.error().what, fault::kind::over_limit);
    EXPECT_EQ(r.must(r.door.app_passwords(r.bob)).size(), 25U);
    r.must(r.door.revoke_app_password(r.bob, *ids.begin()));
    EXPECT_TRUE(r.run(r.door.add_app_password(r.bob, "more", 7, false, std::chrono::days{1})));
    EXPECT_FALSE(r.run(r.door.revoke_app_password(r.bob, *ids.begin())));
    EXPECT_FALSE(r.run(r.door.add_app_password(999, "x", 7, false, std::chrono::days{1})));
    EXPECT_FALSE(r.run(r.door.add_app_password(r.bob, "x", 0, false, std::chrono::days{1})));
}

TEST(sign_in, last_use_is_written_lazily)
{
    people_rig r;
    EXPECT_EQ(r.must(r.door.app_passwords(r.alice)).at(0).last_used, 0);
    auto const before = r.engine.commits;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(r.try_in("alice", r.alice_secret, protocol::pop3), "ok");
    EXPECT_EQ(r.engine.commits, before);
    auto const info = r.must(r.door.app_passwords(r.alice)).at(0);  // told before it is written
    EXPECT_NE(info.last_used, 0);
    EXPECT_EQ(info.last_protocol, "pop3");
    EXPECT_EQ(info.last_peer, "192.0.2.7");
    r.loop.run_for(10s);
    EXPECT_EQ(r.engine.commits, before + 1);
    EXPECT_EQ(r.must(r.door.app_passwords(r.alice)).at(0).last_used, info.last_used);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(r.try_in("alice", r.alice_secret), "ok");
        r.loop.run_for(60s);
    }
    EXPECT_EQ(r.engine.commits, before + 1);  // at most once in ten minutes
    r.loop.run_for(10min);
    EXPECT_EQ(r.try_in("alice", r.alice_secret), "ok");
    r.loop.run_for(10s);
    EXPECT_EQ(r.engine.commits, before + 2);
}

TEST(sign_in, a_use_noted_before_a_revocation_is_not_written_after_it)
{
    people_rig r;
    EXPECT_EQ(r.try_in("alice", r.alice_secret), "ok");
    auto const id = r.must(r.door.app_passwords(r.alice)).at(0).id;
    r.must(r.door.revoke_app_password(r.alice, id));
    auto const commits = r.engine.commits;
    r.loop.run_for(10s);
    EXPECT_EQ(r.engine.commits, commits);
    EXPECT_EQ(r.try_in("alice", r.alice_secret), no);
}

TEST(sign_in, one_secret_for_many_accounts)
{
    people_rig r;
    std::vector<std::string> names;
    for (int i = 1; i <= 3000; ++i) names.push_back("u" + std::to_string(i) + "@example.test");
    std::vector<auth::account_number> numbers;
    for (auto const& a : r.must(r.people.add_accounts(names, 0))) numbers.push_back(a.number);
    auto const before = r.engine.commits;
    auto const secret = r.must(r.door.add_shared_app_password(numbers, "load", {}));
    EXPECT_LE(r.engine.commits - before, 2U);
    EXPECT_EQ(r.try_in("u1", secret), "ok");
    EXPECT_EQ(r.try_in("u3000@example.test", secret), "ok");
    EXPECT_EQ(r.try_in("alice", secret), no);
    // Again changes nothing: a demo started twice on the same data.
    auto const again = r.engine.commits;
    EXPECT_EQ(r.must(r.door.add_shared_app_password(numbers, "load", secret)), secret);
    EXPECT_EQ(r.engine.commits, again);
    EXPECT_FALSE(r.run(r.door.add_shared_app_password(numbers, "load", "hunter2")));
}

TEST(sign_in, revocation_cuts_open_sessions)
{
    people_rig r;
    auto const second = r.must(r.door.add_app_password(r.alice, "second", 7, false, std::chrono::days{1}));
    auto const a = r.must(r.door.check("alice", r.alice_secret, r.from()));
    auto const b = r.must(r.door.check("alice", second.secret, r.from()));
    int cut_a = 0, cut_b = 0, dropped = 0;
    std::shared_ptr<void> token_a, token_b, token_c;
    auto watch = [](people_rig& rig, store::principal who, int& count, std::shared_ptr<void>& into) -> task<void> {
        into = rig.door.on_revoked(who, [&count] { ++count; });
        co_return;
    };
    r.run(watch(r, a.who, cut_a, token_a));
    r.run(watch(r, b.who, cut_b, token_b));
    r.run(watch(r, b.who, dropped, token_c));
    token_c.reset();
    r.must(r.door.revoke_app_password(r.alice, second.info.id));
    r.loop.run_ready();  // no time passes: well within a second
    EXPECT_EQ(cut_a, 0);
    EXPECT_EQ(cut_b, 1);
    EXPECT_EQ(dropped, 0);
    // A session that registers just after its credential ended is cut as well.
    int late = 0;
    std::shared_ptr<void> token_d;
    r.run(watch(r, b.who, late, token_d));
    r.loop.run_ready();
    EXPECT_EQ(late, 1);
    // Disabling the account cuts the rest; enabling lets new ones live.
    r.disable(r.alice, true);
    r.loop.run_ready();
    EXPECT_EQ(cut_a, 1);
    EXPECT_EQ(cut_b, 1);
    r.disable(r.alice, false);
    auto const again = r.must(r.door.check("alice", r.alice_secret, r.from()));
    int fresh = 0;
    std::shared_ptr<void> token_e;
    r.run(watch(r, again.who, fresh, token_e));
    r.loop.run_ready();
    EXPECT_EQ(fresh, 0);
    r.must(r.people.remove_account(r.alice));
    r.loop.run_ready();
    EXPECT_EQ(fresh, 1);
    EXPECT_EQ(r.try_in("alice", r.alice_secret), no);
}

TEST(sign_in, a_changed_portal_password_ends_every_credential)
{
    people_rig r;
    auto const secret = r.password_for(r.bob);
    auto const in = r.must(r.door.check("bob", secret, r.from()));
    bool cut = false;
    std::shared_ptr<void> token;
    auto watch = [](people_rig& rig, store::principal who, bool& flag, std::shared_ptr<void>& into) -> task<void> {
        into = rig.door.on_revoked(who, [&flag] { flag = true; });
        co_return;
    };
    r.run(watch(r, in.who, cut, token));
    r.must(r.door.set_portal_password(r.bob, "another horse, another battery"));
    r.loop.run_ready();
    EXPECT_TRUE(cut);
    EXPECT_EQ(r.try_in("bob", secret), no);
    EXPECT_TRUE(r.must(r.door.app_passwords(r.bob)).empty());
    EXPECT_EQ(r.try_in("bob", r.password_for(r.bob)), "ok");
    // The first one ends nothing.
    r.must(r.door.set_portal_password(r.alice, "another horse, another battery"));
    EXPECT_EQ(r.try_in("alice", r.alice_secret), "ok");
}

TEST(sign_in, the_portal_password_opens_the_portal_only)
{
    people_rig r;
    auto const wrong = r.run(r.door.check_portal_password("bob", "not the password", r.from(protocol::admin)));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().say, "authentication failed");
    EXPECT_EQ(r.must(r.door.check_portal_password("bob", std::string{r.portal}, r.from(protocol::admin))).number, r.bob);
    for (auto const p : {protocol::imap, protocol::pop3, protocol::submission, protocol::admin})
        EXPECT_EQ(r.try_in("bob@example.test", std::string{r.portal}, p), no);
    // An app password is no portal password.
    EXPECT_FALSE(r.run(r.door.check_portal_password("alice", r.alice_secret, r.from(protocol::admin))));
    EXPECT_EQ(r.log.text().find(std::string{r.portal}), std::string::npos);
    EXPECT_EQ(r.log.text().find(r.alice_secret), std::string::npos);
}

TEST(sign_in, too_many_portal_checks_at_once_are_told_to_wait)
{
    base::limits tight;
    tight.argon2_waiting = 1;
    people_rig r;
    auth::sign_in door{r.people, r.engine, r.loop, std::string(32, 'p'), tight, r.random, r.log, r.metrics};
    base::task_group group{r.loop};
    int later = 0, refused = 0;
    auto ask = [](auth::sign_in& d, int& l, int& n) -> task<void> {
        auto const got = co_await d.check_portal_password("bob", "not the password", auth_rig::from());
        if (!got && got.error().what == fault::kind::try_later)
            ++l;
        else
            ++n;
    };
    for (int i = 0; i < 12; ++i) group.spawn(ask(door, later, refused));
    r.run(group.join());
    EXPECT_GT(later, 0);
    EXPECT_GT(refused, 0);
    r.run(door.stop());
}

TEST(sign_in, nothing_in_the_store_opens_a_door_without_the_pepper)
{
    // trust: a leaked database and no pepper: not even the right secret can be recognised.
    people_rig r;
    auth::sign_in elsewhere{r.people, r.engine, r.loop, std::string(32, 'q'), r.limits, r.random, r.log, r.metrics};
    EXPECT_FALSE(r.run(elsewhere.check("alice", r.alice_secret, r.from())));
    EXPECT_FALSE(r.run(elsewhere.check_portal_password("bob", std::string{r.portal}, r.from())));
    r.run(elsewhere.stop());
}

// Existing, absent, disabled, with and without a portal password: same words, same reads, same hashes.
TEST(catalogue, A2_same_words_and_same_work_for_every_failure)
{
    people_rig r;
    auto const wrong = other_secret(r.random);
    auto const expired = r.must(r.door.add_app_password(r.bob, "old", 7, false, std::chrono::days{1}));
    auto const imap_only = r.password_for(r.bob, static_cast<auth::protocols>(protocol::imap));
    r.clock.advance(std::chrono::days{1});
    struct {
        std::string_view what;
        std::string user, secret;
    } const well_formed[] = {
        {"wrong secret", "alice@example.test", wrong},
        {"unknown user", "nobody@example.test", wrong},
        {"unknown domain", "nobody@nowhere.test", wrong},
        {"no address at all", "@", wrong},
        {"spaces", "a b c@example.test", wrong},
        {"disabled, wrong secret", "left@example.test", wrong},
        {"disabled, right secret", "left@example.test", r.left_secret},
        {"somebody else's secret", "bob@example.test", r.alice_secret},
        {"expired", "bob@example.test", expired.secret},
        {"wrong door", "bob@example.test", imap_only},
        {"an octet that is no UTF-8", "b\xFF@example.test", wrong},
    };
    for (auto const& c : well_formed) {
        auto const gets = r.engine.gets, scans = r.engine.scans;
        auto const hmacs = r.hashes("hmac"), argons = r.hashes("argon2id");
        EXPECT_EQ(r.try_in(c.user, c.secret, protocol::submission), no) << c.what;
        EXPECT_EQ(r.engine.gets - gets, 2U) << c.what;
        EXPECT_EQ(r.engine.scans - scans, 0U) << c.what;
        EXPECT_EQ(r.hashes("hmac") - hmacs, 1U) << c.what;
        EXPECT_EQ(r.hashes("argon2id") - argons, 0U) << c.what;
    }
    // A success costs the same again: nothing to measure there either.
    auto const gets = r.engine.gets;
    EXPECT_EQ(r.try_in("alice@example.test", r.alice_secret), "ok");
    EXPECT_EQ(r.engine.gets - gets, 2U);
}

TEST(catalogue, A2_bare_names_cost_the_same_too)
{
    people_rig r;
    auto const wrong = other_secret(r.random);
    for (std::string const user : {"alice", "nobody", "left", ""}) {
        auto const gets = r.engine.gets, scans = r.engine.scans;
        EXPECT_EQ(r.try_in(user, wrong), no);
        EXPECT_EQ(r.engine.gets - gets, 2U) << user;
        EXPECT_EQ(r.engine.scans - scans, 1U) << user;
    }
}

TEST(catalogue, A2_the_right_portal_password_on_a_mail_door_is_as_wrong_as_any)
{
    people_rig r;
    struct {
        std::string user, secret;
    } const malformed[] = {
        {"bob@example.test", std::string{r.portal}},      // right, for the portal
        {"bob@example.test", "not even the portal's"}, {"nobody@example.test", std::string{r.portal}},
        {"left@example.test", "hunter2hunter2"},       {"bob@example.test", ""},
        {"bob@example.test", std::string(1000, 'x')},
    };
    for (auto const& c : malformed) {
        auto const gets = r.engine.gets, scans = r.engine.scans;
        auto const hmacs = r.hashes("hmac"), argons = r.hashes("argon2id");
        for (auto const p : {protocol::imap, protocol::pop3, protocol::submission}) EXPECT_EQ(r.try_in(c.user, c.secret, p), no);
        EXPECT_EQ(r.engine.gets, gets) << c.user;  // no look-up, no hash: nothing before sign-in costs us (trust.md §0.4)
        EXPECT_EQ(r.engine.scans, scans);
        EXPECT_EQ(r.hashes("hmac"), hmacs);
        EXPECT_EQ(r.hashes("argon2id"), argons);
    }
}

TEST(catalogue, A2_the_portal_burns_the_same_for_everybody)
{
    people_rig r;
    r.must(r.door.set_portal_password(r.left, "another horse, another battery"));
    struct {
        std::string user, password;
    } const cases[] = {
        {"bob@example.test", "not the password"},
        {"nobody@example.test", "not the password"},
        {"alice@example.test", "not the password"},   // has none
        {"left@example.test", "another horse, another battery"},  // right, but disabled
        {"bob@example.test", ""},
        {"bob@example.test", std::string("a\0b", 3)},
        {"@", "not the password"},
    };
    for (auto const& c : cases) {
        auto const gets = r.engine.gets;
        auto const argons = r.hashes("argon2id");
        auto const got = r.run(r.door.check_portal_password(c.user, c.password, r.from(protocol::admin)));
        ASSERT_FALSE(got);
        EXPECT_EQ(describe(fault(got.error().what, got.error().say)), describe(fault(fault::kind::refused, "authentication failed")));
        EXPECT_EQ(r.engine.gets - gets, 2U) << c.user;
        EXPECT_EQ(r.hashes("argon2id") - argons, 1U) << c.user;
    }
}

// Figures for people reading the test's output; nothing is asserted about the clock.
TEST(sign_in, prints_how_fast_it_is)
{
    people_rig r;
    auto loop = [](people_rig& rig, std::string user, std::string secret, int n) -> task<int> {
        int in = 0;
        for (int i = 0; i < n; ++i) {
            auto const got = co_await rig.door.check(user, secret, auth_rig::from());
            in += got ? 1 : 0;
        }
        co_return in;
    };
    auto const wrong = other_secret(r.random);
    struct {
        char const* what;
        std::string user, secret;
    } const cases[] = {{"right", "alice@example.test", r.alice_secret},
                       {"wrong", "alice@example.test", wrong},
                       {"unknown", "nobody@example.test", wrong},
                       {"malformed", "alice@example.test", "hunter2hunter2"}};
    for (auto const& c : cases) {
        constexpr int n = 2000;
        auto const start = base::system_clock().monotonic();
        auto const in = r.run(loop(r, c.user, c.secret, n));
        auto const each = std::chrono::duration<double, std::micro>(base::system_clock().monotonic() - start).count() / n;
        EXPECT_EQ(in, std::string_view{c.what} == "right" ? n : 0);
        std::printf("%-10s %6.1f us a try\n", c.what, each);
    }
}
