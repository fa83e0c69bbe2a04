// DKIM: signatures of domains on messages, checked and made (RFC 6376, RFC 8301, RFC 8463).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "mailauth/dkim_signature.hpp"
#include "mailauth/signed_message.hpp"
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

using mime::dkim_outcome;

/// Every signature of the message, in the order of its fields; at most ten are looked into. Empty: not signed.
/// Bounds: one question to the DNS each, twenty seconds in all. A message of more than 256 KiB is hashed on `pool`; when that is full: temperror.
/// Everything handed in outlives the call. Threads: any executor; answers there.
[[nodiscard]] task<std::vector<dkim_outcome>> verify_dkim(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message);

struct dkim_signing {
    std::string domain, selector;
    signing_key key;
    std::uint64_t now = 0;                ///< t=, seconds since 1970
    std::optional<std::uint64_t> expires; ///< x=
};
/// A whole DKIM-Signature field, folded, with its CRLF: relaxed/relaxed, the body whole. What is signed: every field of RFC 6376 §5.4.1 and of MIME that is
/// there, and once more those that must not be added on the way (over-signing). Burns what signing_key::sign() does: on a pool.
/// The message must have a From field: asserts.
[[nodiscard]] std::string sign_dkim(signed_message& message, dkim_signing const& how);

/// Below which name a key is published: "selector._domainkey.domain".
[[nodiscard]] std::string dkim_key_name(std::string_view selector, std::string_view domain);
/// The record to publish there.
[[nodiscard]] std::string dkim_key_record(signing_key const& key);

}  // namespace mansio::mailauth
