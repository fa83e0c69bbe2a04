// Identifiers that stay with what they name (RFC 8474): letters, digits, "_" and "-", different in different accounts.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/account.hpp"

namespace mansio::imap {

/// What an identifier names; also its first letter.
enum class object_kind : char { mailbox = 'F', email = 'M', thread = 'T' };

/// "M12_345": number 345 of account 12.
[[nodiscard]] std::string object_id(object_kind k, store::account_number account, std::uint64_t number);
/// "EMAILID (M12_345)"; `name`: as the reply names it.
void append_object_id(std::string& out, std::string_view name, object_kind k, store::account_number account, std::uint64_t number);
/// The number behind an identifier of that account. nullopt: no such thing can be here.
[[nodiscard]] std::optional<std::uint64_t> object_number(std::string_view id, object_kind k, store::account_number account) noexcept;

}  // namespace mansio::imap
