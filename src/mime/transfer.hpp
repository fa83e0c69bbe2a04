// Content-Transfer-Encodings undone while the octets come by, and messages with binary parts written without them: no part is ever whole in memory.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mime/message.hpp"

namespace mansio::mime {

enum class transfer_encoding : std::uint8_t {
    identity,  ///< 7bit, 8bit, binary, or none named
    base64,
    quoted_printable,
};
/// nullopt: one that is not known (RFC 2045 §6.3), so that its octets say nothing. ASCII case ignored.
[[nodiscard]] std::optional<transfer_encoding> find_encoding(std::string_view name) noexcept;

/// Undoes one encoding in pieces. What comes out together is what decode_body() makes of the whole, wherever the pieces are cut; only a quoted-printable
/// line of more than 64 KiB, of which RFC 2045 allows 76 octets, keeps the blanks in it that stand where it was cut.
/// Threads: none; it belongs to one part.
class transfer_decoder {
public:
    explicit transfer_decoder(transfer_encoding how) noexcept : how_(how) {}
    /// Appends to `out` what the octets so far decide.
    void decode(std::string_view octets, std::string& out);
    /// No more will come: appends the rest.
    void finish(std::string& out);

private:
    void decode_lines(std::string_view octets, std::string& out);
    transfer_encoding how_;
    std::uint32_t group_ = 0;  // base64: letters not yet told
    unsigned have_ = 0;
    std::string line_;         // quoted-printable: the line that has not ended
};

/// A message without NUL and whose line ends are all CRLF goes through every protocol of mail; one with binary parts does not (RFC 3030, RFC 3516).
[[nodiscard]] bool is_portable(std::string_view message) noexcept;

/// One step of writing a message so that it is portable.
struct portable_piece {
    byte_range range;     ///< of the message
    bool base64 = false;  ///< those octets as base64 lines, without a line end after the last
    std::string text;     ///< not empty: this, instead of any octets
};
/// How to write `message`, whose parts are `parts` (parse_parts()): parts in binary become base64 and their header says so, the rest stays
/// (RFC 3516 §4.4, §6). The pieces in order are the whole message; line ends outside base64 are the writer's affair.
/// Errors: refused (a NUL stands outside the parts that may have one).
[[nodiscard]] result<std::vector<portable_piece>> plan_portable(octets const& message, std::vector<part> const& parts, base::limits const& limits);

/// Octets of a piece that become whole base64 lines: give append_base64_lines() a multiple of it, but at the end.
inline constexpr std::size_t base64_line_octets = 57;
/// Lines of 76 letters with CRLF between them; `more`: CRLF after the last too.
void append_base64_lines(std::string& out, std::string_view octets, bool more);

}  // namespace mansio::mime
