// A mailbox argument, looked up: whose it is, and what is there.
#pragma once
#include <string>
#include <string_view>

#include "imap/commands/table.hpp"
#include "imap/names.hpp"
#include "store/account.hpp"

namespace mansio::imap::commands {

/// Other people's mailboxes (RFC 2342): "Other Users/bob@example.test/Projects" is bob's Projects.
inline constexpr std::string_view others_prefix = "Other Users/";
inline constexpr std::string_view others_root = "Other Users";

/// Where a name leads.
struct mailbox_place {
    store::account_ref account;  ///< of its owner, as this person may use it
    std::string name;            ///< in that account
    std::string before;          ///< what the client's name has before it; empty for one's own
};
/// A mailbox that is there.
struct found_mailbox {
    store::account_ref account;
    store::mailbox_info info;    ///< its name is the client's
};

/// SP and a mailbox, in the store's form.
[[nodiscard]] result<std::string> parse_mailbox(session const& s, wire::scanner& in, name_use use = name_use::existing);
/// Whose a name is. Somebody who shares nothing with this person is as absent as somebody who does not exist (trust.md I8): not_found for both, after the
/// same two look-ups. Errors: not_found, try_later, broken.
[[nodiscard]] task<result<mailbox_place>> place_of(session& s, std::string name);
/// The owner's account of somebody who shares, or shared, with this person; the same errors and the same work.
[[nodiscard]] task<result<mailbox_place>> place_of_person(session& s, std::string address);
/// Errors: as place_of(), and those of account_ref::find_mailbox().
[[nodiscard]] task<result<found_mailbox>> find_mailbox(session& s, std::string name);
/// The mailbox a command puts messages into. `not_found` becomes NO [TRYCREATE] (RFC 9051 §6.3.12, §6.4.7).
[[nodiscard]] task<result<found_mailbox>> find_destination(session& s, std::string name);
/// A name that CREATE or RENAME may not make: the level under which other people's mailboxes are.
[[nodiscard]] bool reserved(session const& s, std::string_view name) noexcept;
/// "[APPENDUID 38505 3955:3957] " (RFC 4315 §3).
[[nodiscard]] std::string append_uid(store::appended const& done);

}  // namespace mansio::imap::commands
