// The keys of the directory, read once and kept until one changes: what signs mail.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "auth/domain_keys.hpp"
#include "base/log.hpp"
#include "mailauth/signer.hpp"

namespace mansio::app {

/// Threads: any executor. `keys` and `log` outlive it.
class signing_keys final : public mailauth::key_ring {
public:
    signing_keys(auth::domain_keys& keys, base::log& log) : keys_(keys), log_(log) {}
    task<std::vector<mailauth::domain_signer>> keys_of(std::string domain) override;

private:
    using by_domain = std::map<std::string, std::vector<mailauth::domain_signer>, std::less<>>;
    [[nodiscard]] by_domain read(std::vector<auth::domain_key> const& all) const;
    auth::domain_keys& keys_;
    base::log& log_;
    std::mutex mutex_;
    std::shared_ptr<by_domain const> kept_;
    std::uint64_t of_generation_ = 0;
};

}  // namespace mansio::app
