// One call of the admin API: JSON object in, JSON object out.
#pragma once
#include <boost/json.hpp>

#include "admin/service.hpp"

namespace mansio::admin {

namespace json = boost::json;
using call = task<result<json::object>> (*)(services const& s, json::object args);

struct named_call {
    std::string_view name;  ///< "account/add"
    call run;
    bool changes;           ///< logged as an event of its own
};

/// Arguments of a call. Errors: syntax, with the name of what is missing or of the wrong type.
[[nodiscard]] result<std::string> text_argument(json::object const& args, std::string_view name);
[[nodiscard]] std::string text_or(json::object const& args, std::string_view name, std::string otherwise);
[[nodiscard]] result<std::uint64_t> number_or(json::object const& args, std::string_view name, std::uint64_t otherwise);
[[nodiscard]] bool flag_or(json::object const& args, std::string_view name, bool otherwise);
/// The account an address names. Errors: not_found with a sentence.
[[nodiscard]] task<result<auth::account>> account_argument(services const& s, json::object const& args);

[[nodiscard]] std::vector<named_call> const& directory_calls();   ///< domain, account, alias
[[nodiscard]] std::vector<named_call> const& dns_calls();         ///< dkim, dns
/// Two keys that sign from now on, RSA and Ed25519, with selectors of this month. Errors: as domain_keys::add().
[[nodiscard]] task<result<void>> make_domain_keys(services const& s, std::string domain, auth::domain_key::state state);
[[nodiscard]] std::vector<named_call> const& credential_calls();  ///< app-password, account/password
[[nodiscard]] std::vector<named_call> const& operation_calls();   ///< queue, mailbox, status, reload

}  // namespace mansio::admin
