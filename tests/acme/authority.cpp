#include "acme/authority.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "acme/openssl.hpp"
#include "base/bytes.hpp"

namespace mansio::acme::test {
namespace {
namespace json = boost::json;
constexpr std::string_view base_url = "https://ca.test";

std::string problem_text(std::string const& type, std::string const& detail)
{
    return fmt::format(R"({{"type":"urn:ietf:params:acme:error:{}","detail":"{}"}})", type, detail);
}

owned<X509> certificate(std::string const& subject, EVP_PKEY* key, std::string const& issuer, EVP_PKEY* signer, std::vector<std::string> const& names,
                        base::wall_time from, base::wall_time until)
{
    owned<X509> c{X509_new()};
    X509_set_version(c.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.get()), 7);
    auto const seconds = [](base::wall_time t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); };
    ASN1_TIME_set(X509_getm_notBefore(c.get()), seconds(from));
    ASN1_TIME_set(X509_getm_notAfter(c.get()), seconds(until));
    X509_set_pubkey(c.get(), key);
    auto const put = [](X509_NAME* n, std::string const& t) {
        X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(t.c_str()), -1, -1, 0);
    };
    put(X509_get_subject_name(c.get()), subject);
    put(X509_get_issuer_name(c.get()), issuer);
    if (!names.empty()) {
        std::string all;
        for (auto const& n : names) all += (all.empty() ? "DNS:" : ",DNS:") + n;
        owned<X509_EXTENSION> const e{X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, all.c_str())};
        X509_add_ext(c.get(), e.get(), -1);
    }
    X509_sign(c.get(), signer, EVP_sha256());
    return c;
}

std::string pem(X509* c)
{
    owned<BIO> const out{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(out.get(), c);
    return octets_of(out.get());
}
}  // namespace

std::string from_base64url(std::string text)
{
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    while (text.size() % 4 != 0) text += '=';
    return base::from_base64(text).value_or("");
}

std::string make_chain(std::vector<std::string> const& names, void* public_key, base::wall_time from, base::wall_time until, bool break_it)
{
    auto const ca = make_p256(), other = make_p256();
    auto const leaf = certificate("leaf", static_cast<EVP_PKEY*>(public_key), "CA", break_it ? other.get() : ca.get(), names, from, until);
    auto const top = certificate("CA", ca.get(), "root", other.get(), {}, from, until);
    return pem(leaf.get()) + pem(top.get());
}

authority::authority(account_key const& key, base::clock& clock) : key_(key), clock_(clock) {}

net::fetch_response authority::reply(unsigned status, std::string body)
{
    net::fetch_response r;
    r.status = status;
    r.body = std::move(body);
    auto const nonce = fmt::format("nonce-{}", next_nonce_++);
    nonces_.insert(nonce);
    r.fields.emplace_back("Replay-Nonce", nonce);
    if (!retry_after.empty()) r.fields.emplace_back("Retry-After", retry_after);
    return r;
}

