// Signs what leaves us in the name of our domains.
#pragma once
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "mailauth/keys.hpp"
#include "mailauth/signed_message.hpp"
#include "mime/authentication.hpp"

namespace mansio::mailauth {

/// One key and where its other half is published.
struct domain_signer {
    std::string domain, selector;
    signing_key key;
};
/// Who signs for a domain. app implements it over the keys in the directory. Threads: any executor; answers there.
class key_ring {
public:
    virtual ~key_ring() = default;
    /// Keys that sign now; empty: the domain has none, or they cannot be read (that is logged: mail goes out unsigned rather than not at all).
    [[nodiscard]] virtual task<std::vector<domain_signer>> keys_of(std::string domain) = 0;
};

/// DKIM-Signature fields, one for each key. Burns some 0.4 ms for an RSA key of 2048 bits: on `pool`. Empty: no key, no From field, or the pool is full.
/// Everything handed in outlives the call.
[[nodiscard]] task<std::string> sign_message(base::worker_pool& pool, base::clock const& clock, signed_message& message, std::vector<domain_signer> keys);
/// The three fields of an ARC set (seal_arc()), with the first RSA key: sealing has no second algorithm (RFC 8617 §4.2.1). Empty: nothing to seal with or to add.
[[nodiscard]] task<std::string> seal_message(base::worker_pool& pool, base::clock const& clock, signed_message& message, mime::arc_outcome const& chain,
                                             std::string results, std::vector<domain_signer> keys);

}  // namespace mansio::mailauth
