#include "mime/transfer.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace mansio::mime {
namespace {

std::string decoded(std::string_view text, transfer_encoding how, std::size_t piece)
{
    transfer_decoder d{how};
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) d.decode(text.substr(0, piece), out);
    d.finish(out);
    return out;
}

TEST(transfer_decoder, does_not_depend_on_where_the_octets_are_cut)
{
    struct {
        char const* name;
        transfer_encoding how;
        std::string_view text;
    } const cases[] = {
        {"base64", transfer_encoding::base64, "SGVs\r\nbG8g\r\nd29y\r\nbGQ="},
        {"base64", transfer_encoding::base64, "SGVsbG8=IHdvcmxk"},
        {"base64", transfer_encoding::base64, "S*G\nVsb\tG8"},
        {"base64", transfer_encoding::base64, "S"},
        {"quoted-printable", transfer_encoding::quoted_printable, "a=41=\r\nb=3D \t \r\nc =  \r\n=4"},
        {"quoted-printable", transfer_encoding::quoted_printable, "no end =C3=BC ="},
        {"quoted-printable", transfer_encoding::quoted_printable, "=\r\n=\n = \n==41\r\r\n"},
        {"8bit", transfer_encoding::identity, "as =41 it is\r\n"},
        {"binary", transfer_encoding::identity, ""},
    };
    for (auto const& c : cases) {
        ASSERT_EQ(find_encoding(c.name), c.how);
        auto const want = decode_body(c.text, c.name);
        for (std::size_t piece = 1; piece <= c.text.size() + 1; ++piece) EXPECT_EQ(decoded(c.text, c.how, piece), want) << c.text << " in pieces of " << piece;
    }
}

TEST(transfer_decoder, holds_no_endless_line)
{
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "=41=42 ";
    std::string want;
    for (int i = 0; i < 100'000; ++i) want += "AB ";
    for (std::size_t const piece : {1000U, 65'536U, 1'000'000U})
        EXPECT_EQ(decoded(text + "\r\n", transfer_encoding::quoted_printable, piece).size(), want.size() + 1);
    EXPECT_EQ(decoded(text + "x", transfer_encoding::quoted_printable, 777), want + "x");
}

TEST(find_encoding, knows_the_five_of_rfc_2045)
{
    EXPECT_EQ(find_encoding(""), transfer_encoding::identity);
    EXPECT_EQ(find_encoding("BASE64"), transfer_encoding::base64);
    EXPECT_EQ(find_encoding("x-uuencode"), std::nullopt);
}

TEST(is_portable, wants_crlf_and_no_nul)
{
    using namespace std::literals;
    for (auto const text : {""sv, "a"sv, "a\r\nb\r\n"sv}) EXPECT_TRUE(is_portable(text)) << text;
    for (auto const text : {"\n"sv, "a\nb"sv, "a\rb"sv, "a\r"sv, "\r\r\n"sv, "a\0b"sv}) EXPECT_FALSE(is_portable(text)) << text;
}

/// The message as a plan writes it.
std::string written(std::string const& text)
{
    base::limits const limits;
    octets const message{text};
    auto const plan = plan_portable(message, parse_parts(message, limits), limits);
    if (!plan) return "refused";
    std::string out;
    for (auto const& p : *plan) {
        auto const some = std::string_view{text}.substr(p.range.offset, p.range.length);
        if (!p.text.empty())
            out += p.text;
        else if (p.base64)
            append_base64_lines(out, some, false);
        else
            out += some;
    }
    return out;
}

TEST(plan_portable, encodes_what_is_binary_and_nothing_else)
{
    using namespace std::literals;
    EXPECT_EQ(written("A: b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\1"s),
              "A: b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAoB\r\n");
    EXPECT_EQ(written("Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
                      "Content-Type: application/x\r\ncontent-transfer-ENCODING:\r\n BINARY\r\nX: y\r\n\r\n\xFF\0\r\n--b--\r\n"s),
              "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
              "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\nX: y\r\n\r\n/wA=\r\n--b--\r\n");
    EXPECT_EQ(written("A: b\r\n\r\nplain\r\n"s), "A: b\r\n\r\nplain\r\n");
    EXPECT_EQ(written("A: b\r\n\r\npl\0ain\r\n"s), "refused");
    EXPECT_EQ(written("A: \0b\r\nContent-Transfer-Encoding: binary\r\n\r\n\0"s), "refused");
}

TEST(append_base64_lines, breaks_after_76_letters)
{
    std::string const text(base64_line_octets * 2 + 1, 'x');
    std::string in_two, at_once;
    append_base64_lines(at_once, text, false);
    append_base64_lines(in_two, std::string_view{text}.substr(0, base64_line_octets), true);
    append_base64_lines(in_two, std::string_view{text}.substr(base64_line_octets), false);
    EXPECT_EQ(at_once, in_two);
    EXPECT_EQ(at_once.find("\r\n"), 76U);
    EXPECT_FALSE(at_once.ends_with('\n'));
    EXPECT_EQ(base::from_base64(at_once.substr(0, 76)), text.substr(0, base64_line_octets));
}

}  // namespace
}  // namespace mansio::mime
