// TLSA records as values: what DANE compares a certificate with (RFC 6698 §2).
#pragma once
#include <cstdint>
#include <string>

namespace mansio::net {

/// The numbers are the registry's (RFC 7218); unknown ones are kept as they came.
struct tlsa_record {
    std::uint8_t usage = 0;     ///< 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE
    std::uint8_t selector = 0;  ///< 0 the whole certificate, 1 its public key
    std::uint8_t matching = 0;  ///< 0 the octets themselves, 1 SHA2-256, 2 SHA2-512
    std::string data;           ///< octets
    bool operator==(tlsa_record const&) const = default;
};

}  // namespace mansio::net
