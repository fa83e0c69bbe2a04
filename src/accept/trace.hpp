// The fields that say which way a message came.
#pragma once
#include <string>
#include <string_view>

#include "accept/message.hpp"
#include "base/clock.hpp"

namespace mansio::accept {

/// What a client called itself, fit for a Received field, a log line or a reply: other octets than letters, digits and "-._:[]" become '?';
/// cut at 255; empty becomes "unknown" (trust.md W11).
[[nodiscard]] std::string harmless_name(std::string_view greeting);
/// "ESMTPSA", "UTF8LMTP" … (RFC 3848, RFC 6531 §4.3).
[[nodiscard]] std::string with_protocol(client const& c, bool smtputf8);
/// The Received field (RFC 5321 §4.4), folded, CRLF at its end. The recipient is named only when there is one: others must not learn of each other.
[[nodiscard]] std::string received_field(message const& m, std::string_view hostname, base::wall_time now);

}  // namespace mansio::accept
