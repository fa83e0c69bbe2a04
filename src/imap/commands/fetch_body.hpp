// The octets of a message's sections.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "imap/commands/fetch_items.hpp"
#include "store/account.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// Where the answer to a section is. Offsets count the stored prefix and the blob together.
struct section_place {
    std::optional<std::string> ready;             ///< all of it
    std::optional<mime::byte_range> range;        ///< these octets of the message; neither: there is no such part (NIL)
};
/// Decides without any I/O where that is possible. A filtered header gives the range of the whole header: filter_header() it.
[[nodiscard]] section_place place_of(fetch_section const& s, store::email_record const& email);
/// The fields a section wants of a header block, with the empty line (RFC 9051 §6.4.5.1).
[[nodiscard]] std::string filter_header(std::string_view header, fetch_section const& s, base::limits const& l);
/// The part of `whole` a partial names.
[[nodiscard]] mime::byte_range cut(mime::byte_range whole, fetch_section const& s) noexcept;

/// Appends `label {n}…` to `line`, which is the reply so far; a long section is sent in pieces as it is read and `line` begins anew after it, so that
/// no message is ever whole in memory. Errors: closed, timeout; others: the section could not be read and `line` is as before.
[[nodiscard]] task<result<void>> append_section(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email);

/// `label {n}…` of a range of the message as it is stored; `binary`: as literal8. As append_section().
[[nodiscard]] task<result<void>> append_octets(session& s, std::string& line, std::string_view label, mime::byte_range range, bool binary,
                                               store::email_record_ptr email);
/// BINARY[…] and BINARY.SIZE[…]. As append_section(), which calls it; refused with [UNKNOWN-CTE]: the part's encoding is not known (RFC 3516 §4.3).
[[nodiscard]] task<result<void>> append_binary(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email);

/// Octets of a message between waits for a slow reader.
inline constexpr std::uint64_t piece_of_message = 256U * 1024U;
/// A header is read whole to be filtered; accepted messages have less (limits.header_size).
inline constexpr std::uint64_t longest_filtered_header = 2U << 20U;

}  // namespace mansio::imap::commands
