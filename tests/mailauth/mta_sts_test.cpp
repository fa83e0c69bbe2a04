#include "mailauth/mta_sts.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::mailauth;
using mode = sts_policy::mode;

TEST(mta_sts, the_record_that_announces_a_policy)
{
    using records = std::vector<std::string>;
    std::string const none = "-";
    struct {
        records txt;
        std::string id;
    } const cases[] = {
        {{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},  // RFC 8461 §3.1
        {{"v=STSv1;id=1"}, "1"},
        {{"v=STSv1 ;\tid=1 ; "}, "1"},
        {{"v=STSv1; id=1; x-more_1.a=what/ever"}, "1"},
        {{"v=STSv1; x=y; id=1"}, "1"},
        {{"v=STSv1; id=1; id=2"}, "1"},  // §3.2: the first counts
        {{"v=spf1 -all", "v=STSv1; id=1;", "v=STSv2; id=2"}, "1"},
        {{"v=STSv1; id=12345678901234567890123456789012;"}, "12345678901234567890123456789012"},
        {{"v=STSv1; id=123456789012345678901234567890123;"}, none},
        {{"v=STSv1; id=1;", "v=STSv1; id=1;"}, none},  // two of them announce nothing
        {{"v=STSv1; id=1;", "v=STSv1; broken"}, none},
        {{}, none},
        {{""}, none},
        {{"v=STSv1"}, none},
        {{"v=STSv1;"}, none},
        {{"v=STSv12; id=1;"}, none},
        {{"V=STSv1; id=1;"}, none},
        {{" v=STSv1; id=1;"}, none},
        {{"v=STSv1; ID=1;"}, none},
        {{"v=STSv1; id=;"}, none},
        {{"v=STSv1; id=a-b;"}, none},
        {{"v=STSv1; id = 1;"}, none},
        {{"v=STSv1;; id=1;"}, none},
        {{"v=STSv1; id=1;;"}, none},
        {{"v=STSv1; id=1; novalue"}, none},
        {{"v=STSv1; id=1; -x=y"}, none},
        {{"v=STSv1; id=1; x=a b"}, none},
        {{"v=STSv1; id=1; x=\xc3\xa4"}, none},
    };
    for (auto const& c : cases) EXPECT_EQ(sts_id_of(c.txt).value_or(none), c.id) << (c.txt.empty() ? "" : c.txt.front());
    std::string const whole = "v=STSv1; id=20160831085700Z;";
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        auto const id = sts_id_of({whole.substr(0, cut)});
        EXPECT_TRUE(!id || std::string{"20160831085700Z"}.starts_with(*id)) << cut;
    }
}

namespace {
constexpr std::string_view example =
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";
}

TEST(mta_sts, the_policy_of_the_rfc)
{
    auto const p = read_sts_policy(example);
    ASSERT_TRUE(p) << describe(p.error());
    EXPECT_EQ(p->what, mode::enforce);
    EXPECT_EQ(p->mx, (std::vector<std::string>{"mail.example.com", "*.example.net", "backupmx.example.com"}));
    EXPECT_EQ(p->max_age, std::chrono::seconds{604800});
    EXPECT_EQ(p->lines.size(), 6U);
    EXPECT_EQ(p->lines.front(), "version: STSv1");
    // A policy that is cut is none, unless the cut falls into the last number.
    auto const age = example.find("max_age: ") + 9;
    for (std::size_t cut = 0; cut < example.size(); ++cut) EXPECT_EQ(read_sts_policy(example.substr(0, cut)).has_value(), cut > age) << cut;
}

