// Which POP3 policy holds for whom: the account's own, else its domain's, else the server's.
#pragma once
#include <mutex>

#include "auth/directory.hpp"
#include "auth/pop3_policy.hpp"

namespace mansio::auth {

/// Threads: any executor. Lifetime: the directory outlives it. Errors: not_found, those of the directory.
class pop3_policies {
public:
    /// `defaults`: the server's; what is absent there is "forever" and no delay.
    pop3_policies(directory& d, pop3_settings defaults);
    [[nodiscard]] task<result<pop3_policy>> of(account_number n);
    /// Without a look-up: `domain_says` is what the account's domain says.
    [[nodiscard]] pop3_policy of(account const& a, pop3_settings const& domain_says) const;
    /// The smallest promise and the longest delay of anybody. Kept until a setting changes.
    [[nodiscard]] task<result<pop3_bounds>> bounds();
    /// Rises whenever a setting of anybody changes.
    [[nodiscard]] std::uint64_t generation() const noexcept;

private:
    directory& directory_;
    pop3_settings defaults_;
    std::mutex mutex_;  // guards the two below
    pop3_bounds known_;
    std::optional<std::uint64_t> known_at_;
};

}  // namespace mansio::auth
