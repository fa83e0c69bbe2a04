// Keys and signatures, the dialogue with an authority, and the keeper of one certificate; time is turned by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "acme/authority.hpp"
#include "acme/keeper.hpp"
#include "acme/openssl.hpp"
#include "base/bytes.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::acme;
using namespace mansio::acme::test;
using namespace std::chrono_literals;

namespace {
// RFC 7515 appendix A.3.1, its private key as PKCS #8.
constexpr std::string_view appendix_input =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr char const* appendix_signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

account_key appendix_key()
{
    auto const d = from_base64url("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    auto const xy = from_base64url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU") + from_base64url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    auto const octet = [](std::string_view hex) { return *base::from_hex(hex); };
    // RFC 5915 inside RFC 5958: ECPrivateKey of prime256v1 with its public point.
    auto const inner = octet("306b0201010420") + d + octet("a144034200") + octet("04") + xy;
    auto const der = octet("308187020100301306072a8648ce3d020106082a8648ce3d030107046d") + inner;
    auto const pem = "-----BEGIN PRIVATE KEY-----\n" + base::to_base64(der) + "\n-----END PRIVATE KEY-----\n";
    auto key = account_key::read(pem);
    EXPECT_TRUE(key);
    return std::move(*key);
}

struct board final : responder {
    std::map<std::string, std::string> up;  // "name token" → key authorization
    std::size_t shows = 0;
    void show(proof, std::string const& name, std::string const& token, std::string const& text) override
    {
        ++shows;
        up[name + " " + token] = text;
    }
    void hide(proof, std::string const& name, std::string const& token) override { up.erase(name + " " + token); }
};

struct dialogue {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    account_key key = account_key::make();
    authority ca{key, clock};
    net::scripted_fetcher fetch{[this](net::fetch_request const& r) { return ca.answer(r); }};
    board answers;
    client asks{
        fetch, key, answers, {.directory = authority::directory_url, .contacts = {"mailto:postmaster@example.test"}, .external_id = {}, .external_key = {}}};
    dialogue()
    {
        ca.shown = [this](std::string const& name, std::string const& token) {
            auto const at = answers.up.find(name + " " + token);
            return at != answers.up.end() && at->second == token + "." + key.thumbprint();
        };
    }
    result<issued> order(std::vector<std::string> names = {"mail.example.test", "example.test"}) { return loop.run(asks.order(std::move(names))); }
    std::string fault_of_order()
    {
        auto const got = order();
        return got ? "issued" : base::name_of(got.error().what) + (": " + got.error().say);
    }
};

net::fetch_response says(unsigned status, std::string body, std::vector<std::pair<std::string, std::string>> fields = {})
{
    net::fetch_response r;
    r.status = status;
    r.body = std::move(body);
    r.fields = std::move(fields);
    return r;
}

struct memory_files final : storage {
    std::map<std::string, std::string> files;
    bool full = false;
    result<std::optional<std::string>> read(std::string const& name) override
    {
        auto const at = files.find(name);
        return at == files.end() ? std::nullopt : std::optional{at->second};
    }
    result<void> write(std::string const& name, std::string_view octets) override
    {
        if (full) return fail(fault::kind::broken, "no space left");
        files[name] = octets;
        return {};
    }
};

struct kept {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{7};
    base::memory_log log;
    base::metrics metrics;
    memory_files files;
    board answers;
    std::unique_ptr<authority> ca;
    std::unique_ptr<account_key> key;
    net::scripted_fetcher fetch{[this](net::fetch_request const& r) { return ca->answer(r); }};
    unsigned taken = 0;
    std::unique_ptr<keeper> keeps;

