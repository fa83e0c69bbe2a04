#include "mailauth/dane.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/executor.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using net::dns_found;
using net::dns_status;
using net::dns_without;
using net::tlsa_record;
using verdict = dane_finding::verdict;

namespace {

/// An Ed25519 key as SubjectPublicKeyInfo (RFC 8410 §10.1).
std::string some_key() { return *base::from_hex("302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"); }

tlsa_record good() { return {3, 1, 1, std::string(32, 'd')}; }

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    net::scripted_resolver dns;
    dane_finding find(dane_question q) { return loop.run(find_dane(dns, std::move(q))); }
};

/// mx.example.test, an MX of example.test; all in signed zones, no alias.
dane_question plain()
{
    dane_question q;
    q.host = q.canonical_host = "mx.example.test";
    q.secure_addresses = q.by_mx = q.secure_mx = true;
    q.next_hop = q.canonical_next_hop = "example.test";
    return q;
}

}  // namespace

TEST(dane, usable_records)
{
    struct {
        char const* what;
        tlsa_record record;
        bool usable;
    } const cases[] = {
        {"3 1 1", {3, 1, 1, std::string(32, 'd')}, true},
        {"3 0 1", {3, 0, 1, std::string(32, 'd')}, true},
        {"3 1 2", {3, 1, 2, std::string(64, 'd')}, true},
        {"2 0 1", {2, 0, 1, std::string(32, 'd')}, true},
        {"2 1 2", {2, 1, 2, std::string(64, 'd')}, true},
        {"0 0 1", {0, 0, 1, std::string(32, 'd')}, false},
        {"1 1 1", {1, 1, 1, std::string(32, 'd')}, false},
        {"4 1 1", {4, 1, 1, std::string(32, 'd')}, false},
        {"255 1 1", {255, 1, 1, std::string(32, 'd')}, false},
        {"3 2 1", {3, 2, 1, std::string(32, 'd')}, false},
        {"3 1 3", {3, 1, 3, std::string(32, 'd')}, false},
        {"3 1 1, one octet short", {3, 1, 1, std::string(31, 'd')}, false},
        {"3 1 1, one octet long", {3, 1, 1, std::string(33, 'd')}, false},
        {"3 1 1 with the other digest's length", {3, 1, 1, std::string(64, 'd')}, false},
        {"3 1 2 with the other digest's length", {3, 1, 2, std::string(32, 'd')}, false},
        {"3 1 1, empty", {3, 1, 1, ""}, false},
        {"3 1 0, a key", {3, 1, 0, some_key()}, true},
        {"3 1 0, a key and an octet", {3, 1, 0, some_key() + "x"}, false},
        {"3 1 0, a key cut", {3, 1, 0, some_key().substr(0, 40)}, false},
        {"3 1 0, empty", {3, 1, 0, ""}, false},
        {"3 0 0, a key where a certificate belongs", {3, 0, 0, some_key()}, false},
        {"2 0 0, no DER", {2, 0, 0, "certificate"}, false},
    };
    for (auto const& c : cases) EXPECT_EQ(is_usable(c.record), c.usable) << c.what;
    EXPECT_EQ(text_of({3, 1, 1, "\x01\xab"}), "3 1 1 01AB");
}

// RFC 7672 §2.1.2, §2.2: the four outcomes.
TEST(dane, what_follows_from_the_answer)
{
    auto const unusable = tlsa_record{1, 1, 1, std::string(32, 'd')};
    struct {
        char const* what;
        net::dns_answer<tlsa_record> answer;
        verdict want;
        std::size_t records;
    } const cases[] = {
        {"secure", dns_found<tlsa_record>({good()}, true), verdict::verify, 1},
        {"secure, one of two usable", dns_found<tlsa_record>({unusable, good()}, true), verdict::verify, 1},
        {"secure, none usable", dns_found<tlsa_record>({unusable}, true), verdict::encrypt, 0},
        {"insecure", dns_found<tlsa_record>({good()}, false), verdict::not_used, 0},
        {"no data", dns_without<tlsa_record>(dns_status::no_data), verdict::not_used, 0},
        {"no such name", dns_without<tlsa_record>(dns_status::no_such_name), verdict::not_used, 0},
        {"failed or bogus", dns_without<tlsa_record>(dns_status::failed, "DNSSEC validation failed"), verdict::unreachable, 0},
    };
    for (auto const& c : cases) {
        world w;
        w.dns.set_tlsa("_25._tcp.mx.example.test", c.answer);
        auto const f = w.find(plain());
        EXPECT_EQ(f.what, c.want) << c.what;
        EXPECT_EQ(f.records.size(), c.records) << c.what;
        bool const published = c.want == verdict::verify || c.want == verdict::encrypt;
        EXPECT_EQ(f.published.size(), published ? c.answer.records.size() : 0) << c.what;
        EXPECT_EQ(f.base_domain, published ? "mx.example.test" : "") << c.what;
        EXPECT_EQ(f.why.empty(), c.want != verdict::unreachable) << c.what;
    }
}

