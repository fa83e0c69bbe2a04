// What a domain publishes so that its mail arrives and is believed, and whether it does.
#pragma once
#include <string>
#include <vector>

#include "auth/domain_keys.hpp"
#include "base/task.hpp"
#include "net/dns.hpp"

namespace mansio::admin {

struct dns_record {
    std::string name;     ///< without final dot
    std::string type;     ///< "MX", "TXT"
    std::string value;    ///< as a zone file has it, without quotes
    std::string purpose;  ///< one sentence
    bool needed = true;   ///< false: mail works without
};
/// In the order in which somebody would put them in. `keys`: of this domain.
[[nodiscard]] std::vector<dns_record> records_for(std::string const& domain, std::string const& hostname, std::vector<auth::domain_key> const& keys);
/// As lines of a zone file; texts over 255 octets are cut into strings (RFC 1035 §3.3.14).
[[nodiscard]] std::string zone_line(dns_record const& r);

struct dns_finding {
    dns_record wanted;
    enum class state : std::uint8_t { right, missing, wrong, unknown };
    state now = state::unknown;
    std::string say;      ///< what is there, and how to mend it; empty when right
};
[[nodiscard]] std::string_view name_of(dns_finding::state s) noexcept;
/// Asks the DNS for each. An SPF or DMARC record of the domain's own making is right when it says what it must.
[[nodiscard]] task<std::vector<dns_finding>> check_records(net::resolver& dns, std::vector<dns_record> records, std::string hostname);

}  // namespace mansio::admin
