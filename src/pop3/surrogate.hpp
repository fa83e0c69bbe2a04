// A header for programs that have not said UTF8 (RFC 6856 §2.1, RFC 6855 §7).
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/result.hpp"

namespace mansio::pop3 {

/// Octets of the header at the start of a message, its blank line included. npos: it ends further on.
[[nodiscard]] std::size_t header_length(std::string_view message) noexcept;
[[nodiscard]] bool is_ascii(std::string_view text) noexcept;
/// The same header in ASCII: names and texts as encoded words (RFC 2047). Octets that are no UTF-8 never were a header of RFC 6532 and stay as they
/// came, as every server has sent them since before there was one. Errors: refused when an address itself needs UTF-8: no ASCII stands for it.
[[nodiscard]] result<std::string> ascii_header(std::string_view header, base::limits const& l);

}  // namespace mansio::pop3
