// DANE for SMTP (RFC 7672): which TLSA records hold for a mail server, and what follows from them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "net/dns.hpp"
#include "net/tlsa.hpp"

namespace mansio::mailauth {

/// Whether a certificate can be verified with it: usages DANE-TA(2) and DANE-EE(3) (RFC 7672 §3.1), known selector and matching, data of the
/// digest's length or a whole certificate or key (RFC 6698 §4.1).
[[nodiscard]] bool is_usable(net::tlsa_record const& r);
/// "3 1 1 1F85…" (RFC 6698 §2.2), as TLSRPT quotes it (RFC 8460 §4.5).
[[nodiscard]] std::string text_of(net::tlsa_record const& r);

/// A mail server found already, with what the answers on the way said of themselves.
struct dane_question {
    std::string host;                ///< as the MX names it, or as the operator does, or the domain itself
    std::uint16_t port = 25;
    bool secure_addresses = false;   ///< of resolver::addresses(host): every CNAME on the way and the addresses
    std::string canonical_host;      ///< after CNAMEs
    bool by_mx = false;
    bool secure_mx = false;
    std::string next_hop;            ///< the domain whose MX it is; without MX the same as `host`
    std::string canonical_next_hop;  ///< after CNAMEs
};

struct dane_finding {
    enum class verdict : std::uint8_t {
        not_used,     ///< no secure TLSA records: the server never promised TLS this way
        verify,       ///< TLS, and the certificate must fit `records` (RFC 7672 §2.2)
        encrypt,      ///< TLS, but nothing to verify by: none of the records is usable
        unreachable,  ///< the DNS did not say: nothing is sent there now (RFC 7672 §2.1.2)
    };
    verdict what = verdict::not_used;
    std::string base_domain;                 ///< SNI and first name of the certificate (§3.2.2, §8.1)
    std::vector<std::string> further_names;  ///< accepted as well, of DANE-TA(2)
    std::vector<net::tlsa_record> records;   ///< the usable ones
    std::vector<std::string> published;      ///< all, as text
    std::string why;                         ///< of unreachable, for operators
};

/// Asks for CNAME and TLSA records, at most three questions. Errors are verdicts. Lifetime: `dns` outlives the task.
[[nodiscard]] task<dane_finding> find_dane(net::resolver& dns, dane_question q);

}  // namespace mansio::mailauth
