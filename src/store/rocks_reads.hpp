// Reads of the embedded store's files that do not wait for the disk.
#pragma once
#include <memory>
#include <string>

#include <rocksdb/file_system.h>

namespace mansio::store {

/// memory: only what is there already, in RocksDB's cache or the kernel's page cache; the rest is "Incomplete".
enum class reach : bool { memory, disk };

/// While it lives, reads of this thread take what is in memory only. A file that would have to be opened counts as not there: RocksDB goes on with
/// a table whose properties it could not read.
class memory_only {
public:
    memory_only() noexcept;
    ~memory_only();
    memory_only(memory_only const&) = delete;
    memory_only& operator=(memory_only const&) = delete;

private:
    bool before_;
};

/// A file to be read at random that heeds memory_only. Below anything but the real file system nothing is in memory.
[[nodiscard]] rocksdb::IOStatus open_random_access(rocksdb::FileSystem& below, std::string const& name, rocksdb::FileOptions const& options,
                                                   std::unique_ptr<rocksdb::FSRandomAccessFile>* file, rocksdb::IODebugContext* dbg);

}  // namespace mansio::store
