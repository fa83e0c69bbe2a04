#include "support/archive.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>
#include <zstd.h>

#include "support/support.hpp"

namespace mansio::test {
namespace {
std::string inflate(std::string const& packed, std::string const& path)
{
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> const context{ZSTD_createDCtx(), &ZSTD_freeDCtx};
    std::vector<char> piece(ZSTD_DStreamOutSize());
    std::string out;
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    while (in.pos < in.size) {
        ZSTD_outBuffer to{piece.data(), piece.size(), 0};
        if (ZSTD_isError(ZSTD_decompressStream(context.get(), &to, &in))) throw std::runtime_error("not zstd: " + path);
        out.append(piece.data(), to.pos);
    }
    return out;
}

std::string text_field(std::string_view field) { return std::string{field.substr(0, std::min(field.find('\0'), field.size()))}; }
}  // namespace

std::map<std::string, std::string> read_archive(std::string const& path)
{
    constexpr std::size_t block = 512;
    auto const tar = inflate(read_file(path), path);
    std::map<std::string, std::string> out;
    std::string long_name;
    for (std::size_t at = 0; at + block <= tar.size() && tar[at] != '\0';) {
        auto const header = std::string_view{tar}.substr(at, block);
        auto const size = std::stoull(text_field(header.substr(124, 12)), nullptr, 8);
        if (tar.size() - at - block < size) throw std::runtime_error("cut short: " + path);
        auto const body = tar.substr(at + block, size);
        auto name = text_field(header.substr(0, 100));
        if (auto const prefix = text_field(header.substr(345, 155)); header.substr(257, 6) == std::string_view{"ustar\0", 6} && !prefix.empty())
            name = prefix + '/' + name;
        char const type = header[156];
        if (type == 'L')
            long_name = text_field(body);  // GNU: the name of the next entry
        else {
            if (!long_name.empty()) name = std::exchange(long_name, {});
            if (type == '0' || type == '\0') out[name.starts_with("./") ? name.substr(2) : name] = body;
        }
        at += block + (size + block - 1) / block * block;
    }
    return out;
}

}  // namespace mansio::test
