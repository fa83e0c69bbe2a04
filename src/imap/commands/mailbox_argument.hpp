// A mailbox argument, looked up.
#pragma once
#include <string>

#include "imap/commands/table.hpp"
#include "imap/names.hpp"
#include "store/account.hpp"

namespace mansio::imap::commands {

/// SP and a mailbox, in the store's form.
[[nodiscard]] result<std::string> parse_mailbox(session const& s, wire::scanner& in, name_use use = name_use::existing);
/// The mailbox a command puts messages into. `not_found` becomes NO [TRYCREATE] (RFC 9051 §6.3.12, §6.4.7).
[[nodiscard]] task<result<store::mailbox_info>> find_destination(session& s, std::string name);

}  // namespace mansio::imap::commands
