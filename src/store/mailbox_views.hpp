// What readers hold: pictures of a mailbox over shared columns, and the one a guest of a shared mailbox sees.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/account.hpp"
#include "store/account_rows.hpp"
#include "store/mailbox_columns.hpp"

namespace mansio::store {

struct view_facts {
    mailbox_id mailbox = 0;
    std::uint32_t uid_validity = 0;
    store::uid uid_next = 1;
    mod_seq highest = 0;
};
[[nodiscard]] mailbox_view_ptr make_view(view_facts facts, std::shared_ptr<mailbox_columns const> columns,
                                         std::shared_ptr<std::vector<std::string> const> keywords);

/// \Seen is `marks`' and not the shared flag: what a person sees who is not the owner. `marks` may be null: nothing seen.
[[nodiscard]] mailbox_view_ptr make_guest_view(mailbox_view_ptr shared, std::shared_ptr<rows::seen_marks const> marks);

/// The mark of one UID; nullptr: never marked.
[[nodiscard]] rows::seen_run const* find_run(rows::seen_marks const& marks, store::uid u) noexcept;
/// Marks the existing UIDs of `which` (ascending) and keeps the count. Neighbours that share a mark share a run.
void mark_seen(rows::seen_marks& marks, std::vector<store::uid> const& which, bool seen, mod_seq when);
/// Those UIDs went away: only the count changes, their runs cost nothing.
void forget_seen(rows::seen_marks& marks, uid_set const& gone, mailbox_columns const& before);
/// Drops runs of messages that are gone and joins neighbours that say the same; the later modseq stands for both, so that a client
/// may hear of a flag twice, never too seldom.
void compact(rows::seen_marks& marks, mailbox_columns const& columns);

}  // namespace mansio::store
