// CATENATE's URLs: octets of messages that are here already.
#pragma once
#include <string>

#include "base/executor.hpp"
#include "store/spool.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// Appends to `to` the octets a URL names, as BODY.PEEK[…] would answer them. `to` stays within limits.message_size.
/// Errors: closed, timeout; over_limit [TOOBIG]; refused [BADURL …] whatever else is wrong with the URL or the message (RFC 4469 §4.1).
[[nodiscard]] task<result<void>> append_url(session& s, std::string url, store::spool::writer& to);

}  // namespace mansio::imap::commands
