// Keys of an account's rows (docs/formats/account.md).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "store/account.hpp"
#include "store/engine.hpp"

namespace mansio::store::keys {

[[nodiscard]] std::string head();
[[nodiscard]] std::string meta(mailbox_id m);
[[nodiscard]] std::string page_table(mailbox_id m);
[[nodiscard]] std::string tally(mailbox_id m);
[[nodiscard]] std::string log(mailbox_id m, mod_seq at);
[[nodiscard]] std::string log_of(mailbox_id m);                         ///< prefix of a mailbox's log
[[nodiscard]] std::string history(std::uint64_t counter);
[[nodiscard]] std::string subscription(account_number person, std::string_view name);
[[nodiscard]] std::string email(email_id e);
[[nodiscard]] std::string email_page(page_id p);
[[nodiscard]] std::string members(email_id e);
[[nodiscard]] std::string thread_lookup(std::string_view message_hash);
[[nodiscard]] std::string thread_email(std::uint64_t thread, email_id e);
[[nodiscard]] std::string thread_emails(std::uint64_t thread);          ///< prefix
[[nodiscard]] std::string seen(mailbox_id m, account_number person);
[[nodiscard]] std::string seen_count(mailbox_id m, account_number person);
[[nodiscard]] std::string delivery(std::string_view id);
[[nodiscard]] std::string intent(std::uint64_t op);
[[nodiscard]] std::string sharer(account_number other);
[[nodiscard]] std::string pop3();                                       ///< also the prefix of the next
[[nodiscard]] std::string pop3_mark(email_id e);
/// What a message id is looked up by: 16 octets.
[[nodiscard]] std::string message_hash(std::string_view message_id);
/// The holder's name of an email: "e" and its number.
[[nodiscard]] std::string holder_name(email_id e);

/// The numbers behind the letter; false when the key is not of that form.
[[nodiscard]] bool parse_be32(std::string_view key, std::uint32_t& first, std::string_view& rest);
[[nodiscard]] bool parse_be64(std::string_view key, std::uint64_t& first, std::string_view& rest);

}  // namespace mansio::store::keys
