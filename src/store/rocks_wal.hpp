// Tells a torn end of the write-ahead log from damage, before RocksDB reads it (docs/formats/engine.md, "A commit").
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"

namespace rocksdb {
class FileSystem;
}

namespace mansio::store {

struct wal_state {
    std::uint64_t records = 0;        ///< intact ones from the start
    std::uint64_t intact_octets = 0;  ///< up to the end of the last of them
    bool torn = false;                ///< something else follows that is not all zero
    bool damaged = false;             ///< and an intact record follows that
};
/// Pure: one log file's octets, in the format of RocksDB 7 without recycling or compression.
[[nodiscard]] wal_state inspect_wal(std::string_view octets);

/// Reads every log in `directory`; cuts a torn end off the last one that holds anything, and syncs it. Errors: broken: acknowledged octets are
/// damaged (with a sentence for the operator; nothing was changed), or a file cannot be read or cut.
[[nodiscard]] result<void> settle_wals(rocksdb::FileSystem& fs, std::string const& directory, base::log& log);

}  // namespace mansio::store
