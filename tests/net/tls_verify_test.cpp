// How a client verifies a server: by trusted CAs and names (RFC 8461 §4.2), by TLSA records (RFC 7672 §3), and what it tells when it does not.
#include "net_fixture.hpp"
#include "test_certificates.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

struct shaken {
    result<void> done;
    tls_facts facts;
};

task<shaken> shake(shard& here, endpoint to, egress_gate const& gate, tls_client_context& c, tls_client_options o)
{
    shaken s;
    auto connected = co_await here.connect(to, gate, in(20s));
    MANSIO_ASSERT(connected);
    s.done = co_await (*connected)->start_tls_client(c, std::move(o), in(20s));
    if (s.done) s.facts = *(*connected)->tls();
    (*connected)->abort();
    co_return s;
}
task<result<void>> serve(std::unique_ptr<stream> s, tls_server_context& c)
{
    auto done = co_await s->start_tls_server(c, in(20s));
    s->abort();
    co_return done;
}

struct tls_verify : net_fixture {
    scratch directory;
    certificate ca = certificate::make({"Test CA"});
    certificate other_ca = certificate::make({"Other CA"});
    std::unique_ptr<tls_client_context> client;
    endpoint at = listen();

    tls_verify()
    {
        write_text(directory.path / "ca.pem", ca.pem());
        client = std::move(*tls_client_context::make(directory.path / "ca.pem"));
    }
    std::unique_ptr<tls_server_context> server(certificate const& leaf, std::vector<certificate const*> const& further = {}) const
    {
        auto chain = leaf.pem();
        for (auto const* c : further) chain += c->pem();
        write_text(directory.path / "cert.pem", chain);
        write_text(directory.path / "key.pem", leaf.key_pem());
        tls_server_context::options o;
        o.certificate_file = directory.path / "cert.pem";
        o.key_file = directory.path / "key.pem";
        return std::move(*tls_server_context::make(std::move(o)));
    }
    shaken meet(tls_server_context& s, tls_client_options o)
    {
        std::promise<shaken> met;
        std::promise<result<void>> served;
        auto got = met.get_future();
        base::spawn_detached(run.at(0), deliver(shake(run.at(0), at, loopback, *client, std::move(o)), met));
        auto a = came.take();
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), s), served));
        static_cast<void>(served.get_future().get());
        return got.get();
    }
};

tls_client_options asking(std::string name, std::vector<tlsa_record> tlsa = {}, std::vector<std::string> also = {})
{
    tls_client_options o;
    o.server_name = std::move(name);
    o.tlsa = std::move(tlsa);
    o.also_named = std::move(also);
    return o;
}

std::string altered(std::string data)
{
    data.back() = static_cast<char>(data.back() ^ 1);
    return data;
}

}  // namespace

