#include "smtp/client/relay.hpp"

#include <gtest/gtest.h>

#include "net/stream.hpp"
#include "smtp/client/dot_stuffer.hpp"
#include "smtp/client/reply.hpp"

using namespace mansio;
using namespace mansio::smtp::client;
using namespace std::chrono_literals;
using queue::outcome;

namespace {

/// What a server at one address does: each line it gets is answered by the next rule whose prefix fits.
struct server_script {
    std::string greeting = "220 mx ESMTP\r\n";
    std::map<std::string, std::string> answers{{"EHLO", "250-mx\r\n250-SIZE 100000\r\n250 8BITMIME\r\n"},
                                               {"MAIL", "250 ok\r\n"},
                                               {"RCPT", "250 ok\r\n"},
                                               {"DATA", "354 go on\r\n"},
                                               {"BDAT", "250 2.0.0 queued\r\n"},
                                               {".", "250 2.0.0 queued\r\n"},
                                               {"QUIT", "221 bye\r\n"}};
    bool refuse_connection = false, silent = false;
    std::string hang_up_after;  ///< closes when it got this
    std::string heard;          ///< everything it was told
    int connections = 0;
};

task<void> serve(std::unique_ptr<net::stream> s, server_script& script, base::executor& loop)
{
    net::buffered_stream io{std::move(s)};
    auto const soon = [&] { return loop.clock().monotonic() + 24h; };
    if (!script.silent) io.put(script.greeting);
    auto const greeted = co_await io.flush(soon());
    bool in_data = false, open = greeted.has_value();
    while (open) {
        auto const line = co_await io.read_line(100'000, soon());
        if (!line) break;
        script.heard += line->text + "\n";
        auto const verb = in_data ? (line->text == "." ? std::string{"."} : std::string{}) : line->text.substr(0, 4);
        if (!script.hang_up_after.empty() && line->text.starts_with(script.hang_up_after)) break;
        if (verb.empty() || script.silent) continue;
        auto const it = script.answers.find(verb);
        auto const answer = it == script.answers.end() ? std::string{"500 what\r\n"} : it->second;
        in_data = verb == "DATA" ? answer.starts_with("354") : false;
        if (verb == "BDAT") {
            auto chunk = std::stoul(line->text.substr(5));
            while (chunk > 0) {
                auto const octets = co_await io.read_chunk(chunk, soon());
                if (!octets || octets->empty()) break;
                script.heard += *octets;
                chunk -= octets->size();
            }
        }
        io.put(answer);
        if (!io.has_unread()) {
            auto const sent = co_await io.flush(soon());
            open = sent.has_value();
        }
        if (verb == "QUIT") break;
    }
    co_await io.raw().finish();
}

class scripted_dialer final : public dialer {
public:
    explicit scripted_dialer(base::executor& loop) : loop_(loop), group(loop) {}
    std::map<std::string, server_script> servers;  ///< by address text
    std::vector<std::string> dialled;
    task<result<std::unique_ptr<net::stream>>> connect(net::endpoint to, base::monotonic_time) override
    {
        dialled.push_back(to.address.text());
        auto it = servers.find(to.address.text());
        if (it == servers.end() || it->second.refuse_connection) co_return fail(fault::kind::try_later, "connection refused");
        ++it->second.connections;
        auto pair = net::make_memory_pair(loop_, {5, {}, false});
        group.spawn(serve(std::move(pair.server), it->second, loop_));
        co_return std::move(pair.client);
    }

private:
    base::executor& loop_;

public:
    base::task_group group;
};

class text_message final : public queue::message_source {
public:
    explicit text_message(std::string t) : text(std::move(t)) {}
    std::uint64_t size() const noexcept override { return text.size(); }
    task<result<std::string>> read(std::uint64_t offset, std::uint64_t length) override
    {
        if (offset >= text.size()) co_return std::string{};
        co_return text.substr(offset, std::min<std::uint64_t>(length, 11));
    }
    std::string text;
};

net::dns_answer<net::mx_record> mx(std::vector<net::mx_record> records, net::dns_status status = net::dns_status::found)
{
    net::dns_answer<net::mx_record> a;
    a.status = status;
    a.records = std::move(records);
    return a;
}
net::dns_answer<net::ip_address> at(std::vector<std::string> const& addresses, net::dns_status status = net::dns_status::found)
{
    net::dns_answer<net::ip_address> a;
    a.status = status;
    for (auto const& t : addresses) a.records.push_back(*net::ip_address::parse(t));
    return a;
}

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::metrics metrics;
    base::limits limits;
    net::scripted_resolver dns;
    net::egress_gate gate{{}};
    scripted_dialer dial{loop};
    std::unique_ptr<net::tls_client_context> tls = std::move(*net::tls_client_context::make(""));
    relay_options options{"mail.ours.test", 25, "", {*net::ip_address::parse("8.8.4.4")}};
    text_message message{"Subject: x\r\n\r\n.dot\r\nhello\r\n"};

    queue::requests asked;
    std::vector<queue::notify> notify;  ///< of the recipients, in order
    std::vector<outcome> send(std::vector<std::string> to, std::string sender = "a@ours.test", bool utf8 = false)
    {
        relay r{dns, gate, dial, *tls, limits, random, base::null_log(), metrics, options};
        queue::envelope e;
        e.sender = std::move(sender);
        e.smtputf8 = utf8;
        e.asked = asked;
        std::vector<std::size_t> which;
        for (auto& address : to) {
            queue::recipient q;
            q.address = std::move(address);
            if (e.recipients.size() < notify.size()) q.wanted = notify[e.recipients.size()];
            which.push_back(e.recipients.size());
            e.recipients.push_back(std::move(q));
        }
        auto out = loop.run(r.deliver(e, which, message));
        loop.run(dial.group.join());
        return out;
    }
    /// example.org → mx1 (8.8.8.1), mx2 (8.8.8.2)
    void two_servers()
    {
        dns.set_mx("example.org", mx({{20, "mx2.example.org"}, {10, "mx1.example.org"}}));
        dns.set_addresses("mx1.example.org", at({"8.8.8.1"}));
        dns.set_addresses("mx2.example.org", at({"8.8.8.2"}));
        dial.servers["8.8.8.1"];
        dial.servers["8.8.8.2"];
    }
};
}  // namespace

