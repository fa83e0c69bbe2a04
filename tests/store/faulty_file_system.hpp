// A disk in memory that does what disks may do (trust.md §1.3): what was not synced may be gone, torn or there; so may names in directories.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

namespace mansio::store::test {

/// Threads: safe, as RocksDB asks. Paths are absolute; the root exists. One object is one run of the machine: after_power_cut() gives the next one.
class faulty_file_system final : public rocksdb::FileSystem {
public:
    faulty_file_system();
    ~faulty_file_system() override;
    char const* Name() const override { return "mansio_faulty"; }

    // ---- what goes wrong
    /// The `n`-th changing operation from now (create, append, truncate, sync, rename, remove, make) and all later ones do not happen: every call fails.
    void cut_power_at(std::uint64_t n);
    void cut_power_now();
    [[nodiscard]] bool dark() const;
    /// The `n`-th sync of a file from now fails once; what it should have written is lost with the power, though reads still see it (Linux does that).
    void fail_sync_at(std::uint64_t n);
    /// The `n`-th append from now fails with EIO, once.
    void fail_append_at(std::uint64_t n);
    /// Faults that were ordered and have not come do not come any more.
    void no_more_failures();
    /// Octets that fit on the disk.
    void set_capacity(std::uint64_t octets);
    /// Changing operations so far.
    [[nodiscard]] std::uint64_t operations() const;
    [[nodiscard]] std::uint64_t syncs() const;
    /// A file whose sync had failed was synced again (D7 forbids it).
    [[nodiscard]] bool synced_after_failure() const;

    /// The disk when power is back: of what was not synced, `seed` decides what survives: nothing, everything, any subset of the writes, whole or
    /// torn at 512 or 4,096 octets, sizes without data; for the names in each directory likewise.
    [[nodiscard]] std::shared_ptr<faulty_file_system> after_power_cut(std::uint64_t seed) const;

    // ---- looking and damaging
    [[nodiscard]] std::vector<std::string> files() const;  ///< all paths
    [[nodiscard]] std::string contents(std::string const& path) const;
    void overwrite(std::string const& path, std::string contents);  ///< durable at once
    void unlock_all();  ///< as the end of a process does

    // ---- rocksdb::FileSystem
    rocksdb::IOStatus NewSequentialFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                        rocksdb::IODebugContext*) override;
    rocksdb::IOStatus NewRandomAccessFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                          rocksdb::IODebugContext*) override;
    rocksdb::IOStatus NewWritableFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext*) override;
    rocksdb::IOStatus ReopenWritableFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                                         rocksdb::IODebugContext*) override;
    rocksdb::IOStatus NewRandomRWFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                      rocksdb::IODebugContext*) override;
    rocksdb::IOStatus Truncate(std::string const& path, std::size_t size, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus NewDirectory(std::string const& path, rocksdb::IOOptions const&, std::unique_ptr<rocksdb::FSDirectory>* directory,
                                   rocksdb::IODebugContext*) override;
    rocksdb::IOStatus FileExists(std::string const& path, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetChildren(std::string const& path, rocksdb::IOOptions const&, std::vector<std::string>* names, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus DeleteFile(std::string const& path, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus CreateDir(std::string const& path, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus CreateDirIfMissing(std::string const& path, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus DeleteDir(std::string const& path, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetFileSize(std::string const& path, rocksdb::IOOptions const&, std::uint64_t* size, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetFileModificationTime(std::string const& path, rocksdb::IOOptions const&, std::uint64_t* time, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus RenameFile(std::string const& from, std::string const& to, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus LockFile(std::string const& path, rocksdb::IOOptions const&, rocksdb::FileLock** lock, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, rocksdb::IOOptions const&, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetTestDirectory(rocksdb::IOOptions const&, std::string* path, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetAbsolutePath(std::string const& path, rocksdb::IOOptions const&, std::string* out, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus IsDirectory(std::string const& path, rocksdb::IOOptions const&, bool* is, rocksdb::IODebugContext*) override;
    rocksdb::IOStatus GetFreeSpace(std::string const& path, rocksdb::IOOptions const&, std::uint64_t* octets, rocksdb::IODebugContext*) override;

    struct node;
    using node_ptr = std::shared_ptr<node>;

private:
    friend class memory_reader;
    friend class memory_writer;
    friend class memory_updater;
    friend class memory_directory;
    struct place {
        node_ptr parent;
        std::string name;
    };
    // All below with the mutex held.
    [[nodiscard]] node_ptr find(std::string const& path) const;
    [[nodiscard]] place locate(std::string const& path) const;
    [[nodiscard]] rocksdb::IOStatus change();  ///< counts one changing operation; fails when the power is off
    rocksdb::IOStatus write(node& file, std::uint64_t offset, std::string_view octets);
    rocksdb::IOStatus truncate(node& file, std::uint64_t size);
    rocksdb::IOStatus sync(node& file);
    rocksdb::IOStatus open_writable(std::string const& path, bool keep, std::unique_ptr<rocksdb::FSWritableFile>* file);
    rocksdb::IOStatus make_directory(std::string const& path, bool may_exist);

    mutable std::mutex mutex_;
    node_ptr root_;
    std::set<std::string> locked_;
    std::uint64_t operations_ = 0, syncs_ = 0, appends_ = 0;
    std::uint64_t cut_at_ = UINT64_MAX, fail_sync_at_ = UINT64_MAX, fail_append_at_ = UINT64_MAX;
    std::uint64_t capacity_ = std::uint64_t{1} << 40U;
    std::uint64_t used_ = 0;
    bool dark_ = false, synced_after_failure_ = false;
};

}  // namespace mansio::store::test
