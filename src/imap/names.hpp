// Mailbox names between the wire and the store.
#pragma once
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/result.hpp"

namespace mansio::imap {

/// How names are written: modified UTF-7 (RFC 3501 §5.1.3) until the client enables IMAP4rev2 or UTF8=ACCEPT.
enum class name_form : std::uint8_t { utf7, utf8 };
/// `fresh`: CREATE and RENAME's target: then the name must be in NFC already, so that the client finds it under the name it gave (trust.md I7).
enum class name_use : std::uint8_t { existing, fresh };

/// The store's form of a name a client gave. Errors: refused "[CANNOT] …".
[[nodiscard]] result<std::string> mailbox_from_wire(std::string_view name, name_form form, name_use use, base::limits const& l);
/// As an astring.
void append_mailbox(std::string& out, std::string_view name, name_form form);

/// Whether a name matches a LIST pattern: "*" any octets, "%" any but "/" (RFC 9051 §6.3.9). INBOX matches in any letter case.
/// Both UTF-8. Time: |pattern| · |name| at most.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

}  // namespace mansio::imap
