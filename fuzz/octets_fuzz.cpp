// links: base
// base's codecs on arbitrary octets: what decodes encodes back to the same, rows never read past their end, and log lines stay lines.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/bytes.hpp"
#include "base/log.hpp"

using namespace mansio::base;

namespace {
void must(bool condition)
{
    if (!condition) std::abort();
}

void encodings(std::string_view octets)
{
    must(from_hex(to_hex(octets)) == octets);
    must(from_base64(to_base64(octets)) == octets);
    must(from_base32(to_base32(octets)) == octets);
    // Strict decoders: one value has one spelling.
    if (auto const raw = from_base64(octets)) must(to_base64(*raw) == octets);
    if (auto const raw = from_base32(octets)) must(to_base32(*raw) == octets);
    if (auto const raw = from_hex(octets)) must(to_hex(*raw) == to_lower_ascii(octets));
}

void rows(std::string_view octets)
{
    row_reader r{octets};
    for (unsigned turn = 0; r.ok() && !r.at_end(); ++turn) {
        switch (turn % 6) {
        case 0: static_cast<void>(r.u8()); break;
        case 1: static_cast<void>(r.varint()); break;
        case 2: static_cast<void>(r.signed_varint()); break;
        case 3: static_cast<void>(r.be32()); break;
        case 4: must(r.octets().size() <= octets.size()); break;
        default: static_cast<void>(r.be64()); break;
        }
        must(r.rest().size() <= octets.size());
    }
    auto const sealed = row_writer{}.raw(octets).take_sealed();
    auto const opened = unseal(sealed);
    must(opened && *opened == octets);
}

void logged(std::string_view octets)
{
    for (auto const format : {log_format::human, log_format::json}) {
        auto const line = format_event(format, "t", log_level::info, "event", {{"value", octets}});
        must(is_utf8(line));
        for (unsigned char const c : line) must(c >= 0x20 && c != 0x7f);
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    encodings(octets);
    rows(octets);
    logged(octets);
    must(equal_ignoring_case(to_lower_ascii(octets), to_upper_ascii(octets)));
    must(crc32c(octets.substr(size / 3), crc32c(octets.substr(0, size / 3))) == crc32c(octets));
    return 0;
}
