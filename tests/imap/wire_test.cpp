#include <gtest/gtest.h>

#include <fmt/format.h>

#include "imap/commands/fetch_items.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/commands/table.hpp"
#include "imap/names.hpp"
#include "imap/wire/scanner.hpp"
#include "imap/wire/sequence_set.hpp"
#include "imap/wire/utf7.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

using namespace std::string_view_literals;

template <class T> std::string shown(result<T> const& r)
{
    if (!r) return std::string{"!"} + base::name_of(r.error().what);
    if constexpr (std::is_same_v<T, std::optional<std::string>>)
        return r->value_or("NIL!");
    else if constexpr (std::is_arithmetic_v<T>)
        return std::to_string(*r);
    else
        return std::string{*r};
}

TEST(scanner, reads_strings)
{
    struct {
        std::string_view text, astring, string, atom, pattern;
    } const cases[] = {
        {"abc", "abc", "!syntax", "abc", "abc"},
        {"a]c", "a]c", "!syntax", "a", "a]c"},
        {"a*%", "a", "!syntax", "a", "a*%"},
        {"\"a b\"", "a b", "a b", "!syntax", "a b"},
        {"\"a\\\"b\\\\\"", "a\"b\\", "a\"b\\", "!syntax", "a\"b\\"},
        {"\"a\\b\"", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"\"open", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"\"a\rb\"", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"\"a\0b\""sv, "!syntax", "!syntax", "!syntax", "!syntax"},
        {"{3}\r\na\"c", "a\"c", "a\"c", "!syntax", "a\"c"},
        {"{3+}\r\nabc", "abc", "abc", "!syntax", "abc"},
        {"{0}\r\n", "", "", "!syntax", ""},
        {"{4}\r\nabc", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"{3}\r\na\0c"sv, "!syntax", "!syntax", "!syntax", "!syntax"},
        {"{-1}\r\n", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"{99999999999999999999}\r\n", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"~{3}\r\nabc", "~", "!syntax", "~", "~"},
        {"", "!syntax", "!syntax", "!syntax", "!syntax"},
        {" a", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"\xC3\xBC", "!syntax", "!syntax", "!syntax", "!syntax"},
        {"\"\xC3\xBC\"", "\xC3\xBC", "\xC3\xBC", "!syntax", "\xC3\xBC"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(shown(wire::scanner{c.text}.astring()), c.astring) << c.text;
        EXPECT_EQ(shown(wire::scanner{c.text}.string()), c.string) << c.text;
        EXPECT_EQ(shown(wire::scanner{c.text}.atom()), c.atom) << c.text;
        EXPECT_EQ(shown(wire::scanner{c.text}.list_pattern()), c.pattern) << c.text;
    }
    EXPECT_EQ(shown(wire::scanner{"nil"}.nstring()), "NIL!");
    EXPECT_EQ(shown(wire::scanner{"\"nil\""}.nstring()), "nil");
    EXPECT_EQ(shown(wire::scanner{"nile"}.nstring()), "!syntax");
}

TEST(scanner, reads_numbers_flags_and_dates)
{
    EXPECT_EQ(shown(wire::scanner{"0"}.number()), "0");
    EXPECT_EQ(shown(wire::scanner{"4294967295"}.number()), "4294967295");
    EXPECT_EQ(shown(wire::scanner{"4294967296"}.number()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"0"}.nz_number()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"9223372036854775807"}.number64()), "9223372036854775807");
    EXPECT_EQ(shown(wire::scanner{"9223372036854775808"}.number64()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"-1"}.number()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"\\sEEn"}.flag()), "\\Seen");
    EXPECT_EQ(shown(wire::scanner{"\\Recent"}.flag()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"\\*"}.flag()), "!syntax");
    EXPECT_EQ(shown(wire::scanner{"$Forwarded"}.flag()), "$Forwarded");
    EXPECT_EQ(wire::scanner{"(\\Seen x)"}.flag_list()->size(), 2U);
    EXPECT_TRUE(wire::scanner{"()"}.flag_list()->empty());
    for (auto const* bad : {"(", "(a", "(a  b)", "( a)", "(a )", "a"}) EXPECT_FALSE(wire::scanner{bad}.flag_list()) << bad;
    EXPECT_EQ(wire::scanner{"\" 1-Jan-1970 01:00:00 +0100\""}.date_time()->unix_seconds, 0);
    EXPECT_FALSE(wire::scanner{"\"32-Jan-1970 01:00:00 +0100\""}.date_time());
    EXPECT_EQ(*wire::scanner{"2-Jan-1970"}.date(), 1);
    EXPECT_EQ(*wire::scanner{"\"2-jan-1970\""}.date(), 1);
}

