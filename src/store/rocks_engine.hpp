// The embedded engine's class. Internal to store: everybody else opens it with open_rocks_engine().
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/engine_checks.hpp"
#include "store/engine_watchers.hpp"
#include "store/engines.hpp"
#include "store/rocks_database.hpp"
#include "store/rocks_picture.hpp"
#include "store/rocks_reads.hpp"
#include "store/rocks_tuning.hpp"

namespace mansio::store {

inline constexpr std::size_t reads_waiting = 10'000;
inline constexpr std::size_t blobs_waiting = 1'000;

/// nullopt: not in memory, the disk must be asked.
template <class T> using quick = std::optional<result<T>>;

inline std::string_view view(rocksdb::Slice const& s) { return {s.data(), s.size()}; }
inline std::unexpected<fault> no_blob() { return fail(fault::kind::not_found, "not found", "no such blob"); }
inline std::unexpected<fault> busy(char const* what) { return fail(fault::kind::over_limit, "the server is busy, try again later", what); }

/// RocksDB for rows and small blobs, files for large ones, one committer (docs/formats/engine.md). Threads: any; see engine.
class rocks_engine final : public engine {
public:
    rocks_engine(std::unique_ptr<rocks_database> database, rocks_options const& o, base::clock& clock, base::random& random, base::log& log,
                 base::metrics& metrics)
        : database_(std::move(database)),
          break_sync_(o.break_sync_on_purpose),
          reserve_(o.reserve_octets != 0 ? o.reserve_octets : o.memory_octets / 2),
          clock_(clock),
          random_(random),
          log_(log),
          files_(std::make_shared<blob_files>(database_->file_system(), database_->blobs_directory())),
          leases_(clock),
          readers_("store-read", std::max(1U, o.read_threads), reads_waiting),
          writers_(std::make_shared<base::worker_pool>("store-blob", std::max(1U, o.read_threads), blobs_waiting)),
          committer_([this](auto group, auto answer_early) { write_group(group, std::move(answer_early)); }, bounds_of(o), clock, metrics)
    {}

