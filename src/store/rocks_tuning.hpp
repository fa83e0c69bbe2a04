// What RocksDB is told so that our rows cost it little.
#pragma once
#include <memory>

namespace rocksdb {
class SliceTransform;
}

namespace mansio::store {

/// Keys that tend to be written one after the other: a partition's rows by the first octet of their own key, versions and changes by partition,
/// blobs' rows by table. The memtable begins its search where the last key of the same run was put, not at its head.
[[nodiscard]] std::shared_ptr<rocksdb::SliceTransform const> make_runs_of_keys();

/// Switches off, for the calling thread, the figures that RocksDB counts at every comparison of keys and that nobody reads.
void count_nothing_here() noexcept;

}  // namespace mansio::store
