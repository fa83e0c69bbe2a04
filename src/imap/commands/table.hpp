// Which commands there are, when each is legal and what it does to message numbers: data, checked by the compiler.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/executor.hpp"
#include "imap/capability.hpp"
#include "imap/reply.hpp"
#include "imap/wire/scanner.hpp"

namespace mansio::imap {

class session;

/// One command as a handler gets it.
struct invocation {
    session& s;
    wire::scanner& in;                          ///< after the name: " args"
    std::string_view tag;
    bool by_uid = false;                        ///< the UID form
    std::optional<wire::literal_head> message;  ///< APPEND's
};

namespace commands {

enum class when : std::uint8_t {
    any,
    greeted,    ///< before sign-in
    signed_in,  ///< after it, mailbox selected or not
    selected,
};
/// What may be announced while the command runs (RFC 9051 §5.5, §7.5.1).
enum class numbers : std::uint8_t {
    untouched,  ///< nothing is announced
    used,       ///< the client counts with them: no EXPUNGE
    may_shift,  ///< anything
};
using handler = task<result<reply>> (*)(invocation&);

struct command {
    std::string_view name;
    when legal;
    numbers shift;
    handler run;
    extension part_of = extension::none;  ///< switched off, there is no such command
};

/// All, sorted by name.
[[nodiscard]] std::span<command const> all() noexcept;
/// nullptr: no such command. ASCII case ignored.
[[nodiscard]] command const* find(std::string_view name) noexcept;

}  // namespace commands
}  // namespace mansio::imap
