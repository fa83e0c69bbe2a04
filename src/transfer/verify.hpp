// Reads a whole store and says what is wrong with it (trust.md D9).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "store/account.hpp"
#include "store/engine.hpp"

namespace mansio::transfer {

struct verify_report {
    std::uint64_t partitions = 0, rows = 0, pages = 0, mailboxes = 0, messages = 0, octets = 0;
    std::vector<std::string> problems;   ///< one sentence each: where, what; at most 1,000 are kept
    std::uint64_t problem_count = 0;
    [[nodiscard]] bool good() const noexcept { return problem_count == 0; }
};

/// `progress`: called now and then with messages read so far; may be empty.
struct verify_options {
    bool deep = false;  ///< read every message's octets, which checks frames and whole
    std::function<void(verify_report const&)> progress;
};

/// Changes nothing. Every row is read (the engine checks its seal, then the row's own), every page, every mailbox index, every message's record,
/// that its blob is there and as long as it says. Threads: runs on the current executor. Errors: broken when the store cannot be read at all.
[[nodiscard]] task<result<verify_report>> verify(store::engine& e, store::accounts& accounts, verify_options o);

}  // namespace mansio::transfer
