// A directory of backups: its generations and packs (docs/formats/backup.md).
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/picture.hpp"
#include "transfer/files.hpp"

namespace mansio::transfer {

/// Where a stored blob, a message's or a piece of a table, lies in a backup. Pack 0: nowhere, it could not be read.
struct location {
    std::uint32_t pack = 0;
    std::uint64_t offset = 0, length = 0;
    bool operator==(location const&) const = default;
};

/// Some neighbours of a table, stored as one blob. Named by its content: what did not change has its old name.
struct chunk {
    std::string first;  ///< key of its first entry
    store::blob_id id;  ///< the first 16 octets of SHA-256 of what it holds
    location at;
    std::uint64_t entries = 0;
};
[[nodiscard]] std::string encode_entries(std::vector<store::row> const& entries);
/// Errors: broken.
[[nodiscard]] result<std::vector<store::row>> decode_entries(std::string_view octets);

struct table {
    store::picture_table what = store::picture_table::rows;
    store::partition_state of;  ///< for blobs: zeros
    std::vector<chunk> chunks;
    [[nodiscard]] std::uint64_t entries() const noexcept;
};

/// A value of the table of blobs.
struct stored_message {
    location at;
    store::held_blob held;
};
[[nodiscard]] std::string encode(stored_message const& m);
[[nodiscard]] result<stored_message> decode_stored_message(std::string_view value);

/// One backup: everything that names what it consists of.
struct generation {
    std::uint32_t number = 0;
    std::int64_t made = 0;  ///< wall time of the picture, unix seconds
    std::uint64_t accounts = 0, messages = 0, octets = 0;
    std::uint64_t incarnation = 0;            ///< the highest of its accounts
    std::uint64_t new_octets = 0;             ///< that this backup added to the directory
    std::vector<std::string> problems;        ///< what could not be read then, one sentence each; at most 1,000
    struct pack_use {
        std::uint64_t size = 0, used = 0;
    };
    std::map<std::uint32_t, pack_use> packs;  ///< that hold something of it
    std::vector<table> tables;                ///< by partition, rows before pages; the table of blobs last
    [[nodiscard]] table const* find(store::picture_table what, store::partition_id where) const;
};

/// What a listing shows of one, whether it can be read or not.
struct generation_name {
    std::uint32_t number = 0;
    std::string file;
};

/// A directory that `mansio backup` writes and nobody else. Threads: none.
class backup_directory {
public:
    enum class use : std::uint8_t { read, write };
    /// With `write`, makes it when it is missing or empty, locks it, and removes what a backup that was cut short left behind. Errors: refused, with a
    /// sentence: not a directory of backups, made by a later version, locked.
    [[nodiscard]] static result<backup_directory> open(std::string path, use how, base::random* random = nullptr);
    [[nodiscard]] std::string const& path() const noexcept { return path_; }
    /// By number, the oldest first.
    [[nodiscard]] std::vector<generation_name> generations() const;
    /// Errors: refused, with a sentence: damaged, of another directory.
    [[nodiscard]] result<generation> load(generation_name const& g) const;
    /// The last one that can be read; `number` 0: the last. Errors: refused.
    [[nodiscard]] result<generation> find(std::uint32_t number) const;
    /// Written beside, synced, renamed, the directory synced: whole or not at all. Everything it names was synced before.
    [[nodiscard]] result<void> save(generation const& g) const;
    /// Leaves the last `keep` generations, and of the packs those that one of them needs. A generation that cannot be read keeps every pack.
    [[nodiscard]] result<void> prune(std::uint64_t keep) const;

    /// Encoded octets of a blob. Errors: broken, refused.
    [[nodiscard]] result<std::string> read(location at) const { return read(at, 0, at.length); }
    [[nodiscard]] result<std::string> read(location at, std::uint64_t offset, std::uint64_t length) const;
    /// What a chunk holds, checked. Errors: broken.
    [[nodiscard]] result<std::vector<store::row>> entries(chunk const& c) const;

    /// The highest incarnation a restore from here has given out; 0: none.
    [[nodiscard]] result<std::uint64_t> restored_as() const;
    [[nodiscard]] result<void> note_restored_as(std::uint64_t incarnation) const;

    [[nodiscard]] std::string pack_path(std::uint32_t number) const;
    [[nodiscard]] std::vector<std::uint32_t> packs() const;
    [[nodiscard]] std::string generations_path() const { return path_ + "/generations"; }
    [[nodiscard]] std::string packs_path() const { return path_ + "/packs"; }

private:
    explicit backup_directory(std::string path) : path_(std::move(path)) {}
    [[nodiscard]] result<void> make(base::random& random);
    [[nodiscard]] result<void> recognise();
    [[nodiscard]] result<void> clean() const;
    [[nodiscard]] result<files::random_reader const*> pack(std::uint32_t number) const;

    std::string path_;
    store::blob_id id_;  ///< of the directory: its generations carry it
    std::shared_ptr<void> lock_;
    mutable std::map<std::uint32_t, files::random_reader> open_;
};

/// Appends blobs to packs of its own, new ones. Nothing counts before finish() and a generation that names it.
class pack_writer {
public:
    explicit pack_writer(backup_directory const& to);
    [[nodiscard]] result<location> add(store::blob_id id, std::string_view encoded);
    /// The same in pieces: begin(), put() until `length` octets came, end(). Given up in between, they stay in the pack and nobody names them.
    [[nodiscard]] result<void> begin(store::blob_id id, std::uint64_t length);
    [[nodiscard]] result<void> put(std::string_view octets);
    [[nodiscard]] location end() const noexcept { return at_; }
    /// Syncs everything, the directory too.
    [[nodiscard]] result<void> finish();
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }

private:
    [[nodiscard]] result<void> open_next();
    [[nodiscard]] result<void> close();
    backup_directory const& to_;
    std::uint32_t number_;
    std::optional<files::writer> out_;
    std::uint64_t offset_ = 0, octets_ = 0;
    location at_;
};

}  // namespace mansio::transfer
