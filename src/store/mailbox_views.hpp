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

/// A picture whose messages are still being read. Threads: `arrived` and `lost` are the owner's; the rest is any thread's.
class late_view final : public mailbox_view {
public:
    late_view(view_facts facts, rows::tally const& tally, std::shared_ptr<std::vector<std::string> const> keywords, bool guest,
              std::shared_ptr<rows::seen_marks const> marks);
    [[nodiscard]] mailbox_id mailbox() const noexcept override { return facts_.mailbox; }
    [[nodiscard]] std::uint32_t uid_validity() const noexcept override { return facts_.uid_validity; }
    [[nodiscard]] store::uid uid_next() const noexcept override { return facts_.uid_next; }
    [[nodiscard]] mod_seq highest_modseq() const noexcept override { return highest_; }
    [[nodiscard]] std::uint32_t size() const noexcept override { return messages_; }
    [[nodiscard]] bool whole() const noexcept override { return false; }
    [[nodiscard]] message_entry at(std::uint32_t position) const override;
    [[nodiscard]] store::uid uid_at(std::uint32_t position) const noexcept override;
    [[nodiscard]] std::uint32_t lower_bound(store::uid u) const noexcept override;
    [[nodiscard]] std::vector<std::string> const& keywords() const noexcept override { return *keywords_; }
    void changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const override;

    /// The index came, and is still that of this picture; else the picture is lost.
    void arrive(rows::tally const& tally, mailbox_view_ptr shared) const;
    [[nodiscard]] mailbox_view_ptr const& arrived() const noexcept { return arrived_; }  ///< null: not yet, or never
    [[nodiscard]] bool lost() const noexcept { return lost_; }
    void lose() const noexcept { lost_ = true; }

private:
    view_facts facts_;
    std::uint32_t messages_;
    mod_seq highest_;
    std::shared_ptr<std::vector<std::string> const> keywords_;
    bool guest_;
    std::shared_ptr<rows::seen_marks const> marks_;
    mutable mailbox_view_ptr arrived_;
    mutable bool lost_ = false;
};

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
