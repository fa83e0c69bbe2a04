// What EXPIRE and LOGIN-DELAY say, and that the server does it: RFC 2449 §6.5, §6.7, §8.1.1.
#include <sstream>

#include "pop3/sweeper.hpp"
#include "rig.hpp"

using namespace mansio;
using namespace mansio::pop3::test;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {
auth::pop3_settings says(std::string_view keep, std::optional<std::uint32_t> delay = {})
{
    auth::pop3_settings s;
    if (!keep.empty()) s.keep = auth::pop3_keep::parse(keep).value();
    s.login_delay = delay;
    return s;
}
void set_account(rig& r, store::account_number n, auth::pop3_settings s)
{
    auto a = r.loop.run(r.people->account_by_number(n)).value().value();
    a.pop3 = s;
    ASSERT_TRUE(r.loop.run(r.people->update_account(a)));
}
void set_domain(rig& r, auth::pop3_settings s)
{
    auto d = r.loop.run(r.people->find_domain("example.test")).value().value();
    d.pop3 = s;
    ASSERT_TRUE(r.loop.run(r.people->update_domain(d)));
}
/// The two lines of CAPA, joined.
std::string policy_lines(wire_client& c)
{
    std::istringstream in{c.say("CAPA\r\n")};
    std::string out;
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("EXPIRE") || line.starts_with("LOGIN-DELAY")) out += (out.empty() ? "" : ", ") + line.substr(0, line.size() - 1);
    return out;
}
void sign_in(rig& r, wire_client& c, std::string const& who)
{
    c.hear();
    auto const said = c.say(sign_in_lines(r, who));
    ASSERT_NE(said.find(" messages\r\n"), std::string::npos) << said;
}
/// One whole session.
std::string session(rig& r, std::string const& who, std::string_view commands)
{
    wire_client c{r, "c"};
    sign_in(r, c, who);
    return c.say(commands);
}
struct swept {
    rig& r;
    pop3::sweeper sweeper;
    explicit swept(rig& on)
        : r(on),
          sweeper(pop3::sweeper_parts{*on.people, *on.policies, *on.accounts, on.server->locks(), on.log, on.metrics, 3600s}, on.loop)
    {}
    ~swept() { r.loop.run(sweeper.stop()); }
    std::uint64_t sweep() { return r.loop.run(sweeper.sweep()); }
    /// A round an hour, as in life: the sweeper keeps an eye on the clock.
    std::uint64_t pass(std::chrono::seconds time)
    {
        std::uint64_t gone = 0;
        for (; time > 0s; time -= 1h) {
            r.clock.advance(std::min<std::chrono::seconds>(time, 1h));
            gone += sweep();
        }
        return gone;
    }
};
}  // namespace

TEST(policy, capa_says_what_holds)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(policy_lines(c), "EXPIRE NEVER");
    set_domain(r, says("30-days", 60));
    EXPECT_EQ(policy_lines(c), "EXPIRE 30 USER, LOGIN-DELAY 60 USER");
    set_account(r, rig::bob, says("7-days-after-fetch", 0));
    EXPECT_EQ(policy_lines(c), "EXPIRE 7 USER, LOGIN-DELAY 60 USER");
    c.say(sign_in_lines(r, "alice"));
    EXPECT_EQ(policy_lines(c), "EXPIRE 30, LOGIN-DELAY 60");
    wire_client b{r, "b"};
    sign_in(r, b, "bob");
    EXPECT_EQ(policy_lines(b), "EXPIRE 7, LOGIN-DELAY 0");
    set_account(r, rig::bob, says("until-fetched"));
    wire_client again{r, "again"};
    again.hear();
    EXPECT_EQ(policy_lines(again), "EXPIRE 0 USER, LOGIN-DELAY 60 USER");
    set_account(r, rig::bob, says("forever"));
    EXPECT_EQ(policy_lines(again), "EXPIRE 30 USER, LOGIN-DELAY 60 USER");
    EXPECT_EQ(policy_lines(b), "EXPIRE 7, LOGIN-DELAY 0");  // this session began under another policy, and keeps to it
}

TEST(policy, one_for_all_needs_no_second_look)
{
    pop3::test::rig_options o;
    o.defaults = says("until-fetched", 300);
    rig r{o};
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(policy_lines(c), "EXPIRE 0, LOGIN-DELAY 300");
    c.say(sign_in_lines(r, "alice"));
    EXPECT_EQ(policy_lines(c), "EXPIRE 0, LOGIN-DELAY 300");
}

