// Replies as octets (RFC 5321 §4.2, RFC 2034).
#pragma once
#include <string>
#include <string_view>

#include "accept/reply.hpp"

namespace mansio::smtp::wire {

using accept::reply;

/// The reply's lines with their CRLF, the enhanced status on each (RFC 2034 §4). Control octets and DEL become '?', 8-bit octets stay when they are
/// UTF-8 and `utf8` says the peer understands it, else become '?'. A line is at most 512 octets (RFC 5321 §4.5.3.1.5): longer words are cut.
[[nodiscard]] std::string render(reply const& r, bool utf8 = false);

}  // namespace mansio::smtp::wire
