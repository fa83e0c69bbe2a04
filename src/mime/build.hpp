// Builds header fields and small messages of our own (Received, DSN, trace fields): folded, escaped, never injectable.
#pragma once
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::mime {

/// "Name: body\r\n", folded at blanks near 78 columns (RFC 5322 §2.1.1). Errors: syntax when the body holds CR, LF or NUL
/// (trust.md W11: the encoder refuses) or the name is not a field name.
[[nodiscard]] result<std::string> make_field(std::string_view name, std::string_view body);
/// RFC 2047 encoded words where needed, ASCII as it is. Control octets become blanks, what is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string encode_words(std::string_view utf8);
/// The whole text as encoded words, for a phrase that holds specials beside other than ASCII.
[[nodiscard]] std::string encode_phrase(std::string_view utf8);
/// A display name and address as a header wants them: `"A. B" <a@b>`.
[[nodiscard]] std::string format_address(std::string_view name_utf8, std::string_view address);

}  // namespace mansio::mime
