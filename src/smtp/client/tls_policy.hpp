// What TLS a conversation with one server must have: DANE before MTA-STS before "whatever is offered" (RFC 7672, RFC 8461 §2, RFC 7435).
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mailauth/dane.hpp"
#include "mailauth/sts_policies.hpp"
#include "mailauth/tls_report.hpp"
#include "net/stream.hpp"
#include "queue/queue.hpp"

namespace mansio::smtp::client {

/// One place to try.
struct target {
    std::string name;             ///< the MX's name, or the address literal
    net::endpoint at;
    bool secure_address = false;  ///< by DNSSEC, every CNAME on the way too
    std::string canonical_name = {};  ///< after CNAMEs
};

/// Whose mail servers the targets are.
struct destination {
    std::string domain;            ///< the next hop: the recipients' domain, or the smarthost's name; "": an address literal, nobody publishes anything
    std::string canonical_domain;  ///< after the MX answer's CNAMEs
    bool by_mx = false;            ///< the names of the targets come from MX records
    bool secure_mx = false;        ///< these are signed
};

/// For one server.
struct tls_demand {
    enum class level : std::uint8_t {
        offered,    ///< TLS where it works, in clear where not
        encrypted,  ///< TLS, whoever is at the other end (RFC 7672 §2.2: no record is usable)
        verified,   ///< TLS with a certificate that fits
    };
    level least = level::offered;
    bool enforced = true;        ///< false: what is missing is reported and the mail sent all the same (MTA-STS testing; "TLS-Required: no")
    bool certain_host = false;   ///< that this server is the domain's is signed, or its policy says so (RFC 8689 §2)
    bool reported = false;       ///< an observation was made already, the conversation makes none
    net::tls_client_options tls; ///< how the certificate is verified
    std::string because;         ///< "its TLSA records ask for it (DANE)", for operators
    mailauth::tls_observation about;  ///< what observations of the conversation begin with
};

/// The demand, or why this server is not dialled at all.
struct tls_choice {
    tls_demand demand;
    std::optional<queue::outcome> skip;
    bool for_now = false;  ///< of skip: a later attempt may find it otherwise
};

/// Chooses for the servers of one destination in one attempt; asks each thing once. Lifetime: as the attempt; what it is handed outlives it.
class tls_chooser {
public:
    /// `sts` and `observer` may be null. `optional`: policies are followed as far as they go and stop nothing (RFC 8689 §4.2.2).
    tls_chooser(net::resolver& dns, mailauth::sts_policies* sts, mailauth::tls_observer* observer, base::clock& clock, destination where, bool optional);
    [[nodiscard]] task<tls_choice> choose(target const& t);
    /// A policy may exist that could not be had: for messages that require TLS.
    [[nodiscard]] bool uncertain() const noexcept { return sts_ && sts_->uncertain; }

private:
    [[nodiscard]] mailauth::tls_observation observation(target const& t) const;
    void observe(mailauth::tls_observation o, mailauth::tls_result r, std::string why);
    [[nodiscard]] task<result<void>> look_up_sts();
    [[nodiscard]] task<mailauth::dane_finding> look_up_dane(target const& t);
    void by_sts(target const& t, tls_choice& c);
    void by_dane(target const& t, mailauth::dane_finding const& found, tls_choice& c);
    [[nodiscard]] bool refused_by_sts(target const& t) const;
    net::resolver& dns_;
    mailauth::sts_policies* policies_;
    mailauth::tls_observer* observer_;
    base::clock& clock_;
    destination where_;
    bool optional_;
    std::optional<mailauth::sts_finding> sts_;
    std::map<std::string, mailauth::dane_finding> dane_;
};

}  // namespace mansio::smtp::client
