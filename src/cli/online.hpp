// Commands that ask the running server over its admin socket.
#pragma once
#include <boost/json.hpp>

#include <string>

#include "base/result.hpp"

namespace mansio::cli {

/// One call of the admin API. Errors: closed (no server), others with the server's own sentence.
[[nodiscard]] result<boost::json::object> call(std::string const& socket, std::string const& name, boost::json::object const& arguments);

/// JSON as people read it: objects as "name: value" lines, lists of objects as a table. Octets stay numbers; terminal escapes are escaped.
[[nodiscard]] std::string for_people(boost::json::object const& answer);

}  // namespace mansio::cli
