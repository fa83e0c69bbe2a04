// What DKIM and ARC do alike with a signature: find its key, see whether it fits, hash and verify. Internal to this folder.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "mailauth/dkim_signature.hpp"
#include "mailauth/signed_message.hpp"
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

struct found_key {
    std::optional<dkim_key> key;
    bool secure = false;
    mime::dkim_result result = mime::dkim_result::permerror;  ///< without a key
    std::string problem;
};
/// RFC 6376 §6.1.2: the first record at SELECTOR._domainkey.DOMAIN that can be read.
[[nodiscard]] task<found_key> fetch_key(net::resolver& dns, std::string selector, std::string domain);

/// What of a key does not fit the signature (§6.1.2, steps 5 to 8; RFC 8301 §3.2 for short ones, which are a matter of policy); empty: it fits.
struct judgement {
    mime::dkim_result result = mime::dkim_result::pass;
    std::string problem;
};
[[nodiscard]] judgement fits(dkim_key const& k, dkim_signature const& s);
/// The hashes, and the signature over them (§6.1.3). `field`: the signature's own.
[[nodiscard]] judgement judge(signed_message& message, mime::field_view const& field, dkim_signature const& s, public_key const& key);
/// The same, on `pool` when the message is large; too busy: temperror.
[[nodiscard]] task<judgement> judge_on(base::worker_pool& pool, signed_message& message, mime::field_view const& field, dkim_signature const& s,
                                       public_key const& key);
/// Seconds since 1970.
[[nodiscard]] std::uint64_t unix_seconds(base::clock const& clock);

}  // namespace mansio::mailauth
