#include <algorithm>
#include <chrono>

#include "mailauth/dkim.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::mailauth {
namespace {

using mime::dkim_result;

constexpr std::size_t most_signatures = 10;
constexpr std::size_t most_key_records = 4;
constexpr std::size_t inline_size = 256U * 1024U;
constexpr unsigned shortest_rsa = 1024;  // RFC 8301 §3.2
constexpr std::chrono::seconds longest{20};
constexpr std::size_t shown_signature = 12;

struct found_key {
    std::optional<dkim_key> key;
    bool secure = false;
    dkim_result result = dkim_result::permerror;
    std::string problem;
};

/// §6.1.2: the first record that can be read.
task<found_key> fetch_key(net::resolver& dns, std::string name)
{
    found_key f;
    auto const answer = co_await dns.txt(name);
    f.secure = answer.secure;
    if (answer.status == net::dns_status::failed) {
        f.result = dkim_result::temperror;
        f.problem = no_answer_for(name, answer.why);
        co_return f;
    }
    f.problem = "no key at " + name;
    for (std::size_t i = 0; i < answer.records.size() && i < most_key_records; ++i) {
        auto key = parse_dkim_key(answer.records[i]);
        if (key) {
            f.key = std::move(*key);
            co_return f;
        }
        f.problem = key.error().say;
    }
    co_return f;
}

/// What of a key does not fit the signature (§6.1.2, steps 5 to 8); empty: it fits.
std::string misfit(dkim_key const& k, dkim_signature const& s)
{
    if (!k.key) return "the key was revoked";
    if (k.type != s.key) return "the key is of type " + std::string{name_of(k.type)} + ", the signature is " + s.algorithm;
    if (!k.takes_sha256) return "the key does not take SHA-256";
    if (!k.for_mail) return "the key is not for mail";
    auto const host = std::string_view{s.identity}.substr(s.identity.rfind('@') + 1);
    if (k.strict_domain && !base::equal_ignoring_case(host, s.domain)) return "the key does not take an i= below its domain";
    return {};
}

/// What is not taken, however good the signature is; empty: nothing.
std::string against_policy(dkim_signature const& s, std::uint64_t now)
{
    if (s.sha1) return "SHA-1";
    if (s.expires && *s.expires < now) return "the signature has expired";
    return {};
}

void settle(dkim_outcome& o, dkim_result r, std::string why)
{
    o.result = r;
    o.problem = std::move(why);
}

/// The hashes, and the signature over them (§6.1.3). The body's hash is there already.
void judge(dkim_outcome& o, signed_message& message, mime::field_view const& field, dkim_signature const& s, public_key const& key)
{
    if (key.bits() < shortest_rsa && s.key == key_type::rsa) return settle(o, dkim_result::policy, "an RSA key of " + std::to_string(key.bits()) + " bits");
    auto const& body = message.hash_body(s.body);
    if (s.length && *s.length > body.size) return settle(o, dkim_result::permerror, "l= is more than there is");
    // What follows the signed part could be anything, and would be shown as signed (§8.2).
    if (s.length && *s.length < body.size)
        return settle(o, dkim_result::policy, "l= leaves " + std::to_string(body.size - *s.length) + " octets of the body unsigned");
    if (body.octets() != s.body_hash) return settle(o, dkim_result::fail, "the body is not the one that was signed");
    auto const digest = message.hash_header(s.fields, s.header, without_value(message.text_of(field), s.value));
    if (!key.verifies(digest, s.signature)) return settle(o, dkim_result::fail, "the signature is not that key's over this header");
    settle(o, dkim_result::pass, {});
}

}  // namespace

std::string dkim_key_name(std::string_view selector, std::string_view domain) { return std::string{selector} + "._domainkey." + std::string{domain}; }

task<std::vector<dkim_outcome>> verify_dkim(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message)
{
    std::vector<dkim_outcome> all;
    auto const until = clock.monotonic() + longest;
    auto const now = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count());
    for (auto const& field : message.header().fields) {
        if (!base::equal_ignoring_case(field.name, "DKIM-Signature")) continue;
        if (all.size() == most_signatures) break;
        auto& o = all.emplace_back();
        auto const s = parse_dkim_signature(field.body);
        if (!s) {
            settle(o, dkim_result::neutral, s.error().say);
            continue;
        }
        o.domain = s->domain;
        o.selector = s->selector;
        o.identity = s->identity;
        o.algorithm = s->algorithm;
        o.signature_start = base::to_base64(s->signature).substr(0, shown_signature);
        if (auto why = against_policy(*s, now); !why.empty()) {
            settle(o, dkim_result::policy, std::move(why));
            continue;
        }
        if (clock.monotonic() > until) {
            settle(o, dkim_result::temperror, "the DNS was too slow");
            continue;
        }
        auto const found = co_await fetch_key(dns, dkim_key_name(s->selector, s->domain));
        if (!found.key) {
            settle(o, found.result, found.problem);
            continue;
        }
        o.testing = found.key->testing;
        o.secure = found.secure;
        if (found.key->key) o.key_bits = found.key->key->bits();
        if (auto why = misfit(*found.key, *s); !why.empty()) {
            settle(o, dkim_result::permerror, std::move(why));
            continue;
        }
        if (message.size() <= inline_size) {
            judge(o, message, field, *s, *found.key->key);
            continue;
        }
        auto job = pool.run([&] {
            judge(o, message, field, *s, *found.key->key);
            return true;
        });
        auto const done = co_await std::move(job);
        if (!done) settle(o, dkim_result::temperror, "too busy to hash it");
    }
    co_return all;
}

}  // namespace mansio::mailauth
