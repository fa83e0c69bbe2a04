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

}  // namespace mansio::imap::commands
