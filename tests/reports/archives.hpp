// Zip archives as other programs make them, and wrong ones.
#pragma once
#include <zlib.h>

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace mansio::test {

inline std::string little(std::uint64_t v, std::size_t octets)
{
    std::string out;
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(v >> (8 * i) & 0xFFU);
    return out;
}

inline std::string deflated(std::string_view octets, int window_bits = -MAX_WBITS)
{
    z_stream z{};
    if (deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc{};
    std::string out(deflateBound(&z, octets.size()), '\0');
    z.next_in = const_cast<Bytef*>(reinterpret_cast<Bytef const*>(octets.data()));
    z.avail_in = static_cast<uInt>(octets.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(out.size() - z.avail_out);
    deflateEnd(&z);
    return out;
}

struct zip_options {
    unsigned method = 8, flags = 0, entries = 1;
    bool wrong_crc = false;
    std::int64_t size_said_more = 0;
    std::string comment{};
};

inline std::string zip_of(std::string_view name, std::string_view octets, zip_options const& o = {})
{
    auto const data = o.method == 8 ? deflated(octets) : std::string{octets};
    auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<Bytef const*>(octets.data()), static_cast<uInt>(octets.size())));
    if (o.wrong_crc) ++crc;
    auto const said = octets.size() + static_cast<std::uint64_t>(o.size_said_more);
    auto const common = little(o.flags, 2) + little(o.method, 2) + little(0, 4) + little(crc, 4) + little(data.size(), 4) + little(said, 4) +
                        little(name.size(), 2) + little(0, 2);
    std::string out = "PK\x03\x04" + little(20, 2) + common + std::string{name} + data;
    auto const directory = out.size();
    out += "PK\x01\x02" + little(20, 2) + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(0, 4) + std::string{name};
    auto const directory_octets = out.size() - directory;
    out += "PK\x05\x06" + little(0, 4) + little(o.entries, 2) + little(o.entries, 2) + little(directory_octets, 4) + little(directory, 4) +
           little(o.comment.size(), 2) + o.comment;
    return out;
}

}  // namespace mansio::test
