// METADATA entries of the server that all see and only its operator sets (RFC 5464 §3.2.1.1).
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::imap {

/// By their names in lower case, "/shared/admin".
using server_entries = std::map<std::string, std::string, std::less<>>;

/// What a name of an entry is for.
enum class entry_use : std::uint8_t {
    ask,  ///< GETMETADATA: "/private" alone is a place to begin from
    set,
};
/// The one form of an entry's name: lower case (RFC 5464 §3.2). Errors: syntax (a name that cannot be); over_limit.
[[nodiscard]] result<std::string> entry_name(std::string_view name, entry_use use);
/// A filter's name where an entry of the server is a filter's text ("/private/filters/values/NAME", RFC 5466 §3.2); empty: it is none.
[[nodiscard]] std::string_view filter_of_entry(std::string_view entry) noexcept;
/// filter-name = 1*<any ATOM-CHAR except "/">
[[nodiscard]] bool is_filter_name(std::string_view name) noexcept;

/// Of the configuration: lines of "NAME VALUE", "/shared/admin mailto:postmaster@example.test". Errors: refused, with words for the operator.
[[nodiscard]] result<server_entries> parse_server_entries(std::vector<std::string> const& lines);

}  // namespace mansio::imap