TEST(scanner, finds_announcements_of_literals)
{
    struct {
        std::string_view line, want;
    } const cases[] = {
        {"a {3}", "3 sync 3"},
        {"a {3+}", "3 now 4"},
        {"a ~{3+}", "3 now binary 5"},
        {"{0}", "0 sync 3"},
        {"a {}", "none"},
        {"a {+}", "none"},
        {"a {-1}", "none"},
        {"a {3}x", "none"},
        {"a 3}", "none"},
        {"a {99999999999999999999}", "18446744073709551615 sync 22"},
        {"a {3} {4}", "4 sync 3"},
        {"", "none"},
        {"}", "none"},
    };
    for (auto const& c : cases) {
        auto const h = wire::literal_at_end(c.line);
        auto const got = h ? fmt::format("{} {}{} {}", h->octets, h->synchronizing ? "sync" : "now", h->binary ? " binary" : "", h->length) : "none";
        EXPECT_EQ(got, c.want) << c.line;
    }
}

std::string resolved(std::string_view text, std::uint32_t largest)
{
    wire::scanner in{text};
    auto const set = wire::parse_sequence_set(in);
    if (!set || !in.at_end()) return "!";
    if (set->saved) return "$";
    std::string out;
    wire::append_ranges(out, wire::resolve(*set, largest));
    return out;
}

TEST(sequence_set, resolves_and_joins)
{
    struct {
        std::string_view text;
        std::uint32_t largest;
        std::string_view want;
    } const cases[] = {
        {"1", 9, "1"},
        {"1:3", 9, "1:3"},
        {"3:1", 9, "1:3"},
        {"*", 9, "9"},
        {"*:4", 9, "4:9"},
        {"12:*", 9, "9:12"},
        {"1,3,2", 9, "1:3"},
        {"5:7,6:9,1", 9, "1,5:9"},
        {"1:4294967295", 9, "1:4294967295"},
        {"0", 9, "!"},
        {"1:0", 9, "!"},
        {"1,", 9, "!"},
        {",1", 9, "!"},
        {"1:", 9, "!"},
        {"1:2:3", 9, "!"},
        {"4294967296", 9, "!"},
        {"$", 9, "$"},
        {"1,1,1", 9, "1"},
        {"4294967295,4294967294", 9, "4294967294:4294967295"},
    };
    for (auto const& c : cases) EXPECT_EQ(resolved(c.text, c.largest), c.want) << c.text;
    EXPECT_TRUE(wire::contains({{1, 3}, {7, 7}}, 7));
    EXPECT_FALSE(wire::contains({{1, 3}, {7, 7}}, 5));
    EXPECT_FALSE(wire::contains({}, 5));
}

TEST(utf7, has_one_spelling_for_each_name)
{
    struct {
        std::string_view utf7, utf8;
    } const good[] = {
        {"INBOX", "INBOX"},
        {"&-", "&"},
        {"a&-b", "a&b"},
        {"Entw&APw-rfe", "Entw\xC3\xBCrfe"},
        {"&U,BTFw-", "\xE5\x8F\xB0\xE5\x8C\x97"},
        {"&ZeVnLIqe-", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"&2D3cqQ-", "\xF0\x9F\x92\xA9"},
        {"&APw-&-", "\xC3\xBC&"},
        {"", ""},
    };
    for (auto const& c : good) {
        EXPECT_EQ(wire::from_utf7(c.utf7), c.utf8) << c.utf7;
        EXPECT_EQ(wire::to_utf7(c.utf8), c.utf7) << c.utf8;
    }
    for (std::string_view const bad : {"&", "&APw", "&AC8-", "&AGE-", "a&AGEAYg-b", "&APw-&APw-", "&2D0-", "&3Kk-", "&A-", "&AA-", "&APx-", "&APwA-", "&AP w-",
                                       "&AAA-", "\xC3\xBC", "a\x01", "a\x7F", "&AP/-", "&APw=-"})
        EXPECT_EQ(wire::from_utf7(bad), std::nullopt) << bad;
}

TEST(names, match_patterns_as_list_wants)
{
    struct {
        std::string_view pattern, name;
        bool want;
    } const cases[] = {
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"a%c", "abc", true},
        {"a%c", "a/c", false},
        {"a*c", "a/c", true},
        {"*b%", "a/b/c", false},
        {"*b%", "a/bc", true},
        {"", "", true},
        {"", "a", false},
        {"inbox", "INBOX", true},
        {"inb%", "INBOX", true},
        {"inbox/x", "INBOX/x", true},
        {"inbox/X", "INBOX/x", false},
        {"archive", "Archive", false},
        {"**%%**", "a/b", true},
        {"%%", "abc", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"%b", "b", true},
        {"*/", "a/", true},
    };
    for (auto const& c : cases) EXPECT_EQ(matches(c.pattern, c.name), c.want) << c.pattern << " against " << c.name;
}

