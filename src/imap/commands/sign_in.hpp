// What LOGIN and AUTHENTICATE share.
#pragma once
#include <string>

#include "imap/commands/table.hpp"

namespace mansio::imap::commands {

/// nullopt: names and secrets may be said here. Else NO [PRIVACYREQUIRED] (RFC 5530 §3, trust.md W6).
[[nodiscard]] std::optional<reply> privacy_objection(session const& s);
/// Checks and signs in. Every failure is said in the same words (trust.md A2).
[[nodiscard]] task<result<reply>> finish_sign_in(session& s, std::string user, std::string secret);
[[nodiscard]] reply sign_in_refused();

}  // namespace mansio::imap::commands