TEST_F(tls_verify, by_trusted_authorities)
{
    auto const right = certificate::make({"mx", {"mx.example.test", "*.wild.test"}}, &ca);
    auto const expired = certificate::make({"mx", {"mx.example.test"}, -30, -1}, &ca);
    auto const early = certificate::make({"mx", {"mx.example.test"}, 1, 30}, &ca);
    auto const cn_only = certificate::make({"mx.example.test"}, &ca);
    auto const stranger = certificate::make({"mx", {"mx.example.test"}}, &other_ca);
    auto const self = certificate::make({"mx", {"mx.example.test"}});
    struct {
        char const* what;
        certificate const& leaf;
        std::string name;
        std::vector<std::string> also;
        tls_problem want;
        bool alternative_names_only = true;
    } const cases[] = {
        {"right", right, "mx.example.test", {}, tls_problem::none},
        {"another name", right, "mx2.example.test", {}, tls_problem::name_mismatch},
        {"one of several names", right, "mx2.example.test", {"mx.example.test"}, tls_problem::none},
        {"none of several names", right, "mx2.example.test", {"mx3.example.test"}, tls_problem::name_mismatch},
        {"wildcard", right, "a.wild.test", {}, tls_problem::none},
        {"wildcard for two labels", right, "a.b.wild.test", {}, tls_problem::name_mismatch},
        {"wildcard for none", right, "wild.test", {}, tls_problem::name_mismatch},
        {"expired", expired, "mx.example.test", {}, tls_problem::expired},
        {"not valid yet", early, "mx.example.test", {}, tls_problem::not_trusted},
        {"CN alone", cn_only, "mx.example.test", {}, tls_problem::name_mismatch},
        {"CN alone where it counts", cn_only, "mx.example.test", {}, tls_problem::none, false},
        {"unknown CA", stranger, "mx.example.test", {}, tls_problem::not_trusted},
        {"self-signed", self, "mx.example.test", {}, tls_problem::not_trusted},
        {"no name asked", right, "", {}, tls_problem::no_name},
    };
    for (auto const& c : cases) {
        auto const s = server(c.leaf);
        auto o = asking(c.name, {}, c.also);
        o.alternative_names_only = c.alternative_names_only;
        auto const met = meet(*s, o);
        ASSERT_TRUE(met.done) << c.what << ": " << describe(met.done.error());
        EXPECT_EQ(met.facts.problem, c.want) << c.what << ": " << met.facts.verify_error;
        EXPECT_EQ(met.facts.peer_verified, c.want == tls_problem::none) << c.what;
        EXPECT_EQ(met.facts.verify_error.empty(), c.want == tls_problem::none) << c.what;
        EXPECT_FALSE(met.facts.matched) << c.what;
        EXPECT_EQ(met.facts.version, "TLSv1.3");
        if (c.name.empty()) continue;
        o.require_verified = true;
        EXPECT_EQ(meet(*s, o).done.has_value(), c.want == tls_problem::none) << c.what;
    }
}

