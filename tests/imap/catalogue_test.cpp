// Rows of docs/catalogue.md at the IMAP door.
#include "rig.hpp"

#include "base/bytes.hpp"

namespace mansio::imap::test {
namespace {

using namespace std::string_view_literals;

rig_options strict()
{
    rig_options o;
    o.cleartext = false;
    return o;
}
std::string times(std::string_view s, std::size_t n)
{
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out += s;
    return out;
}
std::string greeted(wire_client& c) { return c.hear(); }
std::string login(rig& r, std::string const& who = "alice") { return "in LOGIN " + r.variables[who] + " " + r.variables[who + "_secret"] + "\r\n"; }

TEST(catalogue, I1_huge_literals_before_sign_in)
{
    struct {
        std::string_view said, want;
        bool closes;
    } const cases[] = {
        {"a LOGIN {4294967295}\r\n", "a NO [TOOBIG]", false},
        {"a LOGIN {99999999999999999999999999}\r\n", "a NO [TOOBIG]", false},
        {"a LOGIN {-1}\r\n", "a BAD", false},
        {"a LOGIN {1025}\r\n", "a NO [TOOBIG]", false},
        {"a LOGIN {4294967295+}\r\n", "* BYE [TOOBIG]", true},
        {"a LOGIN {99999999999999999999999999+}\r\n", "* BYE [TOOBIG]", true},
        {"a APPEND INBOX {2000}\r\n", "a NO [TOOBIG]", false},
        {"a APPEND INBOX ~{20}\r\n", "a BAD", false},
    };
    for (auto const& c : cases) {
        rig r;
        wire_client peer{r, "c"};
        greeted(peer);
        auto const answer = peer.say(c.said);
        EXPECT_TRUE(answer.starts_with(c.want)) << c.said << answer;
        EXPECT_EQ(peer.closed(), c.closes) << c.said;
        if (!c.closes) EXPECT_TRUE(peer.say("b NOOP\r\n").starts_with("b OK")) << c.said;
    }
}

TEST(catalogue, I1_many_small_literals_before_sign_in)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    auto const answer = peer.say("a LOGIN " + times("{1+}\r\nx", 10'000));
    EXPECT_TRUE(answer.starts_with("* BYE [TOOBIG]")) << answer;
    EXPECT_TRUE(peer.closed());
}

TEST(catalogue, I1_endless_tag_line_and_list)
{
    for (auto const& said : {std::string(1'000'000, 'A'), times("a", 9000) + " NOOP\r\n", "a LOGIN " + times("(", 1'000'000)}) {
        rig r;
        wire_client peer{r, "c"};
        greeted(peer);
        auto const answer = peer.say(said);
        EXPECT_TRUE(answer.starts_with("* BYE [TOOBIG]")) << answer.substr(0, 100);
        EXPECT_TRUE(peer.closed());
    }
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_EQ(peer.say(times("t", 300) + " NOOP\r\n"), "* BAD a command begins with a tag and a space\r\n");  // a long tag is not echoed
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    EXPECT_TRUE(peer.say("s SELECT INBOX\r\n").contains("s OK"));
    EXPECT_EQ(peer.say("a SEARCH " + times("(", 60'000) + "\r\n"), "a NO [LIMIT] lists are nested too deep\r\n");
    EXPECT_EQ(peer.say("a SEARCH " + times("NOT ", 10'000) + "SEEN\r\n"), "a NO [LIMIT] too many search keys\r\n");
}

TEST(catalogue, I1_id_with_too_many_pairs)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say("a ID (" + times("\"k\" \"v\" ", 500) + ")\r\n").starts_with("a BAD [LIMIT]"));
    EXPECT_TRUE(peer.say("a ID (" + times("\"k\" \"v\" ", 100'000) + ")\r\n").starts_with("* BYE [TOOBIG]"));
}

TEST(catalogue, I2_many_literals_after_sign_in)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    // 1,001 literals: the last is refused before it is sent.
    auto answer = peer.say("a LIST \"\" (" + times("{1+}\r\nx ", 1000) + "{1}\r\n");
    EXPECT_TRUE(answer.starts_with("a NO [LIMIT]")) << answer;
    // Nobody asked: dropped, and the connection with it.
    answer = peer.say("a LIST \"\" (" + times("{1+}\r\nx ", 1002));
    EXPECT_TRUE(answer.starts_with("* BYE [TOOBIG]")) << answer;
    EXPECT_TRUE(peer.closed());

    wire_client big{r, "c"};
    greeted(big);
    EXPECT_TRUE(big.say(login(r)).starts_with("in OK"));
    EXPECT_TRUE(big.say("a LIST \"\" {131073}\r\n").starts_with("a NO [TOOBIG]"));
    std::string many = "a LIST \"\" (";
    for (int i = 0; i < 7; ++i) many += "{131072+}\r\n" + std::string(131072, 'x') + " ";
    EXPECT_EQ(big.say(many), "");
    answer = big.say("{131072}\r\n");
    EXPECT_TRUE(answer.starts_with("a NO [LIMIT]")) << answer.substr(0, 100);
    EXPECT_TRUE(big.say("b NOOP\r\n").starts_with("b OK"));
    answer = big.say(many + "{131072+}\r\n" + std::string(131072, 'x') + ")\r\n");
    EXPECT_TRUE(answer.starts_with("a NO [LIMIT]") || answer.starts_with("* BYE")) << answer.substr(0, 100);
}

std::string many_messages(std::size_t n, std::string const& fields)
{
    std::string out;
    for (std::size_t i = 1; i <= n; ++i) {
        auto const text = "Message-ID: <" + std::to_string(i) + "@x>\r\n" + fields + "\r\nsome words\r\n";
        out += " {" + std::to_string(text.size()) + "+}\r\n" + text;
    }
    return out + "\r\n";
}

TEST(catalogue, I3_deep_and_wide_searches)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    EXPECT_TRUE(peer.say("a APPEND INBOX" + many_messages(3, "")).starts_with("a OK"));
    EXPECT_TRUE(peer.say("b SELECT INBOX\r\n").contains("\r\nb OK"));
    for (std::string const verb : {"SEARCH ", "SORT (DATE) UTF-8 ", "THREAD REFS UTF-8 "}) {
        EXPECT_TRUE(peer.say("c " + verb + times("NOT ", 10000) + "ALL\r\n").starts_with("c NO [LIMIT]")) << verb;
        EXPECT_TRUE(peer.say("c " + verb + times("OR ALL ", 9000) + "ALL\r\n").starts_with("c NO [LIMIT]")) << verb;
        EXPECT_TRUE(peer.say("c " + verb + times("(", 10000) + "ALL\r\n").starts_with("c NO [LIMIT]")) << verb;
        EXPECT_TRUE(peer.say("c " + verb + times("NOT ", 200) + "ALL\r\n").contains("\r\nc OK")) << verb;
        EXPECT_TRUE(peer.say("c " + verb + "UID " + times("1,3,", 15000) + "2\r\n").contains("\r\nc OK")) << verb;
    }
    EXPECT_TRUE(peer.say("c SORT (" + times("REVERSE DATE ", 100) + "SIZE) UTF-8 ALL\r\n").contains("\r\nc OK"));  // the second of one key counts not
    EXPECT_TRUE(peer.say("c ESEARCH IN (" + times("subtree (a b) ", 1000) + "personal) ALL\r\n").starts_with("c BAD"));
}

TEST(catalogue, I3_cyclic_references)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    // Each refers to the one before it and the one after it, the first and the last too.
    std::string append = "a APPEND INBOX";
    constexpr int n = 500;
    for (int i = 0; i < n; ++i) {
        auto const id = [](int k) { return "<" + std::to_string(k % n) + "@x>"; };
        auto const text = "Message-ID: " + id(i) + "\r\nReferences: " + id(i + n - 1) + " " + id(i + 1) + " " + id(i) + "\r\n\r\n";
        append += " {" + std::to_string(text.size()) + "+}\r\n" + text;
    }
    EXPECT_TRUE(peer.say(append + "\r\n").starts_with("a OK"));
    EXPECT_TRUE(peer.say("b SELECT INBOX\r\n").contains("\r\nb OK"));
    auto const opened = r.counter("mansio_store_blob_reads_total");
    for (std::string const how : {"REFERENCES", "REFS", "ORDEREDSUBJECT"}) {
        auto const answer = peer.say("c THREAD " + how + " UTF-8 ALL\r\n");
        EXPECT_TRUE(answer.starts_with("* THREAD (") && answer.contains("\r\nc OK")) << how << answer.substr(0, 100);
        EXPECT_EQ(std::ranges::count(answer, '('), std::ranges::count(answer, ')'));
    }
    EXPECT_TRUE(peer.say("d SORT (SUBJECT DATE) UTF-8 ALL\r\n").contains("\r\nd OK"));
    EXPECT_EQ(r.counter("mansio_store_blob_reads_total"), opened);  // from stored summaries alone
}

TEST(catalogue, I3_sorting_is_bounded)
{
    rig_options o;
    o.limits.imap_sort_octets = 12000;
    o.limits.imap_contexts = 2;
    rig r{o};
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    EXPECT_TRUE(peer.say("a APPEND INBOX" + many_messages(200, "Subject: s\r\n")).starts_with("a OK"));
    EXPECT_TRUE(peer.say("b SELECT INBOX\r\n").contains("\r\nb OK"));
    EXPECT_TRUE(peer.say("c SORT (DATE) UTF-8 ALL\r\n").starts_with("c NO [LIMIT]"));
    EXPECT_TRUE(peer.say("c THREAD REFS UTF-8 ALL\r\n").starts_with("c NO [LIMIT]"));
    EXPECT_TRUE(peer.say("c SORT (DATE) UTF-8 1:20\r\n").contains("\r\nc OK"));
    for (std::string const tag : {"u1", "u2"}) EXPECT_FALSE(peer.say(tag + " SEARCH RETURN (UPDATE) ALL\r\n").contains("NOUPDATE"));
    auto const third = peer.say("u3 SEARCH RETURN (UPDATE COUNT) ALL\r\n");
    EXPECT_TRUE(third.contains("COUNT 200") && third.contains("* NO [NOUPDATE \"u3\"]") && third.contains("\r\nu3 OK")) << third;
    EXPECT_EQ(r.counter("mansio_imap_search_refused_total"), 3U);
}

TEST(catalogue, W2_append_normalises_line_ends)
{
    rig r;
    for (std::size_t const cut : {0, 1, 5})
        r.talk("c <~ ^\\* OK\n"
               "c -> 1 LOGIN ${alice} ${alice_secret}\nc <~ ^1 OK\n"
               "c => 2 APPEND Drafts {+A: 1\\n\\n.\\nb\\r.\\r\\r\\nc\\n+}\\r\\n\nc <~ ^2 OK\n"
               "c -> 3 SELECT Drafts\nc <* ^3 OK\n"
               "c -> 4 FETCH * BODY.PEEK[]\nc <~ FETCH .BODY\\[\\] .22.\n"
               "c <- A: 1\nc <- \nc <- .\nc <- b\nc <- .\nc <- \nc <- c\nc <- )\nc <~ ^4 OK\nc close\n",
               cut);
}

TEST(catalogue, W4_imap_starttls_with_a_tail)
{
    for (std::string_view const tail : {"b LOGIN x y\r\n", "b", "\r\n"}) {
        rig r{strict()};
        wire_client peer{r, "c"};
        greeted(peer);
        EXPECT_EQ(peer.say("a STARTTLS\r\n" + std::string{tail}), "") << tail;  // not even OK: nothing said in clear is answered under TLS
        EXPECT_TRUE(peer.closed());
    }
}

TEST(catalogue, W4_imap_state_is_forgotten_after_starttls)
{
    rig r{strict()};
    r.talk(R"(c <~ LOGINDISABLED
c -> 1 ID ("name" "before")
c <~ ^\* ID
c <~ ^1 OK
c -> 2 STARTTLS
c <- 2 OK begin TLS
c tls
c -> 3 NOOP
c <- 3 OK NOOP completed
)");
    // A TLS hello instead of a command after STARTTLS was refused a context: octets in clear after OK end the handshake.
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_EQ(peer.say("a STARTTLS\r\n"), "a OK begin TLS\r\n");
}

TEST(catalogue, W6_imap_asks_for_no_secret_in_clear)
{
    for (std::string const from : {"c", "far"}) {
        rig r{strict()};
        wire_client peer{r, from};
        auto const greeting = greeted(peer);
        EXPECT_TRUE(greeting.contains("LOGINDISABLED")) << greeting;
        EXPECT_FALSE(greeting.contains("AUTH=")) << greeting;
        EXPECT_TRUE(peer.say(login(r)).starts_with("in NO [PRIVACYREQUIRED]"));
        EXPECT_TRUE(peer.say("a AUTHENTICATE PLAIN\r\n").starts_with("a NO [PRIVACYREQUIRED]"));
        EXPECT_TRUE(peer.say("a AUTHENTICATE PLAIN " + r.variables["alice_plain"] + "\r\n").starts_with("a NO [PRIVACYREQUIRED]"));
    }
    // The demo's --cleartext is for this machine alone.
    rig r;
    wire_client far{r, "far"};
    EXPECT_TRUE(greeted(far).contains("LOGINDISABLED"));
    EXPECT_TRUE(far.say(login(r)).starts_with("in NO [PRIVACYREQUIRED]"));
    EXPECT_EQ(r.counter("mansio_imap_sign_ins_total"), 0U);
}

TEST(catalogue, W7_imap_closes_on_other_protocols)
{
    for (std::string const said : {"GET / HTTP/1.1\r\nHost: x\r\n", "POST /a1 LOGIN x y\r\n", "CONNECT x:993 HTTP/1.1\r\n", "\x16\x03\x01\x02", "SSH-2.0-x\r\n",
                                   "EHLO x\r\n", "\x80\x2e\x01", "\r\n", "PRI * HTTP/2.0\r\n\r\n", " a NOOP\r\n"})
    {
        rig r;
        wire_client peer{r, "c"};
        greeted(peer);
        EXPECT_EQ(peer.say(said), "") << said;
        EXPECT_TRUE(peer.closed()) << said;
    }
}

TEST(catalogue, W8_imap_nul_and_control_octets)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say("a LOGIN \"x\0y\" z\r\n"sv).starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a LOGIN {3+}\r\nx\0y z\r\n"sv).starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a LO\x1bGIN x y\r\n").starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a LOGIN x\x7f y\r\n").starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a NOOP\r x\r\n").starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a NOOP\n").starts_with("* BYE"));  // a lone LF ends no command
}

TEST(catalogue, A1_only_that_exchange_fails)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    auto const plain = [](std::string_view a, std::string_view b, std::string_view c) {
        return base::to_base64(std::string{a} + '\0' + std::string{b} + '\0' + std::string{c});
    };
    auto const secret = r.variables["alice_secret"];
    std::string const responses[] = {
        "%%%%",
        "AGE",
        "=",
        "*",
        std::string(11'000, 'A'),
        std::string(70'000, 'A'),
        base::to_base64(std::string(100, '\0')),
        plain(std::string_view{"\0", 1}, "alice", secret),
        plain("bob@example.test", "alice@example.test", secret),
        plain("", "", ""),
        plain("", "\xff\xfe", secret),
        plain("", "' OR 1=1 --", "x"),
        plain("", "*)(uid=*", "x"),
        plain("", "%{user}", "x"),
        plain("", "alice@example.test", secret + std::string{"\0x", 2}),
        base::to_base64("no separators"),
    };
    for (auto const& response : responses) {
        wire_client other{r, "c"};
        greeted(other);
        EXPECT_EQ(other.say("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
        auto const answer = other.say(response + "\r\n");
        EXPECT_TRUE(answer.starts_with("a NO [AUTHENTICATIONFAILED]") || answer.starts_with("a BAD")) << response.substr(0, 40) << answer;
        EXPECT_TRUE(other.say(login(r)).starts_with("in OK")) << response.substr(0, 40);
    }
    EXPECT_TRUE(peer.say("a NOOP\r\n").starts_with("a OK"));
}

TEST(catalogue, A2_imap_failures_say_the_same)
{
    rig r;
    auto const secret = r.variables["alice_secret"];
    auto wrong = secret;
    wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
    std::string answer;
    for (auto const& [user, word] : std::vector<std::pair<std::string, std::string>>{{"alice@example.test", wrong},
                                                                                     {"alice@example.test", "password"},
                                                                                     {"alice@example.test", r.variables["bob_secret"]},
                                                                                     {"nobody@example.test", secret},
                                                                                     {"alice@elsewhere.test", secret},
                                                                                     {"", "\"\""}})
    {
        wire_client peer{r, "c"};
        greeted(peer);
        auto const said = peer.say("a LOGIN \"" + user + "\" " + word + "\r\n");
        if (answer.empty()) answer = said;
        EXPECT_EQ(said, answer) << user;
    }
    EXPECT_EQ(answer, "a NO [AUTHENTICATIONFAILED] authentication failed\r\n");
}

TEST(catalogue, I7_mailbox_names)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    for (std::string const name :
         {"../x", "a/../../etc", "a&AC8-b", "&AMA-", "&AGE-", "&APw", "u&Awg-", "\"a//b\"", "/a", "&IC4-x", "&IAs-x", "\"\"", "\"a\tb\"", "a/./b"})
    {
        if (name == "&AMA-") continue;  // À, as it should be
        auto const answer = peer.say("a CREATE " + name + "\r\n");
        EXPECT_TRUE(answer.starts_with("a NO [CANNOT]") || answer.starts_with("a BAD")) << name << " " << answer;
    }
    EXPECT_TRUE(peer.say("a CREATE " + std::string(5000, 'n') + "\r\n").starts_with("a NO [CANNOT]"));
    EXPECT_TRUE(peer.say("a CREATE " + times("d/", 40) + "d\r\n").starts_with("a NO [CANNOT]"));
    for (std::string const name : {"~root", "%00"}) EXPECT_FALSE(peer.say("a CREATE \"" + name + "\"\r\n").empty());
    EXPECT_TRUE(peer.say("a LIST \"\" *\r\n").contains("a OK"));
}

TEST(catalogue, T3_imap_waits_are_bounded)
{
    rig r;
    wire_client silent{r, "c"};
    wire_client slow{r, "c"};
    wire_client idle{r, "c"};
    greeted(silent);
    greeted(slow);
    greeted(idle);
    EXPECT_TRUE(idle.say(login(r)).starts_with("in OK"));
    for (int i = 0; i < 59; ++i) {
        r.loop.run_for(std::chrono::seconds{1});
        if (i % 10 == 0) EXPECT_EQ(slow.say("a"), "");
    }
    EXPECT_FALSE(silent.closed());
    r.loop.run_for(std::chrono::seconds{2});
    EXPECT_TRUE(silent.hear().starts_with("* BYE"));
    EXPECT_TRUE(silent.closed());
    r.loop.run_for(std::chrono::seconds{60});
    EXPECT_TRUE(slow.hear().starts_with("* BYE"));  // an octet now and then does not hold a connection
    EXPECT_TRUE(slow.closed());
    EXPECT_FALSE(idle.closed());
    r.loop.run_for(std::chrono::seconds{1900});
    EXPECT_TRUE(idle.hear().starts_with("* BYE"));
    EXPECT_TRUE(idle.closed());
}

TEST(catalogue, I15_a_client_that_never_reads)
{
    rig_options o;
    o.window = 128U * 1024U;  // about what a socket takes
    rig r{o};
    wire_client deaf{r, "c"};
    wire_client other{r, "c"};
    greeted(deaf);
    greeted(other);
    EXPECT_TRUE(deaf.say(login(r) + "s SELECT INBOX\r\n").contains("s OK"));
    EXPECT_TRUE(other.say(login(r) + "s SELECT INBOX\r\n").contains("s OK"));
    auto const text = "N: 1\r\n\r\n" + times(std::string(76, 'x') + "\r\n", 128);  // 10 KB, a hundred times
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(other.say("p APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n").contains("p OK"));
    EXPECT_TRUE(deaf.say("n NOOP\r\n").contains("* 100 EXISTS"));
    auto const before = r.counter("mansio_store_blob_reads_total");
    // 1 GB is asked for at once. What the window and the one buffer take is read from the store, nothing more.
    deaf.only_say(times("f FETCH 1:* BODY.PEEK[]\r\n", 1000));
    auto const read = r.counter("mansio_store_blob_reads_total") - before;
    EXPECT_GE(read, 1U);
    EXPECT_LE(read * text.size(), 256U * 1024U);
    EXPECT_TRUE(other.say("n NOOP\r\n").contains("n OK"));  // nobody else waits
    r.loop.run_for(std::chrono::seconds{59});
    EXPECT_EQ(r.counter("mansio_imap_timeouts_total"), 0U);
    EXPECT_EQ(r.counter("mansio_store_blob_reads_total") - before, read);
    r.loop.run_for(std::chrono::seconds{2});
    EXPECT_EQ(r.counter("mansio_imap_timeouts_total"), 1U);
    EXPECT_TRUE(deaf.closed());
    EXPECT_TRUE(other.say("n NOOP\r\n").contains("n OK"));
}

TEST(catalogue, I15_a_slow_reader_gets_all)
{
    rig_options o;
    o.window = 1000;
    rig r{o};
    wire_client slow{r, "c"};
    greeted(slow);
    EXPECT_TRUE(slow.say(login(r) + "s SELECT INBOX\r\n").contains("s OK"));
    auto const text = "N: 1\r\n\r\n" + times(std::string(76, 'x') + "\r\n", 10'000);
    slow.only_say("p APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n");
    EXPECT_TRUE(slow.hear().contains("p OK"));
    slow.only_say("f FETCH 1 BODY.PEEK[]\r\n");
    std::string heard;
    for (int i = 0; i < 2000 && !heard.ends_with("completed\r\n"); ++i) {  // 20 s of its clock, a thousand octets at a time
        heard += slow.hear();
        r.loop.run_for(std::chrono::milliseconds{10});
    }
    EXPECT_TRUE(heard.ends_with(text + ")\r\nf OK FETCH completed\r\n"));
    EXPECT_EQ(r.counter("mansio_imap_timeouts_total"), 0U);
}

TEST(session, closes_after_too_many_bad_commands_in_a_row)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    for (int i = 0; i < 19; ++i) EXPECT_TRUE(peer.say("a NONSENSE\r\n").starts_with("a BAD"));
    EXPECT_TRUE(peer.say("a NOOP\r\n").starts_with("a OK"));  // not in a row
    for (int i = 0; i < 19; ++i) EXPECT_TRUE(peer.say("a NONSENSE\r\n").starts_with("a BAD"));
    EXPECT_EQ(peer.say("a NONSENSE\r\n"), "a BAD there is no such command\r\n* BYE too many bad commands\r\n");
    EXPECT_TRUE(peer.closed());
}

TEST(session, ends_when_its_app_password_is_revoked)
{
    rig r;
    wire_client peer{r, "c"};
    wire_client idling{r, "c"};
    greeted(peer);
    greeted(idling);
    EXPECT_TRUE(peer.say(login(r)).starts_with("in OK"));
    EXPECT_TRUE(idling.say(login(r)).starts_with("in OK"));
    idling.say("s SELECT INBOX\r\ni IDLE\r\n");
    EXPECT_TRUE(r.loop.run(r.door->revoke_app_password(std::stoull(r.variables["alice_number"]), r.variables["alice_id"])));
    r.loop.run_for(std::chrono::milliseconds{900});
    EXPECT_EQ(peer.hear(), "* BYE this sign-in was revoked\r\n");
    EXPECT_TRUE(peer.closed());
    EXPECT_TRUE(idling.hear().ends_with("* BYE this sign-in was revoked\r\n"));
    EXPECT_TRUE(idling.closed());
}

TEST(session, ends_with_bye_when_the_server_stops)
{
    rig r;
    wire_client peer{r, "c"};
    wire_client idling{r, "c"};
    greeted(peer);
    greeted(idling);
    EXPECT_TRUE(idling.say(login(r)).starts_with("in OK"));
    idling.say("i IDLE\r\n");
    r.loop.run(r.server->stop(r.clock.monotonic() + std::chrono::seconds{5}));
    EXPECT_EQ(peer.hear(), "* BYE the server is going down, come back soon\r\n");
    EXPECT_TRUE(idling.hear().starts_with("* BYE"));
    wire_client late{r, "c"};
    EXPECT_TRUE(late.closed());
}

TEST(session, answers_pipelined_commands_in_order)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    auto const answer = peer.say(login(r) + "1 SELECT INBOX\r\n2 APPEND INBOX {6+}\r\nN: 1\r\n\r\n3 FETCH 1 UID\r\n4 LOGOUT\r\n5 NOOP\r\n");
    EXPECT_LT(answer.find("1 OK"), answer.find("2 OK"));
    EXPECT_LT(answer.find("2 OK"), answer.find("* 1 FETCH (UID 1)"));
    EXPECT_TRUE(answer.ends_with("4 OK LOGOUT completed\r\n")) << answer;
}

TEST(session, answers_before_waiting_for_the_rest_of_the_next_command)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    EXPECT_EQ(peer.say("a NOOP\r\nb NO"), "a OK NOOP completed\r\n");
    EXPECT_EQ(peer.say("OP\r\nc LOGIN {3+}\r\nx"), "b OK NOOP completed\r\n");
    EXPECT_TRUE(peer.say("yz y\r\n" + login(r) + "d APPEND INBOX {6+}\r\nN:").contains("in OK"));
    EXPECT_TRUE(peer.say(" 1\r\n\r\n").starts_with("d OK"));
}

TEST(fetch, of_summaries_opens_no_blob)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    peer.say(login(r) + "1 SELECT INBOX\r\n2 APPEND INBOX {+}\r\n");
    std::string const text = "From: a@b\r\nTo: c@d\r\nSubject: s\r\nDate: Thu, 5 Feb 2026 09:29:00 +0100\r\n\r\nbody\r\n";
    peer.say("3 APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n");
    auto const before = r.counter("mansio_store_blob_reads_total");
    auto answer = peer.say(
        "4 FETCH 1 (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE CC MESSAGE-ID REFERENCES)])\r\n");
    EXPECT_TRUE(answer.contains("Subject: s\r\n")) << answer;
    answer = peer.say("5 SEARCH SUBJECT s FROM a SENTON 5-Feb-2026\r\n");
    EXPECT_TRUE(answer.starts_with("* SEARCH 1\r\n")) << answer;
    EXPECT_EQ(r.counter("mansio_store_blob_reads_total"), before);
    peer.say("6 FETCH 1 BODY.PEEK[TEXT]\r\n");
    EXPECT_EQ(r.counter("mansio_store_blob_reads_total"), before + 1);
}

TEST(fetch, streams_a_large_message)
{
    rig r;
    wire_client peer{r, "c"};
    greeted(peer);
    peer.say(login(r));
    std::string text = "Subject: large\r\n\r\n";
    while (text.size() < 3'000'000) text += std::to_string(text.size()) + " of it\r\n";
    auto answer = peer.say("1 APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n2 SELECT INBOX\r\n");
    EXPECT_TRUE(answer.contains("1 OK [APPENDUID")) << answer.substr(0, 200);
    answer = peer.say("3 FETCH 1 (BODY.PEEK[] UID)\r\n");
    EXPECT_TRUE(answer == "* 1 FETCH (UID 1 BODY[] {" + std::to_string(text.size()) + "}\r\n" + text + ")\r\n3 OK FETCH completed\r\n") << answer.size();
    answer = peer.say("4 FETCH 1 BODY.PEEK[]<1000000.600000>\r\n");
    EXPECT_TRUE(answer.starts_with("* 1 FETCH (BODY[]<1000000> {600000}\r\n" + text.substr(1'000'000, 600'000) + ")\r\n"));
    EXPECT_EQ(r.budget.used(), 0U);
}

TEST(catalogue, I6_compression_begins_after_sign_in_once_and_with_nothing_said_behind_it)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("1 COMPRESS DEFLATE\r\n"), "1 BAD sign in first\r\n");
    c.say("2 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
    EXPECT_EQ(c.say("3 COMPRESS DEFLATE\r\n4 NOOP\r\n"), "3 BAD wait for the answer before going on\r\n4 OK NOOP completed\r\n");
}

}  // namespace
}  // namespace mansio::imap::test
