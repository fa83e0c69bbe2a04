// Where reports go: the rua of DMARC and TLSRPT records, and whether the place agreed to it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "net/dns.hpp"

namespace mansio::reports {

/// One URI of an rua list.
struct report_uri {
    enum class scheme : std::uint8_t { mailto = 0, https = 1 };
    scheme how = scheme::mailto;
    std::string target;                       ///< an address with canonical domain, or the whole URL
    std::string host;                         ///< of either
    std::optional<std::uint64_t> most_octets; ///< of the message, encoded ("!10m")
    bool operator==(report_uri const&) const = default;
};

/// dmarc-uri of RFC 7489 §6.4. nullopt: none, or of a scheme nobody sends by (only mailto is defined).
[[nodiscard]] std::optional<report_uri> parse_dmarc_uri(std::string_view text);
/// The value of an rua tag: those of its URIs that can be used, each once, at most five (RFC 7489 §6.2 asks for two at least).
[[nodiscard]] std::vector<report_uri> parse_dmarc_rua(std::string_view list);
/// A TLSRPT record (RFC 8460 §3): its mailto and https URIs, at most five. nullopt: no TLSRPT record.
[[nodiscard]] std::optional<std::vector<report_uri>> parse_tls_record(std::string_view record);

/// Empty without `later`: nobody wants a report, or not from us.
struct destination_answer {
    std::vector<report_uri> uris;
    bool later = false;  ///< the DNS did not answer
    std::string why;     ///< of those left out, for the log
};
/// The organisational domain of a name, by public suffixes or tree walk, as whoever evaluated DMARC does it; nullopt: the DNS did not answer.
using organizational_domain = std::function<task<std::optional<std::string>>(std::string domain)>;

/// RFC 7489 §7.1: destinations outside the policy domain's organisation must say that they want its reports, and may name another address of theirs.
[[nodiscard]] task<destination_answer> dmarc_destinations(net::resolver& dns, organizational_domain organization, std::string policy_domain, std::string rua);
/// RFC 8460 §3: the TXT record of _smtp._tls.DOMAIN; more than one is none.
[[nodiscard]] task<destination_answer> tls_destinations(net::resolver& dns, std::string policy_domain);

}  // namespace mansio::reports
