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

using mime::spf_outcome;

/// check_host(). Bounds: ten terms that ask the DNS, two of them in vain, ten addresses of an MX or PTR (§4.6.4), twenty seconds in all.
/// `dns` outlives the call. Threads: any; answers on the awaiting executor.
[[nodiscard]] task<spf_outcome> check_spf(net::resolver& dns, base::clock const& clock, spf_request request);

}  // namespace mansio::mailauth
