#include "base/bytes.hpp"

#include <gtest/gtest.h>

using namespace mansio::base;

TEST(bytes, base64_is_strict)
{
    EXPECT_EQ(to_base64("f"), "Zg==");
    EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(from_base64("Zm8="), "fo");
    for (auto const* bad : {"Z", "Zg=", "Zh==", "Zg==Zg==", "Zm9=", "Z===", "====", "Zm 8"}) EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
}

TEST(bytes, crc32c_has_the_published_check_value)
{
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283U);
}

TEST(bytes, crc32c_is_the_same_whole_and_octet_by_octet)
{
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);     // RFC 3720 §B.4
    EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
    std::string octets;
    std::uint32_t one_by_one = crc32c("");
    for (unsigned i = 0; i < 2000; ++i) {  // longer than several rounds of what is worked on at a time
        ASSERT_EQ(crc32c(octets), one_by_one) << i;
        octets += static_cast<char>(i * 7 ^ i >> 3U);
        one_by_one = crc32c(std::string_view{octets}.substr(i), one_by_one);
    }
}

TEST(bytes, rows_read_back_and_never_past_the_end)
{
    auto const row = row_writer{}.u8(7).varint(300).signed_varint(-5).be32(9).be64(1ULL << 40U).octets("hello").take();
    for (std::size_t cut = 0; cut <= row.size(); ++cut) {
        row_reader r{std::string_view{row}.substr(0, cut)};
        auto const a = r.u8();
        auto const b = r.varint();
        auto const c = r.signed_varint();
        auto const d = r.be32();
        auto const e = r.be64();
        auto const f = r.octets();
        EXPECT_EQ(r.ok(), cut == row.size());
        if (!r.ok()) continue;
        EXPECT_EQ(a, 7);
        EXPECT_EQ(b, 300U);
        EXPECT_EQ(c, -5);
        EXPECT_EQ(d, 9U);
        EXPECT_EQ(e, 1ULL << 40U);
        EXPECT_EQ(f, "hello");
    }
}

TEST(bytes, a_sealed_row_shows_every_flipped_bit)
{
    auto sealed = row_writer{}.octets("mail").take_sealed();
    ASSERT_TRUE(unseal(sealed));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
        sealed[bit / 8] = static_cast<char>(sealed[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(unseal(sealed)) << bit;
        sealed[bit / 8] = static_cast<char>(sealed[bit / 8] ^ (1 << (bit % 8)));
    }
}

TEST(bytes, printable_escapes_what_steers_terminals_and_logs)
{
    EXPECT_EQ(printable("a\r\nb\x1b[31m\x7f"), "a\\x0d\\x0ab\\x1b[31m\\x7f");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
    EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("abcdef", 3), "abc...");
}
