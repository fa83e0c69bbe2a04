// The keys that sign mail of our domains: rows of the directory partition, sealed under the server's secret (docs/formats/directory.md).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/directory.hpp"
#include "base/clock.hpp"

namespace mansio::auth {

/// One key of a domain. What the octets mean is the signer's affair.
struct domain_key {
    std::string domain;    ///< canonical
    std::string selector;  ///< one label or more, lower case
    enum class state : std::uint8_t {
        next,      ///< made, to be published; signs nothing yet
        active,    ///< signs
        retiring,  ///< signs nothing any more, stays published until what it signed has arrived
    };
    state now = state::next;
    std::int64_t since = 0;   ///< unix seconds of its state
    std::string private_key;  ///< PEM
    std::string record;       ///< what to publish at SELECTOR._domainkey.DOMAIN
};
[[nodiscard]] std::string_view name_of(domain_key::state s) noexcept;

/// Threads: any executor, answers there. Everything handed in outlives it. Errors: not_found (domain, key), conflict (exists), syntax, refused, broken.
class domain_keys {
public:
    domain_keys(directory& d, std::string const& pepper, base::clock const& clock, base::random& random);
    ~domain_keys();
    domain_keys(domain_keys const&) = delete;
    domain_keys& operator=(domain_keys const&) = delete;
    /// `k.since` is put to now.
    [[nodiscard]] task<result<void>> add(domain_key k);
    [[nodiscard]] task<result<void>> set_state(std::string domain, std::string selector, domain_key::state s);
    [[nodiscard]] task<result<void>> remove(std::string domain, std::string selector);
    /// Of one domain, by selector; all domains' when empty. A row that another secret sealed is an error: broken, with words for the operator.
    [[nodiscard]] task<result<std::vector<domain_key>>> list(std::string domain);
    /// Rises with every change: what was made of the keys is old then.
    [[nodiscard]] std::uint64_t generation() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::auth
