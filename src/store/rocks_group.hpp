// What waits for the committer, and how a group of it becomes one write batch.
#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "store/blob_files.hpp"
#include "store/committer.hpp"
#include "store/rocks_rows.hpp"

namespace mansio::store {

/// A message encoded and not yet committed: in memory, or a file that stays only if somebody commits it.
class rocks_blob final : public staged_blob {
public:
    /// In memory.
    rocks_blob(blob_id id, std::uint64_t size, std::string encoded);
    /// A file that was written and synced. `dropped` is called, on any thread, when nobody committed it.
    rocks_blob(blob_id id, std::uint64_t size, std::uint64_t encoded, std::shared_ptr<blob_files> files, std::move_only_function<void(blob_id)> dropped);
    ~rocks_blob() override;
    rocks_blob(rocks_blob const&) = delete;
    rocks_blob& operator=(rocks_blob const&) = delete;
    [[nodiscard]] blob_id id() const noexcept override { return id_; }
    [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
    [[nodiscard]] bool in_memory() const noexcept { return files_ == nullptr; }
    [[nodiscard]] std::string const& octets() const noexcept { return octets_; }
    [[nodiscard]] std::uint64_t encoded() const noexcept { return encoded_; }
    /// Was part of a batch that may be on the disk: from then on its rows decide, and its file is never removed from here.
    mutable std::atomic<bool> committed{false};

private:
    blob_id id_;
    std::uint64_t size_, encoded_;
    std::string octets_;
    std::shared_ptr<blob_files> files_;
    std::move_only_function<void(blob_id)> dropped_;
};

/// Who holds which lease until when, in this process (docs/formats/engine.md, "Leases"). Threads: safe.
class lease_table {
public:
    explicit lease_table(base::clock& clock) : clock_(clock) {}
    /// The living lease of somebody other than `owner`.
    [[nodiscard]] std::optional<lease> other(partition_id where, std::string const& owner) const;
    void hold(partition_id where, lease const& held, std::chrono::seconds life);
    [[nodiscard]] bool renew(partition_id where, lease const& held, std::chrono::seconds life);
    [[nodiscard]] bool release(partition_id where, lease const& held);

private:
    struct entry {
        lease held;
        base::monotonic_time ends;
    };
    base::clock& clock_;
    mutable std::mutex mutex_;
    std::map<partition_id, entry> entries_;
};

struct row_put {
    std::string key;                   ///< in the database
    std::optional<std::string> value;  ///< sealed; nullopt: remove
};
struct commit_work {
    change what;                ///< its rows were moved into `rows`
    std::vector<row_put> rows;  ///< prepared on the caller's thread
};
struct page_work {
    partition_id where;
    std::vector<row_put> rows;
};
struct lease_work {
    partition_id where;
    std::string owner;
    std::chrono::seconds life;
    lease got;
};
/// The sweeper found this blob without a holder; the committer looks again before it removes it.
struct unheld_work {
    blob_id blob;
    bool removed = false;
};
using write_work = std::variant<commit_work, page_work, lease_work, unheld_work>;

struct write_request final : committer::request {
    write_request(write_work w, std::size_t octets_) : request(octets_), work(std::move(w)) {}
    write_work work;
};

struct column_families {
    rocksdb::ColumnFamilyHandle* rows = nullptr;
    rocksdb::ColumnFamilyHandle* bulk = nullptr;
};

/// Turns requests into one batch, in order: each sees what those before it in the group do. A request that may not be done leaves nothing in the batch.
/// Threads: the committer's. Lifetime: one group; `versions` lives on.
class group_builder {
public:
    using version_cache = std::unordered_map<std::string, version>;  ///< by version key: of partitions seen since the start
    group_builder(rocksdb::DB& db, column_families cf, version_cache& versions, lease_table& leases);
    /// Fills the answer as it is if the batch becomes durable.
    void add(write_request& r);
    /// Before the first add(): whether some request has key guards, and looks at what earlier ones wrote.
    void expect_guards(bool yes) noexcept { guards_ = yes; }
    [[nodiscard]] rocksdb::WriteBatch& batch() noexcept { return batch_; }
    /// Blob files whose last holder went: to be removed once the batch is durable.
    [[nodiscard]] std::vector<blob_id>& dead_files() noexcept { return dead_files_; }
    /// Partitions that changed, each once.
    [[nodiscard]] std::vector<partition_id>& changed() noexcept { return changed_; }
    /// Blobs that came with the batch: they are committed from the moment it is written.
    [[nodiscard]] std::vector<std::shared_ptr<staged_blob const>>& blobs() noexcept { return blobs_; }
    /// Leases that hold once the batch is durable.
    [[nodiscard]] std::vector<lease_work>& leases() noexcept { return granted_; }

private:
    struct blob_state {
        bool exists = false;
        blob_meta meta;
        bool changed = false;
    };
    [[nodiscard]] result<version> add(commit_work& w);
    [[nodiscard]] result<version> add(page_work& w);
    [[nodiscard]] result<version> add(lease_work& w);
    [[nodiscard]] result<version> add(unheld_work& w);
    [[nodiscard]] result<void> check(commit_work& w, version at);
    [[nodiscard]] result<void> check_holders(change const& c);
    [[nodiscard]] result<version*> version_of(partition_id where);
    /// The row as this group leaves it, still sealed.
    [[nodiscard]] result<std::optional<std::string>> look_up(std::string const& key);
    [[nodiscard]] result<blob_state*> blob_of(blob_id id);
    /// Brings a row into the overlay.
    [[nodiscard]] result<void> fetch(std::string const& key);
    [[nodiscard]] bool known(std::string const& key) const;
    void add_blobs(commit_work& w);
    void add_holder(blob_change const& b);
    void drop_holder(blob_change const& b);
    void write_metas();
    void remove_blob(blob_id id, blob_state& s);
    void put(std::string const& key, std::string_view value);
    void put_row(row_put& r);

    rocksdb::DB& db_;
    column_families cf_;
    version_cache& versions_;
    lease_table& leases_;
    bool guards_ = false;
    rocksdb::WriteBatch batch_;
    std::unordered_map<std::string, std::optional<std::string>> overlay_;
    std::map<blob_id, blob_state> blob_states_;
    std::vector<blob_id> touched_;  ///< blobs of the request at hand
    std::vector<blob_id> dead_files_;
    std::vector<partition_id> changed_;
    std::vector<std::shared_ptr<staged_blob const>> blobs_;
    std::vector<lease_work> granted_;
};

}  // namespace mansio::store
