// Modified UTF-7: mailbox names for clients that have not enabled UTF-8 (RFC 3501 §5.1.3).
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace mansio::imap::wire {

/// UTF-8 of a name. nullopt unless the name is the one way to write it: octets outside printable ASCII, base64 of what needs none ("&AC8-" for "/"),
/// empty or unfinished shifts, lone surrogates and bits left over are all refused, so that no two spellings name one mailbox (trust.md I7).
[[nodiscard]] std::optional<std::string> from_utf7(std::string_view name);
/// `utf8` must be valid.
[[nodiscard]] std::string to_utf7(std::string_view utf8);

}  // namespace mansio::imap::wire
