// Content-Transfer-Encodings, read as leniently as mail needs. Internal to this folder; message.hpp has decode_body().
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace mansio::mime::detail {

/// RFC 2045 §6.8: octets outside the alphabet are skipped; padding ends a group, and text after it begins another.
[[nodiscard]] std::string decode_base64(std::string_view text);
/// The same in pieces: `group` and `have` (both 0 at first) are the letters not yet told. finish_base64() tells them at the end.
void decode_base64_some(std::string_view text, std::uint32_t& group, unsigned& have, std::string& out);
void finish_base64(std::uint32_t& group, unsigned& have, std::string& out);
/// RFC 2045 §6.7: an `=` that begins nothing stays as it is; blanks before a line end go.
[[nodiscard]] std::string decode_quoted_printable(std::string_view text);

}  // namespace mansio::mime::detail
