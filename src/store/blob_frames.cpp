#include "store/blob_frames.hpp"

#include <algorithm>
#include <memory>

#include <zstd.h>

namespace mansio::store {
namespace {
constexpr std::string_view magic = "MNSIOBLB";
constexpr std::uint32_t raw_bit = 0x8000'0000U;
constexpr std::size_t least_compressed = 512;  // below it zstd costs time and gains next to nothing
// Every reader pays for unpacking. Text shrinks to less than half; the base64 of a packed attachment to three quarters, which is mere entropy
// coding at 1 ms a megabyte: that stays as it came.
constexpr std::size_t least_saved_of_ten = 3;
constexpr std::uint8_t format_version = 1;
constexpr std::string_view corruption_word = "corruption: ";

struct free_compression {
    void operator()(ZSTD_CCtx* c) const noexcept { ZSTD_freeCCtx(c); }
    void operator()(ZSTD_DCtx* c) const noexcept { ZSTD_freeDCtx(c); }
};
// One each a thread: making a context costs more than compressing a small message.
ZSTD_CCtx* compressor()
{
    thread_local std::unique_ptr<ZSTD_CCtx, free_compression> const context{ZSTD_createCCtx()};
    MANSIO_ASSERT(context != nullptr);
    return context.get();
}
ZSTD_DCtx* decompressor()
{
    thread_local std::unique_ptr<ZSTD_DCtx, free_compression> const context{ZSTD_createDCtx()};
    MANSIO_ASSERT(context != nullptr);
    return context.get();
}

std::uint32_t frame_crc(blob_id id, std::size_t n, std::string_view stored)
{
    base::row_writer w;
    w.raw(id.view()).be32(static_cast<std::uint32_t>(n));
    return base::crc32c(stored, base::crc32c(w.str()));
}

std::size_t pieces_of(std::uint64_t size) { return static_cast<std::size_t>((size + blob_piece_octets - 1) / blob_piece_octets); }

struct foot {
    blob_id id;
    std::uint64_t size = 0;
    base::sha256_digest whole{};
    std::uint8_t algorithm = 0, version = 0;
    std::uint16_t slot = 0;
    std::uint32_t crc = 0;
};

result<foot> read_foot(std::string_view tail)
{
    if (tail.size() < blob_foot_octets) return corrupt("a blob shorter than its foot");
    auto const text = tail.substr(tail.size() - blob_foot_octets);
    base::row_reader r{text};
    foot f;
    f.id = *blob_id::from_octets(r.raw(16));
    f.size = r.be64();
    std::ranges::copy(r.raw(32), f.whole.begin());
    auto const piece = r.be32();
    f.algorithm = r.u8();
    f.version = r.u8();
    f.slot = static_cast<std::uint16_t>(std::uint16_t{r.u8()} << 8U);
    f.slot = static_cast<std::uint16_t>(f.slot | r.u8());
    f.crc = r.be32();
    auto const zero = r.be32();
    if (r.rest() != magic || zero != 0) return corrupt("no foot at the end of a blob");
    if (piece != blob_piece_octets || f.size / blob_piece_octets > 0x00FF'FFFFU) return corrupt("a blob's foot is damaged");
    return f;
}
std::uint64_t tail_of(foot const& f) { return std::uint64_t{pieces_of(f.size)} * 8 + f.slot + blob_foot_octets; }

result<std::string> decode(blob_index const& index, std::string_view blob, std::uint64_t offset, std::uint64_t length)
{
    std::string out;
    if (offset >= index.size) return out;
    length = std::min(length, index.size - offset);
    if (length == 0) return out;
    out.reserve(static_cast<std::size_t>(length));
    auto const first = static_cast<std::size_t>(offset / blob_piece_octets);
    auto const last = static_cast<std::size_t>((offset + length - 1) / blob_piece_octets);
    for (auto n = first; n <= last; ++n) {
        auto const& frame = index.frames[n];
        auto const done = decode_frame(index, n, blob.substr(static_cast<std::size_t>(frame.offset), frame.stored), out);
        if (!done) return fail(done);
    }
    auto const skip = static_cast<std::size_t>(offset - std::uint64_t{first} * blob_piece_octets);
    if (skip != 0) out.erase(0, skip);
    out.resize(static_cast<std::size_t>(length));
    return out;
}
}  // namespace

std::unexpected<fault> corrupt(std::string detail)
{
    return fail(fault::kind::broken, "the message is damaged", std::string{corruption_word} + std::move(detail));
}
bool is_corruption(fault const& f) noexcept { return f.what == fault::kind::broken && f.detail.starts_with(corruption_word); }

blob_encoder::blob_encoder(blob_id id, std::uint64_t size) : id_(id), size_(size) {}

void blob_encoder::add(std::string_view piece, std::string& out)
{
    MANSIO_ASSERT(piece.size() == std::min<std::uint64_t>(size_ - added_, blob_piece_octets) && !piece.empty());
    whole_.feed(piece);
    auto const start = out.size();
    std::size_t packed = 0;
    if (piece.size() >= least_compressed) {
        auto const room = ZSTD_compressBound(piece.size());
        out.resize(start + room);
        auto const n = ZSTD_compressCCtx(compressor(), out.data() + start, room, piece.data(), piece.size(), 1);
        if (ZSTD_isError(n) == 0 && n <= piece.size() - piece.size() * least_saved_of_ten / 10) packed = n;
        out.resize(start + packed);
    }
    if (packed == 0) out.append(piece);
    auto const stored = std::string_view{out}.substr(start);
    auto const number = static_cast<std::size_t>(added_ / blob_piece_octets);
    base::row_writer entry;
    entry.be32(static_cast<std::uint32_t>(stored.size()) | (packed == 0 ? raw_bit : 0U)).be32(frame_crc(id_, number, stored));
    table_ += entry.str();
    added_ += piece.size();
}

void blob_encoder::finish(std::string& out)
{
    MANSIO_ASSERT(added_ == size_);
    auto const digest = whole_.finish();
    base::row_writer w;
    w.raw(id_.view()).be64(size_).raw({reinterpret_cast<char const*>(digest.data()), digest.size()}).be32(blob_piece_octets);
    w.u8(0).u8(format_version).u8(0).u8(0);  // content in clear, no key in the slot
    w.be32(base::crc32c(w.str(), base::crc32c(table_))).be32(0).raw(magic);
    out += table_;
    out += w.str();
}

std::string encode_blob(blob_id id, std::string_view message)
{
    std::string out;
    out.reserve(message.size() + 256);
    blob_encoder encoder{id, message.size()};
    while (!message.empty()) {
        auto const piece = message.substr(0, blob_piece_octets);
        encoder.add(piece, out);
        message.remove_prefix(piece.size());
    }
    encoder.finish(out);
    return out;
}

std::size_t blob_index::piece(std::size_t n) const noexcept
{
    return static_cast<std::size_t>(std::min<std::uint64_t>(blob_piece_octets, size - std::uint64_t{n} * blob_piece_octets));
}

result<std::uint64_t> blob_tail_needed(std::string_view tail)
{
    auto const f = read_foot(tail);
    if (!f) return fail(f);
    return tail_of(*f);
}

result<blob_index> read_blob_index(blob_id id, std::string_view tail, std::uint64_t encoded)
{
    auto const f = read_foot(tail);
    if (!f) return fail(f);
    auto const needed = tail_of(*f);
    if (needed > tail.size() || needed > encoded) return corrupt("a blob's table is missing");
    auto const text = tail.substr(tail.size() - static_cast<std::size_t>(needed));
    auto const covered = text.substr(0, text.size() - (blob_foot_octets - 64));
    if (base::crc32c(covered) != f->crc) return corrupt("a blob's table fails its checksum");
    if (f->id != id) return corrupt("the blob is another one");
    // Only after the checksum: these are octets as they were written.
    if (f->version != format_version || f->algorithm != 0) return corrupt("the blob is of a later format");
    blob_index index;
    index.id = id;
    index.size = f->size;
    index.whole = f->whole;
    base::row_reader table{text};
    std::uint64_t offset = 0;
    auto const count = pieces_of(f->size);
    index.frames.reserve(count);
    for (std::size_t n = 0; n < count; ++n) {
        auto const length = table.be32();
        blob_index::frame const frame{offset, length & ~raw_bit, table.be32(), (length & raw_bit) != 0};
        offset += frame.stored;
        index.frames.push_back(frame);
    }
    if (!table.ok() || offset + needed != encoded) return corrupt("a blob's length does not add up");
    return index;
}

result<void> decode_frame(blob_index const& index, std::size_t n, std::string_view stored, std::string& out)
{
    MANSIO_ASSERT(n < index.frames.size());
    auto const& frame = index.frames[n];
    if (stored.size() != frame.stored) return corrupt("a frame is cut short");
    if (frame_crc(index.id, n, stored) != frame.crc) return corrupt("a frame fails its checksum");
    auto const piece = index.piece(n);
    if (frame.raw) {
        if (stored.size() != piece) return corrupt("a raw frame has a wrong length");
        out.append(stored);
        return {};
    }
    auto const start = out.size();
    std::size_t got = 0;
    // Not resize(): it would write zeros first. The new length is said here: libstdc++ 12 hands in the capacity it made.
    out.resize_and_overwrite(start + piece, [&](char* to, std::size_t /*room*/) {
        got = ZSTD_decompressDCtx(decompressor(), to + start, piece, stored.data(), stored.size());
        return start + piece;
    });
    if (ZSTD_isError(got) != 0 || got != piece) {
        out.resize(start);
        return corrupt("a frame does not decompress to its length");
    }
    return {};
}

result<std::string> decode_range(blob_id id, std::string_view blob, std::uint64_t offset, std::uint64_t length)
{
    auto const index = read_blob_index(id, blob, blob.size());
    if (!index) return fail(index);
    return decode(*index, blob, offset, length);
}

result<void> check_blob(blob_id id, std::string_view blob)
{
    auto const index = read_blob_index(id, blob, blob.size());
    if (!index) return fail(index);
    base::sha256_stream whole;
    for (std::size_t n = 0; n < index->frames.size(); ++n) {
        auto const& frame = index->frames[n];
        std::string piece;
        auto const done = decode_frame(*index, n, blob.substr(static_cast<std::size_t>(frame.offset), frame.stored), piece);
        if (!done) return fail(done);
        whole.feed(piece);
    }
    if (whole.finish() != index->whole) return corrupt("the message is not the one that was stored (SHA-256)");
    return {};
}

}  // namespace mansio::store
