// Opening and closing the embedded database: header, lock, log check, options (docs/formats/store-header.md, engine.md).
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "store/engines.hpp"
#include "store/rocks_file_system.hpp"
#include "store/rocks_group.hpp"

namespace mansio::store {

/// Whether the store may still be written. The first failed write or sync ends that until the process does (D7). Threads: safe.
class write_state {
public:
    explicit write_state(base::log& log, base::metrics& metrics);
    [[nodiscard]] bool writable() const noexcept { return writable_.load(std::memory_order_acquire); }
    void stop(std::string_view where, std::string why);
    [[nodiscard]] std::string why() const;

private:
    base::log& log_;
    base::gauge& gauge_;
    std::atomic<bool> writable_{true};
    mutable std::mutex mutex_;
    std::string why_;
};

/// An open database with all that must live as long. Members are destroyed in the opposite order: the database first, the lock after it.
class rocks_database {
public:
    /// Errors: those of open_rocks_engine().
    [[nodiscard]] static result<std::unique_ptr<rocks_database>> open(rocks_options const& o, base::log& log, base::metrics& metrics);
    ~rocks_database();
    rocks_database(rocks_database const&) = delete;
    rocks_database& operator=(rocks_database const&) = delete;

    [[nodiscard]] rocksdb::DB& db() noexcept { return *db_; }
    [[nodiscard]] column_families cf() const noexcept { return cf_; }
    [[nodiscard]] std::shared_ptr<rocksdb::FileSystem> const& file_system() const noexcept { return fs_; }
    [[nodiscard]] write_state& state() noexcept { return state_; }
    [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_.calls.load(std::memory_order_relaxed); }
    [[nodiscard]] std::string blobs_directory() const { return directory_ + "/blobs"; }
    [[nodiscard]] std::string const& directory() const noexcept { return directory_; }

private:
    rocks_database(rocks_options const& o, base::log& log, base::metrics& metrics);
    [[nodiscard]] result<void> start(rocks_options const& o);
    [[nodiscard]] result<bool> look();  ///< whether there is a store; nothing is changed
    [[nodiscard]] result<void> lock();
    [[nodiscard]] result<void> make_directories();
    [[nodiscard]] result<void> open_db(rocks_options const& o, bool fresh);
    [[nodiscard]] result<void> finish_making();
    [[nodiscard]] rocksdb::DBOptions db_options(rocks_options const& o, bool fresh);

    std::string directory_;
    base::log& log_;
    write_state state_;
    sync_counter syncs_;
    std::shared_ptr<rocksdb::FileSystem> fs_;
    std::unique_ptr<rocksdb::Env> env_;
    rocksdb::FileLock* lock_ = nullptr;
    std::unique_ptr<rocksdb::DB> db_;
    column_families cf_;
};

}  // namespace mansio::store
