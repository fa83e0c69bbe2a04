#include "mime/header.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
base::limits const limits;

/// "name=body" of each field, line ends shown.
std::vector<std::string> fields_of(std::string_view text)
{
    std::vector<std::string> out;
    for (auto const& f : parse_header(text, limits).fields) {
        EXPECT_EQ(text.substr(f.offset, f.name.size()), f.name);
        EXPECT_LE(f.offset + f.length, text.size());
        out.push_back(std::string{f.name} + "=" + base::printable(f.body));
    }
    return out;
}
using strings = std::vector<std::string>;
}  // namespace

TEST(header, fields_end_where_they_end)
{
    struct {
        std::string_view text;
        strings fields;
        std::size_t body;
        bool empty_line;
    } const cases[] = {
        {"", {}, 0, false},
        {"\r\n", {}, 2, true},
        {"\n", {}, 1, true},
        {"A: b\r\n\r\nbody", {"A= b"}, 8, true},
        {"A: b\n\nbody", {"A= b"}, 6, true},
        {"A: b\r\nC:d", {"A= b", "C=d"}, 9, false},
        {"A: b\r\n c\r\n\td\r\n\r\n", {"A= b\\x0d\\x0a c\\x0d\\x0a\\x09d"}, 16, true},
        {"A : b\r\n\r\n", {"A= b"}, 9, true},                              // RFC 5322 §4.5.8
        {"From x Tue: 1\r\nA: b\r\n\r\n", {"A= b"}, 23, true},              // mbox: no field
        {"A: b\r\nno colon\r\n folded\r\nC: d\r\n\r\n", {"A= b", "C= d"}, 33, true},
        {" folded first\r\nA: b\r\n\r\n", {"A= b"}, 23, true},
        {": no name\r\nA: b\r\n\r\n", {"A= b"}, 19, true},
        {"A: b\r\n \r\n\r\n", {"A= b\\x0d\\x0a "}, 11, true},               // a line of blanks is folding, not the end
        {"A:\r\n\r\n", {"A="}, 6, true},
        {"A: b\rc\r\n\r\n", {"A= b\\x0dc"}, 10, true},                      // a bare CR ends no line
        {"\xC3\x84: b\r\nA: c\r\n\r\n", {"A= c"}, 15, true},
    };
    for (auto const& c : cases) {
        auto const h = parse_header(c.text, limits);
        EXPECT_EQ(fields_of(c.text), c.fields) << c.text;
        EXPECT_EQ(h.body_offset, c.body) << c.text;
        EXPECT_EQ(h.has_empty_line, c.empty_line) << c.text;
        EXPECT_FALSE(h.over_limit);
        // Cut anywhere, it never reads past the end and never loses a field before the cut.
        for (std::size_t cut = 0; cut <= c.text.size(); ++cut) {
            std::string const exact{c.text.substr(0, cut)};
            EXPECT_LE(fields_of(exact).size(), c.fields.size() + 1) << c.text << " cut at " << cut;
        }
    }
}

TEST(header, limits_cut_but_do_not_lose_the_body)
{
    base::limits small;
    small.header_fields = 3;
    small.header_field_size = 16;
    small.header_size = 64;
    auto const many = parse_header("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\nbody", small);
    EXPECT_TRUE(many.over_limit);
    EXPECT_EQ(many.fields.size(), 3U);
    EXPECT_EQ(many.body_offset, 26U);
    auto const large = parse_header("A: 12345678901234567890\r\nB: 2\r\n\r\nbody", small);
    EXPECT_TRUE(large.over_limit);
    ASSERT_EQ(large.fields.size(), 2U);
    EXPECT_EQ(large.fields[0].body.size(), 16U);
    EXPECT_EQ(large.fields[0].length, 25U);
    EXPECT_EQ(large.fields[1].body, " 2");
    auto const wide = parse_header("A: 1\r\n" + std::string(80, 'x') + "\r\nB: 2\r\n\r\nbody", small);
    EXPECT_TRUE(wide.over_limit);
    EXPECT_EQ(wide.fields.size(), 1U);
    EXPECT_EQ(wide.body_offset, 96U);
}

