// links: net
// What we read of DNS messages ourselves: nothing but host names comes out as one, and a name read is a name that can be asked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/dns_wire.hpp"

using namespace mansio::net;

namespace {
void check_name(std::string const& name)
{
    if (name.size() > 253) std::abort();
    if (!name.empty() && askable_name(name) != name) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2) return 0;
    std::size_t at = data[0];
    std::string_view const packet{reinterpret_cast<char const*>(data) + 1, size - 1};
    auto const start = at;
    if (auto const name = read_host_name(packet, at)) {
        check_name(*name);
        if (at <= start || at > packet.size()) std::abort();
    }
    if (auto const r = read_mx(packet)) check_name(r->host);
    if (auto const r = read_single_name(packet)) check_name(*r);
    if (auto const r = read_txt(packet))
        if (r->size() >= packet.size()) std::abort();
    if (auto const n = count_cnames(packet))
        if (*n > packet.size() / 11) std::abort();
    if (auto const a = askable_name(packet)) check_name(*a);
    return 0;
}
