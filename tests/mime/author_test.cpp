#include "mime/author.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::mime;

namespace {

/// The domain, or why there is none.
std::string says(std::string_view header)
{
    base::limits const limits;
    auto const a = read_author(parse_header(header, limits), limits);
    return a ? a->domain : "- " + a.error().say;
}

}  // namespace

TEST(author, one_clear_from)
{
    for (auto const* good :
         {"From: alice@example.test\r\n", "From: Alice <alice@Example.TEST>\r\n", "from: <alice@example.test>\r\n",
          "From: \"evil@other.test\" <alice@example.test>\r\n", "From: (evil@other.test) alice@example.test\r\n", "From: Alice\r\n <alice@example.test>\r\n",
          "From:\r\n alice@example.test\r\n", "From : alice@example.test\r\n", "From: a@example.test, b@example.test\r\n", "From: group: a@example.test;\r\n",
          "From: info@example.test <info@example.test>\r\n", "From: \"a@b\"@example.test\r\n", "From: =?utf-8?q?evil=40other.test?= <a@example.test>\r\n",
          "Sender: b@other.test\r\nFrom: a@example.test\r\nResent-From: c@third.test\r\n"})
        EXPECT_EQ(says(good), "example.test") << good;
    EXPECT_EQ(says("From: a@b\xc3\xbc"
                   "cher.test\r\n"),
              "xn--bcher-kva.test");
}

/// espoofer A1 to A19, as far as they are about From.
TEST(catalogue, M2_from_spelled_to_fool_is_refused)
{
    struct row {
        std::string header, says;
    };
    for (auto const& r : std::initializer_list<row>{
             {"From: a@example.test\r\nFrom: b@evil.test\r\n", "- the message has more than one From field"},
             {"From: a@example.test\r\nFROM : a@example.test\r\n", "- the message has more than one From field"},
             {"Subject: none\r\n", "- the message has no From field"},
             {"From:\r\n", "- the From field holds no address"},
             {"From: nobody\r\n", "- the From field holds no address"},
             {"From: <>\r\n", "- the From field holds no address"},
             {"From: undisclosed:;\r\n", "- the From field holds no address"},
             {"From: a@example.test, b@evil.test\r\n", "- the From field names more than one domain"},
             {"From: a@example.test <b@evil.test>\r\n", "- the From field names more than one domain"},
             {"From: <a@example.test> <b@evil.test>\r\n", "- the From field names more than one domain"},
             {"From: <b@evil.test>, a@example.test\r\n", "- the From field names more than one domain"},
             {"From: a@example.test@evil.test\r\n", "-"},
             {"From: <@evil.test:a@example.test>\r\n", "-"},
             {"From: <@example.test,@evil.test:a@example.test>\r\n", "-"},
             {"From: a@[192.0.2.1]\r\n", "- the From field's domain is none"},
             {std::string{"From: a@example.test\0b\r\n", 24}, "- the From field holds control characters"},
             {"From: a@exam\x01ple.test\r\n", "- the From field holds control characters"},
             {"From: =?utf-8?q?a=40example.test?=\r\n", "- the From field holds no address"},
         })
        EXPECT_TRUE(says(r.header).starts_with(r.says)) << r.header << says(r.header);
}

TEST(author, cut_anywhere)
{
    std::string const whole = "From: \"Alice \\\" (x) <b@evil.test>\" (c \\) d) <alice@example.test>\r\n";
    for (std::size_t i = 0; i <= whole.size(); ++i) {
        auto const s = says(whole.substr(0, i));
        EXPECT_EQ(s.find("evil"), std::string::npos) << whole.substr(0, i);
    }
    EXPECT_EQ(says(whole), "example.test");
}
