// DKIM-Signature fields and key records as values (RFC 6376 §3.5, §3.6.1; RFC 8301; RFC 8463).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "mailauth/canonical.hpp"
#include "mailauth/keys.hpp"
#include "mailauth/tag_list.hpp"

namespace mansio::mailauth {

struct dkim_signature {
    std::string algorithm;  ///< a=, as written: "rsa-sha256"
    key_type key = key_type::rsa;
    bool sha1 = false;      ///< RFC 8301 §3.1: neither made nor believed any more
    std::string signature;  ///< b=, octets
    std::string body_hash;  ///< bh=, octets
    canonicalization header = canonicalization::simple, body = canonicalization::simple;
    std::string domain;     ///< d=, lower case
    std::string identity;   ///< i=, "@domain" by default
    std::string selector;   ///< s=
    std::vector<std::string> fields;      ///< h=
    std::optional<std::uint64_t> length;  ///< l=
    std::optional<std::uint64_t> made, expires;  ///< t=, x=: seconds since 1970
    std::string_view value;  ///< of b= with its white space, in the field's body it was read from
};
/// The body of a DKIM-Signature field. Errors: syntax; `say` names what is wrong ("required tag bh= is missing").
[[nodiscard]] result<dkim_signature> parse_dkim_signature(std::string_view field_body);

/// The body of an ARC-Message-Signature field (RFC 8617 §4.1.2): the same without v=, and i= is an instance. Errors as above.
[[nodiscard]] result<dkim_signature> parse_arc_message_signature(std::string_view field_body);
/// Of a list that has them: a=, b=, d= and s=.
[[nodiscard]] result<void> read_signing_tags(tag_list const& tags, dkim_signature& s);

struct dkim_key {
    key_type type = key_type::rsa;
    std::optional<public_key> key;     ///< empty: revoked
    bool takes_sha256 = true;          ///< h= names it or is absent
    bool for_mail = true;              ///< s= names "email" or "*", or is absent
    bool testing = false, strict_domain = false;  ///< t=y, t=s
};
/// A TXT record below _domainkey. Errors: syntax.
[[nodiscard]] result<dkim_key> parse_dkim_key(std::string_view record);

}  // namespace mansio::mailauth
