#include "app/signing_keys.hpp"

namespace mansio::app {

signing_keys::by_domain signing_keys::read(std::vector<auth::domain_key> const& all) const
{
    by_domain out;
    for (auto const& k : all) {
        if (k.now != auth::domain_key::state::active) continue;
        auto key = mailauth::signing_key::from_pem(k.private_key);
        if (key)
            out[k.domain].push_back({k.domain, k.selector, std::move(*key)});
        else
            log_.error("signing_key_unreadable", {{"domain", k.domain}, {"selector", k.selector}, {"fault", key.error()}});
    }
    return out;
}

task<std::vector<mailauth::domain_signer>> signing_keys::keys_of(std::string domain)
{
    auto const now = keys_.generation();
    std::shared_ptr<by_domain const> known;
    {
        std::lock_guard const lock{mutex_};
        if (of_generation_ == now) known = kept_;
    }
    if (!known) {
        auto const all = co_await keys_.list({});
        if (!all) {
            log_.error("signing_keys_unreadable", {{"fault", all.error()}});
            co_return std::vector<mailauth::domain_signer>{};
        }
        known = std::make_shared<by_domain const>(read(*all));
        std::lock_guard const lock{mutex_};
        kept_ = known;
        of_generation_ = now;
    }
    auto const found = known->find(domain);
    co_return found == known->end() ? std::vector<mailauth::domain_signer>{} : found->second;
}

}  // namespace mansio::app
