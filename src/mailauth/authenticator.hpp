// All checks of who sent a message, as acceptance asks for them: iprev, SPF, DKIM, ARC, DMARC.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "mailauth/signed_message.hpp"
#include "mime/authentication.hpp"

namespace mansio::net {
class resolver;
}

namespace mansio::mailauth {

class public_suffixes;

/// What the checks are made of; all of it outlives the authenticator.
struct authenticator_parts {
    net::resolver& dns;
    base::clock const& clock;
    base::random& random;
    base::worker_pool& pool;  ///< hashes large messages
    base::limits const& limits;
    base::metrics& metrics;
};
struct authenticator_options {
    std::string hostname;                      ///< ours: authserv-id, and SPF's %{r}
    bool by_public_suffix = false;             ///< how DMARC finds an organisation's domain: by the list instead of the tree walk
    std::vector<std::string> trusted_sealers;  ///< domains whose ARC seals are believed, lower case
};

/// Threads: any executor; answers there.
class authenticator {
public:
    authenticator(authenticator_parts p, authenticator_options o);
    ~authenticator();
    authenticator(authenticator const&) = delete;
    authenticator& operator=(authenticator const&) = delete;

    struct request {
        std::string client;     ///< address as text
        std::string helo;       ///< as the client said it
        std::string mail_from;  ///< local@domain with A-labels; empty: the null reverse-path
        std::string author;     ///< domain of From, A-labels, lower case; empty: none
    };
    /// Ends within some forty seconds whatever the DNS does; what it does not answer is a temperror. Counts mansio_authentication_results_total.
    /// `message` is as it came, and outlives the call.
    [[nodiscard]] task<std::shared_ptr<mime::authentication const>> check(request r, signed_message& message);
    /// A whole Authentication-Results field with its CRLF. nullptr: nothing was checked, and it says so (RFC 8601 §2.2, no-result).
    [[nodiscard]] std::string field(mime::authentication const* found, std::string const& mail_from, std::string const& helo) const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::mailauth
