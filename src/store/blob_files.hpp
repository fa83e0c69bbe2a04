// Large blobs: one file each under blobs/XX/ID (docs/formats/engine.md, "Large blobs").
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/file_system.h>

#include "base/result.hpp"
#include "mime/octets.hpp"
#include "store/blob_frames.hpp"
#include "store/engine.hpp"

namespace mansio::store {

/// Threads: safe. Everything here reads or writes files: pools call it, never a shard.
class blob_files {
public:
    blob_files(std::shared_ptr<rocksdb::FileSystem> fs, std::string directory);
    ~blob_files();
    blob_files(blob_files const&) = delete;
    blob_files& operator=(blob_files const&) = delete;

    enum class content : std::uint8_t {
        message,
        encoded,  ///< a whole blob already, written as it is
    };
    struct written {
        std::uint64_t encoded = 0;
        bool lost_sync = false;  ///< a sync failed: what the disk holds is unknown, the engine must stop (D7)
    };
    /// Encodes and writes a file in pieces, syncs it and its directory. Memory stays at two pieces; mapped octets are given back behind.
    /// The id counts as staged until forget(). Errors: over_limit (no space; the file is removed), broken; see written::lost_sync.
    [[nodiscard]] result<void> write(blob_id id, mime::octets const& message, written& into, content what = content::message);
    /// [offset, offset + length) of the message; reads the frames it needs.
    [[nodiscard]] result<std::string> read(blob_id id, std::uint64_t encoded, std::uint64_t offset, std::uint64_t length);
    [[nodiscard]] result<void> check(blob_id id, std::uint64_t encoded);
    /// Octets of the file as they lie, cut at its end; nothing is checked.
    [[nodiscard]] result<std::string> read_encoded(blob_id id, std::uint64_t encoded, std::uint64_t offset, std::uint64_t length) const;
    /// While the token lives, remove() only takes note; files go when the last one is dropped. (After a crash the sweeper removes them.)
    [[nodiscard]] std::shared_ptr<void> keep_removed();
    /// A missing file is no error.
    [[nodiscard]] result<void> remove(blob_id id);
    /// Every blob file there is; other names are left alone.
    [[nodiscard]] result<std::vector<blob_id>> list();

    /// Being staged by this process, or staged and not yet committed or dropped: the sweeper leaves them.
    void remember(blob_id id);
    void forget(blob_id id);
    [[nodiscard]] bool staged(blob_id id) const;

private:
    struct open_blob;
    [[nodiscard]] std::string directory_of(blob_id id) const;
    [[nodiscard]] std::string path_of(blob_id id) const;
    [[nodiscard]] rocksdb::IOStatus make_directory(std::string const& path, written& into);
    [[nodiscard]] rocksdb::IOStatus write_file(rocksdb::FSWritableFile& file, blob_id id, mime::octets const& message, written& into, content what);
    void stop_keeping();
    [[nodiscard]] result<std::shared_ptr<open_blob>> open(blob_id id, std::uint64_t encoded);

    std::shared_ptr<rocksdb::FileSystem> fs_;
    std::string directory_;
    mutable std::mutex mutex_;
    std::set<blob_id> staged_;
    std::set<blob_id> removed_;                     ///< while somebody keeps what is removed
    unsigned keepers_ = 0;
    std::set<std::string> made_;                    ///< directories known to exist, and to be synced
    std::list<std::shared_ptr<open_blob>> recent_;  ///< latest first: a reader comes back for the next piece
};

}  // namespace mansio::store