// RFC 7672 §2.2.2, §2.2.3: which names are asked; §3.2.2: which names a certificate may bear.
TEST(dane, where_records_are_looked_for)
{
    using names = std::vector<std::string>;
    struct {
        char const* what;
        std::function<void(dane_question&, net::scripted_resolver&)> set;
        verdict want;
        std::string base;
        names further;
    } const cases[] = {
        {"no alias",
         [](auto&, auto& dns) { dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true)); },
         verdict::verify,
         "mx.example.test",
         {"example.test"}},
        {"another port",
         [](auto& q, auto& dns) {
             q.port = 2525;
             dns.set_tlsa("_2525._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "mx.example.test",
         {"example.test"}},
        {"the domain is an alias too",
         [](auto& q, auto& dns) {
             q.canonical_next_hop = "hosted.test";
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "mx.example.test",
         {"example.test", "hosted.test"}},
        {"insecure MX: the server's own name alone",
         [](auto& q, auto& dns) {
             q.secure_mx = false;
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "mx.example.test",
         {}},
        {"no MX, the domain itself",
         [](auto& q, auto& dns) {
             q.by_mx = q.secure_mx = false;
             q.host = q.canonical_host = "example.test";
             dns.set_tlsa("_25._tcp.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "example.test",
         {}},
        {"no MX, the domain is an alias",
         [](auto& q, auto& dns) {
             q.by_mx = q.secure_mx = false;
             q.host = "example.test";
             q.canonical_host = "host.test";
             dns.set_tlsa("_25._tcp.host.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "host.test",
         {"example.test"}},
        {"insecure addresses: nobody is asked",
         [](auto& q, auto& dns) {
             q.secure_addresses = false;
             dns.set_tlsa("_25._tcp.mx.example.test", dns_without<tlsa_record>(dns_status::failed, "asked all the same"));
         },
         verdict::not_used,
         "",
         {}},
        {"secure alias: the expanded name first",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             dns.set_tlsa("_25._tcp.host.test", dns_found<tlsa_record>({good()}, true));
             dns.set_tlsa("_25._tcp.mx.example.test", dns_without<tlsa_record>(dns_status::failed, "not needed"));
         },
         verdict::verify,
         "host.test",
         {"example.test"}},
        {"secure alias: then the name itself",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             dns.set_tlsa("_25._tcp.host.test", dns_found<tlsa_record>({good()}, false));
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "mx.example.test",
         {"example.test"}},
        {"secure alias: a failure of the first is a failure",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             dns.set_tlsa("_25._tcp.host.test", dns_without<tlsa_record>(dns_status::failed, "SERVFAIL"));
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::unreachable,
         "",
         {}},
        {"an alias in a signed zone that leads to an unsigned one",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             q.secure_addresses = false;
             dns.set_cname("mx.example.test", dns_found<std::string>({"host.test"}, true));
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::verify,
         "mx.example.test",
         {"example.test"}},
        {"an alias in an unsigned zone",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             q.secure_addresses = false;
             dns.set_cname("mx.example.test", dns_found<std::string>({"host.test"}, false));
             dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({good()}, true));
         },
         verdict::not_used,
         "",
         {}},
        {"an alias nobody tells about",
         [](auto& q, auto& dns) {
             q.canonical_host = "host.test";
             q.secure_addresses = false;
             dns.set_cname("mx.example.test", dns_without<std::string>(dns_status::failed, "SERVFAIL"));
         },
         verdict::unreachable,
         "",
         {}},
    };
    for (auto const& c : cases) {
        world w;
        auto q = plain();
        c.set(q, w.dns);
        auto const f = w.find(q);
        EXPECT_EQ(f.what, c.want) << c.what << ": " << f.why;
        EXPECT_EQ(f.base_domain, c.base) << c.what;
        EXPECT_EQ(f.further_names, c.further) << c.what;
    }
}
