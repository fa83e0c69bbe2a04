// links: net
// PROXY headers (HAProxy's document): what is read does not depend on where the network cuts, no octet behind the header is taken, and the bounds hold.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/proxy_protocol.hpp"

using namespace mansio;

namespace {

struct outcome {
    bool bad = false, complete = false;
    std::size_t taken = 0;
    std::string source;
    bool operator==(outcome const&) const = default;
};

outcome read(std::string_view octets, std::size_t cut)
{
    net::proxy_header_parser p;
    outcome out;
    while (p.wants() > 0 && out.taken < octets.size()) {
        auto const piece = octets.substr(out.taken, std::min(p.wants(), cut));
        if (!p.feed(piece)) {
            out = {};
            out.bad = true;
            return out;  // how far it got before it knew depends on the pieces
        }
        out.taken += piece.size();
    }
    out.complete = p.wants() == 0;
    if (out.complete && p.source()) out.source = p.source()->text();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size > 10'000) return 0;
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    auto const whole = read(octets, size + 1);
    for (std::size_t const cut : {1U, 2U, 7U, 16U})
        if (read(octets, cut) != whole) std::abort();
    if (whole.taken > 4096) std::abort();
    if (whole.complete && octets[0] == 'P' && (whole.taken > 107 || octets.substr(whole.taken - 2, 2) != "\r\n")) std::abort();
    // What was complete stays so, whatever follows it.
    if (whole.complete && read(std::string{octets} + "more", 5) != whole) std::abort();
    return 0;
}
