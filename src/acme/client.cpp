#include "acme/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <iomanip>
#include <sstream>

#include "acme/pause.hpp"
#include "base/bytes.hpp"

namespace mansio::acme {
namespace {
using namespace std::chrono_literals;
constexpr unsigned most_bad_nonces = 4;     // in a row; RFC 8555 §6.5 asks to try again with the nonce that came
constexpr std::size_t largest_answer = 256U * 1024U;
constexpr auto longest_poll = 60s;

std::string_view name_of(proof p) { return p == proof::http_01 ? "http-01" : "tls-alpn-01"; }
std::string json_text(std::string_view s) { return boost::json::serialize(boost::json::string{s.data(), s.size()}); }

/// RFC 8555 §8.1: base64url, and with it no path, no header and no markup.
bool is_token(std::string_view t)
{
    constexpr std::size_t longest = 256;
    return !t.empty() && t.size() <= longest && std::ranges::all_of(t, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

/// Takes the answer back whatever way the order ends.
class shown {
public:
    shown(responder& r, proof how, std::string name, std::string token, std::string const& key_authorization)
        : responder_(r),
          how_(how),
          name_(std::move(name)),
          token_(std::move(token))
    {
        responder_.show(how_, name_, token_, key_authorization);
    }
    ~shown() { responder_.hide(how_, name_, token_); }
    shown(shown const&) = delete;
    shown& operator=(shown const&) = delete;

private:
    responder& responder_;
    proof how_;
    std::string name_, token_;
};
}  // namespace

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, base::wall_time now)
{
    long seconds = 0;
    auto const* const end = value.end();
    if (auto const [at, wrong] = std::from_chars(value.begin(), end, seconds); at == end && wrong == std::errc{} && seconds >= 0)
        return std::chrono::seconds{std::min(seconds, 366L * 24 * 3600)};
    // IMF-fixdate alone: what RFC 9110 §5.6.7 lets anybody send.
    if (value.size() != std::string_view{"Thu, 01 Jan 2026 00:00:00 GMT"}.size()) return std::nullopt;
    std::tm parts{};
    std::istringstream in{std::string{value}};
    in.imbue(std::locale::classic());
    in >> std::get_time(&parts, "%a, %d %b %Y %H:%M:%S GMT");
    if (in.fail()) return std::nullopt;
    auto const date = std::chrono::year{parts.tm_year + 1900} / (parts.tm_mon + 1) / parts.tm_mday;
    if (!date.ok()) return std::nullopt;
    auto const at = std::chrono::sys_days{date} + std::chrono::hours{parts.tm_hour} + std::chrono::minutes{parts.tm_min} + std::chrono::seconds{parts.tm_sec};
    return std::max(0s, std::chrono::duration_cast<std::chrono::seconds>(at - now));
}

struct client::impl {
    net::fetcher& fetch;
    account_key const& key;
    responder& answers;
    client_options options;
    pause naps;
    std::string nonce;    // the one that came last, unused
    std::string account;  // its URL: "kid"
    std::chrono::seconds wait_asked{0};
    base::monotonic_time deadline;

    impl(net::fetcher& f, account_key const& k, responder& r, client_options o) : fetch(f), key(k), answers(r), options(std::move(o)) {}

    static base::clock& clock() { return base::executor::current().clock(); }

    task<result<net::fetch_response>> ask(net::fetch_request r)
    {
        if (naps.stopped()) co_return fail(fault::kind::closed, "the server is shutting down");
        auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock().monotonic());
        if (left <= 0ms) co_return fail(fault::kind::timeout, "the authority did not finish the order in time");
        r.total = std::min(r.total, left);
        r.most_body = largest_answer;
        auto const url = r.url;
        auto got = co_await fetch.fetch(std::move(r));
        if (!got) {
            auto f = got.error();
            f.say = fmt::format("the authority cannot be asked: {}", f.say);
            f.detail = fmt::format("{}: {}", url, f.detail);
            co_return std::unexpected(std::move(f));
        }
        if (auto const fresh = got->field("Replay-Nonce")) nonce = *fresh;
        co_return got;
    }

    /// A nonce nobody used (RFC 8555 §7.2).
    task<result<std::string>> take_nonce(directory const& d)
    {
        if (nonce.empty()) {
            net::fetch_request r;
            r.method = "HEAD";
            r.url = d.new_nonce;
            auto const got = co_await ask(std::move(r));
            if (!got) co_return fail(got);
            if (nonce.empty()) co_return fail(fault::kind::try_later, "the authority gave no nonce", fmt::format("status {}", got->status));
        }
        auto one = std::exchange(nonce, {});
        if (!is_token(one)) co_return fail(fault::kind::syntax, "the authority's nonce cannot be understood", base::printable(one, 100));
        co_return one;
    }