TEST(policy, until_fetched_goes_at_quit_and_only_then)
{
    rig r;
    set_account(r, rig::alice, says("until-fetched"));
    auto const all = r.uids(rig::alice);
    {
        wire_client c{r, "c"};
        sign_in(r, c, "alice");
        c.say("RETR 1\r\n");
        c.hang_up();  // no UPDATE state, nothing goes (RFC 1939 §6)
    }
    EXPECT_EQ(r.uids(rig::alice), all);
    auto const said = session(r, "alice", "RETR 1\r\nTOP 2 1\r\nDELE 4\r\nRSET\r\nRETR 3\r\nQUIT\r\n");
    EXPECT_TRUE(said.ends_with("+OK goodbye\r\n"));
    EXPECT_EQ(r.uids(rig::alice), (std::vector<store::uid>{all[1], all[3]}));  // TOP fetches nothing
    EXPECT_EQ(r.counter("mansio_pop3_messages_deleted_total"), 2U);
}

TEST(policy, a_read_only_sign_in_fetches_without_consequence)
{
    rig r;
    set_account(r, rig::alice, says("until-fetched"));
    r.variables["alice_secret"] = r.variables["alice_reader"];
    session(r, "alice", "RETR 1\r\nQUIT\r\n");
    EXPECT_EQ(r.uids(rig::alice).size(), 4U);
    set_account(r, rig::alice, says("1-day-after-fetch"));
    session(r, "alice", "RETR 1\r\nQUIT\r\n");
    swept s{r};
    EXPECT_EQ(s.pass(72h), 0U);
}

TEST(policy, days_after_the_first_fetch)
{
    rig r;
    set_account(r, rig::alice, says("2-days-after-fetch"));
    auto const all = r.uids(rig::alice);
    swept s{r};
    EXPECT_EQ(s.pass(96h), 0U);  // nobody fetched anything
    {
        wire_client c{r, "c"};
        sign_in(r, c, "alice");
        c.say("RETR 2\r\n");
        c.hang_up();  // the date is kept however the session ends
    }
    EXPECT_EQ(s.pass(24h), 0U);
    session(r, "alice", "RETR 2\r\nRETR 3\r\nQUIT\r\n");  // fetching again does not prolong
    EXPECT_EQ(s.pass(23h), 0U);
    EXPECT_EQ(s.pass(2h), 1U);
    EXPECT_EQ(r.uids(rig::alice), (std::vector<store::uid>{all[0], all[2], all[3]}));
    EXPECT_EQ(s.pass(24h), 1U);
    EXPECT_EQ(r.uids(rig::alice), (std::vector<store::uid>{all[0], all[3]}));
    EXPECT_EQ(r.counter("mansio_pop3_messages_expired_total"), 2U);
}

TEST(policy, days_in_all_count_from_the_arrival_here)
{
    rig r;
    set_domain(r, says("3-days"));
    set_account(r, rig::bob, says("forever"));
    r.deliver(rig::bob, "Subject: b\r\n\r\n");
    swept s{r};
    EXPECT_EQ(s.pass(48h), 0U);  // the messages' own dates (2026-01-01) do not matter
    r.deliver(rig::alice, "Subject: late\r\n\r\n");
    EXPECT_EQ(s.pass(23h), 0U);
    EXPECT_EQ(s.pass(2h), 4U);
    EXPECT_EQ(r.uids(rig::alice).size(), 1U);
    EXPECT_EQ(s.pass(48h), 1U);
    EXPECT_EQ(r.uids(rig::bob).size(), 1U);
}

TEST(policy, a_maildrop_in_use_waits_for_the_next_round)
{
    rig r;
    set_account(r, rig::alice, says("1-day"));
    swept s{r};
    EXPECT_EQ(s.pass(23h + 55min), 0U);
    wire_client c{r, "c"};
    sign_in(r, c, "alice");
    r.clock.advance(6min);  // short of what ends a silent session
    EXPECT_EQ(s.sweep(), 0U);
    EXPECT_TRUE(c.say("RETR 1\r\n").starts_with("+OK"));
    c.say("QUIT\r\n");
    EXPECT_EQ(s.sweep(), 4U);
}

TEST(policy, a_clock_that_jumps_deletes_nothing)
{
    rig r;
    set_account(r, rig::alice, says("1-day"));
    swept s{r};
    EXPECT_EQ(s.pass(2h), 0U);
    r.clock.jump_wall(24h * 365);
    EXPECT_EQ(s.sweep(), 0U);
    EXPECT_NE(r.log.text().find("pop3_sweep_clock"), std::string::npos);
    r.clock.jump_wall(-24h * 365);  // set right again before the next round
    EXPECT_EQ(s.pass(2h), 0U);
    EXPECT_EQ(s.pass(24h), 4U);
}

