// The parts of SEARCH that stand alone: finding text, pages of results, what "$" keeps, how a list of results changes.
#include <random>

#include <gtest/gtest.h>

#include "imap/commands/search_options.hpp"
#include "imap/contexts.hpp"
#include "imap/mail_facts.hpp"
#include "imap/text_find.hpp"
#include "mime/unicode.hpp"

namespace mansio::imap {
namespace {

TEST(text_find, finds_what_a_plain_search_finds)
{
    std::mt19937 random{3};  // NOLINT(cert-msc32-c,cert-msc51-cpp)
    constexpr std::string_view letters = "aAbBz@[`{ 01-";
    auto const make = [&](std::size_t n) {
        std::string s;
        for (std::size_t i = 0; i < n; ++i) s += letters[random() % letters.size()];
        return s;
    };
    for (int i = 0; i < 20000; ++i) {
        auto const needle = mime::casemap(make(1 + random() % 4));
        auto const text = make(random() % 70);
        EXPECT_EQ(ascii_finder{needle}.found_in(text), mime::casemap(text).contains(needle)) << needle << " in " << text;
    }
    EXPECT_TRUE(ascii_finder{""}.found_in(""));
    EXPECT_FALSE(ascii_finder{"A"}.found_in(""));
    for (std::size_t at = 0; at < 100; ++at) {
        std::string text(100, '.');
        text[at] = 'q';
        EXPECT_TRUE(ascii_finder{"Q"}.found_in(text)) << at;
        EXPECT_FALSE(ascii_finder{"QQ"}.found_in(text)) << at;
    }
}

TEST(text_find, needles)
{
    auto const found = [](std::string_view needle, std::string_view text) { return text_needle{mime::casemap(needle)}.found_in(text); };
    EXPECT_TRUE(found("", ""));
    EXPECT_TRUE(found("grüsse", "Viele GRÜSSE"));
    EXPECT_TRUE(found("GRÜSSE", "Grüße"));
    EXPECT_TRUE(found("strasse", "Straße"));
    EXPECT_TRUE(found("cafe", "un café"));  // the accent is a character of its own after it
    EXPECT_FALSE(found("café", "a cafe"));
    EXPECT_FALSE(found("é", "plain"));
    EXPECT_TRUE(found("a b", "x A B x"));
}

TEST(text_find, what_octets_hide)
{
    for (auto const* plain : {"", "Subject: x\r\n\r\nbody", "a + b", "charset=utf-8", "a=b?"}) EXPECT_TRUE(hides_nothing(plain)) << plain;
    for (auto const* hiding :
         {"caf\xC3\xA9", "Subject: =?utf-8?q?x?=", "Content-Transfer-Encoding: Base64", "quoted-Printable", "\x1B$B", "HZ ~{", "utf-7 +AGE-"})
        EXPECT_FALSE(hides_nothing(hiding)) << hiding;
    EXPECT_FALSE(hides_nothing(std::string_view{"a\0b", 3}));
    for (std::size_t at = 0; at < 40; ++at) {  // in every lane and in the rest
        std::string s(40, 'x');
        s[at] = '\x80';
        EXPECT_FALSE(hides_nothing(s)) << at;
        s[at] = '=';
        if (at + 1 < s.size()) s[at + 1] = '?';
        EXPECT_EQ(hides_nothing(s), at + 1 == s.size()) << at;
    }
    text_needle const two_words{"SECRET PLANS"};
    EXPECT_TRUE(two_words.may_be_in("the secret\r\n plans"));  // folded
    EXPECT_FALSE(two_words.may_be_in("the plans"));
}

TEST(partial, pages)
{
    auto const all = extension_set::all();
    struct {
        std::string_view text;
        std::size_t results, from, to;
    } const cases[] = {{"1:2", 5, 0, 2},   {"2:1", 5, 0, 2},   {"4:9", 5, 3, 5},   {"6:9", 5, 5, 5},          {"-1:-2", 5, 3, 5},
                       {"-2:-1", 5, 3, 5}, {"-4:-9", 5, 0, 2}, {"-6:-9", 5, 0, 0}, {"1:4294967295", 3, 0, 3}, {"-1:-1", 0, 0, 0}};
    for (auto const& c : cases) {
        wire::scanner in{c.text};
        auto const r = commands::parse_partial_range(in, all);
        ASSERT_TRUE(r.has_value()) << c.text;
        EXPECT_EQ(r->text, c.text);
        EXPECT_EQ(r->of(c.results), std::pair(c.from, c.to)) << c.text;
    }
    for (auto const* bad : {"", "1", "0:1", "1:0", "1:*", "*:1", "-1:1", "1:-1", "--1:-1", "1:4294967296"}) {
        wire::scanner in{bad};
        EXPECT_FALSE(commands::parse_partial_range(in, all).has_value()) << bad;
    }
    extension_set off;
    off.add(extension::partial);
    auto without = all;
    without.remove(off);
    wire::scanner in{"-1:-2"};
    EXPECT_FALSE(commands::parse_partial_range(in, without).has_value());
}

TEST(search_options, what_is_saved)
{
    using list = std::vector<std::uint32_t>;
    list const found{2, 4, 6, 8, 10};
    auto const saved = [&](std::string_view text) {
        wire::scanner in{text};
        commands::search_options o;
        EXPECT_TRUE(commands::parse_return_options(in, commands::searcher::search, extension_set::all(), o).has_value()) << text;
        return commands::saved_of(o, found);
    };
    EXPECT_EQ(saved("(SAVE) "), found);
    EXPECT_EQ(saved("(SAVE MIN) "), (list{2}));
    EXPECT_EQ(saved("(SAVE MIN MAX) "), (list{2, 10}));
    EXPECT_EQ(saved("(SAVE MIN COUNT) "), found);
    EXPECT_EQ(saved("(SAVE PARTIAL 2:3) "), (list{4, 6}));           // RFC 9394 §3.2
    EXPECT_EQ(saved("(SAVE PARTIAL 2:3 MAX) "), (list{4, 6, 10}));
    EXPECT_EQ(saved("(SAVE PARTIAL -1:-2 MIN) "), (list{2, 8, 10}));
    EXPECT_EQ(saved("(SAVE PARTIAL 2:3 COUNT) "), found);
    for (auto const* bad : {"(PARTIAL 1:2 ALL) ", "(PARTIAL 1:2 PARTIAL 1:2) ", "(PARTIAL) ", "(NONE) ", "(MIN"}) {
        wire::scanner in{bad};
        commands::search_options o;
        EXPECT_FALSE(commands::parse_return_options(in, commands::searcher::search, extension_set::all(), o).has_value()) << bad;
    }
}

TEST(search_options, sets_in_order)
{
    std::string out;
    commands::append_ordered(out, {5, 6, 7, 3, 2, 1, 9});
    EXPECT_EQ(out, "5:7,3,2,1,9");
}

/// Carried out in order, the changes make the one list the other (RFC 5267 §4.3.2).
TEST(contexts, changes_of_a_list)
{
    std::mt19937 random{5};  // NOLINT(cert-msc32-c,cert-msc51-cpp)
    for (int i = 0; i < 2000; ++i) {
        std::vector<store::uid> order, before, after;
        for (store::uid u = 1; u <= 12; ++u) order.push_back(u);
        std::ranges::shuffle(order, random);
        for (auto const u : order) {
            if (random() % 2 == 0) before.push_back(u);
            if (random() % 2 == 0) after.push_back(u);
        }
        auto const change = compare_lists(before, after);
        for (auto const& [position, u] : change.removed) {
            ASSERT_EQ(before.at(position - 1), u);
            before.erase(before.begin() + position - 1);
        }
        for (auto const& [position, u] : change.added) {
            ASSERT_LE(position - 1, before.size());
            before.insert(before.begin() + position - 1, u);
        }
        EXPECT_EQ(before, after);
    }
}

TEST(mail_facts, message_ids_without_quotes)
{
    EXPECT_EQ(normal_message_id("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), "<01KF8JCEOCBS0045PS@xxx.yyy.com>");
    EXPECT_EQ(normal_message_id("<\"a\\\"b\"@x>"), "<a\"b@x>");
    EXPECT_EQ(normal_message_id("<a@x>"), "<a@x>");
}

}  // namespace
}  // namespace mansio::imap
