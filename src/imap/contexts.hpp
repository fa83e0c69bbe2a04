// Searches whose results the client wants to hear of as they change (RFC 5267 §4.3).
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "imap/commands/search_program.hpp"
#include "imap/selected.hpp"
#include "imap/sorting.hpp"

namespace mansio::imap {

/// One such search, of the selected mailbox, until CANCELUPDATE or until another is selected. `program`: its keys resolved.
struct search_context {
    std::string tag;
    bool by_uid = false;
    commands::search_program program;
    sort_order order;                  ///< empty: mailbox order
    std::vector<store::uid> results;   ///< in that order
};

/// Begins one that has found `results`; too many, or too large a one, are refused with an untagged NO [NOUPDATE] (§4.3.1) and nothing else happens.
void begin_context(session& s, search_context c);
/// A tag that names one.
[[nodiscard]] bool has_context(selected_mailbox const& m, std::string_view tag) noexcept;
/// REMOVEFROM for what `now` has no more, in numbers of the picture the client still has: before EXPUNGE (§4.3.4). Errors: closed, timeout.
[[nodiscard]] task<result<void>> tell_contexts_expunged(session& s, store::mailbox_view_ptr now);
/// ADDTO and REMOVEFROM for what changed or arrived after `before`; `announced` is the new picture already (§4.3.3). A context whose search fails ends with
/// NO [NOUPDATE]. Errors: closed, timeout.
[[nodiscard]] task<result<void>> tell_contexts_changed(session& s, store::mailbox_view_ptr before);

/// How one list becomes another: pairs of a context position and a result, to be carried out in order (§4.3.3, §4.3.4).
struct list_change {
    std::vector<std::pair<std::uint32_t, store::uid>> removed;  ///< from the last to the first
    std::vector<std::pair<std::uint32_t, store::uid>> added;    ///< from the first to the last
};
/// What stays stands in the same order in both. Pure.
[[nodiscard]] list_change compare_lists(std::vector<store::uid> const& before, std::vector<store::uid> const& after);

}  // namespace mansio::imap
