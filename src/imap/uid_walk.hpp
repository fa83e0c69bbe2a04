// Finding one UID after the other in a picture of a mailbox.
#pragma once
#include <cstdint>
#include <optional>

#include "store/account.hpp"

namespace mansio::imap {

/// Looks UIDs up in the order of the mailbox without a search for each: the next one mostly stands next. Any order is answered rightly.
/// Threads: its owner's.
class uid_walk {
public:
    /// The position of a UID in `view`, which may be another one each time.
    [[nodiscard]] std::optional<std::uint32_t> find(store::mailbox_view const& view, store::uid u)
    {
        if (next_ >= view.size() || view.uid_at(next_) != u) {
            next_ = view.lower_bound(u);
            if (next_ >= view.size() || view.uid_at(next_) != u) return std::nullopt;
        }
        return next_++;
    }

private:
    std::uint32_t next_ = 0;
};

}  // namespace mansio::imap
