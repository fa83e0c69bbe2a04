#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <thread>

#include "base/bytes.hpp"
#include "net/dns.hpp"
#include "net/dns_wire.hpp"
#include "net/socket.hpp"
#include "net_fixture.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

std::string u16(unsigned v) { return {static_cast<char>(v >> 8U), static_cast<char>(v & 0xFFU)}; }
std::string wire_name(std::string_view name)
{
    std::string w;
    while (!name.empty()) {
        auto const label = name.substr(0, name.find('.'));
        w += static_cast<char>(label.size());
        w += label;
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return w + '\0';
}
std::string record(std::string_view owner, unsigned type, std::string_view rdata, unsigned ttl = 300)
{
    return wire_name(owner) + u16(type) + u16(1) + u16(ttl >> 16U) + u16(ttl & 0xFFFFU) + u16(static_cast<unsigned>(rdata.size())) + std::string(rdata);
}
constexpr unsigned A = 1, CNAME = 5, SOA = 6, PTR = 12, MX = 15, TXT = 16, AAAA = 28, TLSA = 52;
std::string mx_data(unsigned preference, std::string_view host) { return u16(preference) + wire_name(host); }
std::string octets_of(std::string_view address)
{
    auto const a = *ip_address::parse(address);
    return {reinterpret_cast<char const*>(a.octets().data()), a.octets().size()};
}

/// Whatever octets its labels hold; in lower case.
std::optional<std::string> asked_name(std::string_view query, std::size_t& at)
{
    std::string name;
    while (at < query.size()) {
        auto const length = static_cast<unsigned char>(query[at++]);
        if (length == 0) return base::to_lower_ascii(name);
        if (length > 63 || at + length > query.size()) break;
        if (!name.empty()) name += '.';
        name += query.substr(at, length);
        at += length;
    }
    return std::nullopt;
}

/// A name server on 127.0.0.1 that answers from a table over UDP, on its own thread.
class name_server {
public:
    struct script {
        int rcode = 0;
        std::vector<std::string> answers;
        bool silent = false;
    };
    name_server() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC))
    {
        auto const name = to_sockaddr(*endpoint::parse("127.0.0.1:0"));
        MANSIO_ASSERT(::bind(socket_.get(), name.get(), name.length) == 0);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~name_server()
    {
        std::uint64_t const one = 1;
        MANSIO_ASSERT(::write(stop_.get(), &one, sizeof one) == sizeof one);
        thread_.join();
    }
    name_server(name_server const&) = delete;
    name_server& operator=(name_server const&) = delete;
    [[nodiscard]] endpoint at() const { return local_of(socket_.get()); }
    void set(std::string const& name, unsigned type, script s)
    {
        std::lock_guard const lock{mutex_};
        scripts_[{name, type}] = std::move(s);
    }
    void wait_until_asked(std::string const& name)
    {
        std::unique_lock lock{mutex_};
        MANSIO_ASSERT(asked_.wait_for(lock, 20s, [&] { return seen_.contains(name); }));
    }

private:
    void serve()
    {
        while (true) {
            std::array<pollfd, 2> ready{pollfd{socket_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
            ::poll(ready.data(), ready.size(), -1);
            if (ready[1].revents != 0) return;
            std::array<char, 4096> query{};
            socket_address from;
            from.length = sizeof from.storage;
            auto const n = ::recvfrom(socket_.get(), query.data(), query.size(), 0, from.get(), &from.length);
            if (n < 17) continue;
            auto const answer = answer_to({query.data(), static_cast<std::size_t>(n)});
            if (!answer.empty()) (void)::sendto(socket_.get(), answer.data(), answer.size(), 0, from.get(), from.length);
        }
    }
    std::string answer_to(std::string_view query)
    {
        std::size_t at = 12;
        auto const name = asked_name(query, at);
        if (!name || at + 4 > query.size()) return {};
        auto const type = static_cast<unsigned char>(query[at]) * 256U + static_cast<unsigned char>(query[at + 1]);
        auto const question = query.substr(12, at + 4 - 12);
        std::lock_guard const lock{mutex_};
        seen_.insert(*name);
        asked_.notify_all();
        script s;
        if (auto const found = scripts_.find({*name, type}); found != scripts_.end()) {
            s = found->second;
        } else {
            bool const known = std::ranges::any_of(scripts_, [&](auto const& e) { return e.first.first == *name; });
            s.rcode = known ? 0 : 3;
        }
        if (s.silent) return {};
        std::string authority;
        if (s.answers.empty()) authority = record("example.test", SOA, wire_name("ns.example.test") + wire_name("root.example.test") + std::string(20, '\0'));
        std::string out{query.substr(0, 2)};
        out += u16(0x8580U | static_cast<unsigned>(s.rcode)) + u16(1) + u16(static_cast<unsigned>(s.answers.size())) + u16(authority.empty() ? 0 : 1) + u16(0);
        out += question;
        for (auto const& a : s.answers) out += a;
        return out + authority;
    }
    unique_fd socket_, stop_;
    std::mutex mutex_;
    std::condition_variable asked_;
    std::map<std::pair<std::string, unsigned>, script> scripts_;
    std::set<std::string> seen_;
    std::thread thread_;
};

struct dns_test : net_fixture {
    name_server server;
    std::unique_ptr<resolver> dns;
    dns_test()
    {
        limits.dns_wait = 15;
        open({server.at()}, {});
    }
    ~dns_test() override { dns.reset(); }
    void open(std::vector<endpoint> forwarders, std::vector<std::string> stubs)
    {
        resolver_options o;
        o.forwarders = std::move(forwarders);
        o.stub_zones = std::move(stubs);
        o.trust_anchor_file = "none";
        auto made = make_resolver(o, limits, metrics);
        ASSERT_TRUE(made) << describe(made.error());
        dns = std::move(*made);
    }
    dns_answer<mx_record> mx(std::string name) { return on(run.at(0), dns->mx(std::move(name))); }
    dns_answer<ip_address> addresses(std::string name) { return on(run.at(1), dns->addresses(std::move(name))); }
    dns_answer<std::string> txt(std::string name) { return on(run.at(0), dns->txt(std::move(name))); }
};

std::vector<std::string> texts(std::vector<ip_address> const& all)
{
    std::vector<std::string> t;
    for (auto const& a : all) t.push_back(a.text());
    return t;
}

}  // namespace

TEST_F(dns_test, mail_exchangers)
{
    server.set("example.test", MX,
               {0, {record("example.test", MX, mx_data(20, "MX2.example.test")), record("example.test", MX, mx_data(10, "mx1.example.test"))}, false});
    server.set("null.test", MX, {0, {record("null.test", MX, mx_data(0, ""))}, false});
    server.set("odd.test", MX, {0, {record("odd.test", MX, mx_data(5, "a b.test")), record("odd.test", MX, mx_data(7, "good.test"))}, false});
    server.set("useless.test", MX, {0, {record("useless.test", MX, mx_data(5, "a\nb.test"))}, false});
    server.set("host.test", A, {0, {record("host.test", A, octets_of("192.0.2.1"))}, false});
    auto const found = mx("Example.TEST.");
    ASSERT_EQ(found.status, dns_status::found) << found.why;
    EXPECT_FALSE(found.secure);
    EXPECT_EQ(found.canonical_name, "example.test");
    std::set<std::pair<unsigned, std::string>> all;
    for (auto const& r : found.records) all.emplace(r.preference, r.host);
    EXPECT_EQ(all, (std::set<std::pair<unsigned, std::string>>{{10, "mx1.example.test"}, {20, "mx2.example.test"}}));
    auto const null = mx("null.test");  // RFC 7505
    ASSERT_EQ(null.status, dns_status::found) << null.why;
    ASSERT_EQ(null.records.size(), 1U);
    EXPECT_EQ(null.records[0].host, "");
    auto const odd = mx("odd.test");
    ASSERT_EQ(odd.records.size(), 1U) << odd.why;
    EXPECT_EQ(odd.records[0].host, "good.test");
    EXPECT_EQ(mx("useless.test").status, dns_status::failed);
    EXPECT_EQ(mx("host.test").status, dns_status::no_data);
    EXPECT_EQ(mx("nobody.test").status, dns_status::no_such_name);
    for (auto const* bad : {"", ".", "a..test", ".test", "a b.test", "a\\.test", "x@example.test", "\xc3\xa4.test"})
        EXPECT_EQ(mx(bad).status, dns_status::no_such_name) << bad;
    EXPECT_EQ(mx(std::string(64, 'a') + ".test").status, dns_status::no_such_name);
}

TEST_F(dns_test, one_family_alone_under_names_that_macros_make)
{
    server.set("both.test", A, {0, {record("both.test", A, octets_of("192.0.2.1"))}, false});
    server.set("both.test", AAAA, {0, {record("both.test", AAAA, octets_of("2001:db8::1"))}, false});
    server.set("a b%@c.test", A, {0, {record("a b%@c.test", A, octets_of("192.0.2.2"))}, false});
    auto const four = on(run.at(0), dns->ipv4("both.test"));
    ASSERT_EQ(four.records.size(), 1U) << four.why;
    EXPECT_EQ(four.records[0].text(), "192.0.2.1");
    auto const six = on(run.at(0), dns->ipv6("both.test"));
    ASSERT_EQ(six.records.size(), 1U) << six.why;
    EXPECT_EQ(six.records[0].text(), "2001:db8::1");
    auto const odd = on(run.at(0), dns->ipv4("A b%@c.test"));
    ASSERT_EQ(odd.records.size(), 1U) << odd.why;
    EXPECT_EQ(odd.records[0].text(), "192.0.2.2");
    EXPECT_EQ(on(run.at(0), dns->ipv6("a b%@c.test")).status, dns_status::no_data);
}

TEST_F(dns_test, addresses_of_both_families)
{
    server.set("both.test", A, {0, {record("both.test", A, octets_of("192.0.2.1")), record("both.test", A, octets_of("192.0.2.2"))}, false});
    server.set("both.test", AAAA, {0, {record("both.test", AAAA, octets_of("2001:db8::1"))}, false});
    server.set("four.test", A, {0, {record("four.test", A, octets_of("192.0.2.4"))}, false});
    server.set("six.test", AAAA, {0, {record("six.test", AAAA, octets_of("2001:db8::6"))}, false});
    server.set("half.test", AAAA, {2, {}, false});
    server.set("half.test", A, {0, {record("half.test", A, octets_of("192.0.2.5"))}, false});
    server.set("broken.test", AAAA, {2, {}, false});
    server.set("broken.test", A, {0, {}, false});
    server.set("text.test", TXT, {0, {record("text.test", TXT, "\x01x")}, false});
    auto const both = addresses("both.test");
    ASSERT_EQ(both.status, dns_status::found) << both.why;
    ASSERT_EQ(both.records.size(), 3U);
    EXPECT_EQ(both.records[0].text(), "2001:db8::1");
    EXPECT_EQ(texts(addresses("four.test").records), std::vector<std::string>{"192.0.2.4"});
    EXPECT_EQ(texts(addresses("six.test").records), std::vector<std::string>{"2001:db8::6"});
    auto const half = addresses("half.test");
    EXPECT_EQ(half.status, dns_status::found);
    EXPECT_EQ(texts(half.records), std::vector<std::string>{"192.0.2.5"});
    EXPECT_EQ(addresses("broken.test").status, dns_status::failed);
    EXPECT_EQ(addresses("text.test").status, dns_status::no_data);
    EXPECT_EQ(addresses("nobody.test").status, dns_status::no_such_name);
}

TEST_F(dns_test, text_and_reverse_names)
{
    server.set("spf.test", TXT, {0, {record("spf.test", TXT, "\x07v=spf1 \x04-all"), record("spf.test", TXT, std::string("\x03", 1) + "a\nb")}, false});
    server.set("1.2.0.192.in-addr.arpa", PTR, {0, {record("1.2.0.192.in-addr.arpa", PTR, wire_name("Mail.Example.TEST"))}, false});
    auto const t = txt("spf.test");
    ASSERT_EQ(t.status, dns_status::found) << t.why;
    EXPECT_EQ(std::set<std::string>(t.records.begin(), t.records.end()), (std::set<std::string>{"v=spf1 -all", "a\nb"}));
    // libunbound answers for documentation networks itself unless a stub zone names them.
    open({server.at()}, {"2.0.192.in-addr.arpa@" + server.at().text()});
    auto const p = on(run.at(0), dns->ptr(*ip_address::parse("192.0.2.1")));
    ASSERT_EQ(p.status, dns_status::found) << p.why;
    EXPECT_EQ(p.records, std::vector<std::string>{"mail.example.test"});
}

TEST_F(dns_test, tlsa_records_and_aliases_themselves)
{
    using namespace std::string_literals;
    auto const name = "_25._tcp.mx.example.test"s;
    auto const digest = std::string(32, 'd');
    server.set(name, TLSA, {0, {record(name, TLSA, "\3\1\1" + digest), record(name, TLSA, "\2\xff\0x"s), record(name, TLSA, "\3\1\1")}, false});
    server.set("_25._tcp.bare.example.test", TLSA, {0, {record("_25._tcp.bare.example.test", TLSA, "\3\1\1")}, false});
    server.set("alias.example.test", CNAME, {0, {record("alias.example.test", CNAME, wire_name("mx.example.test"))}, false});
    server.set("mx.example.test", A, {0, {record("mx.example.test", A, octets_of("192.0.2.1"))}, false});
    auto const found = on(run.at(0), dns->tlsa("_25._TCP.mx.example.test"));
    ASSERT_EQ(found.status, dns_status::found);
    EXPECT_FALSE(found.secure) << "nothing is validated here";
    ASSERT_EQ(found.records.size(), 3U);
    EXPECT_EQ(std::ranges::count(found.records, tlsa_record{3, 1, 1, digest}), 1);
    EXPECT_EQ(std::ranges::count(found.records, tlsa_record{2, 255, 0, "x"}), 1);
    EXPECT_EQ(on(run.at(0), dns->tlsa("_25._tcp.bare.example.test")).records, (std::vector{tlsa_record{3, 1, 1, ""}})) << "unusable, but it is there";
    EXPECT_EQ(on(run.at(0), dns->tlsa("_25._tcp.other.example.test")).status, dns_status::no_such_name);
    EXPECT_EQ(on(run.at(0), dns->cname("alias.example.test")).records, (std::vector<std::string>{"mx.example.test"}));
    EXPECT_EQ(on(run.at(0), dns->cname("mx.example.test")).status, dns_status::no_data);
}

TEST_F(dns_test, aliases_are_followed_up_to_a_bound)
{
    auto const chain = [&](std::string const& start, int links) {
        std::vector<std::string> answers;
        auto owner = start;
        for (int i = 0; i < links; ++i) {
            auto const next = "c" + std::to_string(i) + "." + start;
            answers.push_back(record(owner, CNAME, wire_name(next)));
            server.set(owner, A, {0, answers, false});
            owner = next;
        }
        answers.push_back(record(owner, A, octets_of("192.0.2.9")));
        server.set(owner, A, {0, {answers.back()}, false});
        server.set(start, A, {0, answers, false});
    };
    chain("short.test", 3);
    chain("long.test", 10);
    server.set("loop.test", A, {0, {record("loop.test", CNAME, wire_name("loop.test"))}, false});
    auto const followed = addresses("short.test");
    EXPECT_EQ(followed.status, dns_status::found) << followed.why;
    EXPECT_EQ(texts(followed.records), std::vector<std::string>{"192.0.2.9"});
    EXPECT_EQ(followed.canonical_name, "c2.short.test");
    EXPECT_NE(addresses("long.test").status, dns_status::found);
    EXPECT_NE(addresses("loop.test").status, dns_status::found);
}

TEST_F(dns_test, D11_a_server_that_fails_or_is_silent_is_asked_again_later)
{
    server.set("broken.test", MX, {2, {}, false});
    server.set("refused.test", MX, {5, {}, false});
    server.set("silent.test", MX, {0, {}, true});
    auto const broken = mx("broken.test");
    EXPECT_EQ(broken.status, dns_status::failed);
    EXPECT_EQ(broken.why, "SERVFAIL");
    EXPECT_EQ(mx("refused.test").status, dns_status::failed);
    limits.dns_wait = 1;
    open({server.at()}, {});
    auto const before = base::system_clock().monotonic();
    auto const silent = mx("silent.test");
    EXPECT_EQ(silent.status, dns_status::failed);
    EXPECT_EQ(silent.why, "timeout");
    EXPECT_LT(base::system_clock().monotonic() - before, 10s);
    EXPECT_NE(metrics.exposition().find("mansio_dns_failures_total 3"), std::string::npos);
}

TEST_F(dns_test, many_questions_at_once)
{
    constexpr std::size_t count = 300;
    for (std::size_t i = 0; i < count; ++i) {
        auto const name = "n" + std::to_string(i) + ".test";
        server.set(name, MX, {0, {record(name, MX, mx_data(1, "mx." + name))}, false});
    }
    std::vector<std::promise<dns_answer<mx_record>>> answers(count);
    for (std::size_t i = 0; i < count; ++i) base::spawn_detached(run.at(i % 2), deliver(dns->mx("n" + std::to_string(i) + ".test"), answers[i]));
    for (std::size_t i = 0; i < count; ++i) {
        auto const a = answers[i].get_future().get();
        ASSERT_EQ(a.status, dns_status::found) << a.why;
        EXPECT_EQ(a.records[0].host, "mx.n" + std::to_string(i) + ".test");
    }
}

TEST_F(dns_test, questions_under_way_are_answered_when_it_is_destroyed)
{
    server.set("silent.test", MX, {0, {}, true});
    std::promise<dns_answer<mx_record>> answer;
    base::spawn_detached(run.at(0), deliver(dns->mx("silent.test"), answer));
    server.wait_until_asked("silent.test");
    dns.reset();
    auto const a = answer.get_future().get();
    EXPECT_EQ(a.status, dns_status::failed);
    EXPECT_EQ(a.why, "the resolver is shutting down");
}

TEST_F(dns_test, a_stub_zone_is_asked_at_its_own_server)
{
    server.set("inside.example.test", A, {0, {record("inside.example.test", A, octets_of("192.0.2.77"))}, false});
    open({}, {"example.test@" + server.at().text()});
    EXPECT_EQ(texts(addresses("inside.example.test").records), std::vector<std::string>{"192.0.2.77"});
    // With the public root's anchor in force as well: the zone has none of its own and is not validated.
    resolver_options o;
    o.stub_zones = {"example.test@" + server.at().text()};
    auto made = make_resolver(o, limits, metrics);
    ASSERT_TRUE(made) << describe(made.error());
    dns = std::move(*made);
    auto const a = addresses("inside.example.test");
    EXPECT_EQ(texts(a.records), std::vector<std::string>{"192.0.2.77"}) << a.why;
    EXPECT_FALSE(a.secure);
}

TEST(resolver, says_what_is_wrong_with_its_options)
{
    base::limits const limits;
    base::metrics metrics;
    resolver_options o;
    o.trust_anchor_file = "/no/such/anchor";
    auto const unreadable = make_resolver(o, limits, metrics);
    ASSERT_FALSE(unreadable);
    EXPECT_NE(unreadable.error().say.find("/no/such/anchor"), std::string::npos);
    o.trust_anchor_file = "none";
    o.stub_zones = {"example.test"};
    auto const stub = make_resolver(o, limits, metrics);
    ASSERT_FALSE(stub);
    EXPECT_NE(stub.error().say.find("zone@address:port"), std::string::npos);
    o.stub_zones.clear();
    o.extra_trust_anchors = {"this is not a record"};
    auto const anchor = make_resolver(o, limits, metrics);
    ASSERT_FALSE(anchor);
    EXPECT_EQ(anchor.error().what, fault::kind::refused) << describe(anchor.error());
}

TEST(dns_wire, reads_names_within_bounds)
{
    using namespace std::string_view_literals;
    struct {
        std::string_view packet;
        std::size_t at;
        std::optional<std::string> want;
        std::size_t after;
    } const cases[] = {
        {"\x03"
         "abc"
         "\x04"
         "TEST"
         "\0"sv,
         0, "abc.test", 10},
        {"\0"sv, 0, "", 1},
        {"\x01"
         "a"
         "\0\x01"
         "b"
         "\xc0\0"sv,
         3, "b.a", 7},
        {""sv, 0, {}, 0},
        {"\x03"
         "ab"sv,
         0,
         {},
         0},
        {"\x03"
         "abc"sv,
         0,
         {},
         0},
        {"\xc0\0"sv, 0, {}, 0},                        // to itself
        {"\xc0\x02\xc0\0"sv, 2, {}, 0},                // a loop of two
        {"\x01"
         "a"
         "\xc0\0"sv,
         0,
         {},
         0},             // forward in a circle
        {"\xc0"sv, 0, {}, 0},
        {"\x01"
         "a"
         "\0\xc0\x50"sv,
         3,
         {},
         0},         // past the end
        {"\x40"
         "abc\0"sv,
         0,
         {},
         0},                  // an extended label
        {"\x03"
         "a.b"
         "\0"sv,
         0,
         {},
         0},
        {"\x03"
         "a\0b"
         "\0"sv,
         0,
         {},
         0},
    };
    for (auto const& c : cases) {
        auto at = c.at;
        auto const name = read_host_name(c.packet, at);
        EXPECT_EQ(name, c.want);
        if (name) EXPECT_EQ(at, c.after);
    }
    std::string const label = "\x3f" + std::string(63, 'a');
    auto const total = label + label + label + label;
    std::size_t at = 0;
    EXPECT_FALSE(read_host_name(total + '\0', at));  // 255 octets of text
    at = 0;
    EXPECT_TRUE(read_host_name(label + label + label + '\x3d' + std::string(61, 'b') + '\0', at));
}

TEST(dns_wire, reads_records_whole_or_not_at_all)
{
    using namespace std::string_view_literals;
    auto const mx = "\x00\x0a\x02mx\x04test\x00"sv;
    for (std::size_t cut = 0; cut < mx.size(); ++cut) EXPECT_FALSE(read_mx(mx.substr(0, cut)));
    EXPECT_EQ(read_mx(mx)->host, "mx.test");
    EXPECT_FALSE(read_mx(std::string(mx) + "x"));
    auto const txt = "\x03"
                     "abc"
                     "\x00\x02"
                     "de"sv;
    EXPECT_EQ(read_txt(txt), "abcde");
    EXPECT_EQ(read_txt("\x00"sv), "");
    for (auto const bad : {""sv,
                           "\x03"
                           "ab"sv,
                           "\x03"
                           "abc"
                           "\x02"
                           "d"sv})
        EXPECT_FALSE(read_txt(bad));
    auto const tlsa = "\x03\x01\x02xyz"sv;
    for (std::size_t cut = 0; cut < 3; ++cut) EXPECT_FALSE(read_tlsa(tlsa.substr(0, cut)));
    EXPECT_EQ(read_tlsa(tlsa), (tlsa_record{3, 1, 2, "xyz"}));
    EXPECT_EQ(read_address("\x7f\x00\x00\x01"sv)->text(), "127.0.0.1");
    EXPECT_FALSE(read_address("\x7f\x00\x00"sv));
    EXPECT_EQ(reverse_name(*ip_address::parse("192.0.2.1")), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name(*ip_address::parse("2001:db8::567:89ab")), "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST(scripted_resolver, answers_from_its_table)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    scripted_resolver dns;
    dns.set_mx("Example.test", dns_found<mx_record>({{10, "mx.example.test"}}));
    dns.set_addresses("mx.example.test", dns_without<ip_address>(dns_status::failed, "SERVFAIL"));
    dns.set_ptr(*ip_address::parse("192.0.2.1"), dns_found<std::string>({"host.test"}));
    dns.set_tlsa("_25._tcp.mx.example.test", dns_found<tlsa_record>({{3, 1, 1, "data"}}, true));
    dns.set_cname("alias.example.test", dns_found<std::string>({"mx.example.test"}, true));
    EXPECT_TRUE(loop.run(dns.tlsa("_25._tcp.MX.example.test")).secure);
    EXPECT_EQ(loop.run(dns.tlsa("_25._tcp.mx2.example.test")).status, dns_status::no_such_name);
    EXPECT_EQ(loop.run(dns.cname("alias.example.test")).records, (std::vector<std::string>{"mx.example.test"}));
    auto const mx = loop.run(dns.mx("example.TEST."));
    EXPECT_EQ(mx.status, dns_status::found);
    EXPECT_EQ(mx.records[0].host, "mx.example.test");
    EXPECT_EQ(loop.run(dns.addresses("mx.example.test")).why, "SERVFAIL");
    EXPECT_EQ(loop.run(dns.txt("example.test")).status, dns_status::no_such_name);
    EXPECT_EQ(loop.run(dns.ptr(*ip_address::parse("192.0.2.1"))).records[0], "host.test");
}
