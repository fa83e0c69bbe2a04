// What became of each attempt to speak TLS to a mail server, in the words of TLSRPT (RFC 8460 §4.3): what reports are made of.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/address.hpp"
#include "net/stream.hpp"

namespace mansio::mailauth {

enum class tls_result : std::uint8_t {
    success,
    starttls_not_supported,
    certificate_host_mismatch,
    certificate_expired,
    certificate_not_trusted,
    validation_failure,
    tlsa_invalid,
    dnssec_invalid,
    dane_required,
    sts_policy_fetch_error,
    sts_policy_invalid,
    sts_webpki_invalid,
};
/// "certificate-expired"; of success: "success", which no report holds.
[[nodiscard]] std::string_view name_of(tls_result r) noexcept;
/// Of tls_problem::none: success.
[[nodiscard]] tls_result result_of(net::tls_problem p) noexcept;

enum class tls_policy_type : std::uint8_t { no_policy_found, tlsa, sts };
[[nodiscard]] std::string_view name_of(tls_policy_type t) noexcept;  ///< "no-policy-found", "tlsa", "sts"

/// One attempt, or one failure to learn a policy. Names are lower-case A-labels; texts of strangers are as they came, at most a policy's 64 KiB.
struct tls_observation {
    base::wall_time when{};
    std::string policy_domain;
    tls_policy_type policy_type = tls_policy_type::no_policy_found;
    std::vector<std::string> policy;       ///< policy-string: TLSA records as text, or the policy's lines (RFC 8460 §4.5)
    std::vector<std::string> mx_patterns;  ///< of an MTA-STS policy
    tls_result result = tls_result::success;
    std::string reason;                    ///< failure-reason-code
    std::string mx_host;                   ///< empty: nobody was dialled
    std::optional<net::ip_address> from, to;
};

/// Takes observations: TLSRPT counts them. Threads: any; never blocks. Lifetime: outlives whoever observes.
class tls_observer {
public:
    virtual ~tls_observer() = default;
    virtual void observed(tls_observation o) = 0;
};

}  // namespace mansio::mailauth
