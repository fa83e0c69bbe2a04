#include "reports/packing.hpp"

#include <gtest/gtest.h>

#include "archives.hpp"
#include "base/random.hpp"

using namespace mansio;
using namespace mansio::reports;
using test::zip_of;

namespace {

/// What is unpacked, or "!KIND: sentence".
std::string unpacked(std::string_view octets, packing_limits const& limits = {})
{
    std::string out;
    auto const done = unpack(octets, limits, [&](std::string_view piece) -> result<void> {
        EXPECT_LE(piece.size(), 65'536U);
        out += piece;
        return {};
    });
    if (!done) return std::string{"!"} + base::name_of(done.error().what) + ": " + done.error().say;
    return out;
}

std::string noise(std::size_t octets)
{
    base::seeded_random r{3};
    return r.octets(octets);
}

TEST(packing, opens_what_it_knows)
{
    auto const text = std::string(200'000, 'x') + noise(300'000);
    EXPECT_EQ(unpacked(text), text);
    EXPECT_EQ(unpacked(gzip(text)), text);
    EXPECT_EQ(unpacked(gzip("")), "");
    EXPECT_EQ(unpacked(gzip("one,") + gzip("two")), "one,two");
    EXPECT_EQ(unpacked(gzip("padded") + std::string(500, '\0')), "padded");
    EXPECT_EQ(unpacked(zip_of("a.xml", text)), text);
    EXPECT_EQ(unpacked(zip_of("a.xml", text, {.method = 0})), text);
    EXPECT_EQ(unpacked(zip_of("a.xml", "x", {.comment = "made by hand, PK\x05\x06 in it"})), "x");
    EXPECT_EQ(gzip(text), gzip(text));
}

TEST(packing, says_what_is_wrong)
{
    auto const text = std::string{"<feedback>some report</feedback>"};
    auto trailing_zip = zip_of("a", text) + "tail";
    auto broken_gzip = gzip(text);
    broken_gzip[broken_gzip.size() - 6] ^= 1;
    struct {
        std::string octets, want;
    } const cases[] = {
        {gzip(text) + "tail", "!syntax: a damaged archive: something follows its end"},
        {broken_gzip, "!syntax: a damaged archive: incorrect data check"},
        {"\x1f\x8b then text", "!syntax: a damaged archive: unknown compression method"},
        {zip_of("a", text, {.wrong_crc = true}), "!syntax: a damaged archive: its checksum is not what its directory says"},
        {zip_of("a", text, {.size_said_more = 1}), "!syntax: a damaged archive: its size is not what its directory says"},
        {zip_of("a", text, {.entries = 2}), "!syntax: an archive of 2 files, where one is expected"},
        {zip_of("a", text, {.entries = 0}), "!syntax: an archive of 0 files, where one is expected"},
        {zip_of("a", text, {.flags = 1}), "!refused: an encrypted archive"},
        {zip_of("a", text, {.method = 12}), "!refused: an archive packed by method 12, not by DEFLATE"},
        {trailing_zip, "!syntax: a damaged archive: no directory at its end"},
        {zip_of("a", text, {.size_said_more = 0xF000'0000}), "!over_limit: more than 104857600 octets unpacked"},
    };
    for (auto const& c : cases) EXPECT_EQ(unpacked(c.octets), c.want);
}

TEST(packing, a_cut_archive_is_never_taken_for_a_whole_one)
{
    auto const text = noise(100) + std::string(400, 'a');
    for (auto const& whole : {gzip(text), zip_of("a.xml", text), zip_of("a.xml", text, {.method = 0})})
        for (std::size_t cut = 4; cut < whole.size(); ++cut) EXPECT_TRUE(unpacked(whole.substr(0, cut)).starts_with("!syntax")) << cut;
}

TEST(packing, a_damaged_octet_is_an_error_or_changes_nothing)
{
    auto const text = noise(100) + std::string(400, 'a');
    for (auto const& whole : {gzip(text), zip_of("a.xml", text)}) {
        for (std::size_t at = 4; at < whole.size(); ++at) {
            auto other = whole;
            other[at] ^= 0x10;
            auto const got = unpacked(other);
            EXPECT_TRUE(got == text || got.starts_with("!")) << at;
        }
    }
}

TEST(packing, bombs_end_at_the_ratio)
{
    std::string const zeros(20 << 20U, '\0');
    EXPECT_EQ(unpacked(gzip(zeros)), "!over_limit: unpacks to more than 100 times its size");
    EXPECT_EQ(unpacked(zip_of("a", zeros)), "!over_limit: unpacks to more than 100 times its size");
    // Little as a whole: nobody is hurt, however dense.
    EXPECT_EQ(unpacked(gzip(std::string(200'000, 'a'))).size(), 200'000U);
    // A member that hides behind an honest one.
    EXPECT_EQ(unpacked(gzip(noise(1000)) + gzip(zeros)), "!over_limit: unpacks to more than 100 times its size");
}

TEST(packing, limits_of_size)
{
    packing_limits small;
    small.packed = 1000;
    small.unpacked = 5000;
    auto const text = noise(100);
    EXPECT_EQ(unpacked(noise(1000), small).size(), 1000U);
    EXPECT_EQ(unpacked(noise(1001), small), "!over_limit: more than 1000 octets");
    EXPECT_EQ(unpacked(gzip(std::string(5000, 'a')), small).size(), 5000U);
    EXPECT_EQ(unpacked(gzip(std::string(5001, 'a')), small), "!over_limit: more than 5000 octets unpacked");
    EXPECT_EQ(unpacked(zip_of("a", std::string(5001, 'a')), small), "!over_limit: more than 5000 octets unpacked");
    std::string many;
    for (int i = 0; i < 65; ++i) many += gzip("");
    EXPECT_EQ(unpacked(many), "!over_limit: more than 64 gzip members");
}

TEST(packing, the_sinks_error_ends_it)
{
    std::size_t calls = 0;
    auto const done = unpack(gzip(noise(300'000)), {}, [&](std::string_view) -> result<void> {
        ++calls;
        return fail(fault::kind::syntax, "enough");
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().say, "enough");
    EXPECT_EQ(calls, 1U);
}

}  // namespace
