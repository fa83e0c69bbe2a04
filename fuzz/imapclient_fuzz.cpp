// links: imapclient
// Answers of a hostile IMAP server: a parse ends, allowing more depth changes nothing that was an answer before, and sets of numbers come back as written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "imapclient/client.hpp"

using namespace mansio::imapclient;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    auto const few = parse_response(octets, 4);
    auto const more = parse_response(octets, 64);
    if (few && !more) std::abort();
    if (few && (few->name != more->name || few->code != more->code || few->fetch.has_value() != more->fetch.has_value())) std::abort();
    if (!more && more.error().say.empty()) std::abort();
    if (auto const ranges = parse_ranges(octets)) {
        auto const again = parse_ranges(ranges_text(*ranges));
        if (!again || *again != *ranges) std::abort();
    }
    return 0;
}
