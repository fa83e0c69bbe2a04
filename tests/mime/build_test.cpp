#include "mime/build.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/header.hpp"

using namespace mansio;
using namespace mansio::mime;

TEST(build, a_field_is_folded_and_unfolds_to_itself)
{
    std::string body = "from x.example (x.example [192.0.2.1]) by mx.example.test (Mansio) with ESMTPS id abcdefghijklmnop  for <somebody@example.test>; Tue, "
                       "1 Jul 2003 10:52:37 +0200";
    auto const f = make_field("Received", body);
    ASSERT_TRUE(f);
    EXPECT_TRUE(f->ends_with("\r\n"));
    base::limits const limits;
    auto const text = *f + "\r\n";
    auto const h = parse_header(text, limits);
    ASSERT_EQ(h.fields.size(), 1U);
    EXPECT_EQ(base::trim_blanks(unfold(h.fields[0].body)), body);
    std::string_view rest = *f;
    while (!rest.empty()) {
        auto const end = rest.find("\r\n");
        EXPECT_LE(end, 78U);
        rest.remove_prefix(end + 2);
    }
    EXPECT_EQ(make_field("A", "").value_or("?"), "A: \r\n");
    EXPECT_EQ(make_field("A", std::string(200, 'x')).value_or("?"), "A: " + std::string(200, 'x') + "\r\n");  // nowhere to fold
}

TEST(catalogue, W11_a_field_of_ours_cannot_be_injected)
{
    for (std::string_view const bad : std::initializer_list<std::string_view>{"a\r\nBcc: x", "a\nb", "a\rb", {"a\0b", 3}, "\n"})
        EXPECT_FALSE(make_field("Subject", bad)) << bad;
    for (auto const* bad : {"", "A B", "A:", "A\r\n", "\xC3\xA4"}) EXPECT_FALSE(make_field(bad, "x")) << bad;
    for (auto const* name : {"a\r\nBcc: x@y", "=?utf-8?Q?=0D=0ABcc:?=", "\"\r\n", "\xC3\xA4\r\nBcc: x", "a\x01\x7f"}) {
        auto const text = format_address(name, "a@b\r\nBcc: c@d");
        EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << text;
        EXPECT_TRUE(make_field("From", text)) << text;
    }
}

TEST(build, encoded_words_read_back)
{
    for (std::string_view const text : {"plain text", "", "Grüße", "Grüße aus Köln", "a  Grüße  b ",
                                        "=?utf-8?Q?x?=", "日本語の件名がとても長いのでいくつかの語に分けなければなりません、そうでしょう", "ä ö ü a ß",
                                        "[x] \"ä\" <y>", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80"})
    {
        auto const encoded = encode_words(text);
        EXPECT_TRUE(std::ranges::all_of(encoded, [](char c) { return static_cast<unsigned char>(c) < 128; })) << text;
        EXPECT_EQ(decode_encoded_words(encoded), text);
        for (std::size_t at = encoded.find("=?"); at != std::string::npos;) {
            auto const end = std::min(encoded.find(' ', at), encoded.size());
            EXPECT_LE(end - at, 75U) << encoded;  // RFC 2047 §2
            at = encoded.find("=?", end);
        }
    }
    EXPECT_EQ(encode_words("a\r\nb"), "a  b");
    EXPECT_EQ(decode_encoded_words(encode_words("\xFF")), "\xEF\xBF\xBD");
}

TEST(build, addresses_read_back)
{
    for (std::string_view const name : {"Joe Public", "Joe Q. Public", "a \"quoted\" \\ name", "Größe", "Ä, B", "=?x", "O'Neil", "a@b", "(x)", "日本 <a>"}) {
        auto const text = format_address(name, "a@b.example");
        base::budget most{10};
        auto const list = parse_address_list(text, most);
        ASSERT_EQ(list.size(), 1U) << text;
        EXPECT_EQ(decode_encoded_words(list[0].name), name) << text;
        EXPECT_EQ(list[0].mailbox, "a");
        EXPECT_EQ(list[0].host, "b.example");
    }
    EXPECT_EQ(format_address("", "a@b"), "a@b");
    EXPECT_EQ(format_address("  ", "a@b"), "a@b");
}