TEST(relay, says_the_transaction_and_stuffs_dots)
{
    world w;
    w.two_servers();
    auto const out = w.send({"b@example.org", "c@example.org"});
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].what, outcome::kind::delivered);
    EXPECT_EQ(out[0].status, "2.0.0");
    EXPECT_EQ(out[0].host, "mx1.example.org");
    EXPECT_EQ(
        w.dial.servers["8.8.8.1"].heard,
        "EHLO mail.ours.test\nMAIL FROM:<a@ours.test> SIZE=27\nRCPT TO:<b@example.org>\nRCPT TO:<c@example.org>\nDATA\nSubject: x\n\n..dot\nhello\n.\nQUIT\n");
    EXPECT_EQ(w.dial.servers["8.8.8.2"].connections, 0);
}

TEST(relay, pipelines_where_offered)
{
    world w;
    w.two_servers();
    auto& s = w.dial.servers["8.8.8.1"];
    s.answers["EHLO"] = "250-mx\r\n250 PIPELINING\r\n";
    s.answers["RCPT"] = "550 5.1.1 no\r\n";
    auto const out = w.send({"b@example.org"});
    EXPECT_EQ(out[0].what, outcome::kind::never);
    EXPECT_EQ(out[0].status, "5.1.1");
    // RFC 2920 §3.1: DATA was answered 354 all the same, so an empty message ends it.
    EXPECT_EQ(s.heard, "EHLO mail.ours.test\nMAIL FROM:<a@ours.test>\nRCPT TO:<b@example.org>\nDATA\n.\nQUIT\n");
}

TEST(relay, takes_the_next_server_when_the_first_is_dead)
{
    for (auto const how : {0, 1, 2, 3}) {
        world w;
        w.two_servers();
        auto& first = w.dial.servers["8.8.8.1"];
        first.refuse_connection = how == 0;
        if (how == 1) first.greeting = "421 not now\r\n";
        if (how == 2) first.hang_up_after = "EHLO";
        first.silent = how == 3;
        auto const out = w.send({"b@example.org"});
        EXPECT_EQ(out[0].what, outcome::kind::delivered) << how;
        EXPECT_EQ(out[0].host, "mx2.example.org") << how;
    }
}

