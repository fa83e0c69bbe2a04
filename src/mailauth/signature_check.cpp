#include "mailauth/signature_check.hpp"

#include <chrono>

#include "base/bytes.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::mailauth {
namespace {

using mime::dkim_result;

constexpr std::size_t most_key_records = 4;
constexpr std::size_t inline_size = 256U * 1024U;
constexpr unsigned shortest_rsa = 1024;  // RFC 8301 §3.2

}  // namespace

task<found_key> fetch_key(net::resolver& dns, std::string selector, std::string domain)
{
    found_key f;
    auto const name = dkim_key_name(selector, domain);
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

judgement fits(dkim_key const& k, dkim_signature const& s)
{
    auto const no = [](std::string why) { return judgement{dkim_result::permerror, std::move(why)}; };
    if (!k.key) return no("the key was revoked");
    if (k.type != s.key) return no("the key is of type " + std::string{name_of(k.type)} + ", the signature is " + s.algorithm);
    if (!k.takes_sha256) return no("the key does not take SHA-256");
    if (!k.for_mail) return no("the key is not for mail");
    auto const host = std::string_view{s.identity}.substr(s.identity.rfind('@') + 1);
    if (k.strict_domain && !base::equal_ignoring_case(host, s.domain)) return no("the key does not take an i= below its domain");
    if (k.type == key_type::rsa && k.key->bits() < shortest_rsa) return {dkim_result::policy, "an RSA key of " + std::to_string(k.key->bits()) + " bits"};
    return {};
}

judgement judge(signed_message& message, mime::field_view const& field, dkim_signature const& s, public_key const& key)
{
    auto const& body = message.hash_body(s.body);
    if (s.length && *s.length > body.size) return {dkim_result::permerror, "l= is more than there is"};
    // What follows the signed part could be anything, and would be shown as signed (§8.2).
    if (s.length && *s.length < body.size) return {dkim_result::policy, "l= leaves " + std::to_string(body.size - *s.length) + " octets of the body unsigned"};
    if (body.octets() != s.body_hash) return {dkim_result::fail, "the body is not the one that was signed"};
    auto const digest = message.hash_header(s.fields, s.header, without_value(message.text_of(field), s.value));
    if (!key.verifies(digest, s.signature)) return {dkim_result::fail, "the signature is not that key's over this header"};
    return {};
}

task<judgement> judge_on(base::worker_pool& pool, signed_message& message, mime::field_view const& field, dkim_signature const& s, public_key const& key)
{
    if (message.size() <= inline_size) co_return judge(message, field, s, key);
    auto job = pool.run([&] { return judge(message, field, s, key); });
    auto done = co_await std::move(job);
    co_return done ? std::move(*done) : judgement{dkim_result::temperror, "too busy to hash it"};
}

std::uint64_t unix_seconds(base::clock const& clock)
{
    return static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count());
}

}  // namespace mansio::mailauth