TEST(mta_sts, policies)
{
    struct {
        char const* what;
        std::string text;
        bool good;
        mode want = mode::none;
        long max_age = 0;
        std::size_t mx = 0;
    } const cases[] = {
        {"LF", "version: STSv1\nmode: testing\nmx: a.test\nmax_age: 5\n", true, mode::testing, 5, 1},
        {"no blanks, no end, any order", "max_age:5\nmx:a.test\nmode:testing\nversion:STSv1", true, mode::testing, 5, 1},
        {"blanks at the ends", "version:  STSv1 \t\nmode:\ttesting\nmx: A.Test\nmax_age: 5 \n", true, mode::testing, 5, 1},
        {"blank lines", "version: STSv1\nmode: testing\n\nmx: a.test\nmax_age: 5\n\r\n\n", true, mode::testing, 5, 1},
        {"none needs no mx", "version: STSv1\nmode: none\nmax_age: 86400\n", true, mode::none, 86400, 0},
        {"unknown fields", "version: STSv1\nmode: enforce\nx-1.2_3: w\xc3\xa4s auch immer\nmx: a.test\nmax_age: 5\n", true, mode::enforce, 5, 1},
        {"the first of a repeated field", "version: STSv1\nversion: STSv9\nmode: testing\nmode: enforce\nmx: a.test\nmax_age: 5\nmax_age: 6\n", true,
         mode::testing, 5, 1},
        {"a year", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 31557600\n", true, mode::enforce, 31557600, 1},
        {"for ever", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 9999999999\n", true, mode::enforce, 31557600, 1},
        {"eleven digits", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 00000000005\n", false},
        {"a negative age", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -1\n", false},
        {"no version", "mode: enforce\nmx: a.test\nmax_age: 5\n", false},
        {"another version", "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 5\n", false},
        {"no mode", "version: STSv1\nmx: a.test\nmax_age: 5\n", false},
        {"a strange mode", "version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 5\n", false},
        {"no age", "version: STSv1\nmode: enforce\nmx: a.test\n", false},
        {"no mx", "version: STSv1\nmode: enforce\nmax_age: 5\n", false},
        {"no colon", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\nhello\n", false},
        {"HTML", "<html><body>version: STSv1</body></html>", false},
        {"empty value", "version: STSv1\nmode: enforce\nmx:\nmax_age: 5\n", false},
        {"blank before the colon", "version : STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\n", false},
        {"NUL", std::string{"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\nx: a\0b\n", 58}, false},
        {"CR within", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\nx: a\rb\n", false},
        {"not UTF-8", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 5\nx: \xe4\n", false},
        {"a star alone", "version: STSv1\nmode: enforce\nmx: *\nmax_age: 5\n", false},
        {"a star within", "version: STSv1\nmode: enforce\nmx: a*.test\nmax_age: 5\n", false},
        {"two stars", "version: STSv1\nmode: enforce\nmx: *.*.test\nmax_age: 5\n", false},
        {"a leading dot", "version: STSv1\nmode: enforce\nmx: .a.test\nmax_age: 5\n", false},
        {"U-labels",
         "version: STSv1\nmode: enforce\nmx: b\xc3\xbc"
         "cher.test\nmax_age: 5\n",
         false},
        {"nothing", "", false},
    };
    for (auto const& c : cases) {
        auto const p = read_sts_policy(c.text);
        EXPECT_EQ(p.has_value(), c.good) << c.what << ": " << (p ? "" : describe(p.error()));
        if (!p || !c.good) continue;
        EXPECT_EQ(p->what, c.want) << c.what;
        EXPECT_EQ(p->max_age.count(), c.max_age) << c.what;
        EXPECT_EQ(p->mx.size(), c.mx) << c.what;
        if (c.mx != 0) {
            EXPECT_EQ(p->mx.front(), "a.test") << c.what;
        }
    }
}

TEST(mta_sts, budgets)
{
    std::string const head = "version: STSv1\nmode: enforce\nmax_age: 5\n";
    auto const many = [](std::size_t n, std::string const& line) {
        std::string all;
        for (std::size_t i = 0; i < n; ++i) all += line;
        return all;
    };
    EXPECT_TRUE(read_sts_policy(head + many(sts_most_mx, "mx: a.test\n")));
    EXPECT_EQ(read_sts_policy(head + many(sts_most_mx + 1, "mx: a.test\n")).error().what, fault::kind::over_limit);
    EXPECT_TRUE(read_sts_policy(head + "mx: a.test\n" + many(sts_most_lines - 4, "x: y\n")));
    EXPECT_EQ(read_sts_policy(head + "mx: a.test\n" + many(sts_most_lines - 3, "x: y\n")).error().what, fault::kind::over_limit);
    auto longest = head + "mx: a.test\nx: ";
    longest.append(sts_largest_policy - longest.size(), 'y');
    EXPECT_TRUE(read_sts_policy(longest));
    EXPECT_EQ(read_sts_policy(longest + "y").error().what, fault::kind::over_limit);
}

// RFC 8461 §4.1.
TEST(mta_sts, hosts_a_policy_permits)
{
    sts_policy p;
    p.mx = {"mail.example.com", "*.example.net"};
    struct {
        char const* host;
        bool permitted;
    } const cases[] = {
        {"mail.example.com", true},    {"MAIL.Example.COM", true},     {"mail2.example.com", false}, {"example.com", false},
        {"a.mail.example.com", false}, {"mx.example.net", true},       {"example.net", false},       {"foo.bar.example.net", false},
        {".example.net", false},       {"mx.example.net.evil", false}, {"mxexample.net", false},     {"", false},
        {"*.example.net", true},  // a name like that cannot be dialled
    };
    for (auto const& c : cases) EXPECT_EQ(permits_mx(p, c.host), c.permitted) << c.host;
}
