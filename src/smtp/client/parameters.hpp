// What MAIL and RCPT say to the next server, and what cannot be said to it (docs/smtp.md). No I/O.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "smtp/client/reply.hpp"

namespace mansio::smtp::client {

/// What a transaction passes on.
struct passed_on {
    queue::requests asked;
    std::chrono::seconds since{0};            ///< from acceptance until `as_of`: BY= counts down
    base::monotonic_time as_of;
    std::vector<queue::notify> notify;        ///< one for each recipient; empty: none said anything
    std::vector<std::string> orcpt;           ///< …
    bool name_is_sure = false;                ///< the MX's name came by DNSSEC (or MTA-STS says so): REQUIRETLS wants it (RFC 8689 §2)
};

/// Brings `since` up to `now`: as near to MAIL as can be (RFC 2852 §4.1.4).
void let_time_pass(passed_on& p, base::monotonic_time now) noexcept;

struct facts {
    extensions offers;
    bool verified_tls = false;                ///< TLS in force, chain and name verified
    bool any_tls = false;
    bool null_sender = false;
};

/// Why this mail cannot go to that server, nor to another one. What it requires of TLS the session sees to.
struct obstacle {
    std::string status, why;
};
[[nodiscard]] std::optional<obstacle> find_obstacle(passed_on const& p, facts const& f, std::string const& server);

/// " RET=HDRS ENVID=x BY=98;R …", each only where the server offers its extension.
[[nodiscard]] std::string mail_parameters(passed_on const& p, facts const& f);
/// " NOTIFY=… ORCPT=…" of recipient `i`.
[[nodiscard]] std::string rcpt_parameters(passed_on const& p, facts const& f, std::size_t i);

/// Sent by BDAT as it is (RFC 3030 §3).
[[nodiscard]] inline bool goes_binary(passed_on const& p, facts const& f) noexcept { return p.asked.binary && f.offers.binary && f.offers.chunking; }
/// The server was told when to report, and will.
[[nodiscard]] inline bool passes_dsn_on(facts const& f) noexcept { return f.offers.dsn; }
[[nodiscard]] bool passes_by_on(passed_on const& p, facts const& f) noexcept;

}  // namespace mansio::smtp::client
