// Values out of JSON objects that came over the socket.
#pragma once
#include <boost/json.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::transfer {

namespace json = boost::json;

/// The default when it is missing or of another type.
[[nodiscard]] std::string text_of(json::object const& o, std::string_view name);
[[nodiscard]] std::uint64_t number_of(json::object const& o, std::string_view name);
[[nodiscard]] std::int64_t signed_of(json::object const& o, std::string_view name);
[[nodiscard]] bool flag_of(json::object const& o, std::string_view name);
[[nodiscard]] std::vector<std::string> texts_of(json::object const& o, std::string_view name);
/// Errors: syntax.
[[nodiscard]] result<json::object> parse_object(std::string_view text);
/// Text that JSON can hold: what is no UTF-8 becomes \xNN.
[[nodiscard]] std::string json_text(std::string_view s);

}  // namespace mansio::transfer