    /// Signed (RFC 8555 §6.2); an empty payload is POST-as-GET (§6.3). Every status below 400 is an answer.
    task<result<net::fetch_response>> post(directory const& d, std::string url, std::string payload, std::string accept = {})
    {
        for (unsigned tries = 1;; ++tries) {
            auto const one = co_await take_nonce(d);
            if (!one) co_return fail(one);
            auto const who = account.empty() ? fmt::format(R"("jwk":{})", key.jwk()) : fmt::format(R"("kid":{})", json_text(account));
            auto const header = fmt::format(R"({{"alg":"ES256","nonce":{},"url":{},{}}})", json_text(*one), json_text(url), who);
            net::fetch_request r;
            r.method = "POST";
            r.url = url;
            r.fields.emplace_back("Content-Type", "application/jose+json");
            if (!accept.empty()) r.fields.emplace_back("Accept", accept);
            r.body = key.sign(header, payload);
            auto got = co_await ask(std::move(r));
            if (!got || got->status < 400) co_return got;
            auto const p = parse_problem(got->body);
            if (p.type == "badNonce" && tries <= most_bad_nonces) continue;
            co_return std::unexpected(refusal(*got, p));
        }
    }

    fault refusal(net::fetch_response const& got, problem const& p)
    {
        if (auto const value = got.field("Retry-After")) wait_asked = parse_retry_after(*value, clock().wall()).value_or(0s);
        bool const passing = got.status >= 500 || got.status == 429 || p.type == "rateLimited" || p.type == "serverInternal" || p.type == "badNonce";
        return {passing ? fault::kind::try_later : fault::kind::refused, fmt::format("the authority refused: {}", describe(p)),
                fmt::format("status {}", got.status)};
    }

    task<result<directory>> begin()
    {
        net::fetch_request r;
        r.url = options.directory;
        auto const got = co_await ask(std::move(r));
        if (!got) co_return fail(got);
        if (got->status != 200) co_return std::unexpected(refusal(*got, parse_problem(got->body)));
        co_return parse_directory(got->body);
    }

    /// Our key, signed with the one that the authority gave us elsewhere (RFC 8555 §7.3.4).
    [[nodiscard]] boost::json::object binding(directory const& d) const
    {
        auto const header = base64url(fmt::format(R"({{"alg":"HS256","kid":{},"url":{}}})", json_text(options.external_id), json_text(d.new_account)));
        auto const payload = base64url(key.jwk());
        auto const mac = base::hmac_sha256(options.external_key, header + "." + payload);
        return {{"protected", header}, {"payload", payload}, {"signature", base64url({reinterpret_cast<char const*>(mac.data()), mac.size()})}};
    }

    /// Makes the account, or finds it: a known key is answered with the account it has (RFC 8555 §7.3.1).
    task<result<void>> sign_in(directory const& d)
    {
        if (d.external_account_required && options.external_id.empty())
            co_return fail(fault::kind::refused, "the authority wants an external account: set acme.external_id and acme.external_key_file");
        boost::json::array contacts;
        for (auto const& c : options.contacts) contacts.emplace_back(c);
        boost::json::object asked{{"termsOfServiceAgreed", true}, {"contact", contacts}};
        if (!options.external_id.empty()) asked["externalAccountBinding"] = binding(d);
        account.clear();
        auto const got = co_await post(d, d.new_account, boost::json::serialize(asked));
        if (!got) co_return fail(got);
        auto const where = got->field("Location");
        if (!where) co_return fail(fault::kind::syntax, "the authority did not say which account is ours");
        account = *where;
        co_return result<void>{};
    }

    /// Waits as the answer says, or longer each time. False: stopped or out of time.
    task<result<void>> rest(net::fetch_response const& last, unsigned round)
    {
        std::chrono::seconds span{std::min(1U << std::min(round, 4U), 10U)};
        if (auto const value = last.field("Retry-After"))
            span = std::clamp(parse_retry_after(*value, clock().wall()).value_or(span), 1s, std::chrono::seconds{longest_poll});
        bool const on = co_await naps.wait(span);
        if (!on) co_return fail(fault::kind::closed, "the server is shutting down");
        if (clock().monotonic() >= deadline) co_return fail(fault::kind::timeout, "the authority did not finish the order in time");
        co_return result<void>{};
    }