TEST(writer, quotes_what_can_be_quoted)
{
    struct {
        std::string_view text, string, astring;
    } const cases[] = {
        {"abc", "\"abc\"", "abc"},
        {"a b", "\"a b\"", "\"a b\""},
        {"a\"\\", "\"a\\\"\\\\\"", "\"a\\\"\\\\\""},
        {"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
        {"", "\"\"", "\"\""},
        {"NIL", "\"NIL\"", "\"NIL\""},
        {"\xC3\xBC", "{2}\r\n\xC3\xBC", "{2}\r\n\xC3\xBC"},
        {"a]", "\"a]\"", "a]"},
    };
    for (auto const& c : cases) {
        std::string s;
        std::string a;
        wire::append_string(s, c.text);
        wire::append_astring(a, c.text);
        EXPECT_EQ(s, c.string);
        EXPECT_EQ(a, c.astring);
        wire::scanner in{s};
        EXPECT_EQ(shown(in.string()), c.text);
    }
}

std::string section_label(std::string_view text)
{
    wire::scanner in{text};
    auto const items = commands::parse_fetch_items(in, extension_set::all());
    if (!items || !in.at_end()) return "!";
    std::string out;
    for (auto const& s : items->sections) out += (s.peek ? "peek " : "") + s.label + ";";
    return out;
}

TEST(fetch_items, parses_sections)
{
    struct {
        std::string_view text, want;
    } const cases[] = {
        {"BODY[]", "BODY[];"},
        {"body.peek[header]", "peek BODY[HEADER];"},
        {"BODY[1.2.TEXT]<5.9>", "BODY[1.2.TEXT]<5>;"},
        {"BODY[1.MIME]", "BODY[1.MIME];"},
        {"BODY[MIME]", "!"},
        {"BODY[1.]", "!"},
        {"BODY[0]", "!"},
        {"BODY[1..2]", "!"},
        {"BODY[HEADER.FIELDS (a \"b c\")]", "BODY[HEADER.FIELDS (a \"b c\")];"},
        {"BODY[HEADER.FIELDS ()]", "!"},
        {"BODY[HEADER.FIELDS]", "!"},
        {"BODY[2.HEADER.FIELDS.NOT (x)]<0.1>", "BODY[2.HEADER.FIELDS.NOT (x)]<0>;"},
        {"BODY[]<1.0>", "!"},
        {"BODY[]<1>", "!"},
        {"(BODY[] FLAGS)", "BODY[];"},
        {"(BODY[]FLAGS)", "!"},
        {"RFC822", "RFC822;"},
        {"RFC822.HEADER", "peek RFC822.HEADER;"},
        {"(RFC822.TEXT UID)", "RFC822.TEXT;"},
        {"BODY", ""},
        {"FULL", ""},
        {"(FULL)", "!"},
        {"FULLER", "!"},
        {"()", "!"},
        {"( FLAGS)", "!"},
    };
    for (auto const& c : cases) EXPECT_EQ(section_label(c.text), c.want) << c.text;
}

TEST(search_program, joins_keys_without_recursion)
{
    using truth = commands::search_program::truth;
    auto const evaluated = [](std::string_view text, std::vector<truth> known) {
        wire::scanner in{text};
        auto const p = commands::search_program::parse(in, 256);
        if (!p || p->keys().size() != known.size()) return std::string{"!"};
        auto const t = p->evaluate(known);
        return std::string{t == truth::yes ? "yes" : t == truth::no ? "no" : "unknown"};
    };
    auto const y = truth::yes;
    auto const n = truth::no;
    auto const u = truth::unknown;
    EXPECT_EQ(evaluated("SEEN", {y}), "yes");
    EXPECT_EQ(evaluated("SEEN DRAFT", {y, n}), "no");
    EXPECT_EQ(evaluated("OR SEEN DRAFT", {n, y}), "yes");
    EXPECT_EQ(evaluated("NOT SEEN", {y}), "no");
    EXPECT_EQ(evaluated("NOT NOT SEEN", {y}), "yes");
    EXPECT_EQ(evaluated("OR NOT SEEN (DRAFT FLAGGED) ALL", {y, y, y, y}), "yes");
    EXPECT_EQ(evaluated("OR (SEEN) OR DRAFT FLAGGED ANSWERED", {n, n, y, n}), "no");
    EXPECT_EQ(evaluated("BODY x SEEN", {u, n}), "no");
    EXPECT_EQ(evaluated("OR BODY x SEEN", {u, y}), "yes");
    EXPECT_EQ(evaluated("BODY x SEEN", {u, y}), "unknown");
    EXPECT_EQ(evaluated("NOT BODY x", {u}), "unknown");
    for (auto const* bad : {"", "NOT", "OR SEEN", "()", "(SEEN", "SEEN)", "(OR SEEN)", "(NOT)", "SEEN  DRAFT", "SEEN ", "OR", "((SEEN)"})
        EXPECT_EQ(evaluated(bad, {y}), "!") << bad;
}

TEST(commands, are_found_in_any_letters)
{
    EXPECT_NE(commands::find("fetch"), nullptr);
    EXPECT_NE(commands::find("Uid Fetch"), nullptr);
    EXPECT_EQ(commands::find("FETC"), nullptr);
    EXPECT_EQ(commands::find(""), nullptr);
    EXPECT_EQ(commands::find(std::string(100, 'A')), nullptr);
    for (auto const& c : commands::all()) EXPECT_EQ(commands::find(c.name), &c);
}

}  // namespace
}  // namespace mansio::imap
