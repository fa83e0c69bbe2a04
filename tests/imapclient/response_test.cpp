// Answers as values: a table of what servers say, and of what they must not.
#include <gtest/gtest.h>

#include "imapclient/response.hpp"

using namespace mansio;
using namespace mansio::imapclient;

namespace {
constexpr unsigned depth = 16;
response good(std::string_view octets)
{
    auto r = parse_response(octets, depth);
    EXPECT_TRUE(r) << octets << ": " << (r ? "" : base::describe(r.error()));
    return r ? std::move(*r) : response{};
}
}  // namespace

TEST(imapclient_response, conditions_and_codes)
{
    auto const ok = good("m1 OK [APPENDUID 38505 3955] APPEND completed");
    EXPECT_EQ(ok.what, response::kind::tagged);
    EXPECT_EQ(ok.tag, "m1");
    EXPECT_TRUE(ok.ok());
    EXPECT_EQ(ok.code, "APPENDUID");
    EXPECT_EQ(ok.code_argument, "38505 3955");
    EXPECT_EQ(ok.text, "APPEND completed");
    auto const no = good("m2 no [nonexistent] no such mailbox");
    EXPECT_EQ(no.name, "NO");
    EXPECT_EQ(no.code, "NONEXISTENT");
    EXPECT_EQ(good("+ idling").what, response::kind::more);
    EXPECT_EQ(good("+").what, response::kind::more);
    EXPECT_EQ(good("* 23 EXISTS").number, 23U);
    EXPECT_EQ(good("* BYE [UNAVAILABLE] later").name, "BYE");
    EXPECT_EQ(good("* CAPABILITY imap4rev1 Idle  AUTH=PLAIN").words, (std::vector<std::string>{"IMAP4REV1", "IDLE", "AUTH=PLAIN"}));
    EXPECT_EQ(good("* XFUTURE (whatever \"it is").name, "XFUTURE") << "names we do not know are passed over";
}

TEST(imapclient_response, fetch)
{
    auto const r = good("* 12 FETCH (FLAGS (\\Seen $Junk \\*) BODYSTRUCTURE ((\"a\" \"(b\" NIL {3}\r\nx)y) \"mixed\") UID 77 "
                        "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 MODSEQ (65402) BODY[HEADER.FIELDS (DATE FROM)]<0> {4}\r\nD: x)");
    ASSERT_TRUE(r.fetch);
    EXPECT_EQ(r.fetch->sequence, 12U);
    EXPECT_EQ(r.fetch->uid, 77U);
    EXPECT_EQ(*r.fetch->flags, (std::vector<std::string>{"\\Seen", "$Junk", "\\*"}));
    EXPECT_EQ(*r.fetch->size, 4286U);
    EXPECT_EQ(r.fetch->modseq, 65402U);
    EXPECT_EQ(r.fetch->internal_date->zone_minutes, -420);
    EXPECT_EQ(*r.fetch->body, "D: x");
    auto const streamed = parse_response("* 1 FETCH (BODY[] {0}\r\n UID 5)", depth, 1234);
    ASSERT_TRUE(streamed && streamed->fetch);
    EXPECT_EQ(*streamed->fetch->streamed, 1234U);
    EXPECT_FALSE(streamed->fetch->body);
    EXPECT_EQ(streamed->fetch->uid, 5U);
    EXPECT_FALSE(good("* 1 FETCH (UID 5 BODY[] NIL)").fetch->body);
    EXPECT_TRUE(good("* 1 FETCH ()").fetch);
}

TEST(imapclient_response, mailboxes)
{
    auto const r = good("* LIST (\\HasNoChildren \\Sent) \".\" \"INBOX.Entw&APw-rfe\"");
    ASSERT_TRUE(r.list);
    EXPECT_EQ(r.list->delimiter, '.');
    EXPECT_EQ(r.list->name, "INBOX.Entwürfe");
    EXPECT_EQ(r.list->raw, "INBOX.Entw&APw-rfe");
    EXPECT_TRUE(r.list->has("\\sent"));
    EXPECT_EQ(good("* LIST () NIL flat").list->delimiter, '\0');
    EXPECT_EQ(good("* LIST () \"/\" {5}\r\na b\"c").list->name, "a b\"c");
    EXPECT_EQ(good("* LSUB () \"\\\\\" A\\\\b").list->delimiter, '\\');
    EXPECT_EQ(good("* LIST () \"/\" \"R&D\"").list->name, "R&D") << "no modified UTF-7: kept as it came";
    EXPECT_EQ(good("* LIST (\\Subscribed) \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))").list->name, "x");
}

TEST(imapclient_response, searches)
{
    EXPECT_EQ(good("* SEARCH 2 84 882").search->numbers.size(), 3U);
    EXPECT_TRUE(good("* SEARCH").search->numbers.empty());
    auto const e = good("* ESEARCH (TAG \"m3\") UID COUNT 3 ALL 1:2,7");
    EXPECT_EQ(*e.search->count, 3U);
    EXPECT_EQ(e.search->numbers, (std::vector<number_range>{{1, 2}, {7, 7}}));
    EXPECT_EQ(good("* VANISHED (EARLIER) 41,43:116").search->numbers, (std::vector<number_range>{{41, 41}, {43, 116}}));
    EXPECT_EQ(good("* STATUS \"a b\" (MESSAGES 3 UIDNEXT 9)").words, (std::vector<std::string>{"MESSAGES", "3", "UIDNEXT", "9"}));
}

TEST(imapclient_response, nonsense_is_an_error_and_nothing_worse)
{
    for (std::string_view const octets : {"",
                                          " ",
                                          "*",
                                          "* ",
                                          "m1",
                                          "m1 MAYBE x",
                                          "* 1 FETCH",
                                          "* 1 FETCH (",
                                          "* 1 FETCH (UID)",
                                          "* 1 FETCH (UID x)",
                                          "* 1 FETCH (UID 99999999999)",
                                          "* 1 FETCH (BODY[] {5}\r\nabc)",
                                          "* 1 FETCH (BODY[] \"abc)",
                                          "* 1 FETCH (X ))",
                                          "* LIST () \"ab\" x",
                                          "* LIST",
                                          "* SEARCH x",
                                          "* SEARCH 5 -1",
                                          "* 99999999999999999999 EXISTS",
                                          "* LIST (a \"/\" x",
                                          "* 1 FETCH (MODSEQ 5)",
                                          "* VANISHED 1:*"})
        EXPECT_FALSE(parse_response(octets, depth)) << octets;
    // Cut anywhere: an answer or an error.
    std::string const whole = "* 12 FETCH (FLAGS (\\Seen) BODYSTRUCTURE ((\"a\" NIL) \"m\") UID 77 BODY[] {3}\r\nabc)";
    for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse_response(std::string_view{whole}.substr(0, n), depth).has_value() && n > 11) << n;
}

TEST(imapclient_response, nesting_has_a_bound)
{
    auto const nested = [](std::size_t n) { return "* 1 FETCH (BODY " + std::string(n, '(') + std::string(n, ')') + ")"; };
    EXPECT_TRUE(parse_response(nested(depth), depth));
    auto const deep = parse_response(nested(depth + 1), depth);
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error().what, fault::kind::over_limit);
    EXPECT_FALSE(parse_response(nested(1'000'000), depth)) << "and never the stack";
}
