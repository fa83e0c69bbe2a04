#include "store/rocks_database.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <sys/resource.h>

#include "store/rocks_clean.hpp"
#include "store/rocks_tuning.hpp"
#include "store/rocks_wal.hpp"
#include "store/store_header.hpp"

namespace mansio::store {
namespace {
constexpr std::string_view header_name = "HEADER";
constexpr std::array our_names{"HEADER", "HEADER.new", "CLEAN", "CLEAN.new", "LOCK", "db", "blobs", "lost+found"};

std::unexpected<fault> refuse(std::string sentence, std::string detail = {}) { return fail(fault::kind::refused, std::move(sentence), std::move(detail)); }

/// RocksDB's own words at warning and above, into our log instead of a file of its own.
class log_bridge final : public rocksdb::Logger {
public:
    explicit log_bridge(base::log& log) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(log) {}
    using Logger::Logv;
    void Logv(char const* format, va_list arguments) override __attribute__((format(printf, 2, 0)))
    {
        char text[1024];
        std::vsnprintf(text, sizeof text, format, arguments);
        log_.warning("rocksdb", {{"text", text}});
    }

private:
    base::log& log_;
};

class error_listener final : public rocksdb::EventListener {
public:
    explicit error_listener(write_state& state) : state_(state) {}
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* s) override { state_.stop("background", s->ToString()); }

private:
    write_state& state_;
};

int open_files()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
    return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 4, 20, 1024));
}

rocksdb::ColumnFamilyOptions column_options(std::uint64_t memtables, std::shared_ptr<rocksdb::Cache> const& cache)
{
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.block_size = std::size_t{8} << 10U;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.format_version = 5;
    rocksdb::ColumnFamilyOptions o;
    o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    o.write_buffer_size = memtables;  // db_write_buffer_size bounds them together
    o.max_write_buffer_number = 4;
    o.target_file_size_base = std::size_t{32} << 20U;
    o.level_compaction_dynamic_level_bytes = true;
    o.memtable_insert_with_hint_prefix_extractor = make_runs_of_keys();
    o.memtable_prefix_bloom_size_ratio = 0.02;  // most single rows asked for are not there: a message's thread, a delivery seen before
    o.memtable_whole_key_filtering = true;
    return o;
}

std::uint64_t memtable_octets(rocks_options const& o) { return std::max<std::uint64_t>(o.memory_octets / 4, std::uint64_t{1} << 20U); }
}  // namespace

write_state::write_state(base::log& log, base::metrics& metrics)
    : log_(log),
      gauge_(metrics.get_gauge("mansio_store_writable", "1 until the first failed write or sync"))
{
    gauge_.set(1);
}

void write_state::stop(std::string_view where, std::string why)
{
    {
        std::lock_guard const lock{mutex_};
        if (!why_.empty()) return;
        why_ = why;
        writable_.store(false, std::memory_order_release);
    }
    gauge_.set(0);
    log_.error("store_read_only", {{"where", where}, {"why", why}});
}

std::string write_state::why() const
{
    std::lock_guard const lock{mutex_};
    return why_;
}

rocks_database::rocks_database(rocks_options const& o, base::log& log, base::metrics& metrics)
    : directory_(o.directory),
      log_(log),
      state_(log, metrics),
      syncs_(metrics),
      fs_(make_counting_file_system(o.file_system ? o.file_system : rocksdb::FileSystem::Default(), syncs_)),
      env_(rocksdb::NewCompositeEnv(fs_))
{
    syncs_.before = o.before_sync;
    while (directory_.size() > 1 && directory_.ends_with('/')) directory_.pop_back();
}

rocks_database::~rocks_database()
{
    if (db_) {
        bool clean = false;
        if (state_.writable()) {
            // A clean stop leaves nothing to the log: the next start is quick, and no acknowledged row lies in its last record alone.
            rocksdb::FlushOptions wait;
            clean = db_->Flush(wait, {cf_.rows, cf_.bulk}).ok();
        }
        for (auto* handle : {cf_.rows, cf_.bulk})
            if (handle != nullptr) static_cast<void>(db_->DestroyColumnFamilyHandle(handle));
        clean = db_->Close().ok() && clean;
        db_.reset();
        if (clean && state_.writable()) write_clean_list(*fs_, directory_);
    }
    if (lock_ != nullptr) static_cast<void>(fs_->UnlockFile(lock_, {}, nullptr));
}

