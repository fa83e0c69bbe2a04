// DMARC: whether the domain that the reader sees stands behind a message, and what it wants done when it does not (RFC 9989; RFC 7489, RFC 9091).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

using mime::dmarc_outcome;

struct dmarc_record {
    std::optional<mime::dmarc_policy> policy, subdomain_policy, absent_policy;  ///< p=, sp=, np=
    bool strict_dkim = false, strict_spf = false;                               ///< adkim=s, aspf=s
    bool testing = false;                                                       ///< t=y
    unsigned percent = 100;                                                     ///< pct=, which RFC 9989 dropped and many still publish
    enum class suffix : std::uint8_t { unknown, yes, no };
    suffix is_suffix = suffix::unknown;                                         ///< psd=
    std::vector<std::string> report_to;                                         ///< rua=, URIs as published, at most ten
};
/// True for a TXT record that says it is one: "v=DMARC1" as its first tag.
[[nodiscard]] bool is_dmarc_record(std::string_view text) noexcept;
/// Tags that are unknown or cannot be read are as if they were not there (RFC 9989 §4.7). Errors: syntax (no p=, and nobody to tell either).
[[nodiscard]] result<dmarc_record> parse_dmarc_record(std::string_view text);

/// The public suffix list, as the system keeps it. Threads: safe once made.
class public_suffixes {
public:
    /// The newest there is on this machine, else the one the library was built with.
    public_suffixes();
    ~public_suffixes();
    public_suffixes(public_suffixes const&) = delete;
    public_suffixes& operator=(public_suffixes const&) = delete;
    /// The suffix and one label more; the name itself when it is a suffix. Name: A-labels, lower case.
    [[nodiscard]] std::string registrable(std::string_view name) const;

private:
    struct list;
    std::unique_ptr<list> list_;
};

/// Where an organisation ends.
enum class organizational_by : std::uint8_t {
    tree_walk,      ///< RFC 9989 §4.10: the DNS says so
    public_suffix,  ///< RFC 7489 §3.2: a list says so
};

struct dmarc_request {
    std::string from;                    ///< the author's domain: A-labels, lower case; empty: there is none to ask for
    mime::spf_outcome const* spf = nullptr;
    std::span<mime::dkim_outcome const> dkim;
    unsigned percentile = 0;             ///< 0…99, random: messages of `pct`= and more get the milder policy (RFC 7489 §6.6.4)
    organizational_by by = organizational_by::tree_walk;
    public_suffixes const* suffixes = nullptr;  ///< needed by public_suffix
};
/// Bounds: forty questions to the DNS, twenty seconds. Everything handed in outlives the call. Threads: any; answers on the awaiting executor.
[[nodiscard]] task<dmarc_outcome> check_dmarc(net::resolver& dns, base::clock const& clock, dmarc_request request);

}  // namespace mansio::mailauth
