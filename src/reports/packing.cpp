#include "reports/packing.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <array>

namespace mansio::reports {
namespace {

constexpr std::size_t piece_octets = std::size_t{64} << 10U;
constexpr std::size_t most_members = 64;  // of one gzip file: some senders write one for each flush

std::unexpected<fault> damaged(std::string_view what) { return fail(fault::kind::syntax, fmt::format("a damaged archive: {}", what)); }

/// Counts what comes out against what went in.
class meter {
public:
    meter(std::uint64_t packed, packing_limits const& limits, octet_sink const& sink) : packed_(packed), limits_(limits), sink_(sink) {}
    result<void> take(std::string_view octets)
    {
        total_ += octets.size();
        if (total_ > limits_.unpacked) return fail(fault::kind::over_limit, fmt::format("more than {} octets unpacked", limits_.unpacked));
        if (total_ > limits_.free && total_ / limits_.ratio > packed_)
            return fail(fault::kind::over_limit, fmt::format("unpacks to more than {} times its size", limits_.ratio));
        return sink_(octets);
    }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

private:
    std::uint64_t packed_, total_ = 0;
    packing_limits const& limits_;
    octet_sink const& sink_;
};

/// zlib's inflate over octets that are all there.
class inflater {
public:
    inflater(std::string_view octets, int window_bits)
    {
        // zlib takes no const input; it does not write to it.
        z_.next_in = const_cast<Bytef*>(reinterpret_cast<Bytef const*>(octets.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        z_.avail_in = static_cast<uInt>(octets.size());
        if (inflateInit2(&z_, window_bits) != Z_OK) throw std::bad_alloc{};
    }
    ~inflater() { inflateEnd(&z_); }
    inflater(inflater const&) = delete;
    inflater& operator=(inflater const&) = delete;

    /// To the end of the stream (or of one gzip member), checksum included where the format has one.
    result<void> run(meter& into)
    {
        std::string piece(piece_octets, '\0');
        while (true) {
            z_.next_out = reinterpret_cast<Bytef*>(piece.data());
            z_.avail_out = static_cast<uInt>(piece.size());
            int const did = inflate(&z_, Z_NO_FLUSH);
            if (did == Z_MEM_ERROR) throw std::bad_alloc{};
            if (did == Z_NEED_DICT || did == Z_DATA_ERROR || did == Z_STREAM_ERROR) return damaged(z_.msg != nullptr ? z_.msg : "no DEFLATE data");
            auto const made = piece.size() - z_.avail_out;
            if (made != 0) {
                auto const taken = into.take(std::string_view{piece}.substr(0, made));
                if (!taken) return fail(taken);
                crc_ = static_cast<std::uint32_t>(crc32(crc_, reinterpret_cast<Bytef const*>(piece.data()), static_cast<uInt>(made)));
            }
            if (did == Z_STREAM_END) return {};
            if (made == 0) return damaged("it ends in the middle");
        }
    }
    void next_member() { inflateReset(&z_); }
    [[nodiscard]] std::size_t left() const noexcept { return z_.avail_in; }
    [[nodiscard]] std::uint32_t crc() const noexcept { return crc_; }

private:
    z_stream z_{};
    std::uint32_t crc_ = 0;
};

result<void> unpack_gzip(std::string_view octets, meter& into)
{
    inflater z{octets, MAX_WBITS + 16};
    // RFC 1952 §2.2: a file is one or more members, one after another.
    for (std::size_t member = 0; member < most_members; ++member) {
        auto const done = z.run(into);
        if (!done) return done;
        auto const rest = octets.substr(octets.size() - z.left());
        if (rest.find_first_not_of('\0') == std::string_view::npos) return {};  // gzip itself takes padding with zeros
        if (packing_of(rest) != packing::gzip) return damaged("something follows its end");
        z.next_member();
    }
    return fail(fault::kind::over_limit, fmt::format("more than {} gzip members", most_members));
}

std::uint32_t little(std::string_view octets, std::size_t at, std::size_t count)
{
    std::uint32_t v = 0;
    for (std::size_t i = count; i-- > 0;) v = v << 8U | static_cast<unsigned char>(octets[at + i]);
    return v;
}

constexpr std::string_view local_mark{"PK\x03\x04"}, central_mark{"PK\x01\x02"}, end_mark{"PK\x05\x06"};
constexpr std::size_t local_size = 30, central_size = 46, end_size = 22;

/// What the directory at the archive's end says of its one file. Layout: PKWARE's APPNOTE.TXT §4.3.
struct zip_entry {
    std::uint32_t flags = 0, method = 0, crc = 0;
    std::uint64_t packed = 0, unpacked = 0, offset = 0;
};

result<zip_entry> read_directory(std::string_view octets)
{
    if (octets.size() < end_size) return damaged("it ends in the middle");
    auto const end = octets.rfind(end_mark, octets.size() - end_size);
    // The end record may be followed by a comment of its own length, and by nothing else.
    if (end == std::string_view::npos || end + end_size + little(octets, end + 20, 2) != octets.size()) return damaged("no directory at its end");
    auto const entries = little(octets, end + 10, 2);
    auto const offset = little(octets, end + 16, 4);
    if (entries != 1) return fail(fault::kind::syntax, fmt::format("an archive of {} files, where one is expected", entries));
    if (offset > end || end - offset < central_size || octets.substr(offset, 4) != central_mark) return damaged("no directory where it says");
    zip_entry e;
    e.flags = little(octets, offset + 8, 2);
    e.method = little(octets, offset + 10, 2);
    e.crc = little(octets, offset + 16, 4);
    e.packed = little(octets, offset + 20, 4);
    e.unpacked = little(octets, offset + 24, 4);
    e.offset = little(octets, offset + 42, 4);
    return e;
}

result<void> unpack_zip(std::string_view octets, packing_limits const& limits, meter& into)
{
    auto const e = read_directory(octets);
    if (!e) return fail(e);
    if ((e->flags & 1U) != 0) return fail(fault::kind::refused, "an encrypted archive");
    if (e->method != 0 && e->method != Z_DEFLATED) return fail(fault::kind::refused, fmt::format("an archive packed by method {}, not by DEFLATE", e->method));
    if (e->unpacked > limits.unpacked) return fail(fault::kind::over_limit, fmt::format("more than {} octets unpacked", limits.unpacked));
    if (e->offset > octets.size() || octets.size() - e->offset < local_size || octets.substr(e->offset, 4) != local_mark)
        return damaged("no file where its directory says");
    auto const begin = e->offset + local_size + little(octets, e->offset + 26, 2) + little(octets, e->offset + 28, 2);
    if (begin > octets.size() || octets.size() - begin < e->packed) return damaged("its file goes beyond its end");
    auto const packed = octets.substr(begin, e->packed);
    std::uint32_t crc = 0;
    if (e->method == 0) {
        for (std::size_t at = 0; at < packed.size(); at += piece_octets) {
            auto const taken = into.take(packed.substr(at, piece_octets));
            if (!taken) return taken;
        }
        crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<Bytef const*>(packed.data()), static_cast<uInt>(packed.size())));
    } else {
        inflater z{packed, -MAX_WBITS};
        auto const done = z.run(into);
        if (!done) return done;
        if (z.left() != 0) return damaged("something follows its file's end");
        crc = z.crc();
    }
    if (into.total() != e->unpacked) return damaged("its size is not what its directory says");
    if (crc != e->crc) return damaged("its checksum is not what its directory says");
    return {};
}

}  // namespace

packing packing_of(std::string_view octets) noexcept
{
    if (octets.starts_with("\x1f\x8b")) return packing::gzip;
    if (octets.starts_with(local_mark) || octets.starts_with(end_mark)) return packing::zip;
    return packing::plain;
}

result<void> unpack(std::string_view octets, packing_limits const& limits, octet_sink const& sink)
{
    if (octets.size() > limits.packed) return fail(fault::kind::over_limit, fmt::format("more than {} octets", limits.packed));
    meter into{octets.size(), limits, sink};
    switch (packing_of(octets)) {
    case packing::gzip: return unpack_gzip(octets, into);
    case packing::zip: return unpack_zip(octets, limits, into);
    case packing::plain: break;
    }
    for (std::size_t at = 0; at < octets.size(); at += piece_octets) {
        auto const taken = into.take(octets.substr(at, piece_octets));
        if (!taken) return taken;
    }
    return {};
}

std::string gzip(std::string_view octets)
{
    z_stream z{};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc{};
    std::string out(deflateBound(&z, octets.size()), '\0');
    z.next_in = const_cast<Bytef*>(reinterpret_cast<Bytef const*>(octets.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    z.avail_in = static_cast<uInt>(octets.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    int const did = deflate(&z, Z_FINISH);
    MANSIO_ASSERT(did == Z_STREAM_END);  // deflateBound() says how much is enough
    out.resize(out.size() - z.avail_out);
    deflateEnd(&z);
    return out;
}

}  // namespace mansio::reports
