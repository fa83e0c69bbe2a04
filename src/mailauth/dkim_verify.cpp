#include <chrono>

#include "base/bytes.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/signature_check.hpp"

namespace mansio::mailauth {
namespace {

using mime::dkim_result;

constexpr std::size_t most_signatures = 10;
constexpr std::chrono::seconds longest{20};
constexpr std::size_t shown_signature = 12;

/// What is not taken, however good the signature is; empty: nothing.
std::string against_policy(dkim_signature const& s, std::uint64_t now)
{
    if (s.sha1) return "SHA-1";
    if (s.expires && *s.expires < now) return "the signature has expired";
    return {};
}

/// What is known of a signature before anybody is asked.
dkim_outcome read_outcome(dkim_signature const& s, std::uint64_t now)
{
    dkim_outcome o;
    o.domain = s.domain;
    o.selector = s.selector;
    o.identity = s.identity;
    o.algorithm = s.algorithm;
    o.signature_start = base::to_base64(s.signature).substr(0, shown_signature);
    o.problem = against_policy(s, now);
    if (!o.problem.empty()) o.result = dkim_result::policy;
    return o;
}

/// Everything in which DNS and octets have a say.
task<judgement> check(net::resolver& dns, base::worker_pool& pool, signed_message& message, mime::field_view const& field, dkim_signature const& s,
                      dkim_outcome& o)
{
    auto const found = co_await fetch_key(dns, s.selector, s.domain);
    if (!found.key) co_return judgement{found.result, found.problem};
    o.testing = found.key->testing;
    o.secure = found.secure;
    if (found.key->key) o.key_bits = found.key->key->bits();
    if (auto misfit = fits(*found.key, s); misfit.result != dkim_result::pass) co_return misfit;
    co_return co_await judge_on(pool, message, field, s, *found.key->key);
}

}  // namespace

std::string dkim_key_name(std::string_view selector, std::string_view domain) { return std::string{selector} + "._domainkey." + std::string{domain}; }

task<std::vector<dkim_outcome>> verify_dkim(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message)
{
    std::vector<dkim_outcome> all;
    auto const until = clock.monotonic() + longest;
    auto const now = unix_seconds(clock);
    for (auto const& field : message.header().fields) {
        if (!base::equal_ignoring_case(field.name, "DKIM-Signature")) continue;
        if (all.size() == most_signatures) break;
        auto& o = all.emplace_back();
        auto const s = parse_dkim_signature(field.body);
        if (!s) {
            o.result = dkim_result::neutral;
            o.problem = s.error().say;
            continue;
        }
        o = read_outcome(*s, now);
        if (o.result == dkim_result::policy) continue;
        auto verdict = clock.monotonic() > until ? judgement{dkim_result::temperror, "the DNS was too slow"} : judgement{};
        if (verdict.problem.empty()) verdict = co_await check(dns, pool, message, field, *s, o);
        o.result = verdict.result;
        o.problem = std::move(verdict.problem);
    }
    co_return all;
}

}  // namespace mansio::mailauth
