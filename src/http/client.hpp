// One HTTP request over a unix socket, for the command line; blocks its caller.
#pragma once
#include <chrono>
#include <string>

#include "http/message.hpp"

namespace mansio::http {

/// Sends `r` to the server behind the socket and waits for the answer. Threads: makes its own loop; not for use inside a shard.
/// Errors: closed or refused with a sentence for the operator ("is the server running?"), timeout, syntax.
[[nodiscard]] result<response> call_unix(std::string const& socket_path, request const& r, std::chrono::seconds wait);

}  // namespace mansio::http
