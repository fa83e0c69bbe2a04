// A generation of a backup, read as a store: for looking into it and for taking single accounts and messages out of it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/account.hpp"
#include "store/engine.hpp"
#include "transfer/backup_files.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {

/// Rows, pages and messages as they were. Commits succeed and are kept in memory, so that an account that was in the middle of something is put right on
/// opening as after a crash; nothing reaches the directory, and no message can be brought in. Damaged parts fail as in a damaged store.
/// Lifetime: both arguments outlive it. Threads: one executor.
[[nodiscard]] std::unique_ptr<store::engine> open_backup_store(backup_directory const& in, generation const& g);

/// Which messages of an account. Empty fields say nothing.
struct message_choice {
    std::vector<std::string> folders;
    std::string message_id;       ///< with its angle brackets
    store::email_id email = 0;
    std::uint32_t uid = 0;        ///< in each of `folders`
    [[nodiscard]] bool one() const noexcept { return !message_id.empty() || email != 0 || uid != 0; }
};

/// Messages of an account of that store as the source of an import (importer.hpp). `into`: part of what names them, so that restoring into another folder
/// brings them again. `account`, `spool` outlive it.
[[nodiscard]] std::unique_ptr<source> open_backup_source(store::account_ref account, message_choice which, std::string into, store::spool& spool);

}  // namespace mansio::transfer
