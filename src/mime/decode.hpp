// Content-Transfer-Encodings, read as leniently as mail needs. Internal to this folder; message.hpp has decode_body().
#pragma once
#include <string>
#include <string_view>

namespace mansio::mime::detail {

/// RFC 2045 §6.8: octets outside the alphabet are skipped; padding ends a group, and text after it begins another.
[[nodiscard]] std::string decode_base64(std::string_view text);
/// RFC 2045 §6.7: an `=` that begins nothing stays as it is; blanks before a line end go.
[[nodiscard]] std::string decode_quoted_printable(std::string_view text);

}  // namespace mansio::mime::detail