TEST(relay, what_is_said_about_the_mail_itself_is_final_for_this_attempt)
{
    struct {
        char const* verb;
        char const* answer;
        outcome::kind want;
        char const* status;
    } const cases[] = {
        {"MAIL", "451 4.7.1 greylisted\r\n", outcome::kind::later, "4.7.1"},
        {"MAIL", "550 go away\r\n", outcome::kind::never, "5.0.0"},
        {"RCPT", "450 busy\r\n", outcome::kind::later, "4.0.0"},
        {"RCPT", "550-5.1.1 first\r\n550 5.1.1 second\r\n", outcome::kind::never, "5.1.1"},
        {"DATA", "452 4.3.1 full\r\n", outcome::kind::later, "4.3.1"},
        {".", "554 5.7.1 spam\r\n", outcome::kind::never, "5.7.1"},
        {".", "451 4.3.0 later\r\n", outcome::kind::later, "4.3.0"},
        {".", "250 2.6.0 ok\r\n", outcome::kind::delivered, "2.6.0"},
        {".", "250 5.1.1 a code that disagrees\r\n", outcome::kind::delivered, "2.0.0"},
    };
    for (auto const& c : cases) {
        world w;
        w.two_servers();
        w.dial.servers["8.8.8.1"].answers[c.verb] = c.answer;
        auto const out = w.send({"b@example.org"});
        EXPECT_EQ(out[0].what, c.want) << c.verb << c.answer;
        EXPECT_EQ(out[0].status, c.status) << c.verb << c.answer;
        EXPECT_EQ(w.dial.servers["8.8.8.2"].connections, 0) << c.verb << c.answer;
    }
}

TEST(relay, a_connection_lost_after_the_final_dot_means_later_never_delivered)
{
    world w;
    w.two_servers();
    w.dial.servers["8.8.8.1"].hang_up_after = ".";
    auto const out = w.send({"b@example.org"});
    EXPECT_EQ(out[0].what, outcome::kind::later);
    EXPECT_EQ(w.dial.servers["8.8.8.2"].connections, 0) << "it may have been taken: not offered to another at once";
}

TEST(relay, routes_by_what_the_dns_says)
{
    struct {
        char const* domain;
        outcome::kind want;
        char const* status;
    } const cases[] = {
        {"nowhere.test", outcome::kind::never, "5.1.2"},      {"servfail.test", outcome::kind::later, "4.4.3"},
        {"null.test", outcome::kind::never, "5.1.10"},        {"self.test", outcome::kind::never, "5.4.6"},
        {"noaddress.test", outcome::kind::never, "5.4.4"},    {"mxfails.test", outcome::kind::later, "4.4.3"},
        {"implicit.test", outcome::kind::delivered, "2.0.0"}, {"[8.8.8.1]", outcome::kind::delivered, "2.0.0"},
        {"[8.8.4.4]", outcome::kind::never, "5.4.6"},         {"[127.0.0.1]", outcome::kind::never, "5.4.4"},
    };
    for (auto const& c : cases) {
        world w;
        w.two_servers();
        w.dns.set_mx("servfail.test", mx({}, net::dns_status::failed));
        w.dns.set_mx("null.test", mx({{0, ""}}));
        w.dns.set_mx("self.test", mx({{10, "MAIL.ours.test"}, {20, "mx1.example.org"}}));
        w.dns.set_mx("noaddress.test", mx({{10, "gone.example.org"}}));
        w.dns.set_mx("mxfails.test", mx({{10, "slow.example.org"}}));
        w.dns.set_addresses("slow.example.org", at({}, net::dns_status::failed));
        w.dns.set_mx("implicit.test", mx({}, net::dns_status::no_data));
        w.dns.set_addresses("implicit.test", at({"8.8.8.2"}));
        auto const out = w.send({std::string{"b@"} + c.domain});
        EXPECT_EQ(out[0].what, c.want) << c.domain << ": " << out[0].reply;
        EXPECT_EQ(out[0].status, c.status) << c.domain;
    }
}

