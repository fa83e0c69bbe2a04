// ARC: what those who handled a message on its way found out about it, sealed link by link (RFC 8617).
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/signed_message.hpp"
#include "mime/authentication.hpp"
#include "net/dns.hpp"

namespace mansio::mailauth {

using mime::arc_outcome;

/// The chain of a message (§5.2). A DNS that does not answer is a fail that says so: there is no other word for it.
/// Bounds: fifty sets, 128 KiB of them, 51 questions to the DNS, twenty seconds. Everything handed in outlives the call. Threads: any executor; answers there.
[[nodiscard]] task<arc_outcome> verify_arc(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message);

/// The three fields of one more set, to be put before the header, with their CRLFs (§5.1): `results` as authentication_results() makes them, `chain` as
/// verify_arc() found it. nullopt: the chain is as long as it may be, or was said to be broken by somebody before (§5.1.2: nothing to add).
/// The message must have a From field: asserts. Burns two signatures: on a pool.
[[nodiscard]] std::optional<std::string> seal_arc(signed_message& message, arc_outcome const& chain, std::string_view results, dkim_signing const& how);

}  // namespace mansio::mailauth