result<std::unique_ptr<rocks_database>> rocks_database::open(rocks_options const& o, base::log& log, base::metrics& metrics)
{
    std::unique_ptr<rocks_database> database{new rocks_database{o, log, metrics}};
    if (auto const started = database->start(o); !started) return fail(started);
    return database;
}

result<void> rocks_database::start(rocks_options const& o)
{
    auto there = look();
    if (!there) return fail(there);
    if (!*there && !o.create)
        return refuse("There is no Mansio store in " + directory_ + ". Check the configured directory, or let mansio make a new one.", "no store");
    if (!*there)
        if (auto const made = make_directories(); !made) return made;
    if (auto const locked = lock(); !locked) return locked;
    // Again, now that nobody else can be making or upgrading it.
    there = look();
    if (!there) return fail(there);
    if (auto const same = check_clean_list(*fs_, directory_); !same) return same;
    if (auto const settled = settle_wals(*fs_, directory_ + "/db", log_); !settled) return settled;
    if (auto const opened = open_db(o, !*there); !opened) return opened;
    if (!*there) return finish_making();
    return {};
}

result<bool> rocks_database::look()
{
    std::vector<std::string> names;
    auto s = fs_->GetChildren(directory_, {}, &names, nullptr);
    if (s.IsNotFound() || s.IsPathNotFound()) return false;
    if (!s.ok()) return refuse("The store's directory " + directory_ + " cannot be read: " + s.ToString() + ".", s.ToString());
    if (std::ranges::find(names, header_name) == names.end()) {
        for (auto const& name : names)
            if (name != "." && name != ".." && std::ranges::find(our_names, name) == our_names.end())
                return refuse("The directory " + directory_ + " holds other files (" + base::printable(name, 60) +
                                  ") and no Mansio store. Choose an empty or a new directory.",
                              "not a store");
        return false;
    }
    std::string text;
    auto const path = directory_ + "/" + std::string{header_name};
    s = read_whole(*fs_, path, text);
    if (!s.ok()) return refuse("The store's header " + path + " cannot be read: " + s.ToString() + ".", s.ToString());
    auto const header = read_header(text);
    if (!header)
        return refuse("The store's header " + path + " is damaged. Restore it from a backup, or copy that of another store of the same version.",
                      "header damaged");
    if (auto const may = may_open(*header, directory_); !may) return fail(may);
    for (auto const* part : {"db", "blobs"})
        if (std::ranges::find(names, part) == names.end())
            return refuse("The store in " + directory_ + " has lost its directory " + part + "/. Mount or restore it; mansio makes no new one over old mail.",
                          "part missing");
    if (!fs_->FileExists(directory_ + "/db/CURRENT", {}, nullptr).ok())
        return refuse("The store in " + directory_ + " is damaged: db/CURRENT is missing. Restore a backup, or save what is left with mansio rescue.",
                      "database missing");
    return true;
}

result<void> rocks_database::lock()
{
    auto const s = fs_->LockFile(directory_ + "/LOCK", {}, &lock_, nullptr);
    if (s.ok()) return {};
    lock_ = nullptr;
    return refuse("The store in " + directory_ + " is in use by another mansio (or its LOCK cannot be written). Stop that one first: " + s.ToString() + ".",
                  "locked");
}

/// The directories and their names are durable before anything is put into them.
result<void> rocks_database::make_directories()
{
    std::vector<std::string> missing;
    for (auto path = directory_; !path.empty() && !fs_->FileExists(path, {}, nullptr).ok(); path = path.substr(0, path.find_last_of('/'))) {
        missing.push_back(path);
        if (path.find('/') == std::string::npos) break;
    }
    std::ranges::reverse(missing);
    rocksdb::IOStatus s;
    auto const make = [&](std::string const& path) {
        auto const slash = path.find_last_of('/');
        auto const parent = slash == std::string::npos ? std::string{"."} : slash == 0 ? std::string{"/"} : path.substr(0, slash);
        if (s.ok()) s = fs_->CreateDirIfMissing(path, {}, nullptr);
        if (s.ok()) s = sync_directory(*fs_, parent);
    };
    for (auto const& path : missing) make(path);
    make(directory_ + "/db");
    make(directory_ + "/blobs");
    if (!s.ok()) return refuse("The store's directory " + directory_ + " cannot be made: " + s.ToString() + ".", s.ToString());
    return {};
}

