// Whole conversations with a server that follows a script, honest or not.
#include <gtest/gtest.h>

#include "scripted_server.hpp"

using namespace mansio;
using namespace mansio::imapclient;
using namespace mansio::imapclient::test;

namespace {
step const hello{"", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+ UIDPLUS IDLE MOVE ESEARCH LIST-EXTENDED SPECIAL-USE] hi\r\n"};
step const old_hello{"", "* OK [CAPABILITY IMAP4rev1] hi\r\n"};

/// Collects messages.
class basket final : public message_taker {
public:
    bool begin(std::uint64_t octets) override
    {
        text.clear();
        return octets < refuse_from;
    }
    result<void> append(std::string_view octets) override
    {
        text += octets;
        return {};
    }
    task<result<void>> done(fetch_data m) override
    {
        got.emplace_back(m.uid, text);
        co_return result<void>{};
    }
    std::uint64_t refuse_from = 1U << 20U;
    std::string text;
    std::vector<std::pair<std::uint32_t, std::string>> got;
};
}  // namespace

TEST(imapclient, signs_in_with_one_line_where_the_server_takes_it)
{
    world w;
    auto c = w.open({hello, {"AUTHENTICATE", "$TAG OK [CAPABILITY IMAP4rev1 MOVE] in\r\n"}});
    ASSERT_TRUE(c) << base::describe(c.error());
    EXPECT_TRUE((*c)->offers("sasl-ir"));
    ASSERT_TRUE(w.run((*c)->login("anna", "secret")));
    ASSERT_EQ(w.lines.size(), 1U);
    EXPECT_EQ(w.lines[0], "m1 AUTHENTICATE PLAIN AGFubmEAc2VjcmV0");
    EXPECT_TRUE((*c)->offers("MOVE"));
    EXPECT_FALSE((*c)->offers("SASL-IR")) << "what is offered after sign-in is what counts";
    w.run((*c)->logout());
}

TEST(imapclient, signs_in_with_login_and_literals_where_it_must)
{
    world w;
    auto c =
        w.open({old_hello, {"LOGIN {4}", "+ go\r\n"}, {"anna {8}", "+ go\r\n"}, {"pass", "m1 OK in\r\n"}, {"CAPABILITY", "* CAPABILITY X\r\n$TAG OK\r\n"}});
    ASSERT_TRUE(c);
    auto const in = w.run((*c)->login("anna", "pass\"wö"));
    EXPECT_TRUE(in) << base::describe(in.error());
    EXPECT_TRUE((*c)->offers("X"));
    w.run((*c)->logout());
}

TEST(imapclient, believes_no_tag_it_never_sent)
{
    world w;
    auto c = w.open({hello, {"SEARCH", "m7 OK done\r\n"}});
    ASSERT_TRUE(c);
    EXPECT_EQ(w.run((*c)->search("ALL")).error().what, fault::kind::syntax);
    (*c)->abort();
}

TEST(imapclient, says_no_password_where_none_is_taken)
{
    world w;
    auto c = w.open({{"", "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n"}});
    ASSERT_TRUE(c);
    EXPECT_FALSE(w.run((*c)->login("anna", "secret")));
    EXPECT_TRUE(w.lines.empty());
    w.run((*c)->logout());
}

TEST(imapclient, tells_what_the_server_said_when_it_refuses)
{
    world w;
    auto c = w.open({hello, {"AUTHENTICATE", "$TAG NO [AUTHENTICATIONFAILED] not \x1b[31m you\r\n"}});
    ASSERT_TRUE(c);
    auto const in = w.run((*c)->login("anna", "wrong"));
    ASSERT_FALSE(in);
    EXPECT_EQ(in.error().what, fault::kind::refused);
    EXPECT_EQ(in.error().detail, "AUTHENTICATIONFAILED");
    EXPECT_EQ(in.error().say.find('\x1b'), std::string::npos) << "a terminal escape goes nowhere";
    w.run((*c)->logout());
}

TEST(imapclient, starttls_then_asks_again)
{
    world w;
    auto c = w.open({{"", "* OK [CAPABILITY IMAP4rev1 STARTTLS XCLEAR] hi\r\n"},
                     {"STARTTLS", "$TAG OK go\r\n", step::also::tls},
                     {"CAPABILITY", "* CAPABILITY IMAP4rev1\r\n$TAG OK\r\n"}},
                    security::starttls);
    ASSERT_TRUE(c) << base::describe(c.error());
    EXPECT_FALSE((*c)->offers("XCLEAR")) << "what was said in clear is forgotten";
    w.run((*c)->logout());
}

