// Backups: a store that goes on is written into a directory, again and again (docs/formats/backup.md).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "store/picture.hpp"
#include "transfer/backup_files.hpp"

namespace mansio::transfer {

struct backup_report {
    std::uint32_t generation = 0;
    std::uint64_t accounts = 0, messages = 0, octets = 0;          ///< all that is in it; octets as they are stored
    std::uint64_t new_messages = 0, new_octets = 0;                ///< that this run copied and wrote
    std::uint64_t expected = 0;                                    ///< messages, for the progress bar
    std::uint64_t problem_count = 0;
    std::vector<std::string> problems;                             ///< one sentence each; at most 1,000 are kept
    [[nodiscard]] bool good() const noexcept { return problem_count == 0; }
};

struct backup_options {
    std::uint64_t keep = 7;                                        ///< generations, this one too; at least 1
    bool full = false;                                             ///< copy everything anew: after a check found damage
    std::function<void(backup_report const&)> progress;            ///< now and then; may be empty
};

/// Makes one more generation from a picture of the store. Messages that an older generation holds are not copied again, nor are parts of accounts that did not
/// change. What cannot be read is told and left out, and where an older generation has a message that the store has lost, that copy goes on counting.
/// Memory: some MiB, and some 100 octets for each 128 rows of the store. Threads: one executor; files are written inline.
/// Errors: the picture cannot be read on (closed, broken), the directory cannot be written (refused): the generations there are stay as they are.
[[nodiscard]] task<result<backup_report>> make_backup(store::picture& from, backup_directory& to, base::clock& clock, backup_options o);

struct check_report {
    std::uint64_t tables = 0, messages = 0, octets = 0, expected = 0;
    std::uint64_t problem_count = 0;
    std::vector<std::string> problems;                             ///< as in backup_report
    [[nodiscard]] bool good() const noexcept { return problem_count == 0; }
};
/// Reads all of a generation and compares every checksum; with what it says could not be backed up it is not good either. Changes nothing.
[[nodiscard]] check_report check_backup(backup_directory const& in, generation const& g, std::function<void(check_report const&)> progress = {});

/// Whom a blob belongs to, for a sentence: "account/12 (email 45)".
[[nodiscard]] std::string owner_text(store::held_blob const& b);

}  // namespace mansio::transfer
