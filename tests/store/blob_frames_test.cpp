#include "store/blob_frames.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::store;

namespace {
std::string text_octets(std::size_t n)
{
    std::string out;
    for (std::size_t i = 0; out.size() < n; ++i) out += "line " + std::to_string(i * 7919) + " of a message that compresses well enough\r\n";
    out.resize(n);
    return out;
}
std::string random_octets(std::size_t n)
{
    base::seeded_random r{n + 1};
    return r.octets(n);
}
blob_id an_id(std::uint64_t seed)
{
    base::seeded_random r{seed};
    return blob_id::make(r);
}
std::vector<std::string> messages()
{
    return {"",
            "x",
            text_octets(511),
            text_octets(512),
            random_octets(512),
            text_octets(5000),
            text_octets(blob_piece_octets - 1),
            text_octets(blob_piece_octets),
            text_octets(blob_piece_octets + 1),
            random_octets(blob_piece_octets + 70),
            text_octets(3 * blob_piece_octets + 12345)};
}
}  // namespace

TEST(blob_frames, any_range_comes_back)
{
    for (auto const& message : messages()) {
        auto const id = an_id(1);
        auto const blob = encode_blob(id, message);
        EXPECT_TRUE(check_blob(id, blob));
        std::uint64_t const ends[] = {
            0, 1, 511, message.size() / 2, blob_piece_octets - 1, blob_piece_octets, blob_piece_octets + 1, message.size(), message.size() + 1};
        for (auto const from : ends) {
            for (auto const length : ends) {
                auto const got = decode_range(id, blob, from, length);
                ASSERT_TRUE(got) << describe(got.error());
                auto const want = from >= message.size() ? std::string{} : message.substr(from, length);
                ASSERT_EQ(*got == want, true) << "size " << message.size() << " from " << from << " length " << length;
            }
        }
    }
}

TEST(blob_frames, text_is_compressed_and_noise_is_not)
{
    auto const text = text_octets(100'000);
    EXPECT_LT(encode_blob(an_id(1), text).size(), text.size() / 3);
    auto const noise = random_octets(600'000);
    EXPECT_EQ(encode_blob(an_id(1), noise).size(), noise.size() + 3 * 8 + blob_foot_octets);
    EXPECT_EQ(encode_blob(an_id(1), text.substr(0, 511)).size(), 511 + 8 + blob_foot_octets);
}

TEST(blob_frames, what_only_entropy_coding_would_shrink_stays_as_it_came)
{
    // The base64 of a packed attachment: zstd saves a quarter and every reader pays for it.
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string attachment;
    for (unsigned char const c : random_octets(100'000)) {
        attachment += alphabet[c % 64U];
        if (attachment.size() % 78 == 76) attachment += "\r\n";
    }
    auto const blob = encode_blob(an_id(1), attachment);
    EXPECT_EQ(blob.size(), attachment.size() + 8 + blob_foot_octets);
    EXPECT_TRUE(decode_range(an_id(1), blob, 0, attachment.size()).value_or("") == attachment);
}

TEST(blob_frames, the_index_needs_the_tail_alone)
{
    auto const id = an_id(7);
    auto const blob = encode_blob(id, random_octets(5 * blob_piece_octets + 9));
    auto const needed = blob_tail_needed(std::string_view{blob}.substr(blob.size() - blob_foot_octets));
    ASSERT_TRUE(needed);
    EXPECT_EQ(*needed, 6 * 8 + blob_foot_octets);
    auto const index = read_blob_index(id, std::string_view{blob}.substr(blob.size() - *needed), blob.size());
    ASSERT_TRUE(index);
    EXPECT_EQ(index->frames.size(), 6U);
    EXPECT_FALSE(read_blob_index(id, std::string_view{blob}.substr(blob.size() - *needed + 1), blob.size()));
}

// trust.md D9: torn, zeroed or flipped octets are never served.
TEST(blob_frames, every_flipped_bit_is_found)
{
    auto const id = an_id(2);
    for (auto const& message : {text_octets(40), text_octets(3000), random_octets(700)}) {
        auto const blob = encode_blob(id, message);
        for (std::size_t bit = 0; bit < blob.size() * 8; ++bit) {
            auto damaged = blob;
            damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
            auto const got = decode_range(id, damaged, 0, message.size());
            ASSERT_TRUE(!got && is_corruption(got.error())) << "bit " << bit;
        }
    }
}

TEST(blob_frames, every_cut_and_zeroed_block_is_found)
{
    auto const id = an_id(3);
    auto const message = random_octets(blob_piece_octets + 30'000);
    auto const blob = encode_blob(id, message);
    for (std::size_t at = 0; at < blob.size(); at += 512) {
        EXPECT_FALSE(decode_range(id, std::string_view{blob}.substr(0, at), 0, message.size()));
        for (std::size_t const block : {std::size_t{512}, std::size_t{4096}}) {
            auto damaged = blob;
            std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at), std::min(block, damaged.size() - at), '\0');
            EXPECT_FALSE(check_blob(id, damaged)) << at;
        }
    }
}

TEST(blob_frames, another_blob_or_frame_is_never_served)
{
    auto const message = random_octets(2 * blob_piece_octets);
    auto const blob = encode_blob(an_id(4), message);
    EXPECT_FALSE(decode_range(an_id(5), blob, 0, 10));
    // Two frames of one length, exchanged: their checksums know their numbers.
    auto swapped = blob.substr(blob_piece_octets, blob_piece_octets) + blob.substr(0, blob_piece_octets) + blob.substr(2 * blob_piece_octets);
    EXPECT_FALSE(decode_range(an_id(4), swapped, 0, 10));
}

TEST(blob_frames, pieces_and_the_whole_encode_alike)
{
    auto const message = text_octets(2 * blob_piece_octets + 100);
    auto const id = an_id(6);
    std::string out;
    blob_encoder encoder{id, message.size()};
    for (std::size_t at = 0; at < message.size(); at += blob_piece_octets) encoder.add(std::string_view{message}.substr(at, blob_piece_octets), out);
    encoder.finish(out);
    EXPECT_EQ(out == encode_blob(id, message), true);
}
