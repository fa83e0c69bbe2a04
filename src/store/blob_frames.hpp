// The encoding of a blob: frames, table, foot (docs/formats/blob.md). Pure: octets in, octets out.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "store/engine.hpp"

namespace mansio::store {

inline constexpr std::size_t blob_piece_octets = std::size_t{256} << 10U;  ///< of the message, in one frame
inline constexpr std::size_t blob_foot_octets = 80;
inline constexpr std::size_t blob_tail_octets = std::size_t{16} << 10U;    ///< read at once from a file's end: foot and most tables

/// Encodes one message, piece by piece. Threads: none; the compression context is the thread's.
class blob_encoder {
public:
    /// `size`: of the whole message.
    blob_encoder(blob_id id, std::uint64_t size);
    /// Appends the frame of the next piece to `out`: blob_piece_octets of the message, or its rest.
    void add(std::string_view piece, std::string& out);
    /// Appends table, slot and foot. Every octet must have been added.
    void finish(std::string& out);

private:
    blob_id id_;
    std::uint64_t size_, added_ = 0;
    std::string table_;
    base::sha256_stream whole_;
};
/// All of it at once.
[[nodiscard]] std::string encode_blob(blob_id id, std::string_view message);

/// Where the frames of a blob are.
struct blob_index {
    struct frame {
        std::uint64_t offset = 0;  ///< in the blob
        std::uint32_t stored = 0;  ///< octets
        std::uint32_t crc = 0;
        bool raw = false;
    };
    blob_id id;
    std::uint64_t size = 0;  ///< of the message
    base::sha256_digest whole{};
    std::vector<frame> frames;
    /// Octets of the message in frame `n`.
    [[nodiscard]] std::size_t piece(std::size_t n) const noexcept;
};

/// How many of the blob's last octets hold table, slot and foot, told from its last blob_foot_octets or more. Errors: broken (corruption).
[[nodiscard]] result<std::uint64_t> blob_tail_needed(std::string_view tail);
/// `tail`: at least that many last octets. `encoded`: octets of the whole blob. Errors: broken (corruption): checksum, another blob's id, a length that
/// does not add up, a format or key algorithm of a later version.
[[nodiscard]] result<blob_index> read_blob_index(blob_id id, std::string_view tail, std::uint64_t encoded);
/// Appends the piece of frame `n` to `out`. Errors: broken (corruption); `out` is then as before.
[[nodiscard]] result<void> decode_frame(blob_index const& index, std::size_t n, std::string_view stored, std::string& out);

/// Of a blob that is in memory: octets [offset, offset + length) of the message, cut at its end.
[[nodiscard]] result<std::string> decode_range(blob_id id, std::string_view blob, std::uint64_t offset, std::uint64_t length);
/// Decodes everything and compares SHA-256 too.
[[nodiscard]] result<void> check_blob(blob_id id, std::string_view blob);

/// "corruption", for the log with what was found.
[[nodiscard]] std::unexpected<fault> corrupt(std::string detail);
[[nodiscard]] bool is_corruption(fault const& f) noexcept;

/// "2k4j…": 26 characters, for file names and logs.
[[nodiscard]] inline std::string text_of(blob_id id) { return base::to_base32(id.view()); }

}  // namespace mansio::store
