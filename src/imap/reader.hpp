// Reads whole commands: lines and the literals they announce, within budgets (trust.md I1, I2).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "imap/wire/scanner.hpp"
#include "net/stream.hpp"

namespace mansio::imap {

/// The bounds of one command.
struct command_bounds {
    std::uint64_t line;
    std::uint64_t literal;
    std::uint64_t literals;
    std::uint64_t total;
    std::uint64_t unasked;  ///< octets of a literal that comes without being asked for (RFC 7888): all with LITERAL+, 4096 with LITERAL-, else none
    bool may_append;        ///< signed in: APPEND's message literal is left for the command
    [[nodiscard]] static command_bounds before_login(base::limits const& l) noexcept;
    [[nodiscard]] static command_bounds after_login(base::limits const& l) noexcept;
};

/// How long reading one command may take: `read_by` for all of it, `write_wait` for each "+".
struct command_timing {
    base::clock& clock;
    base::monotonic_time read_by;
    std::chrono::seconds write_wait;
    [[nodiscard]] base::monotonic_time write_by() const noexcept { return clock.monotonic() + write_wait; }
};

struct raw_command {
    std::string text;                            ///< without the last line end; literals in place
    std::optional<wire::literal_head> message;   ///< APPEND, REPLACE: `text` ends before this announcement; nothing was answered and nothing of it read
    std::optional<fault> refusal;                ///< over a bound, but the place is known: answer with it and go on
};

/// The next command. `first`: octets of it read already. Announced literals within the bounds are asked for with "+" and read.
/// Errors: closed, timeout, broken; over_limit or syntax when the place in the conversation is lost: say it with BYE and close.
[[nodiscard]] task<result<raw_command>> read_command(net::buffered_stream& peer, std::string first, command_bounds bounds, command_timing timing);
/// Reads on after an argument's literal was announced in a line that a command read itself (MULTIAPPEND): appends to `text` until the line ends without one.
[[nodiscard]] task<result<void>> read_rest(net::buffered_stream& peer, raw_command& into, command_bounds bounds, command_timing timing);
/// Drops `octets` of a literal nobody wants.
[[nodiscard]] task<result<void>> skip_octets(net::buffered_stream& peer, std::uint64_t octets, base::monotonic_time deadline);

}  // namespace mansio::imap
