// i;unicode-casemap (RFC 5051).
#include <gtest/gtest.h>

#include "mime/unicode.hpp"

namespace mansio::mime {
namespace {

TEST(casemap, keys)
{
    struct {
        std::string_view text, key;
    } const cases[] = {
        {"", ""},
        {"Hello, world [1]", "HELLO, WORLD [1]"},
        {"Grüße", "GRU\u0308SSE"},
        {"\u00C5ngstr\u00F6m", "A\u030ANGSTRO\u0308M"},
        {"Andr\u00E9", "ANDRE\u0301"},
        {"\uFB01n", "FIN"},                         // a ligature
        {"\uFF21\uFF42", "AB"},                     // full width
        {"\u0434\u0430", "\u0414\u0410"},           // Cyrillic
        {"\u03C3\u03C2", "\u03A3\u03A3"},           // both small sigmas
        {"\u01C6", "DZ\u030C"},                     // titlecase, then apart
        {"\uAC00", "\u1100\u1161"},                 // Hangul
        {"\U0001F600x", "\U0001F600X"},
        {"a\xFF"
         "b",
         "A\uFFFDB"},
        {"\xE2\x82", "\uFFFD"},
    };
    for (auto const& c : cases) EXPECT_EQ(casemap(c.text), c.key) << c.text;
    EXPECT_EQ(casemap("e\u0301"), casemap("\u00C9"));
    EXPECT_EQ(casemap("STRASSE"), casemap("Straße"));
    EXPECT_LT(casemap("Zoe"), casemap("_"));  // capitals: before what stands between them and small letters
}

}  // namespace
}  // namespace mansio::mime