result<net::fetch_response> authority::answer(net::fetch_request const& r)
{
    EXPECT_TRUE(r.url.starts_with(base_url)) << r.url;
    EXPECT_EQ(r.redirects, 0U);
    auto const path = r.url.substr(base_url.size());
    paths.push_back(r.method + " " + path);
    if (path == instead_of) return instead;
    if (path == "/dir")
        return reply(200, R"({"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account","newOrder":"https://ca.test/order","meta":{}})");
    if (path == "/nonce") return reply(204, "");
    return signed_request(path, r);
}

net::fetch_response authority::signed_request(std::string const& path, net::fetch_request const& r)
{
    EXPECT_EQ(r.method, "POST");
    EXPECT_EQ(r.fields.at(0), (std::pair<std::string, std::string>{"Content-Type", "application/jose+json"}));
    auto const body = json::parse(r.body).as_object();
    std::string const header{body.at("protected").as_string()}, payload{body.at("payload").as_string()}, signature{body.at("signature").as_string()};
    EXPECT_TRUE(key_.verifies(header + "." + payload, from_base64url(signature)));
    auto const said = json::parse(from_base64url(header)).as_object();
    EXPECT_EQ(said.at("alg"), "ES256");
    EXPECT_EQ(std::string_view{said.at("url").as_string()}, r.url);
    EXPECT_EQ(said.contains("jwk"), path == "/account") << "the key itself for a new account, its URL elsewhere (RFC 8555 §6.2)";
    if (path != "/account") EXPECT_EQ(said.at("kid"), "https://ca.test/account/1");
    if (nonces_.erase(std::string{said.at("nonce").as_string()}) != 1) return reply(400, problem_text("badNonce", "used"));
    if (bad_nonces > 0) {
        --bad_nonces;
        return reply(400, problem_text("badNonce", "unlucky"));
    }
    return route(path, from_base64url(payload));
}

std::string authority::order_text() const
{
    std::string list;
    for (std::size_t i = 0; i < names_.size(); ++i) list += fmt::format(R"({}"https://ca.test/authz/{}")", i == 0 ? "" : ",", i);
    return fmt::format(R"({{"status":"{}","authorizations":[{}],"finalize":"https://ca.test/finalize","certificate":"https://ca.test/cert"}})", order_, list);
}

net::fetch_response authority::route(std::string const& path, std::string const& payload)
{
    if (path == "/account") {
        last_account_payload = payload;
        auto r = reply(201, R"({"status":"valid"})");
        r.fields.emplace_back("Location", "https://ca.test/account/1");
        return r;
    }
    if (path == "/order") {
        names_.clear();
        auto const asked = json::parse(payload).as_object();
        for (auto const& i : asked.at("identifiers").as_array()) names_.emplace_back(i.at("value").as_string());
        states_.assign(names_.size(), "pending");
        polled_.assign(names_.size(), 0);
        order_ = "pending";
        auto r = reply(201, order_text());
        r.fields.emplace_back("Location", "https://ca.test/order/1");
        return r;
    }
    if (path.starts_with("/authz/") || path.starts_with("/chall/")) {
        auto const i = static_cast<std::size_t>(path.back() - '0');
        auto const token = fmt::format("token_{}", i);
        if (path.starts_with("/chall/")) {
            EXPECT_EQ(payload, "{}");
            EXPECT_TRUE(shown(names_.at(i), token));
            polled_.at(i) = 2;
            return reply(200, R"({"type":"http-01","status":"processing"})");
        }
        EXPECT_EQ(payload, "");
        auto& polled = polled_.at(i);
        if (polled > polls) states_.at(i) = verdict;
        if (polled != 0) ++polled;
        if (std::ranges::all_of(states_, [](auto const& s) { return s == "valid"; })) order_ = "ready";
        auto const error = states_.at(i) == "invalid" ? R"(,"error":{"type":"urn:ietf:params:acme:error:connection","detail":"no route\u0007 to host"})" : "";
        auto const challenges = fmt::format(
            R"([{{"type":"dns-01","url":"https://ca.test/no","token":"x","status":"pending"}},{{"type":"http-01","url":"https://ca.test/chall/{0}","token":"{1}","status":"pending"{2}}}])",
            i, token, error);
        return reply(200,
                     fmt::format(R"({{"status":"{}","identifier":{{"type":"dns","value":"{}"}},"challenges":{}}})", states_.at(i), names_.at(i), challenges));
    }
    if (path == "/finalize") {
        chain_ = issue(from_base64url(std::string{json::parse(payload).at("csr").as_string()}));
        order_ = "processing";
        order_polls_ = 0;
        return reply(200, order_text());
    }
    if (path == "/order/1") {
        if (order_ == "processing") ++order_polls_;
        if (order_ == "processing" && order_polls_ >= polls) order_ = "valid";
        return reply(200, order_text());
    }
    if (path == "/cert") return reply(200, chain_);
    return reply(404, problem_text("malformed", "no such thing"));
}

std::string authority::issue(std::string const& csr_der) const
{
    auto const* at = reinterpret_cast<unsigned char const*>(csr_der.data());
    owned<X509_REQ> const request{d2i_X509_REQ(nullptr, &at, static_cast<long>(csr_der.size()))};
    if (!request) {
        ADD_FAILURE() << "no CSR";
        return "";
    }
    auto* const key = X509_REQ_get0_pubkey(request.get());
    EXPECT_EQ(X509_REQ_verify(request.get(), key), 1);
    auto const wrong = make_p256();
    auto const now = clock_.wall();
    return make_chain(names_instead.empty() ? names_ : names_instead, other_key ? wrong.get() : key, now, now + lifetime, break_chain);
}

}  // namespace mansio::acme::test
