#include "rig.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "base/bytes.hpp"

using namespace mansio;
using namespace mansio::pop3::test;
using namespace std::chrono_literals;

namespace {
std::string const greeting = "+OK mail.example.test POP3 server ready\r\n";
std::string const quit_reply = "+OK goodbye\r\n";
std::string const no_clear = "-ERR [SYS/PERM] use TLS first: STLS, or port 995\r\n";
std::string const no_entry = "-ERR [AUTH] authentication failed\r\n";

/// A multi-line reply undone: its first line checked, the dots taken off, the end removed.
std::string unstuffed(std::string reply)
{
    EXPECT_TRUE(reply.starts_with("+OK"));
    EXPECT_TRUE(reply.ends_with("\r\n.\r\n"));
    reply.erase(0, reply.find("\r\n") + 2);
    reply.erase(reply.size() - 3);
    std::string out;
    for (std::size_t at = 0; at < reply.size();) {
        auto const end = reply.find("\r\n", at) + 2;
        out += reply.substr(reply[at] == '.' ? at + 1 : at, end - (reply[at] == '.' ? at + 1 : at));
        at = end;
    }
    return out;
}

struct alice_in {
    rig r;
    wire_client c;
    explicit alice_in(pop3::test::rig_options o = {}) : r(o), c(r, "c")
    {
        EXPECT_EQ(c.hear(), greeting);
        EXPECT_EQ(c.say(sign_in_lines(r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
    }
};
}  // namespace

TEST(session, quit_answers_after_the_removal)
{
    alice_in a;
    auto const before = a.r.uids(rig::alice);
    ASSERT_EQ(before.size(), 4U);
    EXPECT_EQ(a.c.say("DELE 1\r\nDELE 3\r\n"), "+OK message 1 marked\r\n+OK message 3 marked\r\n");
    EXPECT_EQ(a.r.uids(rig::alice), before);  // nothing happens before QUIT
    a.r.faults.delay = [](store::change const&) { return 2s; };
    EXPECT_EQ(a.c.say("QUIT\r\n"), "");
    a.r.loop.run_for(1s);
    EXPECT_EQ(a.c.hear(), "");
    a.r.loop.run_for(5s);
    EXPECT_EQ(a.c.hear(), quit_reply);
    EXPECT_TRUE(a.c.closed());
    a.r.faults.delay = nullptr;
    a.r.loop.run_for(5s);  // the sign-in's own delayed note of its use ends too
    EXPECT_EQ(a.r.uids(rig::alice), (std::vector<store::uid>{before[1], before[3]}));
    EXPECT_EQ(a.r.counter("mansio_pop3_messages_deleted_total"), 2U);
}

TEST(session, a_removal_that_fails_is_told)
{
    alice_in a;
    a.c.say("DELE 2\r\n");
    a.r.faults.fail = [](store::change const&) { return true; };
    EXPECT_EQ(a.c.say("QUIT\r\n"), "-ERR [SYS/TEMP] some messages were not removed\r\n");
    EXPECT_TRUE(a.c.closed());
}

// RFC 1939 §6: the UPDATE state is one commit, so that a crash in the middle of it finds all of the messages or none.
TEST(session, the_update_is_one_commit)
{
    alice_in a;
    a.c.say("QUIT\r\n");
    for (int i = 0; i < 1200; ++i) a.r.deliver(rig::bob, "S: " + std::to_string(i) + "\r\n\r\n");
    auto const all = a.r.uids(rig::bob);
    auto const round = [&] {
        wire_client c{a.r, "c"};
        c.hear();
        c.say(sign_in_lines(a.r, "bob"));
        for (int i = 1; i <= 1100; ++i) c.say("DELE " + std::to_string(i) + "\r\n");
        return c.say("QUIT\r\n");
    };
    // A crash just before that commit: nothing of it is there.
    int commits = 0;
    a.r.faults.fail = [&](store::change const& c) { return c.note == "expunge" && ++commits > 0; };
    EXPECT_EQ(round(), "-ERR [SYS/TEMP] some messages were not removed\r\n");
    a.r.faults.fail = nullptr;
    EXPECT_EQ(a.r.uids(rig::bob), all);
    // Just after it: everything is gone for whoever looks, and what is left to be cleared away is nobody's business.
    commits = 0;
    a.r.faults.fail = [&](store::change const& c) {
        if (c.note == "expunge") ++commits;
        return false;
    };
    EXPECT_EQ(round(), quit_reply);
    EXPECT_EQ(commits, 1);
    EXPECT_EQ(a.r.uids(rig::bob).size(), 100U);
}

TEST(session, a_lost_connection_removes_nothing)
{
    alice_in a;
    a.c.say("DELE 1\r\nDELE 2\r\n");
    a.c.hang_up();
    EXPECT_EQ(a.r.uids(rig::alice).size(), 4U);
    // and the maildrop is free again
    wire_client again{a.r, "again"};
    EXPECT_EQ(again.hear(), greeting);
    EXPECT_EQ(again.say(sign_in_lines(a.r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
}

TEST(session, silence_ends_it_without_a_word_or_a_removal)
{
    alice_in a;
    a.c.say("DELE 1\r\n");
    a.r.loop.run_for(std::chrono::seconds{a.r.limits.pop3_wait - 1});
    EXPECT_FALSE(a.c.closed());
    EXPECT_EQ(a.c.say("NOOP\r\n"), "+OK done\r\n");
    a.r.loop.run_for(std::chrono::seconds{a.r.limits.pop3_wait + 3});
    EXPECT_EQ(a.c.hear(), "");
    EXPECT_TRUE(a.c.closed());
    EXPECT_EQ(a.r.uids(rig::alice).size(), 4U);
    EXPECT_EQ(a.r.counter("mansio_pop3_timeouts_total"), 1U);
}

TEST(session, one_session_at_a_time)
{
    alice_in a;
    wire_client second{a.r, "second"};
    EXPECT_EQ(second.hear(), greeting);
    EXPECT_EQ(second.say(sign_in_lines(a.r, "alice")), "+OK go on\r\n-ERR [IN-USE] another session has this maildrop\r\n");
    EXPECT_TRUE(second.closed());
    wire_client other{a.r, "other"};
    other.hear();
    EXPECT_EQ(other.say(sign_in_lines(a.r, "bob")), "+OK go on\r\n+OK 0 messages\r\n");
    EXPECT_EQ(a.c.say("QUIT\r\n"), quit_reply);
    wire_client third{a.r, "third"};
    third.hear();
    EXPECT_EQ(third.say(sign_in_lines(a.r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
}

TEST(session, keeps_its_picture_of_the_maildrop)
{
    alice_in a;
    auto const all = a.r.uids(rig::alice);
    a.r.deliver(rig::alice, "Subject: late\r\n\r\n");
    store::uid_set second;
    second.emplace_back(all[1], all[1]);
    ASSERT_TRUE(a.r.loop.run(a.r.open(rig::alice).expunge(a.r.inbox(rig::alice), second, true)));
    EXPECT_TRUE(a.c.say("STAT\r\n").starts_with("+OK 4 "));
    EXPECT_EQ(a.c.say("RETR 2\r\n"), "-ERR the message is gone\r\n");
    EXPECT_EQ(a.c.say("TOP 2 0\r\n"), "-ERR the message is gone\r\n");
    EXPECT_TRUE(a.c.say("RETR 3\r\n").starts_with("+OK "));
    EXPECT_EQ(a.c.say("RETR 5\r\n"), "-ERR no such message\r\n");
    // Marking all: what came meanwhile stays.
    EXPECT_EQ(a.c.say("DELE 1\r\nDELE 2\r\nDELE 3\r\nDELE 4\r\nQUIT\r\n"),
              "+OK message 1 marked\r\n+OK message 2 marked\r\n+OK message 3 marked\r\n+OK message 4 marked\r\n" + quit_reply);
    EXPECT_EQ(a.r.uids(rig::alice), (std::vector<store::uid>{all[3] + 1}));
}

TEST(session, unique_ids_survive_sessions_and_are_never_reused)
{
    alice_in a;
    auto const first = a.c.say("UIDL\r\n");
    EXPECT_EQ(a.c.say("DELE 2\r\nQUIT\r\n"), "+OK message 2 marked\r\n" + quit_reply);
    a.r.deliver(rig::alice, "Subject: new\r\n\r\n");
    wire_client again{a.r, "again"};
    again.hear();
    again.say(sign_in_lines(a.r, "alice"));
    auto const second = again.say("UIDL\r\n");
    auto const ids = [](std::string const& reply) {
        std::vector<std::string> out;
        std::istringstream lines{reply};
        std::string line;
        while (std::getline(lines, line))
            if (line.find('.') != std::string::npos && line.size() > 3) out.push_back(line.substr(line.find(' ') + 1));
        return out;
    };
    auto const before = ids(first), after = ids(second);
    ASSERT_EQ(before.size(), 4U);
    ASSERT_EQ(after.size(), 4U);
    EXPECT_EQ(after[0], before[0]);
    EXPECT_EQ(after[1], before[2]);
    EXPECT_EQ(after[2], before[3]);
    EXPECT_EQ(std::ranges::count(before, after[3]), 0);
    for (auto const& id : after) EXPECT_LE(id.size(), 70U);
}

TEST(session, large_messages_come_whole_and_stuffed)
{
    // Several pieces of the store, dots at line starts everywhere, no line end at the end; sizes count prefix and blob.
    std::string const prefix = "Return-Path: <a@example.test>\r\nDelivered-To: alice@example.test\r\n";
    std::string message = "Subject: large\r\n\r\n";
    for (int i = 0; message.size() < 900'000; ++i)
        message += (i % 3 == 0 ? "." : "") + std::string(static_cast<std::size_t>(i * 7 % 90), static_cast<char>('a' + i % 26)) + "\r\n";
    message += "the end";
    for (std::size_t const cut : {std::size_t{1} << 20U, std::size_t{977}}) {
        pop3::test::rig_options o;
        o.cut = cut;
        alice_in a{o};
        a.c.say("QUIT\r\n");
        a.r.deliver(rig::alice, message, prefix);
        wire_client c{a.r, "c"};
        c.hear();
        c.say(sign_in_lines(a.r, "alice"));
        auto const size = std::to_string(prefix.size() + message.size());
        EXPECT_EQ(c.say("LIST 5\r\n"), "+OK 5 " + size + "\r\n");
        auto const got = c.say("RETR 5\r\n");
        EXPECT_TRUE(got.starts_with("+OK " + size + " octets\r\n"));
        EXPECT_EQ(unstuffed(got), prefix + message + "\r\n");
        auto const top = unstuffed(c.say("TOP 5 1\r\n"));
        EXPECT_EQ(top, prefix + message.substr(0, message.find("\r\n", message.find("\r\n\r\n") + 4) + 2));
        EXPECT_EQ(unstuffed(c.say("TOP 5 4294967295\r\n")), prefix + message + "\r\n");
    }
}

TEST(session, many_messages_are_listed_in_turns)
{
    alice_in a;
    a.c.say("QUIT\r\n");
    for (int i = 0; i < 1500; ++i) a.r.deliver(rig::bob, "S: " + std::to_string(i) + "\r\n\r\n");
    wire_client c{a.r, "c"};
    c.hear();
    EXPECT_EQ(c.say(sign_in_lines(a.r, "bob")), "+OK go on\r\n+OK 1500 messages\r\n");
    auto const list = c.say("LIST\r\n");
    EXPECT_EQ(std::ranges::count(list, '\n'), 1502);
    EXPECT_TRUE(list.ends_with("\r\n.\r\n"));
    for (int i = 0; i < 1500; i += 2) c.say("DELE " + std::to_string(i + 1) + "\r\n");
    EXPECT_EQ(c.say("QUIT\r\n"), quit_reply);
    EXPECT_EQ(a.r.uids(rig::bob).size(), 750U);
}

TEST(session, a_read_only_sign_in_deletes_nothing)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("USER alice\r\nPASS " + r.variables["alice_reader"] + "\r\n"), "+OK go on\r\n+OK 4 messages\r\n");
    EXPECT_EQ(c.say("DELE 1\r\n"), "-ERR [SYS/PERM] this sign-in may only read\r\n");
    EXPECT_TRUE(c.say("RETR 1\r\n").starts_with("+OK"));
    EXPECT_EQ(c.say("QUIT\r\n"), quit_reply);
    EXPECT_EQ(r.uids(rig::alice).size(), 4U);
}

TEST(session, revocation_cuts_it)
{
    alice_in a;
    a.c.say("DELE 1\r\n");
    ASSERT_TRUE(a.r.loop.run(a.r.door->revoke_app_password(rig::alice, a.r.variables["alice_id"])));
    a.r.loop.run_for(1s);
    EXPECT_TRUE(a.c.closed());
    EXPECT_EQ(a.r.uids(rig::alice).size(), 4U);
}

TEST(session, too_many_failures_close_it)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    for (std::uint64_t i = 1; i < r.limits.sign_in_failures; ++i) EXPECT_EQ(c.say("USER alice\r\nPASS wrong\r\n"), "+OK go on\r\n" + no_entry);
    EXPECT_FALSE(c.closed());
    EXPECT_EQ(c.say("USER alice\r\nPASS wrong\r\n"), "+OK go on\r\n" + no_entry);
    EXPECT_TRUE(c.closed());
}

TEST(session, too_many_bad_commands_close_it)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    for (std::uint64_t i = 1; i < r.limits.pop3_strikes; ++i) EXPECT_EQ(c.say("XYZZ\r\n"), "-ERR no such command\r\n");
    EXPECT_TRUE(c.say("CAPA\r\n").starts_with("+OK"));  // CAPA sends its own lines and forgives nothing
    EXPECT_EQ(c.say("XYZZ\r\n"), "-ERR no such command\r\n");
    EXPECT_TRUE(c.closed());
    EXPECT_EQ(r.counter("mansio_pop3_strikes_total"), 1U);
}

TEST(session, long_lines_are_refused_and_forgotten)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("USER " + std::string(100'000, 'a') + "\r\nNOOP\r\n"), "-ERR line too long\r\n-ERR sign in first\r\n");
    EXPECT_EQ(r.counter("mansio_pop3_line_too_long_total"), 1U);
}

TEST(session, stop_closes_sessions_between_commands_and_deletes_nothing)
{
    alice_in a;
    a.c.say("DELE 1\r\n");
    wire_client idle{a.r, "idle"};
    idle.hear();
    a.r.loop.run(a.r.server->stop());
    EXPECT_TRUE(a.c.closed());
    EXPECT_TRUE(idle.closed());
    EXPECT_EQ(a.r.uids(rig::alice).size(), 4U);
    wire_client late{a.r, "late"};
    EXPECT_EQ(late.hear(), "");
    EXPECT_TRUE(late.closed());
}

// W4: octets in clear behind STLS must never count as said under TLS.
TEST(catalogue, W4_pop3_stls_with_a_tail_is_dropped)
{
    for (std::string_view const tail : {"CAPA\r\n", "USER alice\r\n", "Q", "\r\n", "\x16\x03\x01"}) {
        rig r;
        wire_client c{r, "c"};
        EXPECT_EQ(c.hear(), greeting);
        EXPECT_EQ(c.say("STLS\r\n" + std::string{tail}), "") << tail;
        EXPECT_TRUE(c.closed());
    }
}

TEST(catalogue, W4_pop3_a_tail_in_its_own_segment_fails_the_handshake)
{
    pop3::test::rig_options o;
    o.cut = 6;  // the server reads exactly "STLS\r\n" at first
    rig r{o};
    wire_client c{r, "c"};
    EXPECT_EQ(c.hear(), greeting);
    EXPECT_EQ(c.say("STLS\r\nCAPA\r\n"), "+OK begin TLS\r\n");
    EXPECT_TRUE(c.closed());
}

TEST(catalogue, W4_pop3_tls_begins_from_nothing)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("USER alice\r\n"), "+OK go on\r\n");
    EXPECT_EQ(c.say("STLS\r\n"), "+OK begin TLS\r\n");
    ASSERT_TRUE(c.start_tls());
    EXPECT_EQ(c.hear(), "");                                        // no second greeting (RFC 2595 §4)
    EXPECT_EQ(c.say("PASS " + r.variables["alice_secret"] + "\r\n"), "-ERR USER first\r\n");  // the name said in clear is forgotten
    EXPECT_EQ(c.say("CAPA\r\n").find("STLS"), std::string::npos);
    EXPECT_EQ(c.say("STLS\r\n"), "-ERR TLS is on already\r\n");
    EXPECT_EQ(c.say(sign_in_lines(r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
    EXPECT_EQ(c.say("STLS\r\n"), "-ERR already signed in\r\n");
}

// W6: with STLS stripped there is nothing to sign in with.
TEST(catalogue, W6_pop3_no_sign_in_over_clear_text)
{
    pop3::test::rig_options o;
    o.cleartext = false;
    rig r{o};
    for (std::string_view const from : {"c", "far"}) {
        wire_client c{r, from};
        c.hear();
        auto const capabilities = c.say("CAPA\r\n");
        EXPECT_EQ(capabilities.find("\r\nUSER\r\n"), std::string::npos);
        EXPECT_EQ(capabilities.find("SASL"), std::string::npos);
        EXPECT_NE(capabilities.find("STLS\r\n"), std::string::npos);
        EXPECT_EQ(c.say(sign_in_lines(r, "alice")), no_clear + no_clear);
        EXPECT_EQ(c.say("AUTH PLAIN " + r.variables["alice_plain"] + "\r\n"), no_clear);
        EXPECT_EQ(c.say("AUTH PLAIN\r\n"), no_clear);
        EXPECT_EQ(c.say("AUTH\r\n"), no_clear);
        EXPECT_EQ(c.say("STAT\r\n"), "-ERR sign in first\r\n");
    }
    wire_client tls{r, "tls"};
    tls.hear();
    EXPECT_NE(tls.say("CAPA\r\n").find("USER\r\nSASL PLAIN\r\n"), std::string::npos);
    EXPECT_EQ(tls.say(sign_in_lines(r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
}

TEST(catalogue, W6_pop3_the_demos_leave_is_for_this_machine_only)
{
    rig r;  // --cleartext
    wire_client here{r, "here"};
    here.hear();
    EXPECT_EQ(here.say("USER alice\r\n"), "+OK go on\r\n");
    wire_client far{r, "far"};
    far.hear();
    EXPECT_EQ(far.say("USER alice\r\n"), no_clear);
}

// W7: other protocols, and who talks first.
TEST(catalogue, W7_pop3_foreign_protocols_are_cut_without_an_echo)
{
    for (std::string_view const first :
         {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /USER%20alice HTTP/1.0\r\n\r\n", "CONNECT a:25 HTTP/1.1\r\n\r\n", "get /\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
          "EHLO example.test\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x80\x2e\x01\x00\x02", "\x01\r\n", "\r\nQUIT\r\n"})
    {
        rig r;
        wire_client c{r, "c"};
        EXPECT_EQ(c.hear(), greeting);
        EXPECT_EQ(c.say(first), "") << base::printable(first);
        EXPECT_TRUE(c.closed()) << base::printable(first);
    }
}

TEST(catalogue, W7_pop3_who_talks_first_is_no_mail_program)
{
    rig r;
    auto pair = net::make_memory_pair(r.loop);
    ASSERT_TRUE(r.loop.run(pair.client->write("CAPA\r\n", base::monotonic_time::max())));
    net::accepted early;
    early.connection = std::move(pair.server);
    r.server->serve(r.loop, std::move(early), false);
    r.loop.run_ready();
    char octet = 0;
    auto const heard = pair.client->try_read({&octet, 1});
    EXPECT_TRUE(!heard || heard->value_or(1) == 0);  // closed, without a greeting
    EXPECT_NE(r.log.text().find("pop3_talked_first"), std::string::npos);
}

// A1 at this door: each row fails that exchange only.
TEST(catalogue, A1_pop3_exchanges_fail_alone)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    struct {
        std::string response, want;
    } const cases[] = {
        {"*", "-ERR cancelled\r\n"},
        {"", "-ERR malformed response\r\n"},
        {"=", "-ERR not base64\r\n"},
        {"AGFsaWNl", "-ERR malformed response\r\n"},
        {"not base64!", "-ERR not base64\r\n"},
        {"AGFsaWNlAHg", "-ERR not base64\r\n"},     // no padding
        {"AGFsaWNlAHg=", no_entry},
        {base::to_base64(std::string(3, '\0')), "-ERR malformed response\r\n"},
        {base::to_base64(std::string("\0a\xFF\0x", 5)), "-ERR malformed response\r\n"},
        {r.variables["alice_other_plain"], no_entry},  // alice's own secret, to act as somebody else
    };
    int bad = 0;
    for (auto const& q : cases) {
        if (++bad % 5 == 0) EXPECT_EQ(c.say("USER x\r\n"), "+OK go on\r\n");  // strikes in a row are another test's
        EXPECT_EQ(c.say("AUTH PLAIN\r\n"), "+ \r\n");
        EXPECT_EQ(c.say(q.response + "\r\n"), q.want) << q.response;
        if (!q.response.empty() && q.response != "*" && q.response != "=") EXPECT_EQ(c.say("AUTH PLAIN " + q.response + "\r\n"), q.want) << q.response;
        EXPECT_FALSE(c.closed());
    }
    EXPECT_EQ(c.say("AUTH PLAIN =\r\n"), "-ERR malformed response\r\n");
    EXPECT_EQ(c.say("AUTH PLAIN\r\n"), "+ \r\n");
    EXPECT_EQ(c.say(std::string(65536, 'A') + "\r\n"), "-ERR response too long\r\n");
    for (std::string_view const m : {"AUTH LOGIN", "AUTH CRAM-MD5", "AUTH NTLM", "AUTH X", "APOP alice 0123"})
        EXPECT_TRUE(c.say(std::string{m} + "\r\n").starts_with("-ERR no such")) << m;
    wire_client other{r, "other"};
    other.hear();
    EXPECT_EQ(other.say(sign_in_lines(r, "bob")), "+OK go on\r\n+OK 0 messages\r\n");
    EXPECT_EQ(c.say("AUTH PLAIN " + r.variables["alice_plain"] + "\r\n"), "+OK 4 messages\r\n");
}

// A2 at this door: the same words, whoever is asked for; USER never tells.
TEST(catalogue, A2_pop3_the_same_words_for_every_failure)
{
    rig r;
    auto alice = *r.loop.run(r.people->account_by_number(rig::alice)).value();
    alice.enabled = false;
    ASSERT_TRUE(r.loop.run(r.people->update_account(alice)));
    struct {
        std::string user, secret;
    } const cases[] = {
        {"nobody", r.variables["alice_secret"]},
        {"alice", r.variables["alice_secret"]},
        {"alice", "wrong"},
        {"bob", r.variables["alice_secret"]},
        {"bob", "correct horse battery staple"},
        {"bob@nowhere.test", "x"},
        {"%", "x y z"},
    };
    for (auto const& q : cases) {
        wire_client c{r, "c"};
        c.hear();
        EXPECT_EQ(c.say("USER " + q.user + "\r\nPASS " + q.secret + "\r\n"), "+OK go on\r\n" + no_entry) << q.user;
        EXPECT_EQ(c.say("AUTH PLAIN " + base::to_base64(std::string{'\0'} + q.user + '\0' + q.secret) + "\r\n"), no_entry) << q.user;
    }
}
