// Keys, requests and certificates, as PEM text and DER octets.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace mansio::acme {

/// A key on P-256 and the request for a certificate of these DNS names (PKCS #10; RFC 8555 §7.4).
struct certificate_request {
    std::string key_pem;  ///< a secret
    std::string der;
};
[[nodiscard]] certificate_request make_request(std::vector<std::string> const& names);

struct validity {
    base::wall_time from, until;
    bool self_signed = false;
};

/// The first certificate in PEM text. Errors: refused.
[[nodiscard]] result<validity> validity_of(std::string_view pem);

/// Whether `chain_pem` is what we asked for: at most ten certificates, each signed by the next, the first for this key, with all names, in force now and
/// not about to end. Whether clients trust its root is theirs to say. Errors: refused, one sentence.
[[nodiscard]] result<validity> check_chain(std::string_view chain_pem, std::string_view key_pem, std::vector<std::string> const& names, base::wall_time now);

/// RFC 8737 §3: a self-signed certificate of one name whose critical acmeIdentifier holds the digest of `key_authorization`. Key and certificate, PEM.
[[nodiscard]] std::string make_challenge_certificate(std::string const& name, std::string_view key_authorization);

/// A self-signed certificate that stands in until the first real one, so that the faces can listen. Key and certificate, PEM.
[[nodiscard]] std::string make_placeholder(std::vector<std::string> const& names);

}  // namespace mansio::acme
