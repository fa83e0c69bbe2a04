// What a client that was away has missed (RFC 7162 §3.2).
#pragma once
#include <optional>

#include "imap/selected.hpp"
#include "imap/wire/scanner.hpp"

namespace mansio::imap {

/// What it says it knew.
struct known_state {
    std::uint32_t uid_validity = 0;
    store::mod_seq since = 0;
    std::optional<wire::sequence_set> uids;          ///< those it keeps; none said: all there ever were
    wire::sequence_set numbers, uids_of_numbers;     ///< some places it remembers, pairwise
};

/// "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")". Errors: syntax.
[[nodiscard]] result<known_state> parse_known_state(wire::scanner& in);

/// Says VANISHED (EARLIER) for those of `uids` that are gone since `since` and not in the picture the client has. The client knows all of that up to
/// `matched`. Errors: those of account_ref::vanished_since; closed, timeout.
[[nodiscard]] task<result<void>> tell_vanished(session& s, selected_mailbox const& m, wire::number_ranges uids, store::mod_seq since, store::uid matched = 0);
/// All of it, after SELECT's own responses: VANISHED (EARLIER), then FETCH with the flags that changed. A UIDVALIDITY that is not the mailbox's: nothing.
[[nodiscard]] task<result<void>> tell_missed(session& s, selected_mailbox const& m, known_state const& known);

}  // namespace mansio::imap