    explicit kept(std::vector<std::string> names = {"mail.example.test"}) { make(std::move(names)); }
    void make(std::vector<std::string> names)
    {
        keeps = std::make_unique<keeper>(keeper_parts{fetch, files, answers, random, clock, log, metrics}, std::move(names),
                                         client_options{.directory = authority::directory_url, .contacts = {}, .external_id = {}, .external_key = {}},
                                         [this]() -> result<void> {
                                             ++taken;
                                             return {};
                                         });
        EXPECT_TRUE(keeps->prepare());
        key = std::make_unique<account_key>(std::move(*account_key::read(files.files[account_file])));
        ca = std::make_unique<authority>(*key, clock);
        ca->shown = [](auto const&, auto const&) { return true; };
    }
    ~kept() { loop.run(keeps->stop()); }
    kept(kept const&) = delete;
    kept& operator=(kept const&) = delete;
    bool until_taken(unsigned n)
    {
        return loop.run_until([this, n] { return taken >= n; });
    }
};
}  // namespace

TEST(jws, rfc7515_appendix_a3)
{
    auto const key = appendix_key();
    EXPECT_EQ(key.jwk(), R"({"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
    auto const signature = from_base64url(appendix_signature);
    EXPECT_TRUE(key.verifies(appendix_input, signature));
    for (std::size_t i = 0; i < signature.size(); ++i) {
        auto bent = signature;
        bent[i] = static_cast<char>(bent[i] ^ 1);
        EXPECT_FALSE(key.verifies(appendix_input, bent)) << i;
    }
    EXPECT_FALSE(key.verifies(appendix_input, signature.substr(1)));
    EXPECT_FALSE(account_key::make().verifies(appendix_input, signature));
}

TEST(jws, signs_what_it_verifies_at_full_width)
{
    auto const key = appendix_key();
    // One number in 256 begins with a zero octet, which DER leaves out and JOSE does not.
    for (int i = 0; i < 600; ++i) {
        auto const input = std::to_string(i);
        auto const s = key.signature(input);
        ASSERT_EQ(s.size(), 64U);
        ASSERT_TRUE(key.verifies(input, s));
    }
    auto const again = account_key::read(key.pem());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->thumbprint(), key.thumbprint());
    EXPECT_EQ(base64url("\xfb\xff\xfe"), "-__-");
    EXPECT_EQ(base64url("a"), "YQ");
}