    task<result<void>> prove(directory const& d, std::string url, std::vector<std::string> const& names)
    {
        auto got = co_await post(d, url, "");
        if (!got) co_return fail(got);
        auto a = parse_authorization(got->body);
        if (!a) co_return fail(a);
        if (a->status == "valid") co_return result<void>{};
        auto const name = base::to_lower_ascii(a->name);
        if (std::ranges::find(names, name) == names.end())
            co_return fail(fault::kind::syntax, "the authority wants proof of a name that was not asked for", base::printable(a->name, 100));
        auto const wanted = name_of(options.how);
        auto const c = std::ranges::find(a->challenges, wanted, &challenge::type);
        if (c == a->challenges.end()) co_return fail(fault::kind::refused, fmt::format("the authority offers no {} for {}", wanted, name));
        if (!is_token(c->token)) co_return fail(fault::kind::syntax, "the authority's token cannot be understood", base::printable(c->token, 100));
        shown const here{answers, options.how, name, c->token, c->token + "." + key.thumbprint()};
        auto const told = co_await post(d, c->url, "{}");
        if (!told) co_return fail(told);
        for (unsigned round = 0; a->status == "pending"; ++round) {
            auto const rested = co_await rest(round == 0 ? *told : *got, round);
            if (!rested) co_return fail(rested);
            got = co_await post(d, url, "");
            if (!got) co_return fail(got);
            a = parse_authorization(got->body);
            if (!a) co_return fail(a);
        }
        if (a->status == "valid") co_return result<void>{};
        auto const tried = std::ranges::find(a->challenges, wanted, &challenge::type);
        auto const why = tried != a->challenges.end() && tried->error ? acme::describe(*tried->error) : "status " + base::printable(a->status, 40);
        co_return fail(fault::kind::refused, fmt::format("the authority could not verify {} by {}: {}", name, wanted, why));
    }

    /// Polls until the order leaves these states.
    task<result<acme::order>> settle(directory const& d, std::string url, net::fetch_response last, std::string_view while_status)
    {
        auto o = parse_order(last.body);
        for (unsigned round = 0; o && o->status == while_status; ++round) {
            auto const rested = co_await rest(last, round);
            if (!rested) co_return fail(rested);
            auto got = co_await post(d, url, "");
            if (!got) co_return fail(got);
            last = std::move(*got);
            o = parse_order(last.body);
        }
        co_return o;
    }

    static fault failed(acme::order const& o)
    {
        auto const why = o.error ? acme::describe(*o.error) : "status " + base::printable(o.status, 40);
        return {fault::kind::refused, fmt::format("the authority gave the order up: {}", why)};
    }

    task<result<issued>> run(std::vector<std::string> names)
    {
        deadline = clock().monotonic() + options.longest;
        wait_asked = 0s;
        auto const d = co_await begin();
        if (!d) co_return fail(d);
        auto const known = co_await sign_in(*d);
        if (!known) co_return fail(known);

        boost::json::array identifiers;
        for (auto const& n : names) identifiers.push_back(boost::json::object{{"type", "dns"}, {"value", n}});
        auto const opened = co_await post(*d, d->new_order, boost::json::serialize(boost::json::object{{"identifiers", identifiers}}));
        if (!opened) co_return fail(opened);
        auto o = parse_order(opened->body);
        if (!o) co_return fail(o);
        auto const where = opened->field("Location");
        if (!where) co_return fail(fault::kind::syntax, "the authority did not say where the order is");
        std::string const url{*where};

        for (auto const& a : o->authorizations) {
            auto const proven = co_await prove(*d, a, names);
            if (!proven) co_return fail(proven);
        }
        auto seen = co_await post(*d, url, "");
        if (!seen) co_return fail(seen);
        o = co_await settle(*d, url, std::move(*seen), "pending");
        if (!o) co_return fail(o);
        if (o->status != "ready") co_return std::unexpected(failed(*o));

        auto const request = make_request(names);
        auto finalized = co_await post(*d, o->finalize, fmt::format(R"({{"csr":"{}"}})", base64url(request.der)));
        if (!finalized) co_return fail(finalized);
        o = co_await settle(*d, url, std::move(*finalized), "processing");
        if (!o) co_return fail(o);
        if (o->status != "valid" || o->certificate.empty()) co_return std::unexpected(failed(*o));

        auto const chain = co_await post(*d, o->certificate, "", "application/pem-certificate-chain");
        if (!chain) co_return fail(chain);
        auto const good = check_chain(chain->body, request.key_pem, names, clock().wall());
        if (!good) co_return fail(good);
        co_return issued{request.key_pem, chain->body, *good};
    }
};

client::client(net::fetcher& fetch, account_key const& key, responder& r, client_options o) : impl_(std::make_unique<impl>(fetch, key, r, std::move(o))) {}
client::~client() = default;
task<result<issued>> client::order(std::vector<std::string> names) { return impl_->run(std::move(names)); }
std::chrono::seconds client::asked_to_wait() const noexcept { return impl_->wait_asked; }
void client::stop() { impl_->naps.stop(); }

}  // namespace mansio::acme
