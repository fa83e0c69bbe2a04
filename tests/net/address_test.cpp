#include "net/address.hpp"

#include <gtest/gtest.h>

using namespace mansio::net;

namespace {
ip_address ip(std::string_view text)
{
    auto const a = ip_address::parse(text);
    EXPECT_TRUE(a) << text;
    return a.value_or(ip_address{});
}
}  // namespace

TEST(ip_address, reads_and_writes)
{
    struct {
        char const* in;
        char const* text;
        char const* literal;
        char const* peer;
    } const cases[] = {
        {"192.0.2.1", "192.0.2.1", "[192.0.2.1]", "192.0.2.1/32"},
        {"2001:DB8:0:1:2::1", "2001:db8:0:1:2::1", "[IPv6:2001:db8:0:1:2::1]", "2001:db8::/56"},
        {"2001:db8:1:2ff::1", "2001:db8:1:2ff::1", "[IPv6:2001:db8:1:2ff::1]", "2001:db8:1:200::/56"},
        {"::ffff:192.0.2.1", "192.0.2.1", "[192.0.2.1]", "192.0.2.1/32"},
        {"::", "::", "[IPv6:::]", "::/56"},
    };
    for (auto const& c : cases) {
        auto const a = ip(c.in);
        EXPECT_EQ(a.text(), c.text);
        EXPECT_EQ(a.literal(), c.literal);
        EXPECT_EQ(a.peer_prefix(), c.peer);
        EXPECT_EQ(ip(a.text()), a);
    }
    using namespace std::string_view_literals;
    for (auto const bad :
         {""sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "01.2.3.4"sv, "0x7f.0.0.1"sv, "2130706433"sv, " 1.2.3.4"sv, "1.2.3.4 "sv, "1.2.3.4\0"sv,
          "1.2.3.4\0.5"sv, "fe80::1%eth0"sv, "::1::"sv, "[::1]"sv, "g::1"sv, "1111:2222:3333:4444:5555:6666:7777:8888:9999"sv, "example.test"sv})
        EXPECT_FALSE(ip_address::parse(bad)) << bad;
}

TEST(ip_address, knows_loopback)
{
    EXPECT_TRUE(ip("127.0.0.1").is_loopback());
    EXPECT_TRUE(ip("127.255.0.9").is_loopback());
    EXPECT_TRUE(ip("::1").is_loopback());
    EXPECT_TRUE(ip("::ffff:127.0.0.1").is_loopback());
    EXPECT_FALSE(ip("128.0.0.1").is_loopback());
    EXPECT_FALSE(ip("::").is_loopback());
}

TEST(catalogue, R5_only_global_unicast_is_dialled)
{
    struct {
        char const* address;
        bool global;
    } const cases[] = {
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"10.0.0.1", false},
        {"10.255.255.255", false},
        {"9.255.255.255", true},
        {"11.0.0.0", true},
        {"100.63.255.255", true},
        {"100.64.0.1", false},
        {"100.127.255.255", false},
        {"100.128.0.0", true},
        {"127.0.0.1", false},
        {"127.8.8.8", false},
        {"169.254.169.254", false},
        {"169.253.255.255", true},
        {"172.15.255.255", true},
        {"172.16.0.1", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"192.0.0.1", false},
        {"192.0.2.1", false},
        {"192.88.99.1", false},
        {"192.168.1.1", false},
        {"192.169.0.0", true},
        {"198.17.255.255", true},
        {"198.18.0.1", false},
        {"198.19.255.255", false},
        {"198.20.0.0", true},
        {"198.51.100.7", false},
        {"203.0.113.9", false},
        {"223.255.255.255", true},
        {"224.0.0.1", false},
        {"239.255.255.255", false},
        {"240.0.0.1", false},
        {"255.255.255.255", false},
        {"8.8.8.8", true},
        {"1.1.1.1", true},
        {"::", false},
        {"::1", false},
        {"::127.0.0.1", false},
        {"::8.8.8.8", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:10.0.0.1", false},
        {"::ffff:8.8.8.8", true},
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::10.1.2.3", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b:1::8.8.8.8", false},
        {"2002:7f00:1::1", false},
        {"2002:a00:1::1", false},
        {"2002:c0a8:101::1", false},
        {"2002:a9fe:a9fe::1", false},
        {"2002:808:808::1", true},
        {"2001::1", false},
        {"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
        {"2001:1ff::1", false},
        {"2001:200::1", true},
        {"2001:db8::1", false},
        {"2001:db7::1", true},
        {"3fff::1", false},
        {"3fff:fff::1", false},
        {"3ffe::1", true},
        {"fc00::1", false},
        {"fd12:3456::1", false},
        {"fe80::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
        {"ff0e::1", false},
        {"100::1", false},
        {"5f00::1", false},
        {"4000::1", false},
        {"2606:4700:4700::1111", true},
        {"2a00:1450:4001:81b::200e", true},
    };
    for (auto const& c : cases) EXPECT_EQ(ip(c.address).is_global(), c.global) << c.address;
}

TEST(catalogue, R5_the_gate_opens_only_for_listed_networks)
{
    egress_gate const strict{{}};
    EXPECT_FALSE(strict.permits(ip("127.0.0.1")));
    EXPECT_FALSE(strict.permits(ip("169.254.169.254")));
    EXPECT_TRUE(strict.permits(ip("8.8.8.8")));
    egress_gate const listed{{*cidr::parse("127.0.0.0/8"), *cidr::parse("fd00::/8")}};
    EXPECT_TRUE(listed.permits(ip("127.9.9.9")));
    EXPECT_TRUE(listed.permits(ip("::ffff:127.0.0.1")));
    EXPECT_TRUE(listed.permits(ip("fd00::25")));
    EXPECT_FALSE(listed.permits(ip("10.0.0.1")));
    EXPECT_FALSE(listed.permits(ip("::1")));
}

TEST(endpoint, reads_and_writes)
{
    for (auto const* good : {"192.0.2.1:25", "0.0.0.0:0", "[2001:db8::1]:65535", "[::1]:25"}) {
        auto const e = endpoint::parse(good);
        ASSERT_TRUE(e) << good;
        EXPECT_EQ(e->text(), good);
    }
    for (auto const* bad : {"", ":", ":25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1", "192.0.2.1: 1", "192.0.2.1:2x",
                            "::1:25", "[192.0.2.1]:25", "[::1]", "[::1]25", "::1]:25", "[::1:25", "localhost:25", "[]:25"})
        EXPECT_FALSE(endpoint::parse(bad)) << bad;
}

TEST(cidr, contains)
{
    struct {
        char const* net;
        char const* address;
        bool in;
    } const cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true},
        {"10.1.2.3/9", "10.127.0.1", true},
        {"10.1.2.3/9", "10.128.0.1", false},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "::1", true},
        {"::/0", "10.0.0.1", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
    };
    for (auto const& c : cases) {
        auto const net = cidr::parse(c.net);
        ASSERT_TRUE(net) << c.net;
        EXPECT_EQ(net->contains(ip(c.address)), c.in) << c.net << " " << c.address;
    }
    for (auto const* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "::ffff:10.0.0.0/8", "10/8"})
        EXPECT_FALSE(cidr::parse(bad)) << bad;
}
