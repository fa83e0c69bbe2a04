// The list of the database's files at a clean stop (docs/formats/engine.md, "A clean stop").
#pragma once
#include <string>

#include "base/result.hpp"

namespace rocksdb {
class FileSystem;
}

namespace mansio::store {

/// Writes `directory`/CLEAN over the files of `directory`/db, which is closed. Best effort: without the list the next start checks less.
void write_clean_list(rocksdb::FileSystem& fs, std::string const& directory);
/// Compares, before the database is opened. No list, a damaged one, or one of before the last start: nothing is known, and that is no error.
/// Errors: broken with a sentence for the operator: a file is missing, shorter, longer or (if small) different. Nothing is changed.
[[nodiscard]] result<void> check_clean_list(rocksdb::FileSystem& fs, std::string const& directory);

}  // namespace mansio::store
