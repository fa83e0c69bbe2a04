// The narrow waist: everything durable goes through here (docs/architecture.md, "Store"; docs/formats/engine.md).
#pragma once
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/executor.hpp"
#include "base/ids.hpp"
#include "mime/octets.hpp"

namespace mansio::store {

enum class partition_kind : std::uint8_t { directory = 1, account = 2, queue = 3, story = 4, report = 5 };

/// The unit of atomicity, order and ownership. There is no transaction across partitions.
struct partition_id {
    partition_kind kind = partition_kind::account;
    std::uint64_t number = 0;
    auto operator<=>(partition_id const&) const = default;
    [[nodiscard]] std::string text() const;  ///< "account/12", for logs
    [[nodiscard]] std::string key() const;   ///< 9 octets, big-endian: sorts by kind, number
    /// Which shard owns it: spread evenly.
    [[nodiscard]] std::uint64_t hash() const noexcept;
};

/// Strictly increasing with each commit of a partition; 0: nothing was ever committed.
using version = std::uint64_t;
using blob_id = base::random_id<struct blob_tag>;
using page_id = base::random_id<struct page_tag>;
using change_id = base::random_id<struct change_tag>;

/// Who keeps a blob alive: a partition and what in it ("e" + email id, "q" + queue id).
struct holder {
    partition_id where;
    std::string name;
    auto operator<=>(holder const&) const = default;
};

/// A message's octets, encoded and ready to be committed. Dropped without a commit: nothing remains (the sweeper sees to files).
class staged_blob {
public:
    virtual ~staged_blob() = default;
    [[nodiscard]] virtual blob_id id() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;  ///< octets of the message, not of its encoding
};

struct key_guard {
    std::string key;
    std::optional<std::string> equals;  ///< nullopt: must be absent
};
struct row_change {
    std::string key;
    std::optional<std::string> value;  ///< nullopt: remove
};
struct blob_change {
    blob_id blob;
    holder who;
};

/// One commit. Rows and keys together at most 1 MiB (asserted); larger things are pages and blobs.
struct change {
    partition_id where;
    change_id id;                                  ///< makes a timed-out commit resolvable: see committed_as()
    std::optional<version> expected;               ///< guard: the partition is at this version
    std::vector<key_guard> guards;
    std::vector<row_change> rows;                  ///< applied in order
    std::vector<std::shared_ptr<staged_blob const>> new_blobs;  ///< each with at least one entry in add_holders
    std::vector<blob_change> add_holders;          ///< conflict when the blob is gone
    std::vector<blob_change> drop_holders;         ///< the blob goes with its last holder
    std::vector<page_id> drop_pages;
    std::string note;                              ///< for people reading a dump: "append", "fold"
};

struct row {
    std::string key, value;
};
enum class direction : std::uint8_t { forward, backward };
/// Unlikely: whoever goes through many rows and keeps what he needs. They are read past what is cached, and push nothing out of it.
enum class reuse : std::uint8_t { likely, unlikely };
/// Keys in [from, to); `to` empty: to the partition's end.
struct key_range {
    std::string from, to;
    [[nodiscard]] static key_range prefix(std::string_view p);
};
/// What a partition holds in some ranges.
struct extract {
    version at = 0;
    std::vector<std::vector<row>> rows;  ///< for each range, in the order asked
};
struct page {
    page_id id;
    std::string octets;  ///< ≤ 1 MiB
};
struct lease {
    std::uint64_t epoch = 0;  ///< fencing: rises with each acquisition
    std::string owner;
};
struct engine_health {
    bool writable = true;
    std::string why;               ///< when not writable
    std::uint64_t free_octets = 0;
};

class picture;

/// Implemented by rocks_engine and memory_engine; both pass tests/store/engine_conformance_test.cpp.
/// Threads: every call from any executor; the answer comes back on the awaiting executor.
/// Errors: conflict (a guard failed; nothing was applied), broken (the store cannot go on: the caller answers try-later; the first sync error
/// makes the engine read-only for good, see engine_health, D7), not_found (no such blob or page), over_limit (no space: 452, D8).
class engine {
public:
    virtual ~engine() = default;
    /// Returns when durable. Changes of one partition are applied in the order of the calls; many waiting ones share one sync.
    [[nodiscard]] virtual task<result<version>> commit(change c) = 0;
    /// Whether a change was committed, and as which version; kept for the last 1,024 changes of a partition at least.
    [[nodiscard]] virtual task<result<std::optional<version>>> committed_as(partition_id where, change_id id) = 0;
    [[nodiscard]] virtual task<result<version>> current_version(partition_id where) = 0;
    [[nodiscard]] virtual task<result<std::optional<std::string>>> get(partition_id where, std::string key) = 0;
    /// At most `limit` rows; to go on, call again from the last key + '\0'.
    [[nodiscard]] virtual task<result<std::vector<row>>> scan(partition_id where, key_range range, std::size_t limit, direction d = direction::forward,
                                                              reuse again = reuse::likely) = 0;
    /// A partition's version and at most `limit` rows of each range. One trip to the disk's threads, and one moment, where the engine can; else the
    /// version is read first. Errors: as scan().
    [[nodiscard]] virtual task<result<extract>> read_ranges(partition_id where, std::vector<key_range> ranges, std::size_t limit);
    /// Every partition of a kind that has a row.
    [[nodiscard]] virtual task<result<std::vector<partition_id>>> partitions(partition_kind kind) = 0;

