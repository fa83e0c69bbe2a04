// Sorts messages of a mailbox.
#pragma once
#include <cstdint>
#include <vector>

#include "imap/sorting.hpp"
#include "store/account.hpp"

namespace mansio::imap::commands {

/// `positions` of `view`, a picture of the selected mailbox (ascending), in that order. A large sort runs on the pool. Errors: those of load_facts(); over_limit (the pool is busy).
[[nodiscard]] task<result<std::vector<std::uint32_t>>> sort_positions(session& s, store::mailbox_view_ptr view, std::vector<std::uint32_t> positions,
                                                                      sort_order const& order);

/// Runs `work` here when it is short, else on the pool, so that other sessions of this thread wait at most some milliseconds.
template <class F> task<result<void>> run_aside(base::worker_pool* pool, bool is_short, F work)
{
    if (is_short || pool == nullptr) {
        work();
        co_return result<void>{};
    }
    auto const job = [&work] {
        work();
        return true;
    };
    auto const done = co_await pool->run(job);
    if (!done) co_return fail(done);
    co_return result<void>{};
}
/// Messages that are sorted or threaded at once.
inline constexpr std::size_t short_work = 4096;

}  // namespace mansio::imap::commands