TEST(jws, reads_only_keys_it_can_use)
{
    owned<EVP_PKEY> const rsa{EVP_RSA_gen(2048)}, p384{EVP_EC_gen("P-384")};
    for (auto const& pem :
         {std::string{}, std::string{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, key_pem(rsa.get()), key_pem(p384.get())})
        EXPECT_FALSE(account_key::read(pem));
}

TEST(acme_messages, problems_are_understood_as_far_as_they_can_be)
{
    struct {
        std::string_view json, want;
    } const cases[] = {
        {R"({"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"})", "rateLimited: too many"},
        {R"({"type":"about:blank"})", "about:blank"},
        {R"({"detail":"a\nb\u001b[2J"})", R"(a\x0ab\x1b[2J)"},
        {R"({"type":"urn:ietf:params:acme:error:caa","detail":"x","subproblems":[{"detail":"y","identifier":{"type":"dns","value":"a.test"}},7,{"detail":"z"}]})",
         "caa: x; a.test: y; z"},
        {"", "no reason given"},
        {"[]", "no reason given"},
        {R"({"type":7,"detail":{}})", "no reason given"},
        {R"({"type":"x")", "no reason given"},
    };
    for (auto const& c : cases) EXPECT_EQ(acme::describe(parse_problem(c.json)), c.want) << c.json;
}

TEST(acme_messages, broken_json_is_a_fault_wherever_it_is_cut)
{
    std::string_view const order = R"({"status":"pending","authorizations":["https://a/1"],"finalize":"https://a/f"})";
    std::string_view const authz =
        R"({"status":"pending","identifier":{"type":"dns","value":"a.test"},"challenges":[{"type":"http-01","url":"u","token":"t"}]})";
    std::string_view const dir = R"({"newNonce":"https://a/n","newAccount":"https://a/a","newOrder":"https://a/o"})";
    for (std::size_t n = 0; n < order.size(); ++n) EXPECT_FALSE(parse_order(order.substr(0, n))) << n;
    for (std::size_t n = 0; n < authz.size(); ++n) EXPECT_FALSE(parse_authorization(authz.substr(0, n))) << n;
    for (std::size_t n = 0; n < dir.size(); ++n) EXPECT_FALSE(parse_directory(dir.substr(0, n))) << n;
    EXPECT_TRUE(parse_order(order));
    EXPECT_TRUE(parse_authorization(authz));
    EXPECT_TRUE(parse_directory(dir));
    for (auto const* wrong : {R"({"status":7,"authorizations":[],"finalize":"f"})", R"({"status":"x","authorizations":[7],"finalize":"f"})",
                              R"({"status":"x","authorizations":{},"finalize":"f"})"})
        EXPECT_FALSE(parse_order(wrong)) << wrong;
    std::string const deep(100'000, '[');
    EXPECT_FALSE(parse_order(deep));
}

TEST(acme_messages, retry_after)
{
    base::manual_clock const clock;  // 2026-01-01T00:00:00Z, a Thursday
    EXPECT_EQ(parse_retry_after("120", clock.wall()), 120s);
    EXPECT_EQ(parse_retry_after("Thu, 01 Jan 2026 00:02:00 GMT", clock.wall()), 120s);
    EXPECT_EQ(parse_retry_after("Wed, 31 Dec 2025 00:02:00 GMT", clock.wall()), 0s);
    for (auto const* wrong : {"", "-1", "soon", "1.5", "Thu, 99 Jan 2026 00:02:00 GMT", "Thu, 01 Jan"})
        EXPECT_FALSE(parse_retry_after(wrong, clock.wall())) << wrong;
}

TEST(acme_certificates, a_chain_is_checked_before_it_is_used)
{
    base::manual_clock const clock;
    auto const now = clock.wall();
    auto const key = make_p256();
    auto const pem = key_pem(key.get());
    std::vector<std::string> const names{"a.test", "b.test"};
    auto const chain = [&](std::vector<std::string> const& n, base::wall_time from, base::wall_time until, bool broken = false) {
        return make_chain(n, key.get(), from, until, broken);
    };
    auto const say = [&](std::string const& c, std::string const& k) {
        auto const r = check_chain(c, k, names, now);
        return r ? std::string{"good"} : r.error().say;
    };
    auto const good = chain(names, now, now + 24h);
    EXPECT_EQ(say(good, pem), "good");
    EXPECT_EQ(say(pem + good, pem + good), "good") << "key and chain in one file";
    EXPECT_EQ(say(chain({"a.test", "b.test", "c.test"}, now, now + 24h), pem), "good");
    EXPECT_EQ(say("", pem), "the authority sent no certificate");
    EXPECT_EQ(say(good, key_pem(make_p256().get())), "the authority sent a certificate for another key");
    EXPECT_EQ(say(good, ""), "the authority sent a certificate for another key");
    EXPECT_EQ(say(chain({"a.test"}, now, now + 24h), pem), "the authority sent a certificate without the name b.test");
    EXPECT_EQ(say(chain({"*.test"}, now, now + 24h), pem), "the authority sent a certificate without the name a.test");
    EXPECT_EQ(say(chain(names, now, now + 24h, true), pem), "the authority sent a chain that is not one: a certificate is not signed by the next");
    EXPECT_EQ(say(chain(names, now + 2h, now + 24h), pem), "the authority's certificate is not in force yet: is this machine's clock right?");
    EXPECT_EQ(say(chain(names, now - 24h, now - 1h), pem), "the authority's certificate has ended already: is this machine's clock right?");
    std::string many;
    for (int i = 0; i < 6; ++i) many += good;
    EXPECT_EQ(say(many, pem), "the authority sent more certificates than a chain has");
    auto const v = check_chain(good, pem, names, now);
    EXPECT_EQ(v->until, now + 24h);
    EXPECT_FALSE(v->self_signed);
}

// RFC 8737 §3: one name, critical acmeIdentifier with the digest, self-signed.
TEST(acme_certificates, the_challenge_certificate)
{
    auto const pem = make_challenge_certificate("a.test", "token.thumb");
    auto const in = reader_of(pem);
    owned<X509> const c{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
    ASSERT_TRUE(c);
    EXPECT_EQ(X509_check_host(c.get(), "a.test", 6, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr), 1);
    owned<ASN1_OBJECT> const id{OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1)};
    auto const at = X509_get_ext_by_OBJ(c.get(), id.get(), -1);
    ASSERT_GE(at, 0);
    auto* const e = X509_get_ext(c.get(), at);
    EXPECT_EQ(X509_EXTENSION_get_critical(e), 1);
    auto const* const value = X509_EXTENSION_get_data(e);
    std::string_view const octets{reinterpret_cast<char const*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value))};
    auto const digest = base::sha256("token.thumb");
    EXPECT_EQ(octets, (std::string{"\x04\x20"} + std::string{reinterpret_cast<char const*>(digest.data()), digest.size()}));
    auto const v = validity_of(pem);
    EXPECT_TRUE(v->self_signed);
}

TEST(acme_client, orders_a_certificate_of_several_names)
{
    dialogue d;
    auto const got = d.order();
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_TRUE(check_chain(got->chain_pem, got->key_pem, {"mail.example.test", "example.test"}, d.clock.wall()));
    EXPECT_EQ(got->valid.until, std::chrono::time_point_cast<std::chrono::seconds>(got->valid.from) + d.ca.lifetime);
    EXPECT_EQ(d.answers.shows, 2U);
    EXPECT_TRUE(d.answers.up.empty()) << "what proved a name is taken back";
    EXPECT_EQ(d.ca.last_account_payload, R"({"termsOfServiceAgreed":true,"contact":["mailto:postmaster@example.test"]})");
    EXPECT_EQ(std::ranges::count(d.ca.paths, "HEAD /nonce"), 0) << "the directory gave a nonce already, and each answer the next";
    auto const second = d.order();
    EXPECT_TRUE(second);
    EXPECT_NE(second->key_pem, got->key_pem) << "a new key each time";
}

TEST(acme_client, a_bad_nonce_is_tried_again_and_not_for_ever)
{
    dialogue d;
    d.ca.bad_nonces = 4;
    EXPECT_EQ(d.fault_of_order(), "issued");
    d.ca.bad_nonces = 1000;
    EXPECT_EQ(d.fault_of_order(), "try_later: the authority refused: badNonce: unlucky");
    EXPECT_EQ(d.ca.bad_nonces, 995U);
}

TEST(acme_client, says_why_a_name_could_not_be_verified)
{
    dialogue d;
    d.ca.verdict = "invalid";
    EXPECT_EQ(d.fault_of_order(), R"(refused: the authority could not verify mail.example.test by http-01: connection: no route\x07 to host)");
    EXPECT_TRUE(d.answers.up.empty());
}

TEST(acme_client, takes_no_wrong_certificate)
{
    dialogue d;
    d.ca.other_key = true;
    EXPECT_EQ(d.fault_of_order(), "refused: the authority sent a certificate for another key");
    d.ca.other_key = false;
    d.ca.names_instead = {"mail.example.test"};
    EXPECT_EQ(d.fault_of_order(), "refused: the authority sent a certificate without the name example.test");
    d.ca.names_instead.clear();
    d.ca.break_chain = true;
    EXPECT_EQ(d.fault_of_order(), "refused: the authority sent a chain that is not one: a certificate is not signed by the next");
    d.ca.break_chain = false;
    d.ca.lifetime = -1h;
    EXPECT_EQ(d.fault_of_order(), "refused: the authority's certificate has ended already: is this machine's clock right?");
}

TEST(acme_client, is_told_to_wait)
{
    dialogue d;
    d.ca.instead_of = "/order";
    d.ca.instead =
        says(429, R"({"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates"})", {{"Retry-After", "7200"}, {"Replay-Nonce", "x"}});
    EXPECT_EQ(d.fault_of_order(), "try_later: the authority refused: rateLimited: too many certificates");
    EXPECT_EQ(d.asks.asked_to_wait(), 2h);
}

TEST(acme_client, polls_as_slowly_as_it_is_told_and_gives_up_in_the_end)
{
    dialogue d;
    d.ca.retry_after = "30";
    auto const began = d.clock.monotonic();
    EXPECT_EQ(d.fault_of_order(), "issued");
    EXPECT_GE(d.clock.monotonic() - began, 90s);
    d.ca.polls = 1'000'000;
    EXPECT_EQ(d.fault_of_order(), "timeout: the authority did not finish the order in time");
}

TEST(acme_client, every_answer_may_be_nonsense)
{
    for (auto const* path : {"/dir", "/account", "/order", "/authz/0", "/order/1", "/finalize", "/cert"}) {
        for (auto const* body : {"", "{", "{}", "[]", "\xff", R"({"status":"pending"})",
                                 R"({"status":"odd","authorizations":[],"finalize":"x","challenges":[],"identifier":{"value":"evil.test"}})"})
        {
            dialogue d;
            d.ca.instead_of = path;
            for (auto const status : {200U, 500U, 302U}) {
                d.ca.instead = says(status, body, {{"Replay-Nonce", "nonce-0"}});
                EXPECT_NE(d.fault_of_order(), "issued") << path << " " << body << " " << status;
                EXPECT_TRUE(d.answers.up.empty());
            }
        }
    }
}

// The token becomes a path of our web server and the name a key of it: neither may be more than it should.
TEST(acme_client, proves_only_what_was_asked_for)
{
    for (auto const* token : {"", "../../x", "a b", "a\\r\\nb", "<script>"}) {
        dialogue d;
        d.ca.instead_of = "/authz/0";
        d.ca.instead = says(
            200,
            fmt::format(
                R"({{"status":"pending","identifier":{{"value":"mail.example.test"}},"challenges":[{{"type":"http-01","url":"https://ca.test/chall/0","token":"{}"}}]}})",
                token),
            {{"Replay-Nonce", "x"}});
        EXPECT_EQ(d.fault_of_order(), "syntax: the authority's token cannot be understood") << token;
        EXPECT_EQ(d.answers.shows, 0U);
    }
    dialogue d;
    d.ca.instead_of = "/authz/0";
    d.ca.instead =
        says(200, R"({"status":"pending","identifier":{"value":"other.test"},"challenges":[{"type":"http-01","url":"https://ca.test/chall/0","token":"t"}]})",
             {{"Replay-Nonce", "x"}});
    EXPECT_EQ(d.fault_of_order(), "syntax: the authority wants proof of a name that was not asked for");
    EXPECT_EQ(d.answers.shows, 0U);
}

TEST(acme_client, binds_an_external_account)
{
    dialogue d;
    client bound{d.fetch, d.key, d.answers, {.directory = authority::directory_url, .contacts = {}, .external_id = "kid-1", .external_key = "secret"}};
    EXPECT_TRUE(d.loop.run(bound.order({"mail.example.test"})));
    auto const& said = d.ca.last_account_payload;
    auto const header = base64url(R"({"alg":"HS256","kid":"kid-1","url":"https://ca.test/account"})");
    auto const mac = base::hmac_sha256("secret", header + "." + base64url(d.key.jwk()));
    EXPECT_NE(said.find(fmt::format(R"("protected":"{}")", header)), std::string::npos) << said;
    EXPECT_NE(said.find(base64url({reinterpret_cast<char const*>(mac.data()), mac.size()})), std::string::npos) << said;
}

TEST(acme_keeper, begins_with_a_placeholder_and_renews_at_two_thirds)
{
    kept k;
    auto const placeholder = k.files.files[certificate_file];
    EXPECT_TRUE(validity_of(placeholder)->self_signed);
    k.keeps->start(k.loop);
    ASSERT_TRUE(k.until_taken(1));
    auto const first = k.files.files[certificate_file];
    EXPECT_NE(first, placeholder);
    auto const life = k.ca->lifetime;
    auto const until_renewal = k.keeps->due() - validity_of(first)->from;
    EXPECT_LE(until_renewal, life * 2 / 3);
    EXPECT_GE(until_renewal, life * 2 / 3 - life / 24);
    k.loop.run_for(until_renewal - 2h);
    EXPECT_EQ(k.taken, 1U);
    ASSERT_TRUE(k.until_taken(2));
    EXPECT_NE(k.files.files[certificate_file], first);
    EXPECT_NE(k.metrics.exposition().find("mansio_acme_orders_total{outcome=\"issued\"} 2"), std::string::npos) << k.metrics.exposition();
}

TEST(acme_keeper, a_restart_orders_nothing_that_is_there)
{
    kept k;
    k.keeps->start(k.loop);
    ASSERT_TRUE(k.until_taken(1));
    auto const held = k.files.files;
    k.loop.run(k.keeps->stop());
    k.make({"mail.example.test"});
    EXPECT_EQ(k.files.files, held);
    k.keeps->start(k.loop);
    k.loop.run_for(24h);
    EXPECT_EQ(k.taken, 1U);
    k.loop.run(k.keeps->stop());
    k.make({"mail.example.test", "another.example.test"});
    EXPECT_EQ(k.files.files, held) << "what is there serves until its successor comes";
    k.keeps->start(k.loop);
    ASSERT_TRUE(k.until_taken(2));
}

TEST(acme_keeper, waits_longer_after_each_failure_and_says_why)
{
    kept k;
    k.ca->verdict = "invalid";
    auto const before = k.files.files[certificate_file];
    k.keeps->start(k.loop);
    k.loop.run_for(24h);
    auto const tries = static_cast<std::size_t>(std::ranges::count(k.ca->paths, "POST /order"));
    EXPECT_GE(tries, 9U);
    EXPECT_LE(tries, 12U);
    EXPECT_EQ(k.files.files[certificate_file], before);
    EXPECT_NE(k.log.text().find("could not verify mail.example.test by http-01"), std::string::npos) << k.log.text();
    EXPECT_EQ(k.log.text().find("PRIVATE"), std::string::npos);
    k.ca->verdict = "valid";
    ASSERT_TRUE(k.until_taken(1));
}

TEST(acme_keeper, waits_as_long_as_the_authority_asks)
{
    kept k;
    k.ca->instead_of = "/order";
    k.ca->instead = says(429, R"({"type":"urn:ietf:params:acme:error:rateLimited","detail":"slow down"})", {{"Retry-After", "36000"}, {"Replay-Nonce", "x"}});
    k.keeps->start(k.loop);
    k.loop.run_for(9h);
    EXPECT_EQ(std::ranges::count(k.ca->paths, "POST /order"), 1);
}

TEST(acme_keeper, a_full_disk_leaves_what_is_in_force)
{
    kept k;
    auto const before = k.files.files;
    k.files.full = true;
    k.keeps->start(k.loop);
    k.loop.run_for(10min);
    EXPECT_EQ(k.taken, 0U);
    EXPECT_EQ(k.files.files, before);
    EXPECT_NE(k.log.text().find("no space left"), std::string::npos);
    k.files.full = false;
    ASSERT_TRUE(k.until_taken(1));
}

TEST(acme_keeper, stops_in_the_middle_of_an_order)
{
    kept k;
    k.ca->polls = 1'000'000;
    k.keeps->start(k.loop);
    k.loop.run_for(30s);
    k.loop.run(k.keeps->stop());
    EXPECT_TRUE(k.answers.up.empty());
}
