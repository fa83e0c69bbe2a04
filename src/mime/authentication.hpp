// What checks of a message's sender come to: the result words of RFC 8601 §2.7. The checks themselves are mailauth's.
#pragma once
#include <cstdint>
#include <string_view>

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

}  // namespace mansio::mime
