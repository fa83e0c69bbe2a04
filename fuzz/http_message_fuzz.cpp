// links: http
// HTTP messages from arbitrary octets, within small limits: what is understood does not depend on where the network cuts, stays within the limits, and
// a request that is written again reads the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message.hpp"

using namespace mansio;
using http::message_parser;

namespace {
constexpr std::uint64_t most_header = 512, most_body = 256;

void must(bool condition)
{
    if (!condition) std::abort();
}

/// As the server does it: what was not used is given again with what follows. True: a whole message, and `rest` octets are left.
bool parse(message_parser& p, std::string_view octets, std::size_t piece, std::size_t& rest)
{
    std::string held;
    while (!p.done() && !octets.empty()) {
        auto const next = octets.substr(0, piece);
        octets.remove_prefix(next.size());
        held += next;
        auto const used = p.feed(held);
        if (!used) return false;
        must(*used <= held.size());
        held.erase(0, *used);
    }
    rest = held.size() + octets.size();
    return p.done();
}

std::string told(http::request const& r)
{
    auto out = r.method + " " + r.path + "?" + r.query + (r.keep_alive ? " keep" : " close") + "\n";
    for (auto const& [name, value] : r.fields) out += name + ": " + value + "\n";
    return out + "\n" + r.body;
}

void requests(std::string_view octets)
{
    message_parser whole{message_parser::side::request, most_header, most_body}, cut{message_parser::side::request, most_header, most_body};
    std::size_t left = 0, left_cut = 0;
    bool const good = parse(whole, octets, octets.size(), left);
    must(parse(cut, octets, 1, left_cut) == good);
    if (!good) return;
    must(left == left_cut);
    auto const a = whole.take_request();
    must(told(a) == told(cut.take_request()));
    must(a.body.size() <= most_body);
    for (auto const& [name, value] : a.fields) must((name + value).find_first_of("\r\n") == std::string::npos);
}

void responses(std::string_view octets)
{
    message_parser whole{message_parser::side::response, most_header, most_body}, cut{message_parser::side::response, most_header, most_body};
    std::size_t left = 0, left_cut = 0;
    bool const good = parse(whole, octets, octets.size(), left);
    must(parse(cut, octets, 1, left_cut) == good);
    if (!good) return;
    auto const a = whole.take_response();
    auto const b = cut.take_response();
    must(a.status == b.status && a.body == b.body && a.content_type == b.content_type && a.body.size() <= most_body);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2 || size > 4096) return 0;
    std::string_view const octets{reinterpret_cast<char const*>(data) + 1, size - 1};
    if ((data[0] & 1U) != 0)
        responses(octets);
    else
        requests(octets);
    return 0;
}
