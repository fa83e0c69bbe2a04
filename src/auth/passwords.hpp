// What a portal password may be, and its slow hash. App passwords are made by the server: app_password.hpp.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::auth {

inline constexpr std::size_t portal_password_characters = 12;  ///< at least
inline constexpr std::size_t portal_password_octets = 1024;    ///< at most

/// The list, sorted by octet, lower case, one a line (src/auth/data/common_passwords.txt).
[[nodiscard]] std::string_view common_passwords() noexcept;
/// Exactly one of them, in any case of letters. No allocation beyond the folded copy; a binary search in the text.
[[nodiscard]] bool is_common_password(std::string_view password);

/// RFC 8265 §4.2 OpaqueString: blanks of any kind become SP, NFC, no control characters. Errors: syntax (no UTF-8, controls, empty, too long).
[[nodiscard]] result<std::string> prepare_password(std::string_view typed);

/// Why a prepared password is refused, in words for its owner; nullopt: it is good enough. Refused: shorter than 12 characters, a common one, a common
/// one with digits or signs around it, a short piece repeated, the owner's own address or name part.
[[nodiscard]] std::optional<std::string> refuse_password(std::string_view prepared, std::string_view address);

/// Argon2id, one lane. Burns `memory_kib` and some 40 ms: call it on a pool. 32 octets. Errors: try_later (no memory).
[[nodiscard]] result<std::string> argon2id(std::string_view input, std::string_view salt, std::uint64_t memory_kib, std::uint64_t passes);
inline constexpr std::uint64_t argon2_memory_kib = 19'456;
inline constexpr std::uint64_t argon2_passes = 2;

}  // namespace mansio::auth