    /// Encodes octets into frames (zstd, 256 KiB each; docs/formats/blob.md). Up to 256 KiB they stay in memory until the commit, larger ones are
    /// written to a file of their own and synced, with its directory, before this returns. Runs on a pool when large.
    [[nodiscard]] virtual task<result<std::shared_ptr<staged_blob const>>> stage(mime::octets message) = 0;
    /// `length` is cut at the end. Reads only the frames it needs. Errors: not_found, broken ("corruption": checksum; never wrong octets, D9).
    [[nodiscard]] virtual task<result<std::string>> blob_read(blob_id id, std::uint64_t offset, std::uint64_t length) = 0;
    [[nodiscard]] virtual task<result<std::uint64_t>> blob_size(blob_id id) = 0;
    [[nodiscard]] virtual task<result<std::vector<holder>>> blob_holders(blob_id id) = 0;
    /// Reads the whole blob and compares its SHA-256: `mansio verify`. Errors: not_found, broken ("corruption").
    [[nodiscard]] virtual task<result<void>> blob_check(blob_id id) = 0;

    /// Immutable, idempotent, invisible until a commit names them; durable at the latest with the next commit of the same partition.
    [[nodiscard]] virtual task<result<void>> put_pages(partition_id where, std::vector<page> pages) = 0;
    [[nodiscard]] virtual task<result<std::string>> get_page(partition_id where, page_id id) = 0;
    /// Several, in the order asked: one trip to the disk's threads, where the engine can. Errors: as get_page(), of the first that fails.
    [[nodiscard]] virtual task<result<std::vector<std::string>>> get_pages(partition_id where, std::vector<page_id> ids);
    [[nodiscard]] virtual task<result<std::vector<page_id>>> list_pages(partition_id where) = 0;

    /// Lossy wake-up on `where_to`: "something was committed"; re-read from the last version. The returned token ends it.
    [[nodiscard]] virtual std::shared_ptr<void> watch(partition_id where, base::executor& where_to, std::move_only_function<void()> changed) = 0;

    /// Ownership of a partition between processes. acquire: conflict while another owner's lease lives.
    [[nodiscard]] virtual task<result<lease>> acquire(partition_id where, std::string owner, std::chrono::seconds life) = 0;
    [[nodiscard]] virtual task<result<void>> renew(partition_id where, lease held, std::chrono::seconds life) = 0;
    [[nodiscard]] virtual task<result<void>> release(partition_id where, lease held) = 0;

    [[nodiscard]] virtual engine_health health() const = 0;
    /// Calls of fdatasync/fsync so far, real ones: for benchmarks.
    [[nodiscard]] virtual std::uint64_t sync_count() const noexcept = 0;
    /// Removes blob files nobody committed and blobs whose holders are all gone. Unnamed pages are removed by their partition. Run at start and daily.
    struct sweep_report {
        std::uint64_t blobs = 0, files = 0;
    };
    [[nodiscard]] virtual task<result<sweep_report>> sweep() = 0;

    /// Whole blobs, in the order asked, read together on a pool: for many small ones. nullopt: there is none of that id, or it is longer than `most`.
    /// Errors: broken ("corruption").
    [[nodiscard]] virtual task<result<std::vector<std::optional<std::string>>>> blobs_read(std::vector<blob_id> ids, std::uint64_t most) = 0;

    /// This moment of the whole store, to be read at leisure (store/picture.hpp): backups. Errors: broken.
    [[nodiscard]] virtual task<result<std::unique_ptr<picture>>> take_picture() = 0;
    /// A blob as it was encoded elsewhere, under its own id: restoring a backup. It is checked whole first. Errors: also broken ("corruption"), refused when
    /// this store has had a blob of that id.
    [[nodiscard]] virtual task<result<std::shared_ptr<staged_blob const>>> stage_encoded(blob_id id, mime::octets encoded) = 0;
};

}  // namespace mansio::store