TEST(catalogue, W5_imap_client_takes_nothing_from_before_tls)
{
    world w;
    auto c = w.open({{"", "* OK hi\r\n"}, {"STARTTLS", "$TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", step::also::tls}}, security::starttls);
    ASSERT_FALSE(c);
    // No STARTTLS at all, and a refusal: never on in clear.
    world v;
    EXPECT_FALSE(v.open({{"", "* OK hi\r\n"}, {"STARTTLS", "$TAG NO not today\r\n"}}, security::starttls));
}

TEST(catalogue, R8_hostile_imap_server)
{
    struct {
        std::string greeting;
        fault::kind what;
    } const cases[] = {
        {"* PREAUTH you are root\r\n", fault::kind::refused},
        {"* BYE go away\r\n", fault::kind::closed},
        {"HTTP/1.1 400 Bad Request\r\n", fault::kind::syntax},
        {"* OK hi\n", fault::kind::syntax},
        {"* OK a\rb\r\n", fault::kind::syntax},
        {std::string(70'000, 'x'), fault::kind::over_limit},
        {"* OK {9223372036854775807}\r\n", fault::kind::over_limit},
        {"* OK {99999999999999999999999}\r\n", fault::kind::over_limit},
        {"", fault::kind::timeout},
    };
    for (auto const& c : cases) {
        world w;
        w.limits.line = 65'536;
        auto const opened = w.open({{"", c.greeting}});
        ASSERT_FALSE(opened) << c.greeting.substr(0, 60);
        EXPECT_EQ(opened.error().what, c.what) << c.greeting.substr(0, 60) << ": " << base::describe(opened.error());
    }
}

TEST(catalogue, R8_answers_without_end)
{
    world w;
    w.limits.responses = 100;
    std::string many;
    for (int i = 0; i < 200; ++i) many += "* " + std::to_string(i) + " EXISTS\r\n";
    auto c = w.open({hello, {"SEARCH", many}});
    ASSERT_TRUE(c);
    auto const found = w.run((*c)->search("ALL"));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().what, fault::kind::over_limit);
    (*c)->abort();

    world v;
    v.limits.literals = 10;
    std::string literals = "* LIST () \"/\" ";
    for (int i = 0; i < 20; ++i) literals += "{1}\r\nx";
    auto d = v.open({hello, {"LIST", literals + "\r\n"}});
    ASSERT_TRUE(d);
    EXPECT_EQ(v.run((*d)->list()).error().what, fault::kind::over_limit);
    (*d)->abort();
}

TEST(imapclient, a_message_goes_to_its_sink_whatever_the_cut)
{
    std::string const body = "Subject: x\r\n\r\n) {3}\r\nm2 OK forged\r\n";
    auto const answer = "* 1 FETCH (UID 7 BODY[] {" + std::to_string(body.size()) + "}\r\n" + body + ")\r\n* 2 FETCH (FLAGS (\\Seen))\r\n" +
                        "* 3 FETCH (BODY[] {" + std::to_string(body.size()) + "}\r\n" + body + " UID 9)\r\n* 4 FETCH (UID 10 BODY[] \"\")\r\n$TAG OK done\r\n";
    for (std::size_t const cut : {1U, 2U, 3U, 7U, 64U, 1U << 20U}) {
        world w;
        auto c = w.open({hello, {"FETCH", answer}}, security::none, cut);
        ASSERT_TRUE(c);
        basket b;
        auto const done = w.run((*c)->fetch_messages({{7, 9}}, b));
        ASSERT_TRUE(done) << cut << ": " << base::describe(done.error());
        EXPECT_EQ(b.got, (std::vector<std::pair<std::uint32_t, std::string>>{{7, body}, {9, body}, {10, ""}})) << cut;
        EXPECT_EQ(w.lines[0], "m1 UID FETCH 7:9 (UID BODY.PEEK[])");
        w.run((*c)->logout());
    }
}

TEST(imapclient, a_message_nobody_wants_is_read_past)
{
    world w;
    auto c = w.open({hello, {"FETCH", "* 1 FETCH (UID 7 BODY[] {200000}\r\n" + std::string(200'000, 'x') + ")\r\n$TAG OK done\r\n"}});
    ASSERT_TRUE(c);
    basket b;
    b.refuse_from = 1000;
    ASSERT_TRUE(w.run((*c)->fetch_messages({{7, 7}}, b)));
    EXPECT_EQ(b.got.size(), 1U);
    EXPECT_TRUE(b.text.empty());
    w.run((*c)->logout());
}

TEST(imapclient, lists_selects_and_searches)
{
    world w;
    auto c = w.open({hello,
                     {"LIST", "* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\r\n* LIST (\\Sent) \"/\" \"Sent Items\"\r\n$TAG OK\r\n"},
                     {"EXAMINE", "* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1700000000] x\r\n* OK [UIDNEXT 12] x\r\n$TAG OK [READ-ONLY] x\r\n"},
                     {"UID FETCH", "* 2 FETCH (UID 9 FLAGS (\\Seen a) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 10)\r\n"
                                   "* 1 FETCH (UID 4 FLAGS () RFC822.SIZE 7)\r\n* 3 FETCH (FLAGS (\\Seen))\r\n$TAG OK\r\n"},
                     {"SEARCH", "* ESEARCH (TAG \"x\") UID ALL 4,9:10\r\n$TAG OK\r\n"}});
    ASSERT_TRUE(c);
    auto const all = w.run((*c)->list());
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 2U);
    EXPECT_TRUE((*all)[0].has("\\subscribed"));
    auto const in = w.run((*c)->select((*all)[1].raw, true));
    ASSERT_TRUE(in);
    EXPECT_EQ(w.lines[1], "m2 EXAMINE \"Sent Items\"");
    EXPECT_EQ(in->exists, 3U);
    EXPECT_EQ(in->uid_validity, 1700000000U);
    EXPECT_EQ(in->uid_next, 12U);
    EXPECT_TRUE(in->read_only);
    auto const facts = w.run((*c)->fetch_facts(1, 10));
    ASSERT_TRUE(facts);
    ASSERT_EQ(facts->size(), 2U);
    EXPECT_EQ((*facts)[0].uid, 4U);
    EXPECT_EQ(*w.run((*c)->search("UNSEEN")), (std::vector<std::uint32_t>{4, 9, 10}));
    w.run((*c)->logout());
}

TEST(imapclient, stores_appends_and_moves)
{
    world w;
    auto c = w.open({hello,
                     {"STORE", "$TAG OK\r\n"},
                     {"APPEND", ""},
                     {"body", ""},
                     {"", "m2 OK [APPENDUID 5 77] done\r\n"},
                     {"MOVE", "* OK [COPYUID 5 1:2 8:9] x\r\n* 1 EXPUNGE\r\n$TAG OK\r\n"}});
    ASSERT_TRUE(c);
    ASSERT_TRUE(w.run((*c)->store_flags({{1, 2}, {5, 5}}, '+', {"\\Seen", "x"})));
    EXPECT_EQ(w.lines[0], "m1 UID STORE 1:2,5 +FLAGS.SILENT (\\Seen x)");
    auto const put = w.run((*c)->append("INBOX", {"\\Seen"}, mime::date_time{0, 0}, "a: b\r\n\r\nbody\r\n"));
    ASSERT_TRUE(put) << base::describe(put.error());
    EXPECT_EQ(put->uid, 77U);
    EXPECT_EQ(put->uid_validity, 5U);
    EXPECT_EQ(w.lines[1], "m2 APPEND \"INBOX\" (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {14+}");
    ASSERT_TRUE(w.run((*c)->move({{1, 2}}, "Trash")));
    w.run((*c)->logout());
}

TEST(imapclient, idles_until_there_is_news_or_the_deadline)
{
    world w;
    auto c = w.open({hello, {"IDLE", "+ idling\r\n* 5 EXISTS\r\n"}, {"DONE", "m1 OK\r\n"}, {"IDLE", "+ idling\r\n"}, {"DONE", "m2 OK\r\n"}});
    ASSERT_TRUE(c);
    auto const news = w.run((*c)->idle(w.clock.monotonic() + std::chrono::minutes{29}));
    ASSERT_TRUE(news) << base::describe(news.error());
    EXPECT_TRUE(*news);
    auto const none = w.run((*c)->idle(w.clock.monotonic() + std::chrono::minutes{29}));
    ASSERT_TRUE(none) << base::describe(none.error());
    EXPECT_FALSE(*none);
    w.run((*c)->logout());
}

TEST(imapclient, ranges)
{
    EXPECT_EQ(ranges_text(ranges_of({5, 1, 2, 3, 3, 9})), "1:3,5,9");
    EXPECT_EQ(ranges_text({}), "");
}
