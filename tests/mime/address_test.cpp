#include "mime/address.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::mime;

namespace {
std::string show(std::string_view body, std::uint64_t most = 1000)
{
    base::budget budget{most};
    std::string out;
    for (auto const& a : parse_address_list(body, budget)) {
        switch (a.what) {
        case address::kind::group_start: out += "{" + a.mailbox + ":"; break;
        case address::kind::group_end: out += "}"; break;
        case address::kind::mailbox: out += "[" + a.name + "|" + a.route + "|" + a.mailbox + "|" + a.host + "]"; break;
        }
    }
    return out;
}
}  // namespace

TEST(address_list, is_read_as_mail_has_it)
{
    struct {
        std::string_view in, out;
    } const cases[] = {
        {"", ""},
        {" , ,, ", ""},
        {"a@b.c", "[||a|b.c]"},
        {"A B <a@b>", "[A B||a|b]"},
        {"\"A, \\\"B\\\"\" <a@b>", "[A, \"B\"||a|b]"},
        {"a@b, c@d", "[||a|b][||c|d]"},
        {"a@b; c@d", "[||a|b][||c|d]"},                           // Outlook's separator
        {"a@b (Some Body)", "[Some Body||a|b]"},
        {"a@b (Some (nested) Body)", "[Some (nested) Body||a|b]"},
        {"A (c) B <a@b>", "[A B||a|b]"},
        {"<@x,@y:a@b>", "[|@x,@y|a|b]"},
        {"<a@b>", "[||a|b]"},
        {"\"a b\"@c", "[||a b|c]"},
        {"a . b @ c . d", "[||a.b|c.d]"},                         // RFC 5322 §4.4
        {"G: a@b, C <c@d>; e@f", "{G:[||a|b][C||c|d]}[||e|f]"},
        {"undisclosed-recipients:;", "{undisclosed-recipients:}"},
        {"G: a@b", "{G:[||a|b]}"},                                // never closed
        {"x@y <a@b>", "[x@y||a|b]"},                              // an address for a name
        {"<a@b> <c@d>", "[||a|b][||c|d]"},
        {"Mary Smith", "[Mary Smith|||]"},
        {"postmaster", "[||postmaster|]"},
        {"a@", "[||a|]"},
        {"@b", "[|||b]"},
        {"<>", "[|||]"},
        {"<a@b", "[||a|b]"},
        {"A <a@b, c@d", "[A||a|b][||c|d]"},
        {"a@[192.0.2.1]", "[||a|[192.0.2.1]]"},
        {"a@[IPv6:2001:db8::1]", "[||a|[IPv6:2001:db8::1]]"},
        {"a@b@c", "[||a@b|c]"},
        {"=?utf-8?Q?a?= =?utf-8?Q?b?= <a@b>", "[=?utf-8?Q?a?= =?utf-8?Q?b?=||a|b]"},
        {"(comment ending in \\", ""},
        {"\"never closed <a@b>", "[||never closed <a@b>|]"},
        {"a@b (never closed", "[never closed||a|b]"},
        {"a\r\n @b", "[||a|b]"},
        {"<http://h/x>", "[||http://h/x|]"},
        {"a>b@c", "[a||b|c]"},
        {"J\\.D <a@b>", "[J.D||a|b]"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(show(c.in), c.out) << c.in;
        for (std::size_t cut = 0; cut <= c.in.size(); ++cut) {
            std::string const exact{c.in.substr(0, cut)};
            auto const s = show(exact);
            EXPECT_EQ(std::ranges::count(s, '{'), std::ranges::count(s, '}')) << c.in << " cut at " << cut;
        }
    }
}

TEST(address_list, keeps_its_budget)
{
    EXPECT_EQ(show("a@b, c@d, e@f", 2), "[||a|b][||c|d]");
    EXPECT_EQ(show("G: a@b, c@d;", 3), "{G:[||a|b]}");
    EXPECT_EQ(show("G: a@b;", 1), "");
    EXPECT_EQ(show("a@b", 0), "");
}

TEST(mailbox, is_strict)
{
    struct {
        std::string_view in;
        char const* local;  // nullptr: an error
        char const* domain;
    } const cases[] = {
        {"a@b", "a", "b"},
        {"a.b+c@x.example", "a.b+c", "x.example"},
        {"\"a b\"@x.example", "a b", "x.example"},
        {"\"a\\\"b\"@x.example", "a\"b", "x.example"},
        {"\"a@b\"@x.example", "a@b", "x.example"},
        {"a@[192.0.2.1]", "a", "[192.0.2.1]"},
        {"a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"},
        {"-froot@x.example", "-froot", "x.example"},
        {"|cmd@d", "|cmd", "d"},           // W9: a legal atom; what matters is that nothing runs it
        {"", nullptr, nullptr},
        {"a", nullptr, nullptr},
        {"a@", nullptr, nullptr},
        {"@b", nullptr, nullptr},
        {"\"\"@d", nullptr, nullptr},      // W10
        {"a@b@c", nullptr, nullptr},
        {"a..b@c", nullptr, nullptr},
        {".a@c", nullptr, nullptr},
        {"a.@c", nullptr, nullptr},
        {"a b@c", nullptr, nullptr},
        {"<;cmd;>", nullptr, nullptr},
        {";cmd;@d", nullptr, nullptr},
        {"$(x)@d", nullptr, nullptr},
        {"a@b.", nullptr, nullptr},        // R1
        {"a@.b", nullptr, nullptr},
        {"a@-b", nullptr, nullptr},
        {"a@b-", nullptr, nullptr},
        {"a@b_c", nullptr, nullptr},
        {"a@b c", nullptr, nullptr},
        {"a@[1.2.3]", nullptr, nullptr},
        {"a@[1.2.3.4", nullptr, nullptr},
        {"a@[IPv6:1.2.3.4]", nullptr, nullptr},
        {"a@[]", nullptr, nullptr},
        {"\"a@b", nullptr, nullptr},
        {"\"a\\", nullptr, nullptr},
        {"\"a\r\n\"@b", nullptr, nullptr},
        {"a\n@b", nullptr, nullptr},
        {"@x,@y:a@b", nullptr, nullptr},
        {"\xC3\xA4@b", nullptr, nullptr},
        {"a@\xC3\xA4", nullptr, nullptr},
    };
    for (auto const& c : cases) {
        auto const r = parse_mailbox(c.in, false);
        EXPECT_EQ(r.has_value(), c.local != nullptr) << c.in;
        if (!r || c.local == nullptr) continue;
        EXPECT_EQ(r->local, c.local) << c.in;
        EXPECT_EQ(r->domain, c.domain) << c.in;
        EXPECT_EQ(r->text(), c.in) << c.in;
    }
    EXPECT_FALSE(parse_mailbox(std::string_view{"a\0@b", 4}, false));
    EXPECT_FALSE(parse_mailbox(std::string_view{"a@b\0c", 5}, false));
    EXPECT_TRUE(parse_mailbox("\xC3\xA4@b\xC3\xA4r.example", true));
    EXPECT_FALSE(parse_mailbox("\xC3@b", true));
}

TEST(mailbox, limits_of_rfc_5321)
{
    std::string const local(64, 'a');
    EXPECT_TRUE(parse_mailbox(local + "@b", false));
    EXPECT_FALSE(parse_mailbox(local + "a@b", false));
    std::string domain;
    for (int i = 0; i < 3; ++i) domain += std::string(63, 'b') + ".";
    EXPECT_TRUE(parse_mailbox("a@" + domain + std::string(63, 'c'), false));
    EXPECT_FALSE(parse_mailbox("a@" + domain + std::string(63, 'c') + ".d", false));
    EXPECT_FALSE(parse_mailbox("a@" + std::string(64, 'b') + ".example", false));
}

TEST(mailbox, canonical_before_it_is_a_key)
{
    auto const key = [](std::string_view text) {
        auto const m = parse_mailbox(text, true);
        if (!m) return std::string{"syntax"};
        auto const c = canonical(*m);
        return c ? c->text() : std::string{"error"};
    };
    EXPECT_EQ(key("Alice@Example.TEST"), "alice@example.test");
    EXPECT_EQ(key("a@B\xC3\x9C"
                  "CHER.example"),
              "a@xn--bcher-kva.example");
    EXPECT_EQ(key("a@bu\xCC\x88"
                  "cher.example"),
              "a@xn--bcher-kva.example");   // decomposed
    EXPECT_EQ(key("a@xn--bcher-kva.example"), "a@xn--bcher-kva.example");
    EXPECT_EQ(key("a@XN--BCHER-KVA.example"), "a@xn--bcher-kva.example");
    EXPECT_EQ(key("a@stra\xC3\x9F"
                  "e.example"),
              "a@xn--strae-oqa.example");     // not "strasse": non-transitional
    EXPECT_EQ(key("\xC3\x84@x"), "ä@x");
    EXPECT_EQ(key("A\xCC\x88@x"), "ä@x");
    EXPECT_EQ(key("Stra\xC3\x9F"
                  "e@x"),
              "strasse@x");                          // full case folding
    EXPECT_EQ(key("\"A b\"@x"), "\"a b\"@x");
    EXPECT_EQ(key("a@[192.0.2.1]"), "a@[192.0.2.1]");
    EXPECT_EQ(key("a@[IPv6:2001:DB8::1]"), "a@[ipv6:2001:db8::1]");
    EXPECT_EQ(key("a@xn--u-ccb.example"), "error");                                // decodes to what is not NFC
    for (std::string_view const bad : std::initializer_list<std::string_view>{"", ".", "a..b", "-a", "a_b", "a b", "[x", "a.", {"a\0b", 3}, "\xFF"})
        EXPECT_FALSE(canonical_domain(bad)) << bad;
    EXPECT_FALSE(canonical_domain(std::string(64, 'a')));
    EXPECT_EQ(canonical_domain("\xEF\xBC\xA1.example").value_or(""), "a.example");  // full width, UTS 46
}