TEST(policy, a_shorter_promise_counts_at_once)
{
    rig r;
    set_account(r, rig::alice, says("30-days"));
    swept s{r};
    EXPECT_EQ(s.pass(48h), 0U);
    set_account(r, rig::alice, says("1-day"));
    EXPECT_EQ(s.sweep(), 4U);
}

TEST(policy, the_sweeper_runs_by_itself)
{
    rig r;
    set_account(r, rig::alice, says("1-day"));
    swept s{r};
    s.sweeper.start();
    r.loop.run_for(23h);
    EXPECT_EQ(r.uids(rig::alice).size(), 4U);
    r.loop.run_for(3h);
    EXPECT_TRUE(r.uids(rig::alice).empty());
}

TEST(policy, a_removal_that_fails_is_tried_again)
{
    rig r;
    set_account(r, rig::alice, says("1-day"));
    swept s{r};
    EXPECT_EQ(s.pass(23h), 0U);
    r.faults.fail = [](store::change const& c) { return c.note == "expunge"; };
    EXPECT_EQ(s.pass(2h), 0U);
    EXPECT_EQ(r.uids(rig::alice).size(), 4U);
    r.faults.fail = nullptr;
    EXPECT_EQ(s.sweep(), 4U);
}

TEST(policy, login_delay_is_enforced)
{
    rig r;
    set_account(r, rig::alice, says("", 120));
    session(r, "alice", "QUIT\r\n");
    wire_client early{r, "early"};
    early.hear();
    EXPECT_EQ(early.say(sign_in_lines(r, "alice")), "+OK go on\r\n-ERR [LOGIN-DELAY] the last sign-in was less than 120 seconds ago\r\n");
    EXPECT_TRUE(early.closed());
    EXPECT_EQ(r.counter("mansio_pop3_login_delay_total"), 1U);
    // A wrong secret says nothing about it, nor does a name alone (RFC 2449 §8.1.1).
    wire_client wrong{r, "wrong"};
    wrong.hear();
    EXPECT_EQ(wrong.say("USER alice\r\nPASS wrong\r\n"), "+OK go on\r\n-ERR [AUTH] authentication failed\r\n");
    session(r, "bob", "QUIT\r\n");
    r.clock.advance(119s);
    wire_client still{r, "still"};
    still.hear();
    EXPECT_NE(still.say(sign_in_lines(r, "alice")).find("[LOGIN-DELAY]"), std::string::npos);
    r.clock.advance(1s);  // what was refused did not count
    session(r, "alice", "QUIT\r\n");
}

TEST(policy, a_sign_in_refused_because_of_another_session_does_not_count)
{
    rig r;
    set_account(r, rig::alice, says("", 60));
    wire_client first{r, "first"};
    sign_in(r, first, "alice");
    r.clock.advance(59s);
    wire_client second{r, "second"};
    second.hear();
    EXPECT_NE(second.say(sign_in_lines(r, "alice")).find("[IN-USE]"), std::string::npos);
    EXPECT_EQ(r.counter("mansio_pop3_in_use_total"), 1U);
    first.say("QUIT\r\n");
    r.clock.advance(1s);
    session(r, "alice", "QUIT\r\n");
}

// I10: nothing that needs a secret kept in clear, or sends one so.
TEST(catalogue, I10_pop3_offers_no_apop_and_no_weak_mechanism)
{
    for (bool const clear : {true, false}) {
        pop3::test::rig_options o;
        o.cleartext = clear;
        rig r{o};
        for (std::string_view const from : {"c", "tls", "far"}) {
            wire_client c{r, from};
            auto const greeting = c.hear();
            EXPECT_EQ(greeting.find('<'), std::string::npos) << greeting;  // RFC 1939 §7: a timestamp there offers APOP
            auto const capa = c.say("CAPA\r\n");
            for (std::string_view const name : {"APOP", "CRAM", "DIGEST", "NTLM", "SCRAM", "LOGIN\r\n", "GSSAPI", "ANONYMOUS"})
                EXPECT_EQ(capa.find(name), std::string::npos) << name;
            EXPECT_TRUE(c.say("APOP alice 0123456789abcdef0123456789abcdef\r\n").starts_with("-ERR"));
            for (std::string_view const m : {"CRAM-MD5", "DIGEST-MD5", "NTLM", "LOGIN", "ANONYMOUS", "EXTERNAL", "GSSAPI", "PLAIN-CLIENTTOKEN"})
                EXPECT_TRUE(c.say("AUTH " + std::string{m} + "\r\n").starts_with("-ERR")) << m;
            EXPECT_TRUE(c.say("STAT\r\n").starts_with("-ERR"));
        }
    }
}
