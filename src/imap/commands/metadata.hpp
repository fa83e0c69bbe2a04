// What GETMETADATA, SETMETADATA and LIST RETURN (METADATA …) share (RFC 5464, RFC 9590): grammar and choosing without I/O, and reading a mailbox's entries.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "imap/names.hpp"
#include "imap/server_entries.hpp"
#include "imap/wire/scanner.hpp"
#include "store/account.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

struct getmetadata_options {
    std::optional<std::uint32_t> max_size;
    enum class depth : std::uint8_t { zero, one, infinity };
    depth how_deep = depth::zero;
};
struct getmetadata_args {
    std::string mailbox;  ///< as the client wrote it; empty: the server
    getmetadata_options options;
    std::vector<std::string> entries;
};
struct setmetadata_args {
    std::string mailbox;
    std::vector<store::annotation_change> changes;  ///< each entry once: the last word counts
};

/// The command after its name. Errors: syntax; over_limit.
[[nodiscard]] result<getmetadata_args> parse_getmetadata(wire::scanner& in);
[[nodiscard]] result<setmetadata_args> parse_setmetadata(wire::scanner& in);
/// entries = entry / "(" entry *(SP entry) ")"
[[nodiscard]] result<void> parse_entries(wire::scanner& in, std::vector<std::string>& into);

struct chosen_entries {
    std::vector<std::pair<std::string, std::optional<std::string>>> entries;  ///< each once; nullopt: NIL
    std::uint64_t longest_left_out = 0;                                       ///< of those longer than max_size
};
/// What was asked for of `all`. Without a depth what is not there is NIL; with one it is left out (RFC 5464 §4.2.2: "if it exists").
[[nodiscard]] chosen_entries choose_entries(std::vector<store::annotation> const& all, std::vector<std::string> const& wanted, getmetadata_options const& o);

/// "* METADATA INBOX (/shared/comment "x")" with its line end; nothing when there are no entries.
void append_metadata(std::string& out, std::string_view mailbox, chosen_entries const& e, name_form form);

/// A mailbox's entries as this person sees them, with what the server makes of it: /private/specialuse (RFC 6154 §4). Errors: those of the store.
[[nodiscard]] task<result<std::vector<store::annotation>>> read_entries(session& s, store::account_ref account, store::mailbox_info info);
/// The server's: what its operator said to all, and the person's own.
[[nodiscard]] task<result<std::vector<store::annotation>>> read_server_entries(session& s);

}  // namespace mansio::imap::commands
