// Searches kept under a name (RFC 5466): entries of the server, "/private/filters/values/NAME".
#pragma once
#include "base/executor.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/commands/table.hpp"

namespace mansio::imap::commands {

/// The person's filters and those for all, when the command may name one; the private one of two with the same name. Errors: those of the store.
[[nodiscard]] task<result<named_filters>> filters_for(invocation const& c);

}  // namespace mansio::imap::commands
