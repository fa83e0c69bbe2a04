// The text of mbox files (RFC 4155 and the variants mboxo, mboxrd, mboxcl). Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mime/date.hpp"

namespace mansio::transfer {

/// "From anna@example.org Sat Jan  3 01:05:34 2026": the line without its end. nullopt: no such line.
struct from_line {
    std::string sender;
    mime::date_time date;
};
[[nodiscard]] std::optional<from_line> parse_from_line(std::string_view line);
[[nodiscard]] std::string make_from_line(std::string_view sender, std::int64_t unix_seconds);

/// What Status, X-Status, X-Keywords and X-UID say. Each field taken is left out of what is stored: it was never part of the message.
struct mbox_status {
    std::vector<std::string> flags;
    std::uint32_t uid = 0;
    std::uint32_t uid_validity = 0, uid_next = 0;  ///< of X-IMAPbase, in the first message
    bool internal = false;                         ///< c-client's own "DON'T DELETE THIS MESSAGE": no mail
};
/// Takes one header line (unfolded start); whether it is one of those fields.
[[nodiscard]] bool take_status(std::string_view line, mbox_status& into);
/// The fields for a message with these flags, each with its line end ("\n").
[[nodiscard]] std::string status_fields(std::vector<std::string> const& flags, std::uint32_t uid);

/// ">From " and ">>From " lose one ">" (mboxrd; mboxo's single one too).
[[nodiscard]] std::string_view unquoted(std::string_view line) noexcept;
/// mboxrd: whether a line gets a ">".
[[nodiscard]] bool wants_quote(std::string_view line) noexcept;

}  // namespace mansio::transfer
