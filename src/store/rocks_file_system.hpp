// The file system under the embedded store: counts real syncs; small file helpers that say what failed.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/file_system.h>

#include "base/metrics.hpp"
#include "base/result.hpp"

namespace mansio::store {

/// Counts fsync and fdatasync calls on files and directories.
struct sync_counter {
    explicit sync_counter(base::metrics& m)
        : total(m.get_counter("mansio_store_syncs_total", "fsync and fdatasync calls on files and directories of the store"))
    {}
    /// Called before each sync, by whoever syncs.
    void add() noexcept
    {
        if (before) before();
        calls.fetch_add(1, std::memory_order_relaxed);
        total.add();
    }
    std::atomic<std::uint64_t> calls{0};  ///< of this engine alone; the metric may be shared
    base::counter& total;
    std::function<void()> before;  ///< rocks_options.before_sync
};

/// `below` with every sync counted, and write-ahead logs (`*.log`) written over zeros: a sync of octets inside a file's length needs no journal
/// commit of the file system, which makes it several times cheaper. `counter` outlives it.
[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> make_counting_file_system(std::shared_ptr<rocksdb::FileSystem> below, sync_counter& counter);

/// A whole small file. NotFound when there is none.
[[nodiscard]] rocksdb::IOStatus read_whole(rocksdb::FileSystem& fs, std::string const& path, std::string& into);
/// Writes and syncs a new file; its directory is the caller's to sync.
[[nodiscard]] rocksdb::IOStatus write_whole(rocksdb::FileSystem& fs, std::string const& path, std::string_view text);
[[nodiscard]] rocksdb::IOStatus sync_directory(rocksdb::FileSystem& fs, std::string const& path);

}  // namespace mansio::store