// trust.md R5: never to an address that is not global, nor to ourselves; at most five addresses, two conversations.
TEST(catalogue, R5_targets_that_are_not_public)
{
    for (auto const* bad :
         {"127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "100.64.0.1"})
    {
        world w;
        w.dns.set_mx("evil.test", mx({{10, "mx.evil.test"}}));
        w.dns.set_addresses("mx.evil.test", at({bad}));
        auto const out = w.send({"b@evil.test"});
        EXPECT_EQ(out[0].what, outcome::kind::never) << bad;
        EXPECT_EQ(out[0].status, "5.4.4") << bad;
        EXPECT_TRUE(w.dial.dialled.empty()) << bad;
    }
    world own;
    own.dns.set_mx("loop.test", mx({{10, "mx.loop.test"}}));
    own.dns.set_addresses("mx.loop.test", at({"8.8.4.4"}));
    EXPECT_EQ(own.send({"b@loop.test"})[0].status, "5.4.6");
    EXPECT_TRUE(own.dial.dialled.empty());
}

TEST(catalogue, R5_sixty_four_servers)
{
    world w;
    std::vector<net::mx_record> many;
    for (std::uint16_t i = 0; i < 64; ++i) {
        auto const name = "mx" + std::to_string(i) + ".many.test";
        many.push_back({i, name});
        w.dns.set_addresses(name, at({"8.8.9." + std::to_string(i + 1)}));
    }
    w.dns.set_mx("many.test", mx(many));
    EXPECT_EQ(w.send({"b@many.test"})[0].what, outcome::kind::later);
    EXPECT_EQ(w.dial.dialled.size(), 5U);
    w.dial.dialled.clear();
    for (int i = 0; i < 64; ++i) w.dial.servers["8.8.9." + std::to_string(i + 1)].greeting = "421 busy\r\n";
    EXPECT_EQ(w.send({"b@many.test"})[0].what, outcome::kind::later);
    EXPECT_EQ(w.dial.dialled.size(), 2U);
}

TEST(relay, refuses_what_the_other_side_cannot_take)
{
    world w;
    w.two_servers();
    EXPECT_EQ(w.send({"b@example.org"}, "ä@ours.test", true)[0].status, "5.6.7");
    w.message.text.append(200'000, 'x');
    EXPECT_EQ(w.send({"b@example.org"})[0].status, "5.3.4");
}

TEST(relay, bounds_what_it_listens_to)
{
    for (auto const& greeting : {std::string(100'000, 'x') + "\r\n", [] {
                                     std::string endless;
                                     for (int i = 0; i < 10'000; ++i) endless += "220-more\r\n";
                                     return endless;
                                 }()})
    {
        world w;
        w.two_servers();
        w.dial.servers["8.8.8.1"].greeting = greeting;
        auto const out = w.send({"b@example.org"});
        EXPECT_EQ(out[0].host, "mx2.example.org");
    }
}

TEST(relay, falls_back_to_helo)
{
    world w;
    w.two_servers();
    auto& s = w.dial.servers["8.8.8.1"];
    s.answers["EHLO"] = "502 what\r\n";
    s.answers["HELO"] = "250 mx\r\n";
    EXPECT_EQ(w.send({"b@example.org"}, "")[0].what, outcome::kind::delivered);
    EXPECT_NE(s.heard.find("MAIL FROM:<>\n"), std::string::npos);
}

TEST(dot_stuffer, does_not_depend_on_where_it_is_cut)
{
    struct {
        std::string_view in, want;
    } const cases[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {".a\r\n..b\r\n", "..a\r\n...b\r\n.\r\n"},
        {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\n.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"},
        {"a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\r\n.\r\r\n", "a\r\n\r\n..\r\n\r\n.\r\n"},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut <= c.in.size(); ++cut) {
            dot_stuffer s;
            std::string out;
            s.feed(c.in.substr(0, cut), out);
            s.feed(c.in.substr(cut), out);
            s.finish(out);
            EXPECT_EQ(out, c.want) << c.in << " cut at " << cut;
        }
}

TEST(reply_parser, table)
{
    struct {
        std::vector<std::string_view> lines;
        std::string want;
    } const cases[] = {
        {{"250 ok"}, "250|ok|"},
        {{"250"}, "250||"},
        {{"250-a", "250 b"}, "250|a b|"},
        {{"550 5.1.1 no"}, "550|5.1.1 no|5.1.1"},
        {{"550 5.1.1234 no"}, "550|5.1.1234 no|5.1.1234"},
        {{"550 5.1. no"}, "550|5.1. no|"},
        {{"550-x", "551 y"}, "!syntax"},
        {{"hello"}, "!syntax"},
        {{"25 x"}, "!syntax"},
        {{"250x"}, "!syntax"},
        {{"150 x"}, "!syntax"},
    };
    for (auto const& c : cases) {
        reply_parser p{8192};
        std::string got;
        for (auto const l : c.lines) {
            auto const r = p.feed(l);
            if (!r)
                got = std::string{"!"} + base::name_of(r.error().what);
            else if (*r) {
                got = std::to_string((*r)->code) + "|";
                for (std::size_t i = 0; i < (*r)->lines.size(); ++i) got += (i == 0 ? "" : " ") + (*r)->lines[i];
                got += "|" + (*r)->status;
            }
        }
        EXPECT_EQ(got, c.want) << c.lines.front();
    }
}

TEST(relay_extensions, dsn_is_passed_on_or_not)
{
    for (bool const offered : {true, false})
        for (bool const pipelined : {true, false}) {
            world w;
            w.two_servers();
            auto& s = w.dial.servers["8.8.8.1"];
            s.answers["EHLO"] = "250-mx\r\n" + std::string{offered ? "250-DSN\r\n" : ""} + (pipelined ? "250-PIPELINING\r\n" : "") + "250 HELP\r\n";
            w.asked.envelope_id = "QQ1";
            w.asked.content = queue::returned::full;
            w.notify = {{true, true, false, false}};
            auto const out = w.send({"b@example.org", "c@example.org"});
            ASSERT_EQ(out.size(), 2U);
            EXPECT_EQ(out[0].dsn_passed_on, offered);
            std::string const envelope = offered
                                             ? "MAIL FROM:<a@ours.test> RET=FULL ENVID=QQ1\nRCPT TO:<b@example.org> NOTIFY=SUCCESS\nRCPT TO:<c@example.org>\n"
                                             : "MAIL FROM:<a@ours.test>\nRCPT TO:<b@example.org>\nRCPT TO:<c@example.org>\n";
            EXPECT_NE(s.heard.find(envelope), std::string::npos) << s.heard;
        }
}

TEST(relay_extensions, binary_goes_by_bdat_or_comes_back)
{
    for (bool const offered : {true, false}) {
        world w;
        w.two_servers();
        auto& s = w.dial.servers["8.8.8.1"];
        s.answers["EHLO"] = offered ? "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 BINARYMIME\r\n" : "250-mx\r\n250 CHUNKING\r\n";
        w.asked.binary = true;
        w.message.text = std::string{"A: b\r\n\r\n.\0\r\n\n", 13};
        auto const out = w.send({"b@example.org"});
        ASSERT_EQ(out.size(), 1U);
        EXPECT_EQ(out[0].status, offered ? "2.0.0" : "5.6.3");
        EXPECT_EQ(s.heard.find("DATA"), std::string::npos) << s.heard;
        EXPECT_EQ(s.heard.find("BDAT 13 LAST\n" + w.message.text) != std::string::npos, offered) << s.heard;
    }
}

TEST(relay_extensions, times_are_counted_down_at_mail)
{
    world w;
    w.two_servers();
    auto& s = w.dial.servers["8.8.8.1"];
    s.answers["EHLO"] = "250-mx\r\n250 DELIVERBY 240\r\n";
    w.asked.by = {queue::deliver_by::mode::give_back, false, 300s};
    auto out = w.send({"b@example.org"});
    EXPECT_TRUE(out[0].by_passed_on);
    EXPECT_NE(s.heard.find("MAIL FROM:<a@ours.test> BY=300;R\n"), std::string::npos) << s.heard;
    w.asked.by.within = 239s;
    out = w.send({"b@example.org"});
    EXPECT_EQ(out[0].status, "5.3.3");
    EXPECT_EQ(w.dial.servers["8.8.8.2"].connections, 0) << "no other is looked for (RFC 2852 §7)";
}
