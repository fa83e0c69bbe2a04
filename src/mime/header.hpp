// Header fields, encoded words and parameters.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.hpp"

namespace mansio::mime {

/// One field where it stands. Views point into the message.
struct field_view {
    std::string_view name;    ///< without colon and without blanks before it
    std::string_view body;    ///< after the colon, folded lines included, without the final CRLF
    std::size_t offset = 0;   ///< of the field's first octet
    std::size_t length = 0;   ///< with the final line end
};

/// The header fields at the start of `text`, up to and with the empty line. Line ends may be CRLF or LF; never fails.
/// Only an empty line ends a header (RFC 5322 §2.1): a line that is no field (no colon, mbox's "From ") is skipped, not the end.
struct header_block {
    std::vector<field_view> fields;
    std::size_t body_offset = 0;      ///< where the body begins; text.size() when there is no empty line
    /// Fields, one field's size or the header's size were more than the limits: `fields` holds those before, and a field that is too long
    /// has its body cut at header_field_size (`length` is its real one). body_offset is right all the same.
    bool over_limit = false;
    bool has_empty_line = false;
};
[[nodiscard]] header_block parse_header(std::string_view text, base::limits const& limits);

/// The first field of that name (ASCII case ignored), or nullptr.
[[nodiscard]] field_view const* find_field(header_block const& h, std::string_view name) noexcept;
/// Removes the line ends of folding (RFC 5322 §2.2.3); other octets stay.
[[nodiscard]] std::string unfold(std::string_view body);
/// RFC 2047: encoded words become UTF-8; what cannot be decoded stays as written; the result is always valid UTF-8.
/// Control octets, decoded ones too, become blanks: the result is one line. Lenient: words may stand inside text and hold blanks.
[[nodiscard]] std::string decode_encoded_words(std::string_view body);
/// Text in `charset` to UTF-8 (ICU; unknown charset: as UTF-8 where valid, else as windows-1252). Always valid UTF-8.
[[nodiscard]] std::string to_utf8(std::string_view text, std::string_view charset);

/// "text/plain; charset=utf-8": a value and parameters, RFC 2045 §5.1 and RFC 2231 (continuations joined, charsets decoded to UTF-8).
struct parameterized {
    std::string value;  ///< lower case
    std::vector<std::pair<std::string, std::string>> parameters;  ///< names in lower case, in order
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
};
[[nodiscard]] parameterized parse_parameterized(std::string_view field_body, base::limits const& limits);

}  // namespace mansio::mime
