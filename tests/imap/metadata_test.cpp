// METADATA's grammar and choosing, and what a dialogue is too short for.
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "imap/commands/metadata.hpp"
#include "rig.hpp"

namespace mansio::imap::test {
namespace {

using namespace std::string_view_literals;

TEST(metadata, names_of_entries)
{
    struct {
        std::string_view name, ask, set;
    } const cases[] = {
        {"/shared/comment", "/shared/comment", "/shared/comment"},
        {"/Private/Comment", "/private/comment", "/private/comment"},
        {"/shared/vendor/x/y", "/shared/vendor/x/y", "/shared/vendor/x/y"},
        {"/shared/vendors", "/shared/vendors", "/shared/vendors"},
        // Places to begin from, but no entries (RFC 5464 §3.2).
        {"/private", "/private", "!"},
        {"/shared/vendor", "/shared/vendor", "!"},
        {"/shared/vendor/x", "/shared/vendor/x", "!"},
        {"", "!", "!"},
        {"/", "!", "!"},
        {"/shared/", "!", "!"},
        {"/shared//x", "!", "!"},
        {"/shared/x/", "!", "!"},
        {"shared/x", "!", "!"},
        {"/sharedx/x", "!", "!"},
        {"/other/x", "!", "!"},
        {"/shared/a*", "!", "!"},
        {"/shared/a%b", "!", "!"},
        {"/shared/\xC3\xBC", "!", "!"},
        {"/shared/\x01", "!", "!"},
        {"/shared/a\0b"sv, "!", "!"},
        {"/shared/a b", "/shared/a b", "/shared/a b"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(entry_name(c.name, entry_use::ask).value_or("!"), c.ask) << c.name;
        EXPECT_EQ(entry_name(c.name, entry_use::set).value_or("!"), c.set) << c.name;
    }
    std::string const longest = "/shared/" + std::string(store::longest_annotation_name - 8, 'x');
    EXPECT_TRUE(entry_name(longest, entry_use::set));
    EXPECT_EQ(entry_name(longest + "x", entry_use::set).error().what, fault::kind::over_limit);
}

std::string shown(std::string_view text)
{
    wire::scanner in{text};
    auto const a = commands::parse_getmetadata(in);
    if (!a) return "!";
    std::string out = a->mailbox + "|";
    if (a->options.max_size) out += std::to_string(*a->options.max_size) + " ";
    out += std::to_string(static_cast<int>(a->options.how_deep));
    for (auto const& e : a->entries) out += " " + e;
    return out;
}

TEST(metadata, getmetadata_is_parsed)
{
    struct {
        std::string_view text, want;
    } const cases[] = {
        {" INBOX /shared/a", "INBOX|0 /shared/a"},
        {" \"\" /shared/a", "|0 /shared/a"},
        {" (MAXSIZE 5) INBOX /shared/a", "INBOX|5 0 /shared/a"},
        {" INBOX (MAXSIZE 5) /shared/a", "INBOX|5 0 /shared/a"},
        {" (depth 1 maxsize 1024) INBOX (/shared/a /private/b)", "INBOX|1024 1 /shared/a /private/b"},
        {" INBOX (DEPTH infinity) (/shared)", "INBOX|2 /shared"},
        {" INBOX (DEPTH 0) \"/shared/a\"", "INBOX|0 /shared/a"},
        {" INBOX {9}\r\n/shared/a", "INBOX|0 /shared/a"},
        {" INBOX /private/a /shared/b", "INBOX|0 /private/a /shared/b"},
        {" INBOX", "!"},
        {" INBOX ", "!"},
        {" INBOX ()", "!"},
        {" INBOX (/shared/a", "!"},
        {" INBOX (/shared/a )", "!"},
        {" INBOX shared", "!"},
        {" INBOX (DEPTH 2) /shared/a", "!"},
        {" INBOX (DEPTH) /shared/a", "!"},
        {" INBOX (MAXSIZE -1) /shared/a", "!"},
        {" INBOX (MAXSIZE 99999999999) /shared/a", "!"},
        {" (COLOUR 1) INBOX /shared/a", "!"},
        {" (DEPTH 1) INBOX (DEPTH 1) /shared/a", "!"},
        {" () INBOX /shared/a", "!"},
        {"INBOX /shared/a", "!"},
    };
    for (auto const& c : cases) EXPECT_EQ(shown(c.text), c.want) << c.text;
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut < c.text.size(); ++cut) static_cast<void>(shown(c.text.substr(0, cut)));
}

TEST(metadata, setmetadata_is_parsed)
{
    auto const parsed = [](std::string_view text) {
        wire::scanner in{text};
        auto const a = commands::parse_setmetadata(in);
        if (!a) return std::string{"!"};
        std::string out = a->mailbox + "|";
        for (auto const& c : a->changes) out += c.name + "=" + c.value.value_or("NIL!") + ";";
        return out;
    };
    struct {
        std::string_view text, want;
    } const cases[] = {
        {" INBOX (/shared/a \"x\")", "INBOX|/shared/a=x;"},
        {" INBOX (/shared/a NIL)", "INBOX|/shared/a=NIL!;"},
        {" INBOX (/shared/a \"NIL\" /Private/b {3}\r\na\r\n)", "INBOX|/shared/a=NIL;/private/b=a\r\n;"},
        {" INBOX (/shared/a ~{3}\r\na\0b)"sv, "INBOX|/shared/a=a\0b;"sv},
        {" INBOX (/shared/a ~{3+}\r\nabc /shared/b \"\")", "INBOX|/shared/a=abc;/shared/b=;"},
        {" INBOX (/shared/a \"x\" /SHARED/A NIL)", "INBOX|/shared/a=NIL!;"},
        {" \"\" (/private/a \"x\")", "|/private/a=x;"},
        {" INBOX (/shared/a {3}\r\na\0b)"sv, "!"},
        {" INBOX (/shared/a ~\"x\")", "!"},
        {" INBOX (/shared/a ~{9}\r\nabc)", "!"},
        {" INBOX (/shared/a x)", "!"},
        {" INBOX (/shared/a)", "!"},
        {" INBOX ()", "!"},
        {" INBOX /shared/a \"x\"", "!"},
        {" INBOX (/shared/a \"x\") x", "!"},
        {" INBOX (/shared/a \"x\"", "!"},
        {" INBOX (/shared \"x\")", "!"},
        {" INBOX (/other/x \"x\")", "!"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(parsed(c.text), c.want) << c.text;
        if (c.want == "!") continue;
        for (std::size_t cut = 0; cut < c.text.size(); ++cut) EXPECT_EQ(parsed(c.text.substr(0, cut)), "!") << c.text.substr(0, cut);
    }
}

TEST(metadata, entries_are_chosen_by_name_depth_and_size)
{
    std::vector<store::annotation> const all{
        {"/private/a", "1"}, {"/private/a/b", "22"}, {"/private/a/b/c", "333"}, {"/private/ab", "4444"}, {"/shared/a", ""}};
    using depth = commands::getmetadata_options::depth;
    auto const chosen = [&](std::vector<std::string> wanted, depth d, std::optional<std::uint32_t> most = {}) {
        commands::getmetadata_options o;
        o.how_deep = d;
        o.max_size = most;
        auto const c = commands::choose_entries(all, wanted, o);
        std::string out;
        for (auto const& [name, value] : c.entries) out += name + "=" + value.value_or("NIL") + " ";
        return out + std::to_string(c.longest_left_out);
    };
    EXPECT_EQ(chosen({"/private/a"}, depth::zero), "/private/a=1 0");
    EXPECT_EQ(chosen({"/private/a"}, depth::one), "/private/a=1 /private/a/b=22 0");
    EXPECT_EQ(chosen({"/private/a"}, depth::infinity), "/private/a=1 /private/a/b=22 /private/a/b/c=333 0");
    EXPECT_EQ(chosen({"/private"}, depth::one), "/private/a=1 /private/ab=4444 0");
    EXPECT_EQ(chosen({"/private", "/private/a/b", "/shared/a"}, depth::one), "/private/a=1 /private/ab=4444 /private/a/b=22 /private/a/b/c=333 /shared/a= 0");
    EXPECT_EQ(chosen({"/shared/x", "/shared/a", "/shared/x"}, depth::zero), "/shared/x=NIL /shared/a= 0");
    EXPECT_EQ(chosen({"/shared/x"}, depth::infinity), "0");
    EXPECT_EQ(chosen({"/private"}, depth::infinity, 2), "/private/a=1 /private/a/b=22 4");
    EXPECT_EQ(chosen({"/private/a/b", "/shared/a"}, depth::zero, 0), "/shared/a= 2");
}

TEST(metadata, of_the_server_comes_from_its_configuration)
{
    auto const good = parse_server_entries({"/Shared/Admin  mailto:a@b ", "/shared/filters/values/Big LARGER 5"});
    ASSERT_TRUE(good);
    EXPECT_EQ(*good, (server_entries{{"/shared/admin", "mailto:a@b"}, {"/shared/filters/values/big", "LARGER 5"}}));
    for (auto const* bad : {"", "/shared/comment", "/private/comment x", "/shared/admin nobody", "/shared x", "/shared/filters/values/big OR SEEN",
                            "/shared/filters/values/a]b SEEN"})
        EXPECT_FALSE(parse_server_entries({bad})) << bad;
}

// RFC 6855 §3.
TEST(utf8_accept, a_search_has_no_charset_then)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    c.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
    c.say("2 SELECT INBOX\r\n");
    EXPECT_TRUE(c.say("3 SEARCH CHARSET UTF-8 ALL\r\n").contains("3 OK"));
    c.say("4 UNSELECT\r\n");
    c.say("5 ENABLE UTF8=ACCEPT\r\n");
    c.say("6 SELECT INBOX\r\n");
    for (auto const* search : {"SEARCH", "UID SEARCH", "SEARCH RETURN (COUNT)", "ESEARCH IN (selected)"})
        EXPECT_TRUE(c.say("7 " + std::string{search} + " CHARSET UTF-8 ALL\r\n").contains("7 BAD")) << search;
    // These have always one (RFC 5256 §3).
    EXPECT_TRUE(c.say("8 SORT (DATE) UTF-8 SUBJECT \"\xC3\xBC\"\r\n").contains("8 OK"));
    EXPECT_TRUE(c.say("9 SEARCH SUBJECT \"\xC3\xBC\"\r\n").contains("9 OK"));
}

}  // namespace

TEST(catalogue, I16_annotations_are_bounded)
{
    rig_options o;
    o.limits.metadata_entries = 10;
    o.limits.metadata_octets = 20'000;
    rig r{o};
    wire_client c{r, "c"};
    c.hear();
    c.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
    auto const set = [&](std::string const& entries, std::string const& box = "INBOX") { return c.say("2 SETMETADATA " + box + " (" + entries + ")\r\n"); };
    auto const literal = [](std::size_t n) { return "{" + std::to_string(n) + "+}\r\n" + std::string(n, 'x'); };
    EXPECT_TRUE(set("/shared/a " + literal(16384)).contains("2 OK"));
    EXPECT_TRUE(set("/shared/a " + literal(16385)).contains("2 NO [METADATA MAXSIZE 16384]"));
    // One too long even to be read has the same answer, asked for first or not.
    EXPECT_TRUE(set("/shared/a " + literal(200'000)).contains("2 NO [METADATA MAXSIZE 16384]"));
    EXPECT_TRUE(c.say("2 SETMETADATA INBOX (/shared/a {200000}\r\n").contains("2 NO [METADATA MAXSIZE 16384]"));
    // All together.
    EXPECT_TRUE(set("/shared/b " + literal(4000)).contains("2 NO [METADATA TOOMANY]"));
    EXPECT_TRUE(set("/shared/a NIL").contains("2 OK"));
    std::string many;
    for (int i = 0; i < 10; ++i) many += (i == 0 ? "" : " ") + std::string{"/shared/"} + std::to_string(i) + " \"x\"";
    EXPECT_TRUE(set(many + " /shared/more \"x\"").contains("2 NO [METADATA TOOMANY]"));
    EXPECT_TRUE(c.say("3 GETMETADATA INBOX (DEPTH infinity) /shared\r\n").starts_with("3 OK"));  // nothing of it was set
    EXPECT_TRUE(set(many).contains("2 OK"));
    EXPECT_TRUE(set("/shared/more \"x\"").contains("2 NO [METADATA TOOMANY]"));
    std::string wide;
    for (int i = 0; i < 1001; ++i) wide += " /shared/a";
    EXPECT_TRUE(c.say("4 GETMETADATA INBOX (" + wide.substr(1) + ")\r\n").contains("4 NO [LIMIT]"));
    EXPECT_TRUE(set("/shared/" + std::string(300, 'x') + " \"x\"").contains("2 NO [LIMIT]"));
}

TEST(catalogue, I16_filters_that_name_each_other)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    c.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
    c.say("2 SELECT INBOX\r\n");
    auto const set = [&](std::string const& name, std::string const& text) {
        EXPECT_TRUE(c.say("3 SETMETADATA \"\" (/private/filters/values/" + name + " \"" + text + "\")\r\n").contains("3 OK")) << name;
    };
    set("a", "FILTER b");
    set("b", "FILTER a");
    set("self", "OR FILTER self FILTER self");
    EXPECT_TRUE(c.say("4 SEARCH FILTER a\r\n").contains("4 NO [UNDEFINED-FILTER"));
    EXPECT_TRUE(c.say("4 SEARCH FILTER self\r\n").contains("4 NO [UNDEFINED-FILTER self]"));
    // Each doubles what the one before it is: the keys of a search are counted where they are put in, also those of filters.
    std::string twice;
    for (int i = 0; i < 40; ++i) twice += std::string{i == 0 ? "" : " "} + "FILTER y";
    std::string forty;
    for (int i = 0; i < 40; ++i) forty += std::string{i == 0 ? "" : " "} + "SEEN";
    set("y", forty);
    set("x", twice);
    EXPECT_TRUE(c.say("5 SEARCH FILTER x\r\n").contains("5 NO [LIMIT]"));
    EXPECT_TRUE(c.say("6 SEARCH FILTER y FILTER y\r\n").contains("6 OK"));
}

}  // namespace mansio::imap::test
