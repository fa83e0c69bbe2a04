// One conversation with another server: greeting, TLS, one transaction, QUIT.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"
#include "queue/queue.hpp"
#include "smtp/client/parameters.hpp"
#include "smtp/client/reply.hpp"
#include "smtp/client/tls_policy.hpp"

namespace mansio::smtp::client {

/// Where and as whom.
struct session_options {
    std::string hostname;                     ///< our name in EHLO
    std::string server_name;                  ///< the MX's name, for SNI and the log
    net::tls_client_context* tls = nullptr;   ///< nullptr: never use TLS (an attempt after a handshake that failed)
    base::limits const* limits = nullptr;
    tls_demand demand = {};                   ///< of attempts with `tls`; without it a demand must have been given up
    mailauth::tls_observer* observer = nullptr;
};

/// What one transaction carries.
struct transaction {
    std::string sender;
    std::vector<std::string> recipients;
    bool body_8bit = false, smtputf8 = false;
    queue::message_source* message = nullptr;
    passed_on further;                        ///< parameters of MAIL and RCPT
    /// REQUIRETLS (RFC 8689 §4.2.1): only under verified TLS, to a server that promises to go on so; but a bounce (empty sender) is not lost for it (§5).
    [[nodiscard]] bool insists_on_tls() const noexcept { return further.asked.require_tls && !sender.empty(); }
};

/// How far it got. `connection_level`: nothing was said about this mail: another address may be tried.
struct session_result {
    std::vector<queue::outcome> outcomes;     ///< one for each recipient
    bool connection_level = false;
    bool greeted = false;                     ///< the other side answered at all
    bool tls_failed = false;                  ///< STARTTLS was offered and the handshake failed: nothing forbids to try once more in clear (RFC 7435)
    bool unsafe = false;                      ///< TLS is not as the demand or the message asks; nothing of the mail was said
    std::optional<net::tls_facts> tls;        ///< of the session, when there was one
};

/// TLS when offered; what is missing of the demand ends the conversation before any mail is said. Each attempt with `tls` makes one observation. Deadlines are the limits relay_*; replies are
/// bounded. Never throws for what the other side does.
[[nodiscard]] task<session_result> run_session(std::unique_ptr<net::stream> connection, session_options o, transaction t, base::clock& clock);

}  // namespace mansio::smtp::client
