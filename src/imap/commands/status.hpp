// STATUS items, also returned by LIST (RFC 5819).
#pragma once
#include <cstdint>
#include <string>

#include "imap/commands/table.hpp"
#include "store/account.hpp"

namespace mansio::imap::commands {

/// Items asked for, as bits in the order they are answered.
using status_items = std::uint16_t;

/// "(" status-att *(SP status-att) ")"
[[nodiscard]] result<status_items> parse_status_items(wire::scanner& in, extension_set const& on);
/// Appends `* STATUS name (…)`.
[[nodiscard]] task<result<void>> append_status(session& s, std::string& out, store::account_ref account, store::mailbox_info m, status_items items);

}  // namespace mansio::imap::commands
