// SPF records as text and as values (RFC 7208 §4.5, §4.6, §5, §6).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "mime/authentication.hpp"
#include "net/address.hpp"

namespace mansio::mailauth {

/// One mechanism with its qualifier.
struct spf_directive {
    enum class kind : std::uint8_t { all, include, a, mx, ptr, ip4, ip6, exists };
    kind what = kind::all;
    mime::spf_result when_matched = mime::spf_result::pass;
    std::string text;     ///< as written, for reasons and logs
    std::string target;   ///< domain-spec, macros unexpanded; empty: the domain itself
    net::cidr network;    ///< of ip4 and ip6
    unsigned v4_bits = 32;  ///< of a and mx
    unsigned v6_bits = 128;
};

struct spf_record {
    std::vector<spf_directive> directives;
    std::optional<std::string> redirect;     ///< domain-specs, macros unexpanded
    std::optional<std::string> explanation;
};

/// True for a TXT record that says it is one ("v=spf1", alone or before a blank).
[[nodiscard]] bool is_spf_record(std::string_view text) noexcept;
/// The whole record is validated first (§4.6). Errors: syntax; `say` names the term, printable.
[[nodiscard]] result<spf_record> parse_spf_record(std::string_view text);

}  // namespace mansio::mailauth
