// Unicode forms of names: what is compared must first be one spelling.
#pragma once
#include <string>
#include <string_view>

namespace mansio::mime {

/// Normalisation form C. Octets that are no UTF-8 become U+FFFD. Always valid UTF-8.
[[nodiscard]] std::string to_nfc(std::string_view utf8);
/// NFC of the default case folding of NFC: two names that differ only in case or composition become one.
[[nodiscard]] std::string fold_case(std::string_view utf8);
/// The key of collation i;unicode-casemap (RFC 5051): titlecase, then every decomposition there is. Two strings are equal, one holds the other, or comes
/// before it, when that is so of the octets of their keys. Beyond the RFC, ß and ẞ become SS and small letters that decomposition brings out capitals, for people who search
/// "strasse" for "Straße".
/// Octets that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string casemap(std::string_view utf8);
/// Every octet that is not part of valid UTF-8 becomes U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view text);
/// At most `characters` code points of valid UTF-8, never cut inside one.
[[nodiscard]] std::string_view first_characters(std::string_view utf8, std::size_t characters) noexcept;

}  // namespace mansio::mime
