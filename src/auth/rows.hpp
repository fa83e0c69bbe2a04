// The rows of the directory partition, as docs/formats/directory.md lays them out. Private to auth.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "auth/directory.hpp"
#include "auth/sign_in.hpp"
#include "mime/address.hpp"

namespace mansio::auth::rows {

inline constexpr store::partition_id partition{store::partition_kind::directory, 0};

[[nodiscard]] std::string counters_key();
[[nodiscard]] std::string domain_key(std::string_view domain);
[[nodiscard]] std::string address_key(mime::mailbox_address const& canonical);
/// All addresses of a domain.
[[nodiscard]] std::string address_prefix(std::string_view domain);
/// No address has it: looked up in place of what could not be an address, so that both cost the same (A2).
[[nodiscard]] std::string no_address_key();
[[nodiscard]] std::string number_key(account_number n);
[[nodiscard]] std::string administrator_key(account_number n);
[[nodiscard]] std::string intent_key(account_number n);
[[nodiscard]] std::string pop3_key(account_number n);
[[nodiscard]] std::string app_password_prefix(account_number n);
[[nodiscard]] std::string app_password_key(account_number n, std::string_view hmac);
[[nodiscard]] std::string last_use_prefix(account_number n);
[[nodiscard]] std::string last_use_key(account_number n, std::string_view id);
[[nodiscard]] std::string portal_key(account_number n);
[[nodiscard]] std::string signing_key_prefix();
[[nodiscard]] std::string signing_key_prefix(std::string_view domain);
[[nodiscard]] std::string signing_key(std::string_view domain, std::string_view selector);
/// The number at the end of n/, m/, i/ keys.
[[nodiscard]] std::optional<account_number> number_of(std::string_view key) noexcept;

/// What an address is.
using address_row = std::variant<account, alias>;
struct app_password {
    std::string id, name;
    protocols scope = 0;
    bool read_only = false;
    std::int64_t created = 0, expires = 0;
};
struct last_use {
    std::int64_t when = 0;
    std::string peer;
    std::uint8_t door = 0;
};
struct portal_password {
    std::uint64_t memory_kib = 0, passes = 0;
    std::string salt, hash;
};

[[nodiscard]] std::string encode(domain const& d);
[[nodiscard]] std::string encode(account const& a);
[[nodiscard]] std::string encode(alias const& a);
[[nodiscard]] std::string encode(app_password const& p);
[[nodiscard]] std::string encode(last_use const& u);
[[nodiscard]] std::string encode(portal_password const& p);
[[nodiscard]] std::string encode_counters(account_number next);
[[nodiscard]] std::string encode_address(std::string_view address);
[[nodiscard]] std::string encode(pop3_settings const& s);
[[nodiscard]] std::string encode_mark();  ///< m/ and i/ rows

/// Errors of all: broken (damaged, or of a format this build does not know).
[[nodiscard]] result<domain> decode_domain(std::string_view name, std::string_view row);
[[nodiscard]] result<address_row> decode_address_row(std::string_view row);
[[nodiscard]] result<app_password> decode_app_password(std::string_view row);
[[nodiscard]] result<last_use> decode_last_use(std::string_view row);
[[nodiscard]] result<portal_password> decode_portal_password(std::string_view row);
[[nodiscard]] result<pop3_settings> decode_pop3_settings(std::string_view row);
[[nodiscard]] result<account_number> decode_counters(std::string_view row);
[[nodiscard]] result<std::string> decode_address(std::string_view row);

}  // namespace mansio::auth::rows
