#include "mailauth/canonical.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using enum canonicalization;

namespace {

std::string body(std::string_view text, canonicalization how, std::size_t cut = 0)
{
    std::string out;
    canonical_body b{how, [&](std::string_view octets) { out += octets; }};
    b.feed(text.substr(0, cut));
    for (auto rest = text.substr(cut); !rest.empty(); rest.remove_prefix(1)) b.feed(rest.substr(0, 1));
    b.finish();
    EXPECT_EQ(b.size(), out.size());
    return out;
}

}  // namespace

TEST(canonical_field, the_examples_of_rfc6376_3_4_5)
{
    EXPECT_EQ(canonical_field("A: X\r\n", relaxed), "a:X\r\n");
    EXPECT_EQ(canonical_field("B : Y\t\r\n\tZ  \r\n", relaxed), "b:Y Z\r\n");
    EXPECT_EQ(canonical_field("B : Y\t\r\n\tZ  \r\n", simple), "B : Y\t\r\n\tZ  \r\n");
    EXPECT_EQ(canonical_field("SUBJect: AbC", relaxed), "subject:AbC\r\n");
    EXPECT_EQ(canonical_field("X:\r\n", relaxed), "x:\r\n");
    EXPECT_EQ(canonical_field("X: a\n b\n", simple), "X: a\r\n b\r\n");
    EXPECT_EQ(canonical_field("no colon", relaxed), "no colon:\r\n");
}

TEST(canonical_body, tables_cut_at_every_octet)
{
    struct row {
        std::string_view text, simple_form, relaxed_form;
    };
    for (auto const& r : {row{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, row{"", "\r\n", ""}, row{"\r\n\r\n", "\r\n", ""},
                          row{" \t\r\n\r\n", " \t\r\n", ""}, row{"a", "a\r\n", "a\r\n"}, row{"a\r\n\r\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
                          row{"a\r\n \r\n\r\nb \r\n \r\n", "a\r\n \r\n\r\nb \r\n \r\n", "a\r\n\r\n\r\nb\r\n"}, row{"a\nb\n\n", "a\r\nb\r\n", "a\r\nb\r\n"},
                          row{"a\rb\r\n", "a\rb\r\n", "a\rb\r\n"}, row{"a\r\r\n", "a\r\r\n", "a\r\r\n"}, row{"\r", "\r\r\n", "\r\r\n"}})
    {
        for (std::size_t cut = 0; cut <= r.text.size(); ++cut) {
            EXPECT_EQ(body(r.text, simple, cut), r.simple_form) << base::printable(r.text) << " cut at " << cut;
            EXPECT_EQ(body(r.text, relaxed, cut), r.relaxed_form) << base::printable(r.text) << " cut at " << cut;
        }
    }
}

TEST(canonical_body, the_hashes_of_empty_bodies_in_rfc6376)
{
    auto const hash = [](std::string const& text) {
        auto const d = base::sha256(text);
        return base::to_base64({reinterpret_cast<char const*>(d.data()), d.size()});
    };
    EXPECT_EQ(hash(body("", simple)), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
    EXPECT_EQ(hash(body("", relaxed)), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}
