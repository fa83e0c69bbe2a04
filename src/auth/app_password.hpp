// App passwords: made here, shown once, kept as a keyed hash (docs/formats/directory.md).
#pragma once
#include <string>
#include <string_view>

#include "auth/sign_in.hpp"
#include "base/random.hpp"

namespace mansio::auth {

inline constexpr std::size_t app_password_octets = 3 + 26 + 4;

/// "mn_", 26 random characters, their checksum.
[[nodiscard]] std::string make_app_password(base::random& r);
/// The public id: 8 characters.
[[nodiscard]] std::string make_app_password_id(base::random& r);
/// What a secret is stored under. `key`: derived from the pepper.
[[nodiscard]] std::string app_password_hmac(std::string_view key, account_number n, std::string_view secret);
/// One key for each use of the pepper.
[[nodiscard]] std::string derive_key(std::string_view pepper, std::string_view use);

}  // namespace mansio::auth