rocksdb::DBOptions rocks_database::db_options(rocks_options const& o, bool fresh)
{
    rocksdb::DBOptions d;
    d.env = env_.get();
    d.create_if_missing = fresh;
    d.create_missing_column_families = fresh;
    d.paranoid_checks = true;
    d.track_and_verify_wals_in_manifest = true;
    d.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    d.recycle_log_file_num = 0;
    d.max_bgerror_resume_count = 0;  // a failed sync is final: the pages it should have written may be gone (D7)
    d.listeners.push_back(std::make_shared<error_listener>(state_));
    d.info_log = std::make_shared<log_bridge>(log_);
    d.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    d.db_write_buffer_size = memtable_octets(o);
    d.max_total_wal_size = 2 * memtable_octets(o);
    d.max_open_files = open_files();
    d.max_background_jobs = 2;
    d.max_subcompactions = 1;
    d.bytes_per_sync = std::uint64_t{1} << 20U;
    d.allow_concurrent_memtable_write = false;  // one writer: the committer
    d.enable_write_thread_adaptive_yield = false;
    d.avoid_unnecessary_blocking_io = true;
    d.skip_stats_update_on_db_open = true;
    d.stats_dump_period_sec = 0;
    d.stats_persist_period_sec = 0;
    return d;
}

result<void> rocks_database::open_db(rocks_options const& o, bool fresh)
{
    auto const memtables = memtable_octets(o);
    auto const cache =
        rocksdb::NewLRUCache(std::max<std::uint64_t>(o.memory_octets - std::min(o.memory_octets, memtables), std::uint64_t{1} << 20U), -1, false, 0.3);
    auto rows = column_options(memtables, cache);
    rows.compression = rocksdb::kLZ4Compression;  // zstd would save a tenth of a kB a message, and unpacks a mailbox's rows five times slower
    auto bulk = column_options(memtables, cache);
    bulk.compression = rocksdb::kNoCompression;  // blobs are compressed already
    bulk.enable_blob_files = true;
    bulk.min_blob_size = 2048;
    bulk.blob_file_size = std::uint64_t{128} << 20U;
    bulk.enable_blob_garbage_collection = true;
    bulk.blob_garbage_collection_age_cutoff = 0.5;
    bulk.blob_garbage_collection_force_threshold = 0.5;
    bulk.blob_cache = cache;
    std::vector<rocksdb::ColumnFamilyDescriptor> const families{{rocksdb::kDefaultColumnFamilyName, rows}, {"bulk", bulk}};
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    auto const s = rocksdb::DB::Open(db_options(o, fresh), directory_ + "/db", families, &handles, &opened);
    if (!s.ok())
        return refuse("The database in " + directory_ + "/db cannot be opened: " + s.ToString() +
                          ". Restore a backup, or save what is left with mansio rescue.",
                      s.ToString());
    db_.reset(opened);
    cf_ = column_families{handles.at(0), handles.at(1)};
    return {};
}

/// The header comes last: with it the store is there.
result<void> rocks_database::finish_making()
{
    for (auto* family : {cf_.rows, cf_.bulk}) {
        std::unique_ptr<rocksdb::Iterator> const any{db_->NewIterator({}, family)};
        any->SeekToFirst();
        if (any->Valid() || !any->status().ok())
            return refuse("The store in " + directory_ +
                              " has mail and no HEADER. Restore the HEADER from a backup, or copy that of another store of the same version.",
                          "header missing");
    }
    auto const name = directory_ + "/" + std::string{header_name};
    auto s = write_whole(*fs_, name + ".new", write_header({}));
    if (s.ok()) s = fs_->RenameFile(name + ".new", name, {}, nullptr);
    if (s.ok()) s = sync_directory(*fs_, directory_);
    if (!s.ok()) return refuse("The store's header " + name + " cannot be written: " + s.ToString() + ".", s.ToString());
    return {};
}

}  // namespace mansio::store