TEST(header, find_ignores_case_and_takes_the_first)
{
    std::string_view const text = "Subject: a\r\nsubject: b\r\n\r\n";
    auto const h = parse_header(text, limits);
    ASSERT_NE(find_field(h, "SUBJECT"), nullptr);
    EXPECT_EQ(find_field(h, "SUBJECT")->body, " a");
    EXPECT_EQ(find_field(h, "Subjec"), nullptr);
}

TEST(header, unfolding_removes_line_ends_only)
{
    EXPECT_EQ(unfold(" a\r\n b\n\tc\rd"), " a b\tc\rd");
    EXPECT_EQ(unfold(""), "");
    EXPECT_EQ(unfold("\r\n"), "");
}

TEST(header, encoded_words)
{
    struct {
        std::string_view in, out;
    } const cases[] = {
        {"plain", "plain"},
        {"=?utf-8?Q?w=C3=B6rld?=", "wörld"},
        {"=?UTF-8?b?w7Y=?=", "ö"},
        {"=?iso-8859-1?q?a_b=20c?=", "a b c"},
        {"=?iso-8859-1*en?q?caf=e9?=", "café"},                           // RFC 2231 §5
        {"a =?us-ascii?Q?b?= c", "a b c"},
        {"=?us-ascii?Q?a?= =?us-ascii?Q?b?=", "ab"},                      // RFC 2047 §6.2
        {"=?us-ascii?Q?a?=\r\n  =?us-ascii?Q?b?=", "ab"},
        {"=?us-ascii?Q?a?= x =?us-ascii?Q?b?=", "a x b"},
        {"=?utf-8?Q?=C3?= =?utf-8?Q?=B6?=", "ö"},                         // a character cut in two
        {"=?utf-8?B?w7?= =?utf-8?B?Y=?=", "\xEF\xBF\xBD"},                      // cut inside base64: nothing to save
        {"=?x-unknown?Q?=E9?=", "é"},                                     // as windows-1252
        {"=?nonsense?Q?=C3=A9?=", "é"},                                   // as UTF-8, because it is
        {"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
        {"=?utf-8?Q?abc", "=?utf-8?Q?abc"},
        {"=??Q?abc?=", "=??Q?abc?="},
        {"=?utf-8?Q?"
         "?=x",
         "x"},
        {"=?utf-8?Q?How?"
         "?=",
         "How?"},
        {"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"},
        {"=?utf-8?Q?=0D=0ABcc:=20x=00?=", "  Bcc: x "},                   // no line end comes out of it
        {"caf\xE9", "café"},
        {"=?gb2312?B?xOO6ww==?=", "你好"},
        {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"},
        {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本日本"},  // each word has its own shifts
        {"=?utf-7?Q?+AOk-?=", "é"},
        {"=?windows-1252?Q?=80?=", "€"},
        {"=?iso-8859-1?Q?=80?=", "€"},
        {"=?us-ascii?Q?a=ZZ=4?=", "a=ZZ=4"},
    };
    for (auto const& c : cases) EXPECT_EQ(decode_encoded_words(c.in), c.out) << c.in;
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut <= c.in.size(); ++cut) {
            std::string const exact{c.in.substr(0, cut)};
            EXPECT_TRUE(base::is_utf8(decode_encoded_words(exact))) << c.in << " cut at " << cut;
        }
}

TEST(header, charsets)
{
    EXPECT_EQ(to_utf8("abc", "us-ascii"), "abc");
    EXPECT_EQ(to_utf8("\xE9", ""), "é");
    EXPECT_EQ(to_utf8("\xC3\xA9", ""), "é");
    EXPECT_EQ(to_utf8("a\xC3(", "utf-8"), "a\xEF\xBF\xBD(");
    EXPECT_EQ(to_utf8("\xED\xA0\x80", "utf-8"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
    EXPECT_EQ(to_utf8("\xD0\xD2", "koi8-r"), "пр");
    EXPECT_EQ(to_utf8(std::string_view{"a\0b\0", 4}, "utf-16le"), "ab");
    EXPECT_EQ(to_utf8("\xA4\xA2", "EUC-JP"), "あ");
    // Names that ICU would take for options or its default converter are unknown ones.
    for (auto const* name : {",version=1", "utf-16,version=1", "", " ", "../../x", "a\nb"}) EXPECT_EQ(to_utf8("\xE9", name), "é") << name;
    std::string long_text;
    for (int i = 0; i < 20000; ++i) long_text += "\xA4\xA2x";
    auto const converted = to_utf8(long_text, "euc-jp");
    EXPECT_EQ(converted.size(), 20000U * 4);
    EXPECT_TRUE(base::is_utf8(converted));
}

TEST(header, parameters)
{
    auto const show = [](std::string_view body) {
        auto const p = parse_parameterized(body, limits);
        std::string out = p.value;
        for (auto const& [n, v] : p.parameters) out += ";" + n + "=" + base::printable(v, 4096);
        return out;
    };
    struct {
        std::string_view in;
        std::string out;
    } const cases[] = {
        {"Text/Plain; Charset=UTF-8", "text/plain;charset=UTF-8"},
        {" text / plain (c) ; a = b", "text/plain;a=b"},
        {"a/b; x=\"1;2\\\"3\"; y=2", "a/b;x=1;2\"3;y=2"},
        {"a/b; x=\"1\r\n 2\"", "a/b;x=1 2"},
        {"a/b; x=1; x=2", "a/b;x=1"},                                      // the first counts
        {"a/b; x*0=1; x*1=2", "a/b;x=12"},
        {"a/b; x*1=2; x*0=1", "a/b;x=12"},
        {"a/b; x*0=1; x*2=3", "a/b;x=1"},                                  // a gap
        {"a/b; x*1=2", "a/b"},                                             // no section 0
        {"a/b; x*0=1; x*0=9; x*1=2", "a/b;x=12"},
        {"a/b; x*00=1; x*99999=2", "a/b"},
        {"a/b; x*=utf-8''%c3%a9", "a/b;x=é"},
        {"a/b; x=plain; x*=utf-8''%c3%a9", "a/b;x=é"},                     // the extended form is the better one
        {"a/b; x*0*=iso-8859-1'en'%e9; x*1*=%e8; x*2=%e7", "a/b;x=éè%e7"},
        {"a/b; x*=%c3%a9", "a/b;x=é"},                                     // the charset's quotes are missing
        {"a/b; x=a b c; y=1", "a/b;x=a b c;y=1"},                          // filename=my file
        {"a/b; x=re(1).pdf; y=1 (note)", "a/b;x=re(1).pdf;y=1"},
        {"a/b; x=1 y=2", "a/b;x=1;y=2"},                                   // the ';' is missing
        {"a/b; x=\"1\" y=\"2\"", "a/b;x=1;y=2"},
        {"a/b; x=\"never closed; y=2", "a/b;x=never closed; y=2"},
        {"a/b; x=\"\\", "a/b;x=\\\\"},
        {"a/b; =1; ;; x; y=", "a/b"},
        {"a/b; x=(comment ending in \\", "a/b"},
        {"", ""},
        {"a/b; x=\xE9", "a/b;x=é"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(show(c.in), c.out) << c.in;
        for (std::size_t cut = 0; cut <= c.in.size(); ++cut) {
            std::string const exact{c.in.substr(0, cut)};
            EXPECT_TRUE(base::is_utf8(show(exact))) << c.in << " cut at " << cut;
        }
    }
    EXPECT_EQ(parse_parameterized("a/b; x=1", limits).get("x"), "1");
    EXPECT_EQ(parse_parameterized("a/b; x=1", limits).get("y"), std::nullopt);
}
