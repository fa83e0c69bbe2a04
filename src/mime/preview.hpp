// Internal to this folder.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "mime/message.hpp"

namespace mansio::mime::detail {
/// At most 200 characters of the first text part, one line of UTF-8; empty: nothing to show.
[[nodiscard]] std::string preview(std::vector<part> const& parts, std::string_view message);
}  // namespace mansio::mime::detail
