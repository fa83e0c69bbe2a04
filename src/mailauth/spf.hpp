// SPF, RFC 7208: whether a host may send mail for a domain.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "mime/address.hpp"
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

struct spf_request {
    net::ip_address client;
    std::string helo;       ///< as the client said it
    std::string mail_from;  ///< local@domain with A-labels; empty: the null reverse-path, then postmaster@helo is asked for (§2.4)
    std::string receiver;   ///< our host name
};

struct spf_outcome {
    mime::spf_result result = mime::spf_result::none;
    std::string domain;       ///< that was asked for
    bool of_helo = false;     ///< the reverse-path was null
    std::string mechanism;    ///< that decided, as published; empty: none did
    std::string problem;      ///< of temperror and permerror: what was wrong, printable
    std::string explanation;  ///< of fail: what the domain wants said (§6.2), printable ASCII, at most 400 octets; a stranger's words
};

/// check_host(). Bounds: ten terms that ask the DNS, two of them in vain, ten addresses of an MX or PTR (§4.6.4), twenty seconds in all.
/// `dns` outlives the call. Threads: any; answers on the awaiting executor.
[[nodiscard]] task<spf_outcome> check_spf(net::resolver& dns, base::clock const& clock, spf_request request);

}  // namespace mansio::mailauth
