// Macros of SPF records (RFC 7208 §7).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace mansio::mailauth {

/// What the letters stand for.
struct spf_macro_values {
    std::string local;          ///< l
    std::string sender_domain;  ///< o; s is both
    std::string domain;         ///< d: whose record is being read
    std::string helo;           ///< h
    net::ip_address client;     ///< i, c, v
    std::string validated = "unknown";  ///< p: the client's name, if spf_macros_name_the_client()
    std::string receiver = "unknown";   ///< r
    std::int64_t now = 0;       ///< t: seconds since 1970
};

enum class spf_text : std::uint8_t {
    term,         ///< of a record: no blanks, and without c, r and t
    explanation,  ///< what "exp" leads to
};

/// The whole text expanded, or nullopt when its syntax is broken. At most 64 KiB (a record is no longer, and each macro's value is bounded by SMTP).
[[nodiscard]] std::optional<std::string> expand_spf_macros(std::string_view text, spf_macro_values const& v, spf_text kind);
/// Whether the text is a macro-string of that kind.
[[nodiscard]] bool is_spf_macro_string(std::string_view text, spf_text kind) noexcept;
/// domain-spec: a macro-string that ends in a top-level label or a macro.
[[nodiscard]] bool is_spf_domain_spec(std::string_view text) noexcept;
/// True when %{p} occurs, whose value costs questions to the DNS.
[[nodiscard]] bool spf_macros_name_the_client(std::string_view text) noexcept;
/// Cut to what the DNS can be asked for, from the left, label by label (RFC 7208 §7.3).
[[nodiscard]] std::string spf_target_name(std::string expanded);

}  // namespace mansio::mailauth
