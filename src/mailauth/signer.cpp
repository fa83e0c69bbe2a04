#include "mailauth/signer.hpp"

#include <algorithm>

#include "mailauth/arc.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/signature_check.hpp"

namespace mansio::mailauth {
namespace {

dkim_signing signing_with(domain_signer const& k, std::uint64_t now)
{
    dkim_signing how;
    how.domain = k.domain;
    how.selector = k.selector;
    how.key = k.key;
    how.now = now;
    return how;
}

bool can_be_signed(signed_message const& message) { return mime::find_field(message.header(), "From") != nullptr; }

}  // namespace

task<std::string> sign_message(base::worker_pool& pool, base::clock const& clock, signed_message& message, std::vector<domain_signer> keys)
{
    if (keys.empty() || !can_be_signed(message)) co_return std::string{};
    auto const now = unix_seconds(clock);
    auto job = pool.run([&] {
        std::string fields;
        for (auto const& k : keys) fields += sign_dkim(message, signing_with(k, now));
        return fields;
    });
    auto done = co_await std::move(job);
    co_return done ? std::move(*done) : std::string{};
}

task<std::string> seal_message(base::worker_pool& pool, base::clock const& clock, signed_message& message, mime::arc_outcome const& chain, std::string results,
                               std::vector<domain_signer> keys)
{
    auto const rsa = std::ranges::find(keys, key_type::rsa, [](domain_signer const& k) { return k.key.type(); });
    if (rsa == keys.end() || !can_be_signed(message)) co_return std::string{};
    auto const how = signing_with(*rsa, unix_seconds(clock));
    auto job = pool.run([&] { return seal_arc(message, chain, results, how).value_or(std::string{}); });
    auto done = co_await std::move(job);
    co_return done ? std::move(*done) : std::string{};
}

}  // namespace mansio::mailauth
