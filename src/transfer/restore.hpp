// From a backup into an empty store (docs/formats/backup.md).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "store/engine.hpp"
#include "transfer/backup_files.hpp"

namespace mansio::transfer {

struct restore_report {
    std::uint32_t generation = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t accounts = 0, messages = 0, octets = 0, expected = 0;
    std::uint64_t problem_count = 0;
    std::vector<std::string> problems;  ///< one sentence each; at most 1,000 are kept
    [[nodiscard]] bool good() const noexcept { return problem_count == 0; }
};

struct restore_options {
    bool queue = true;                  ///< no: leave out what waited to be delivered
    std::function<void(restore_report const&)> progress;
};

/// The incarnation for a restore made now: above the backup's own and those of all restores from here, and where the clock is right above those from any copy of this
/// directory on an earlier day. It is noted in the directory before it is used. Errors: refused (the directory cannot be written, or is at its end).
[[nodiscard]] result<std::uint64_t> next_incarnation(backup_directory const& in, generation const& g, base::clock& clock);

/// `into` is empty and nobody else uses it. Damage costs what is damaged and no more: it is told, the rest is restored. Memory: the longest message.
/// Errors: the store cannot be written (broken, over_limit): what is there is no store then.
[[nodiscard]] task<result<restore_report>> restore_all(backup_directory const& in, generation const& g, store::engine& into, std::uint64_t incarnation,
                                                       base::random& random, restore_options o);

}  // namespace mansio::transfer
