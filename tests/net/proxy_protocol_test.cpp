#include "net/proxy_protocol.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::net;
using namespace std::string_literals;

namespace {

std::string const sig{"\r\n\r\n\0\r\nQUIT\n", 12};
std::string const v4 = sig + "\x21\x11"s + "\0\x0c"s + "\xcb\x00\x71\x05\xc0\x00\x02\x01\x12\x67\x00\x19"s;
std::string v6(std::string const& tlv = {})
{
    std::string const source = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x05"s;
    return sig + "\x21\x21"s + "\0"s + static_cast<char>(36 + tlv.size()) + source + source + "\x12\x67\x00\x19"s + tlv;
}

/// What the header says, when `whole` comes in pieces of `cut` octets; "more" when it does not end; "bad". Behind it: what was not taken.
std::string read(std::string_view whole, std::size_t cut)
{
    proxy_header_parser p;
    while (p.wants() > 0) {
        auto const n = std::min({p.wants(), cut, whole.size()});
        if (n == 0) return "more";
        if (!p.feed(whole.substr(0, n))) return "bad";
        whole.remove_prefix(n);
    }
    return (p.source() ? p.source()->text() : "own") + (whole.empty() ? "" : " + " + std::string{whole});
}

}  // namespace

TEST(proxy_protocol, headers_whole_and_cut_at_every_octet)
{
    struct {
        std::string octets, want;
    } const cases[] = {
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711 25\r\n", "203.0.113.5:4711"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711 25\r\nEHLO x", "203.0.113.5:4711 + EHLO x"},
        {"PROXY TCP6 2001:db8::5 2001:DB8::1 4711 25\r\n", "[2001:db8::5]:4711"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"PROXY UNKNOWN\r\n", "own"},
        {"PROXY UNKNOWN what ever it is\r\nQUIT", "own + QUIT"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711", "more"},
        {"PROXY ", "more"},
        {"", "more"},
        {"EHLO client.example\r\n", "bad"},
        {"PROXYTCP4 203.0.113.5 192.0.2.1 1 1\r\n", "bad"},
        {"proxy TCP4 203.0.113.5 192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP5 203.0.113.5 192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 04711 25\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 65536 25\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5  192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5 192.0.2.1 4711 25 \r\n", "bad"},
        {"PROXY TCP4 203.0.113.05 192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP4 2001:db8::5 192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP6 203.0.113.5 192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY TCP4 203.0.113.5\n192.0.2.1 4711 25\r\n", "bad"},
        {"PROXY UNKNOWN\r a\r\n", "bad"},
        {"PROXY UNKNOWN " + std::string(200, 'x') + "\r\n", "bad"},
        {v4, "203.0.113.5:4711"},
        {v4 + "EHLO", "203.0.113.5:4711 + EHLO"},
        {v6(), "[2001:db8::5]:4711"},
        {v6("\x03\x00\x04"s + "abcd") + "x", "[2001:db8::5]:4711 + x"},
        {v4.substr(0, 20), "more"},
        {sig, "more"},
        {sig + "\x20\x00\x00\x00"s + "NOOP", "own + NOOP"},                       // LOCAL
        {sig + "\x20\x11\x00\x02"s + "xy" + "NOOP", "own + NOOP"},                // LOCAL: what is there is skipped
        {sig + "\x21\x00\x00\x03"s + "xyz", "own"},                               // UNSPEC
        {sig + "\x21\x31\x00\xd8"s + std::string(216, 'u'), "own"},               // a unix socket
        {sig + "\x21\x12"s + v4.substr(14), "own"},                               // UDP
        {sig + "\x21\x11\x00\x0b"s + std::string(11, 'x'), "bad"},                // cut short
        {sig + "\x11\x11"s + v4.substr(14), "bad"},                               // version 1 in binary
        {sig + "\x22\x11"s + v4.substr(14), "bad"},                               // no such command
        {sig + "\x21\x41"s + v4.substr(14), "bad"},                               // no such family
        {sig + "\x21\x13"s + v4.substr(14), "bad"},                               // no such protocol
        {sig + "\x21\x11\xff\xff"s, "bad"},                                       // 65,535 octets
        {sig + "\x21\x11\x0f\xf1"s, "bad"},                                       // 4,097 in all
        {sig.substr(0, 11) + "\r", "bad"},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 1; cut <= c.octets.size() + 1; ++cut)
            EXPECT_EQ(read(c.octets, cut), c.want) << testing::PrintToString(c.octets) << " by " << cut;
}

TEST(proxy_protocol, is_waited_for_and_no_longer)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    auto pair = make_memory_pair(loop, {});
    auto const before = clock.monotonic();
    auto const slow = loop.run(read_proxy_header(*pair.server, before + std::chrono::seconds{5}));
    ASSERT_FALSE(slow);
    EXPECT_EQ(slow.error().what, fault::kind::timeout);
    EXPECT_EQ(clock.monotonic(), before + std::chrono::seconds{5});
    ASSERT_TRUE(loop.run(pair.client->write("PROXY TCP4 203.0.113.5 192.0.2.1 4711 25\r\nEHLO", base::monotonic_time::max())));
    auto const read = loop.run(read_proxy_header(*pair.server, base::monotonic_time::max()));
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->text(), "203.0.113.5:4711");
    char rest[10];
    EXPECT_EQ(**pair.server->try_read(rest), 4U);
    pair.client->abort();
    EXPECT_FALSE(loop.run(read_proxy_header(*pair.server, base::monotonic_time::max())));
}
