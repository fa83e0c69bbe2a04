#include "imap/uid_walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mansio::imap {
namespace {

/// UIDs and nothing else; counts the searches.
class uids_only final : public store::mailbox_view {
public:
    explicit uids_only(std::vector<store::uid> uids) : uids_(std::move(uids)) {}
    [[nodiscard]] store::mailbox_id mailbox() const noexcept override { return 1; }
    [[nodiscard]] std::uint32_t uid_validity() const noexcept override { return 1; }
    [[nodiscard]] store::uid uid_next() const noexcept override { return uids_.empty() ? 1 : uids_.back() + 1; }
    [[nodiscard]] store::mod_seq highest_modseq() const noexcept override { return 1; }
    [[nodiscard]] std::uint32_t size() const noexcept override { return static_cast<std::uint32_t>(uids_.size()); }
    [[nodiscard]] store::message_entry at(std::uint32_t) const override { return {}; }
    [[nodiscard]] store::uid uid_at(std::uint32_t position) const noexcept override { return uids_.at(position); }
    [[nodiscard]] std::uint32_t lower_bound(store::uid u) const noexcept override
    {
        ++searches;
        return static_cast<std::uint32_t>(std::ranges::lower_bound(uids_, u) - uids_.begin());
    }
    [[nodiscard]] std::vector<std::string> const& keywords() const noexcept override { return none_; }
    void changed_since(store::mod_seq, std::move_only_function<void(std::uint32_t)>) const override {}
    mutable int searches = 0;

private:
    std::vector<store::uid> uids_;
    std::vector<std::string> none_;
};

TEST(uid_walk, answers_as_a_search_does_in_any_order)
{
    uids_only const view{{2, 3, 5, 9, 10}};
    uid_walk walk;
    for (store::uid const u : {3U, 5U, 4U, 2U, 9U, 10U, 11U, 1U, 10U, 2U, 2U}) EXPECT_EQ(walk.find(view, u), view.find(u)) << u;
    uids_only const empty{{}};
    EXPECT_EQ(walk.find(empty, 2), std::nullopt);
}

TEST(uid_walk, neighbours_cost_no_search)
{
    uids_only const view{{2, 3, 5, 9, 10}};
    uid_walk walk;
    for (store::uid const u : {2U, 3U, 5U, 9U, 10U}) EXPECT_TRUE(walk.find(view, u));
    EXPECT_EQ(view.searches, 0);
    uids_only const longer{{1, 2, 3}};
    EXPECT_EQ(walk.find(longer, 2), 1U);  // another picture, where it stands elsewhere
    EXPECT_EQ(longer.searches, 1);
}

}  // namespace
}  // namespace mansio::imap
