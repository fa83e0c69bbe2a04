// Wire text of IMAP. Internal to this folder.
#pragma once
#include <string>

#include "base/limits.hpp"
#include "mime/header.hpp"

namespace mansio::mime::detail {
[[nodiscard]] std::string envelope_text(header_block const& h, base::limits const& limits, bool& degraded);
}
