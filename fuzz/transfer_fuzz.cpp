// links: mime
// A part decoded in pieces is what it is decoded whole; a message written portably is portable but for line ends, and says the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mime/transfer.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
void require(bool holds)
{
    if (!holds) std::abort();
}

void decode_both_ways(std::string_view text, std::string_view name, std::size_t piece)
{
    transfer_decoder d{*find_encoding(name)};
    std::string out;
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) d.decode(rest.substr(0, piece), out);
    d.finish(out);
    require(out == decode_body(text, name));
}

void write_portably(std::string_view text)
{
    base::limits const limits;
    octets const message{std::string{text}};
    auto const plan = plan_portable(message, parse_parts(message, limits), limits);
    if (!plan) return;
    std::uint64_t told = 0;
    for (auto const& p : *plan) {
        require(p.text.empty() || p.range.length == 0);
        require(p.range.offset + p.range.length <= text.size() && (p.range.length == 0 || p.range.offset >= told));
        if (p.range.length != 0) told = p.range.offset + p.range.length;
        require(p.base64 || !text.substr(static_cast<std::size_t>(p.range.offset), static_cast<std::size_t>(p.range.length)).contains('\0'));
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2 || size > 60'000) return 0;
    std::string_view const text{reinterpret_cast<char const*>(data) + 1, size - 1};
    std::size_t const piece = data[0] % 7 + 1;
    for (auto const* const name : {"base64", "quoted-printable", "8bit"}) decode_both_ways(text, name, piece);
    write_portably(text);
    return 0;
}
