// What checks of a message's sender come to: the result words of RFC 8601 §2.7 and what stands behind each. The checks themselves are mailauth's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::mime {

/// RFC 7208 §2.6.
enum class spf_result : std::uint8_t {
    none,       ///< the domain publishes nothing, or there is none to ask for
    neutral,    ///< it says that it says nothing
    pass,
    fail,
    softfail,
    temperror,  ///< the DNS did not answer
    permerror,  ///< what it publishes cannot be read
};
[[nodiscard]] std::string_view name_of(spf_result r) noexcept;

struct spf_outcome {
    spf_result result = spf_result::none;
    std::string domain;       ///< that was asked for
    bool of_helo = false;     ///< the reverse-path was null
    std::string mechanism;    ///< that decided, as published; empty: none did
    std::string problem;      ///< of temperror and permerror: what was wrong, printable
    std::string explanation;  ///< of fail: what the domain wants said (RFC 7208 §6.2), printable ASCII, at most 400 octets; a stranger's words
};

/// RFC 8601 §2.7.1.
enum class dkim_result : std::uint8_t {
    none,       ///< not signed
    pass,
    fail,       ///< the octets are not those that were signed
    policy,     ///< perhaps signed, in a way we do not take: SHA-1, short keys, parts left unsigned, expired
    neutral,    ///< the signature cannot be read
    temperror,  ///< the DNS did not answer
    permerror,  ///< no key, or none that fits
};
[[nodiscard]] std::string_view name_of(dkim_result r) noexcept;

/// One signature and what it is worth.
struct dkim_outcome {
    dkim_result result = dkim_result::none;
    std::string domain, selector, identity, algorithm;  ///< d=, s=, i=, a=; empty: could not be read
    std::string signature_start;  ///< the first octets of b=, in base64: header.b of Authentication-Results (RFC 6008)
    unsigned key_bits = 0;        ///< 0: no key was found
    bool testing = false;         ///< the key says t=y
    bool secure = false;          ///< the key was validated by DNSSEC
    std::string problem;          ///< why not pass, printable
};

/// RFC 7489 §11.2.
enum class dmarc_result : std::uint8_t {
    none,       ///< no domain of the author's, or it publishes no policy
    pass,
    fail,
    temperror,  ///< the DNS did not answer
    permerror,  ///< what it publishes cannot be read
};
[[nodiscard]] std::string_view name_of(dmarc_result r) noexcept;

/// What a domain wants done with what fails: p=, sp= and np=.
enum class dmarc_policy : std::uint8_t { none, quarantine, reject };
[[nodiscard]] std::string_view name_of(dmarc_policy p) noexcept;

struct dmarc_outcome {
    dmarc_result result = dmarc_result::none;
    std::string domain;                ///< the author's: of From
    std::string organizational_domain;
    std::string policy_domain;         ///< whose record it is; empty: none was found
    dmarc_policy published = dmarc_policy::none;  ///< what that record says about `domain`
    dmarc_policy wanted = dmarc_policy::none;     ///< of this message: none unless it failed; one step milder when the domain tests, or by its pct=
    bool tested = false;               ///< why `wanted` is milder than `published`
    bool spf_aligned = false, dkim_aligned = false;
    std::string record;                ///< as published, printable; for reports
    std::vector<std::string> report_to;  ///< rua=, URIs as published
    std::string problem;               ///< of temperror and permerror
};

/// RFC 8617 §5.2.
enum class arc_result : std::uint8_t { none, pass, fail };
[[nodiscard]] std::string_view name_of(arc_result r) noexcept;

struct arc_outcome {
    arc_result result = arc_result::none;
    struct seal {
        std::string domain;   ///< d=
        std::string results;  ///< the sealer's Authentication-Results, without its i=: its words, not ours
    };
    std::vector<seal> seals;  ///< from instance 1 on; empty unless the result is pass
    unsigned sets = 0;        ///< the highest instance seen
    std::string problem;      ///< of fail, printable
};

/// Whether an address and its name agree (RFC 8601 §3).
enum class iprev_result : std::uint8_t { pass, fail, temperror, permerror };
[[nodiscard]] std::string_view name_of(iprev_result r) noexcept;

struct iprev_outcome {
    iprev_result result = iprev_result::permerror;
    std::string address;
    std::string name;     ///< that leads back to the address; empty: none
};

/// Everything that was found out about who sent a message.
struct authentication {
    iprev_outcome iprev;
    spf_outcome spf;
    std::vector<dkim_outcome> dkim;
    arc_outcome arc;
    dmarc_outcome dmarc;
    /// A listed sealer vouches that the message passed DMARC before it was changed on the way (RFC 8617 §7.2); empty: none does.
    std::string vouched_by;
};

}  // namespace mansio::mime
