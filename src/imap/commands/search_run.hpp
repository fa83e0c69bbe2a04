// Runs a search over a mailbox.
#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "imap/commands/search_match.hpp"
#include "imap/selected.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// Where a search looks.
struct search_place {
    store::account_ref account;         ///< of the mailbox's owner
    store::mailbox_view_ptr announced;  ///< whose positions are answered
    store::mailbox_view_ptr latest;     ///< flags are these; what is not in it is gone
    wire::number_ranges recent;         ///< UIDs that are \Recent
};
[[nodiscard]] search_place search_place_of(selected_mailbox const& m, store::mailbox_view_ptr latest);

struct search_results {
    std::vector<std::uint32_t> positions;  ///< ascending
    std::vector<std::pair<std::uint32_t, store::mod_seq>> modseqs;  ///< of those, ascending; only for sessions with CONDSTORE
    /// The highest of all. 0: none.
    [[nodiscard]] store::mod_seq highest() const noexcept;
};

/// Turns what keys name into what the mailbox has: sets into UIDs, object ids into numbers. Errors: syntax (a sequence number beyond the last message).
[[nodiscard]] result<void> resolve_keys(selected_mailbox const& m, search_program& p);
/// The same for a mailbox that is not selected: numbers beyond the last are none (RFC 7377 §2), "$" is empty.
void resolve_keys(store::account_ref const& account, store::mailbox_view const& view, search_program& p);

/// Positions that match, of all or of `only` (ascending). Works in slices; octets of messages are read and searched on pools. Errors: those of account_ref.
[[nodiscard]] task<result<search_results>> run_search(session& s, search_place const& place, search_program const& p,
                                                      std::optional<std::vector<std::uint32_t>> only = {});

}  // namespace mansio::imap::commands
