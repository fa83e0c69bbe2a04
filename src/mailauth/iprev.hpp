// Whether a client's address and its name lead to each other (RFC 8601 §3).
#pragma once
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

/// Asks for the address's names, then for the addresses of the first five. permerror: it has no name. Threads: any executor; answers there.
[[nodiscard]] task<mime::iprev_outcome> check_iprev(net::resolver& dns, net::ip_address client);

}  // namespace mansio::mailauth