// The records are the server's own word; the trusted CAs of the client know none of these certificates.
TEST_F(tls_verify, by_tlsa_records)
{
    auto const leaf = certificate::make({"mx", {"mx.example.test"}}, &other_ca);
    auto const other_name = certificate::make({"mx", {"example.test"}}, &other_ca);
    auto const expired = certificate::make({"mx", {"mx.example.test"}, -30, -1}, &other_ca);
    auto const cn_only = certificate::make({"mx.example.test"}, &other_ca);
    auto const cn_beside = certificate::make({"mx.example.test", {"else.example.test"}}, &other_ca);
    auto const trusted = certificate::make({"mx", {"mx.example.test"}}, &ca);
    auto wrong = [](tlsa_record r) {
        r.data = altered(r.data);
        return r;
    };
    auto with = [](tlsa_record r, std::string data) {
        r.data = std::move(data);
        return r;
    };
    auto const ee = leaf.tlsa(3, 1, 1);
    auto const ta = other_ca.tlsa(2, 0, 1);
    constexpr auto ok = tls_problem::none;
    struct {
        char const* what;
        certificate const& leaf;
        bool with_ca;
        std::vector<tlsa_record> tlsa;
        std::vector<std::string> also;
        tls_problem want;
    } const cases[] = {
        {"3 1 1", leaf, false, {ee}, {}, ok},
        {"3 1 2", leaf, false, {leaf.tlsa(3, 1, 2)}, {}, ok},
        {"3 1 0", leaf, false, {leaf.tlsa(3, 1, 0)}, {}, ok},
        {"3 0 0", leaf, false, {leaf.tlsa(3, 0, 0)}, {}, ok},
        {"3 0 1", leaf, false, {leaf.tlsa(3, 0, 1)}, {}, ok},
        {"3 0 2", leaf, false, {leaf.tlsa(3, 0, 2)}, {}, ok},
        {"3 1 1, wrong digest", leaf, false, {wrong(ee)}, {}, tls_problem::tlsa_mismatch},
        {"3 1 1 of the selector 0", leaf, false, {with(ee, leaf.tlsa(3, 0, 1).data)}, {}, tls_problem::tlsa_mismatch},
        {"3 1 1 of two, one fits", leaf, false, {wrong(ee), ee}, {}, ok},
        {"3 1 1 looks at no name", other_name, false, {other_name.tlsa(3, 1, 1)}, {}, ok},
        {"3 1 1 looks at no date", expired, false, {expired.tlsa(3, 1, 1)}, {}, ok},
        {"wrong 3 1 1, though a trusted CA issued it", trusted, false, {wrong(trusted.tlsa(3, 1, 1))}, {}, tls_problem::tlsa_mismatch},
        {"2 0 1", leaf, true, {ta}, {}, ok},
        {"2 1 1", leaf, true, {other_ca.tlsa(2, 1, 1)}, {}, ok},
        {"2 0 1, CA not sent", leaf, false, {ta}, {}, tls_problem::tlsa_mismatch},
        {"2 0 1, another CA", leaf, true, {ca.tlsa(2, 0, 1)}, {}, tls_problem::tlsa_mismatch},
        {"2 0 1, another name", other_name, true, {ta}, {}, tls_problem::name_mismatch},
        {"2 0 1, the next hop's name", other_name, true, {ta}, {"example.test"}, ok},
        {"2 0 1, expired", expired, true, {ta}, {}, tls_problem::expired},
        {"2 0 1, CN without alternatives (RFC 7672 §3.2.3)", cn_only, true, {ta}, {}, ok},
        {"2 0 1, CN beside alternatives", cn_beside, true, {ta}, {}, tls_problem::name_mismatch},
        {"1 1 1 alone", leaf, false, {leaf.tlsa(1, 1, 1)}, {}, tls_problem::tlsa_unusable},
        {"0 0 1 alone", trusted, false, {ca.tlsa(0, 0, 1)}, {}, tls_problem::tlsa_unusable},
        {"short digest", leaf, false, {with(ee, "short")}, {}, tls_problem::tlsa_unusable},
        {"unknown selector", leaf, false, {{3, 7, 1, ee.data}}, {}, tls_problem::tlsa_unusable},
        {"unknown matching", leaf, false, {{3, 1, 9, ee.data}}, {}, tls_problem::tlsa_unusable},
        {"no certificate as data", leaf, false, {{3, 0, 0, "no DER"}}, {}, tls_problem::tlsa_unusable},
        {"an unusable one beside one that fits", leaf, false, {{3, 7, 1, ee.data}, ee}, {}, ok},
        {"an unusable one beside a wrong one", leaf, false, {leaf.tlsa(1, 1, 1), wrong(ee)}, {}, tls_problem::tlsa_mismatch},
        // RFC 7671 §9: of one usage and selector the strongest digest alone counts.
        {"weak digest right, strong one wrong", leaf, false, {ee, wrong(leaf.tlsa(3, 1, 2))}, {}, tls_problem::tlsa_mismatch},
        {"weak digest wrong, strong one right", leaf, false, {wrong(ee), leaf.tlsa(3, 1, 2)}, {}, ok},
    };
    for (auto const& c : cases) {
        auto const s = server(c.leaf, c.with_ca ? std::vector<certificate const*>{&other_ca} : std::vector<certificate const*>{});
        auto o = asking("mx.example.test", c.tlsa, c.also);
        auto const met = meet(*s, o);
        ASSERT_TRUE(met.done) << c.what << ": " << describe(met.done.error());
        EXPECT_EQ(met.facts.problem, c.want) << c.what << ": " << met.facts.verify_error;
        EXPECT_EQ(met.facts.peer_verified, c.want == ok) << c.what;
        EXPECT_EQ(met.facts.verify_error.empty(), c.want == ok) << c.what;
        ASSERT_EQ(met.facts.matched.has_value(), c.want == ok) << c.what;
        if (c.want == ok) {
            EXPECT_NE(std::ranges::find(c.tlsa, *met.facts.matched), c.tlsa.end()) << c.what;
        }
        EXPECT_EQ(met.facts.server_name, "mx.example.test") << "RFC 7672 §8.1: SNI is the base domain";
    }
    auto o = asking("mx.example.test", {wrong(ee)});
    o.require_verified = true;
    auto const s = server(leaf);
    EXPECT_FALSE(meet(*s, o).done);
}
