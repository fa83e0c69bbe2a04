// Who lives here: domains, accounts, aliases. Rows of the directory partition (docs/formats/directory.md).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/pop3_policy.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "mime/address.hpp"
#include "store/engine.hpp"
#include "store/principal.hpp"

namespace mansio::auth {

using store::account_number;

struct domain {
    std::string name;                       ///< canonical: A-labels, lower case
    std::optional<std::string> catch_all;   ///< canonical address
    char subaddress_separator = '+';        ///< '\0': none
    pop3_settings pop3;                     ///< for its accounts that say nothing of their own
};
struct account {
    account_number number = 0;
    std::string address;                    ///< canonical
    std::string display_name;
    std::uint64_t quota_octets = 0;         ///< 0: none
    std::uint64_t quota_messages = 0;       ///< 0: none
    bool enabled = true;
    bool administrator = false;
    bool has_portal_password = false;
    std::vector<std::string> imap_off;      ///< IMAP extensions switched off for this account: a program that stumbles over one
    pop3_settings pop3;
};
struct alias {
    std::string address;                    ///< canonical
    std::vector<std::string> targets;       ///< canonical; local or of other servers
};

/// What an address of an envelope means here.
struct resolution {
    enum class kind : std::uint8_t {
        local,          ///< delivered to `recipients`
        unknown,        ///< our domain, no such user: 550 5.1.1
        elsewhere,      ///< not our domain: relay for those who may, 550 5.7.1 for others
        disabled,       ///< 550 5.2.1
        loop,           ///< aliases too deep or circular: 550 5.4.6
    };
    struct recipient {
        account_number account = 0;          ///< 0: of another server
        std::string address;                 ///< canonical; the account's own, or the external target
        std::string detail;                  ///< subaddress "+detail", empty: none
        bool forwarded = false;              ///< reached through an alias: external ones get their sender rewritten (SRS)
    };
    kind what = kind::unknown;
    std::vector<recipient> recipients;       ///< each account or external address once
};

/// Threads: reads from any executor, answers there. Writes run on the directory's owner. Errors: not_found, conflict (exists), syntax, refused, broken.
/// One process writes: this object. `owner` and `e` outlive it.
/// `postmaster` and `abuse` of every domain always resolve: to their own account or alias if made, else to the first administrator, else to the first account.
class directory {
public:
    directory(store::engine& e, base::executor& owner, base::limits const& l, base::random& r, base::log& log);
    ~directory();
    directory(directory const&) = delete;
    directory& operator=(directory const&) = delete;

    [[nodiscard]] task<result<void>> add_domain(domain d);
    [[nodiscard]] task<result<void>> update_domain(domain d);
    [[nodiscard]] task<result<void>> remove_domain(std::string name);  ///< refused while accounts or aliases use it
    [[nodiscard]] task<result<std::vector<domain>>> domains();
    [[nodiscard]] task<result<std::optional<domain>>> find_domain(std::string name);

    /// Gives the number. The account's mailboxes are made by store::accounts::create, after: an intent row makes that recoverable (pending_accounts()).
    [[nodiscard]] task<result<account>> add_account(std::string address, std::string display_name, std::uint64_t quota_octets, bool administrator);
    [[nodiscard]] task<result<void>> account_ready(account_number n);                    ///< removes the intent
    /// Many at once, in a few large commits: the demo's load users, imports. All those of a commit or none: conflict when one exists.
    [[nodiscard]] task<result<std::vector<account>>> add_accounts(std::vector<std::string> addresses, std::uint64_t quota_octets);
    [[nodiscard]] task<result<void>> accounts_ready(std::vector<account_number> which);
    [[nodiscard]] task<result<std::vector<account>>> pending_accounts();
    /// The address cannot change; `has_portal_password` is not taken from `a`. Disabling one cuts its sessions (sign_in::on_revoked).
    [[nodiscard]] task<result<void>> update_account(account a);
    /// With its credentials. Its mail is store::accounts::remove's. Aliases to it stay.
    [[nodiscard]] task<result<void>> remove_account(account_number n);
    /// In pages: those after `after` (an address; empty: from the start), at most `limit`, by domain, then local part.
    [[nodiscard]] task<result<std::vector<account>>> list_accounts(std::string after, std::size_t limit);
    [[nodiscard]] task<result<std::optional<account>>>
    find_account(std::string address);  ///< canonicalised inside; a bare name works where there is one domain
    [[nodiscard]] task<result<std::optional<account>>> account_by_number(account_number n);
    /// What accounts say of POP3 on their own, without their names; for pop3_policies.
    [[nodiscard]] task<result<std::vector<pop3_settings>>> accounts_with_pop3_settings();

    /// Replaces. Conflict when an account has that address; over_limit beyond 1,000 targets.
    [[nodiscard]] task<result<void>> set_alias(alias a);
    [[nodiscard]] task<result<void>> remove_alias(std::string address);
    [[nodiscard]] task<result<std::vector<alias>>> aliases();

    /// Takes any envelope address. Only `kind` and `recipients` tell the outcome; errors: syntax, try_later, broken.
    /// The order: account or alias of that name; the same without "+detail"; postmaster and abuse; the domain's catch-all. An address without a
    /// domain is `elsewhere`, but "postmaster" alone (RFC 5321 §4.5.1) is the server's.
    [[nodiscard]] task<result<resolution>> resolve(mime::mailbox_address address);
    [[nodiscard]] task<result<bool>> is_local_domain(std::string domain);

    struct impl;
    [[nodiscard]] impl& get() noexcept { return *impl_; }

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::auth