    task<result<version>> commit(change c) override;
    task<result<std::optional<version>>> committed_as(partition_id where, change_id id) override;
    task<result<version>> current_version(partition_id where) override;
    task<result<std::optional<std::string>>> get(partition_id where, std::string key) override;
    task<result<std::vector<row>>> scan(partition_id where, key_range range, std::size_t limit, direction d, reuse again) override;
    task<result<extract>> read_ranges(partition_id where, std::vector<key_range> ranges, std::size_t limit) override;
    task<result<std::vector<partition_id>>> partitions(partition_kind kind) override;
    task<result<std::shared_ptr<staged_blob const>>> stage(mime::octets message) override;
    task<result<std::string>> blob_read(blob_id id, std::uint64_t offset, std::uint64_t length) override;
    task<result<std::vector<std::optional<std::string>>>> blobs_read(std::vector<blob_id> ids, std::uint64_t most) override;
    task<result<std::uint64_t>> blob_size(blob_id id) override;
    task<result<std::vector<holder>>> blob_holders(blob_id id) override;
    task<result<void>> blob_check(blob_id id) override;
    task<result<void>> put_pages(partition_id where, std::vector<page> pages) override;
    task<result<std::string>> get_page(partition_id where, page_id id) override;
    task<result<std::vector<std::string>>> get_pages(partition_id where, std::vector<page_id> ids) override;
    task<result<std::vector<page_id>>> list_pages(partition_id where) override;
    std::shared_ptr<void> watch(partition_id where, base::executor& where_to, std::move_only_function<void()> changed) override
    {
        return watchers_.add(where, where_to, std::move(changed));
    }
    task<result<lease>> acquire(partition_id where, std::string owner, std::chrono::seconds life) override;
    task<result<void>> renew(partition_id where, lease held, std::chrono::seconds life) override;
    task<result<void>> release(partition_id where, lease held) override;
    [[nodiscard]] engine_health health() const override { return engine_health{database_->state().writable(), database_->state().why(), free_octets()}; }
    [[nodiscard]] std::uint64_t sync_count() const noexcept override { return database_->syncs(); }
    task<result<sweep_report>> sweep() override;
    task<result<std::unique_ptr<picture>>> take_picture() override { co_return take_rocks_picture(*database_, readers_, files_); }
    task<result<std::shared_ptr<staged_blob const>>> stage_encoded(blob_id id, mime::octets encoded) override;

private:
    static committer::bounds bounds_of(rocks_options const& o)
    {
        committer::bounds b;
        b.waiting = o.commits_waiting;
        b.waiting_octets = std::max<std::size_t>(o.memory_octets / 4, std::size_t{16} << 20U);
        return b;
    }
    /// From memory when it is there, else on the pool: a miss never holds a shard up. `read` gives a value for reach::disk.
    template <class T, class F> task<result<T>> read_with(F read)
    {
        count_nothing_here();
        auto got = [&read] {
            memory_only const here;
            return read(reach::memory);
        }();
        if (got) co_return std::move(*got);
        co_return co_await on_readers<T>([&read] { return *read(reach::disk); });
    }
    template <class T, class F> task<result<T>> on_readers(F read)
    {
        auto slow = co_await readers_.run(std::move(read));
        if (!slow) co_return busy("store_reads_waiting");
        co_return std::move(*slow);
    }
    [[nodiscard]] quick<std::optional<std::string>> sealed_row(rocksdb::ColumnFamilyHandle* family, std::string const& key) const;
    [[nodiscard]] quick<std::optional<blob_meta>> meta_of(blob_id id) const;
    [[nodiscard]] quick<std::vector<row>> scan_with(partition_id where, key_range const& range, std::size_t limit, direction d, reach how_far,
                                                    reuse again = reuse::likely) const;
    [[nodiscard]] quick<extract> extract_with(partition_id where, std::vector<key_range> const& ranges, std::size_t limit) const;
    [[nodiscard]] result<std::string_view> row_value(rocksdb::Slice const& key, rocksdb::Slice const& stored) const;
    [[nodiscard]] quick<std::vector<std::string>> keys_with(rocksdb::ColumnFamilyHandle* family, std::string const& prefix) const;
    [[nodiscard]] quick<std::vector<holder>> holders_with(blob_id id) const;
    [[nodiscard]] quick<std::optional<version>> committed_with(partition_id where, change_id id) const;
    [[nodiscard]] quick<std::vector<partition_id>> partitions_with(partition_kind kind) const;
    [[nodiscard]] quick<std::optional<std::string>> small_blob(blob_id id, std::uint64_t offset, std::uint64_t length, reach how_far) const;
    [[nodiscard]] result<std::string> large_blob(blob_id id, std::uint64_t offset, std::uint64_t length) const;
    [[nodiscard]] result<std::vector<std::optional<std::string>>> whole_blobs(std::vector<blob_id> const& ids, std::uint64_t most) const;
    [[nodiscard]] result<void> check_whole(blob_id id) const;
    [[nodiscard]] result<std::shared_ptr<staged_blob const>> stage_file(blob_id id, mime::octets const& octets, std::uint64_t size, blob_files::content what);
    [[nodiscard]] result<std::shared_ptr<staged_blob const>> stage_whole(blob_id id, mime::octets const& encoded);
    [[nodiscard]] std::unexpected<fault> read_only() const
    {
        return fail(fault::kind::broken, "the server has a problem, try again later", "the store is read-only: " + database_->state().why());
    }
    [[nodiscard]] std::uint64_t free_octets() const;
    [[nodiscard]] bool room_for(std::uint64_t octets) const { return free_octets() >= reserve_ + octets; }
    [[nodiscard]] result<std::vector<blob_id>> unheld_blobs(sweep_report& report);
    void write_group(std::span<committer::request* const> group, std::move_only_function<void()> answer_early);
    [[nodiscard]] bool write_batch(group_builder& builder, std::span<committer::request* const> group);
    void after_write(group_builder& builder);

    std::unique_ptr<rocks_database> database_;
    bool break_sync_;
    std::uint64_t reserve_;
    base::clock& clock_;
    base::random& random_;
    base::log& log_;
    std::shared_ptr<blob_files> files_;
    lease_table leases_;
    watcher_registry watchers_;
    group_builder::version_cache versions_;  ///< the committer's alone
    mutable std::atomic<std::int64_t> free_asked_{INT64_MIN};
    mutable std::atomic<std::uint64_t> free_{0};
    mutable std::atomic<std::uint64_t> written_since_{0};
    base::worker_pool readers_;
    std::shared_ptr<base::worker_pool> writers_;
    committer committer_;  ///< last: it ends first, and writes what waits
};

}  // namespace mansio::store
