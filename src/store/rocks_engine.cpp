// The embedded store: RocksDB for rows and small blobs, files for large ones, one committer (docs/formats/engine.md).
#include <algorithm>
#include <thread>

#include "store/engine_checks.hpp"
#include "store/engine_watchers.hpp"
#include "store/engines.hpp"
#include "store/rocks_database.hpp"
#include "store/rocks_picture.hpp"
#include "store/rocks_tuning.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t encoded_inline = std::size_t{64} << 10U;  // larger messages are compressed on a pool, not on a shard
constexpr std::size_t rows_inline = 1000;  // longer scans are the pool's, whole
constexpr std::size_t reads_waiting = 10'000;
constexpr std::size_t blobs_waiting = 1'000;

using rocksdb::ReadTier;

/// nullopt: not in memory, the disk must be asked.
template <class T> using quick = std::optional<result<T>>;

rocksdb::ReadOptions reading(ReadTier tier)
{
    rocksdb::ReadOptions o;
    o.read_tier = tier;
    return o;
}
/// Asked for what is in memory only, RocksDB answers OK and an empty value when the table itself is not open (TableCache::Get: "treat as found if
/// no_io"). No value of ours is empty: every row ends in its checksum, every blob in its foot.
bool perhaps_on_disk(ReadTier tier, rocksdb::Slice const& found) { return tier == ReadTier::kBlockCacheTier && found.empty(); }
std::string_view view(rocksdb::Slice const& s) { return {s.data(), s.size()}; }
std::unexpected<fault> no_blob() { return fail(fault::kind::not_found, "not found", "no such blob"); }
std::unexpected<fault> busy(char const* what) { return fail(fault::kind::over_limit, "the server is busy, try again later", what); }

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
    task<result<std::vector<row>>> scan(partition_id where, key_range range, std::size_t limit, direction d) override;
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
    /// From memory when it is there, else on the pool: a miss never holds a shard up. `read` gives a value for kReadAllTier.
    template <class T, class F> task<result<T>> read_with(F read)
    {
        count_nothing_here();
        auto got = read(ReadTier::kBlockCacheTier);
        if (got) co_return std::move(*got);
        auto slow = co_await readers_.run([&read] { return *read(ReadTier::kReadAllTier); });
        if (!slow) co_return busy("store_reads_waiting");
        co_return std::move(*slow);
    }
    [[nodiscard]] quick<std::optional<std::string>> sealed_row(rocksdb::ColumnFamilyHandle* family, std::string const& key, ReadTier tier) const;
    [[nodiscard]] quick<std::optional<blob_meta>> meta_of(blob_id id, ReadTier tier) const;
    [[nodiscard]] quick<std::vector<row>> scan_with(partition_id where, key_range const& range, std::size_t limit, direction d, ReadTier tier) const;
    [[nodiscard]] quick<std::vector<std::string>> keys_with(rocksdb::ColumnFamilyHandle* family, std::string const& prefix, ReadTier tier) const;
    [[nodiscard]] quick<std::vector<holder>> holders_with(blob_id id, ReadTier tier) const;
    [[nodiscard]] quick<std::optional<version>> committed_with(partition_id where, change_id id, ReadTier tier) const;
    [[nodiscard]] quick<std::vector<partition_id>> partitions_with(partition_kind kind, ReadTier tier) const;
    [[nodiscard]] quick<std::optional<std::string>> small_blob(blob_id id, std::uint64_t offset, std::uint64_t length, ReadTier tier) const;
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

// ---- commits -------------------------------------------------------------------------------------------------------------------------------------

task<result<version>> rocks_engine::commit(change c)
{
    assert_well_formed(c);
    if (!database_->state().writable()) co_return read_only();
    std::uint64_t blob_octets = 0;
    for (auto const& b : c.new_blobs) {
        auto const& blob = static_cast<rocks_blob const&>(*b);
        if (blob.in_memory()) blob_octets += blob.encoded();
    }
    // Only what brings octets is refused: expunging and deleting must work on a full disk (D8).
    if (!c.new_blobs.empty() && !room_for(blob_octets))
        co_return fail(fault::kind::over_limit, "no space left for the message, try again later", "store_reserve");
    auto const octets = row_octets(c) + static_cast<std::size_t>(blob_octets);
    commit_work work;
    work.rows.reserve(c.rows.size());
    for (auto const& r : c.rows) {
        auto key = partition_key(row_table, c.where, r.key);
        std::optional<std::string> value;
        if (r.value) value = seal(key, *r.value);
        work.rows.push_back(row_put{std::move(key), std::move(value)});
    }
    c.rows.clear();
    work.what = std::move(c);
    write_request request{std::move(work), octets};
    co_return co_await committer_.submit(request);
}

task<result<void>> rocks_engine::put_pages(partition_id where, std::vector<page> pages)
{
    assert_well_formed(pages);
    if (!database_->state().writable()) co_return read_only();
    page_work work{where, {}};
    std::size_t octets = 0;
    for (auto const& p : pages) {
        auto key = page_key(where, p.id);
        auto value = seal(key, p.octets);
        octets += value.size();
        work.rows.push_back(row_put{std::move(key), std::move(value)});
    }
    write_request request{std::move(work), octets};
    auto const done = co_await committer_.submit(request);
    if (!done) co_return fail(done);
    co_return result<void>{};
}

task<result<lease>> rocks_engine::acquire(partition_id where, std::string owner, std::chrono::seconds life)
{
    if (!database_->state().writable()) co_return read_only();
    write_request request{lease_work{where, std::move(owner), life, {}}, 0};
    auto const done = co_await committer_.submit(request);
    if (!done) co_return fail(done);
    co_return std::get<lease_work>(request.work).got;
}

task<result<void>> rocks_engine::renew(partition_id where, lease held, std::chrono::seconds life)
{
    if (!leases_.renew(where, held, life)) co_return fail(fault::kind::conflict, "somebody else has it now", "the lease was taken over");
    co_return result<void>{};
}

task<result<void>> rocks_engine::release(partition_id where, lease held)
{
    if (!leases_.release(where, held)) co_return fail(fault::kind::conflict, "somebody else has it now", "the lease was taken over");
    co_return result<void>{};
}

void rocks_engine::write_group(std::span<committer::request* const> group, std::move_only_function<void()> answer_early)
{
    auto const fail_all = [&] {
        for (auto* r : group) r->answer = read_only();
    };
    if (!database_->state().writable()) return fail_all();
    count_nothing_here();
    group_builder builder{database_->db(), database_->cf(), versions_, leases_};
    builder.expect_guards(std::ranges::any_of(group, [](auto* r) {
        auto const* work = std::get_if<commit_work>(&static_cast<write_request*>(r)->work);
        return work != nullptr && !work->what.guards.empty();
    }));
    for (auto* r : group) builder.add(static_cast<write_request&>(*r));
    if (builder.batch().Count() == 0) return;
    for (auto const& b : builder.blobs()) static_cast<rocks_blob const&>(*b).committed.store(true, std::memory_order_release);
    if (break_sync_) {
        // The soak's negative test: everybody is told "durable" 50 ms before the log is written. SIGKILL loses no page cache, so leaving the sync
        // out would change nothing that a test could see; a kill inside these 50 ms loses acknowledged mail, and the soak must find that.
        // Until then readers are served from a memtable without a log, so that the server works as ever.
        rocksdb::WriteOptions unlogged;
        unlogged.disableWAL = true;
        rocksdb::WriteBatch copy = builder.batch();
        if (!database_->db().Write(unlogged, &copy).ok()) return fail_all();
        answer_early();
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        if (write_batch(builder, {})) after_write(builder);
        return;
    }
    if (!write_batch(builder, group)) return fail_all();
    after_write(builder);
}

bool rocks_engine::write_batch(group_builder& builder, std::span<committer::request* const>)
{
    rocksdb::WriteOptions synced;
    synced.sync = !break_sync_;
    auto const s = database_->db().Write(synced, &builder.batch());
    written_since_.fetch_add(builder.batch().GetDataSize(), std::memory_order_relaxed);
    if (s.ok()) return true;
    // Never again: what the kernel dropped after a failed sync is not there to be synced later (D7).
    database_->state().stop("commit", s.ToString());
    return false;
}

/// The batch is durable: leases hold, watchers wake, files whose last holder went are removed.
void rocks_engine::after_write(group_builder& builder)
{
    for (auto const& l : builder.leases()) leases_.hold(l.where, l.got, l.life);
    for (auto const& where : builder.changed()) watchers_.wake(where);
    for (auto const& id : builder.dead_files()) {
        // When the pool is full, the sweeper removes it.
        if (!writers_->submit([files = files_, id] { static_cast<void>(files->remove(id)); })) log_.debug("blob_left_to_sweeper", {{"blob", text_of(id)}});
    }
    builder.blobs().clear();
}

// ---- rows ----------------------------------------------------------------------------------------------------------------------------------------

quick<std::optional<std::string>> rocks_engine::sealed_row(rocksdb::ColumnFamilyHandle* family, std::string const& key, ReadTier tier) const
{
    rocksdb::PinnableSlice found;
    auto const s = database_->db().Get(reading(tier), family, key, &found);
    if (s.IsNotFound()) return std::optional<std::string>{};
    if (s.IsIncomplete()) return std::nullopt;
    if (!s.ok()) return failed(s);
    if (perhaps_on_disk(tier, found)) return std::nullopt;
    auto const value = unseal(key, view(found));
    if (!value) {
        log_.error("row_damaged", {{"key", base::to_hex(key)}});
        return corrupt("a row fails its checksum");
    }
    return std::optional<std::string>{*value};
}

task<result<std::optional<std::string>>> rocks_engine::get(partition_id where, std::string key)
{
    auto const full = partition_key(row_table, where, key);
    auto const read = [this, &full](ReadTier tier) { return sealed_row(database_->cf().rows, full, tier); };
    co_return co_await read_with<std::optional<std::string>>(read);
}

task<result<version>> rocks_engine::current_version(partition_id where)
{
    auto const full = partition_key(version_table, where);
    auto const read = [this, &full](ReadTier tier) { return sealed_row(database_->cf().rows, full, tier); };
    auto const value = co_await read_with<std::optional<std::string>>(read);
    if (!value) co_return fail(value);
    if (!*value) co_return version{0};
    auto const v = read_version(**value);
    if (!v) co_return corrupt("the version of " + where.text());
    co_return *v;
}

quick<std::optional<version>> rocks_engine::committed_with(partition_id where, change_id id, ReadTier tier) const
{
    auto const prefix = partition_key(change_table, where);
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator(reading(tier), database_->cf().rows)};
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
        auto const value = unseal(view(at->key()), view(at->value()));
        auto const record = value ? read_change_record(*value) : std::nullopt;
        if (!record) return corrupt("a change record of " + where.text());
        if (record->id == id) return std::optional<version>{record->as};
    }
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return std::optional<version>{};
}

task<result<std::optional<version>>> rocks_engine::committed_as(partition_id where, change_id id)
{
    auto const read = [this, where, id](ReadTier tier) { return committed_with(where, id, tier); };
    co_return co_await read_with<std::optional<version>>(read);
}

quick<std::vector<row>> rocks_engine::scan_with(partition_id where, key_range const& range, std::size_t limit, direction d, ReadTier tier) const
{
    std::vector<row> out;
    if (!range.to.empty() && range.to <= range.from) return out;
    auto const from = partition_key(row_table, where, range.from);
    auto const to = range.to.empty() ? key_after_prefix(partition_key(row_table, where)) : partition_key(row_table, where, range.to);
    rocksdb::Slice const lower{from}, upper{to};
    auto options = reading(tier);
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator(options, database_->cf().rows)};
    bool const forward = d == direction::forward;
    forward ? at->SeekToFirst() : at->SeekToLast();
    for (; at->Valid() && out.size() < limit; forward ? at->Next() : at->Prev()) {
        auto const value = unseal(view(at->key()), view(at->value()));
        if (!value) {
            log_.error("row_damaged", {{"key", base::to_hex(view(at->key()))}});
            return corrupt("a row of " + where.text() + " fails its checksum");
        }
        if (tier == ReadTier::kBlockCacheTier && out.size() == rows_inline) return std::nullopt;
        out.push_back(row{std::string{view(at->key()).substr(1 + partition_key_octets)}, std::string{*value}});
    }
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return out;
}

task<result<std::vector<row>>> rocks_engine::scan(partition_id where, key_range range, std::size_t limit, direction d)
{
    auto const read = [this, where, &range, limit, d](ReadTier tier) { return scan_with(where, range, limit, d, tier); };
    co_return co_await read_with<std::vector<row>>(read);
}

quick<std::vector<partition_id>> rocks_engine::partitions_with(partition_kind kind, ReadTier tier) const
{
    std::string prefix{row_table};
    prefix += static_cast<char>(kind);
    std::vector<partition_id> out;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator(reading(tier), database_->cf().rows)};
    // From each partition's first row straight behind its last.
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Seek(key_after_prefix(partition_key(row_table, out.back())))) {
        auto const id = read_partition(view(at->key()).substr(1, partition_key_octets));
        if (!id) return corrupt("a key of no partition");
        out.push_back(*id);
    }
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return out;
}

task<result<std::vector<partition_id>>> rocks_engine::partitions(partition_kind kind)
{
    auto const read = [this, kind](ReadTier tier) { return partitions_with(kind, tier); };
    co_return co_await read_with<std::vector<partition_id>>(read);
}

// ---- pages ---------------------------------------------------------------------------------------------------------------------------------------

task<result<std::string>> rocks_engine::get_page(partition_id where, page_id id)
{
    auto const full = page_key(where, id);
    auto const read = [this, &full](ReadTier tier) { return sealed_row(database_->cf().bulk, full, tier); };
    auto page = co_await read_with<std::optional<std::string>>(read);
    if (!page) co_return fail(page);
    if (!*page) co_return fail(fault::kind::not_found, "not found", "no such page");
    co_return std::move(**page);
}

task<result<std::vector<std::string>>> rocks_engine::get_pages(partition_id where, std::vector<page_id> ids)
{
    auto const read = [this, where, &ids](ReadTier tier) -> quick<std::vector<std::string>> {
        std::vector<std::string> out;
        for (auto const& id : ids) {
            auto page = sealed_row(database_->cf().bulk, page_key(where, id), tier);
            if (!page) return std::nullopt;
            if (!*page) return fail(*page);
            if (!**page) return fail(fault::kind::not_found, "not found", "no such page");
            out.push_back(std::move(***page));
        }
        return out;
    };
    co_return co_await read_with<std::vector<std::string>>(read);
}

quick<std::vector<std::string>> rocks_engine::keys_with(rocksdb::ColumnFamilyHandle* family, std::string const& prefix, ReadTier tier) const
{
    std::vector<std::string> out;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator(reading(tier), family)};
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) out.emplace_back(view(at->key()).substr(prefix.size()));
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return out;
}

task<result<std::vector<page_id>>> rocks_engine::list_pages(partition_id where)
{
    auto const prefix = partition_key(page_table, where);
    auto const read = [this, &prefix](ReadTier tier) { return keys_with(database_->cf().bulk, prefix, tier); };
    auto const keys = co_await read_with<std::vector<std::string>>(read);
    if (!keys) co_return fail(keys);
    std::vector<page_id> out;
    for (auto const& key : *keys)
        if (auto const id = page_id::from_octets(key)) out.push_back(*id);
    co_return out;
}

// ---- blobs ---------------------------------------------------------------------------------------------------------------------------------------

result<std::shared_ptr<staged_blob const>> rocks_engine::stage_file(blob_id id, mime::octets const& octets, std::uint64_t size, blob_files::content what)
{
    blob_files::written written;
    auto const done = files_->write(id, octets, written, what);
    if (written.lost_sync) database_->state().stop("blob file", done ? "sync failed" : describe(done.error()));
    if (!done) return fail(done);
    written_since_.fetch_add(written.encoded, std::memory_order_relaxed);
    // The weak pointer: a blob may be dropped after the engine.
    return std::make_shared<rocks_blob>(id, size, written.encoded, files_, [files = files_, pool = std::weak_ptr{writers_}](blob_id dropped) {
        auto const p = pool.lock();
        auto const remove = [files, dropped] {
            static_cast<void>(files->remove(dropped));
            files->forget(dropped);
        };
        if (!p || !p->submit(remove)) files->forget(dropped);  // the sweeper removes it
    });
}

task<result<std::shared_ptr<staged_blob const>>> rocks_engine::stage(mime::octets message)
{
    if (!database_->state().writable()) co_return read_only();
    auto const small = message.size() <= blob_piece_octets;
    auto const id = blob_id::make_ordered(random_, clock_.wall());
    auto const encode = [id, &message] {
        std::shared_ptr<staged_blob const> blob = std::make_shared<rocks_blob>(id, message.size(), encode_blob(id, message.view()));
        return result<std::shared_ptr<staged_blob const>>{std::move(blob)};
    };
    if (message.size() <= encoded_inline) co_return encode();
    if (!small && !room_for(message.size())) co_return fail(fault::kind::over_limit, "no space left for the message, try again later", "store_reserve");
    auto const work = [this, id, &encode, &message, small] { return small ? encode() : stage_file(id, message, message.size(), blob_files::content::message); };
    auto done = co_await writers_->run(work);
    if (!done) co_return busy("store_blobs_waiting");
    co_return std::move(*done);
}

result<std::shared_ptr<staged_blob const>> rocks_engine::stage_whole(blob_id id, mime::octets const& encoded)
{
    auto const known = *meta_of(id, ReadTier::kReadAllTier);
    if (!known) return fail(known);
    if (*known) return fail(fault::kind::refused, "the message is there already", "blob " + text_of(id));
    auto const index = read_blob_index(id, encoded.view(), encoded.size());
    if (!index) return fail(index);
    if (auto const good = check_blob(id, encoded.view()); !good) return fail(good);
    if (index->size > blob_piece_octets) return stage_file(id, encoded, index->size, blob_files::content::encoded);
    return std::make_shared<rocks_blob>(id, index->size, std::string{encoded.view()});
}

task<result<std::shared_ptr<staged_blob const>>> rocks_engine::stage_encoded(blob_id id, mime::octets encoded)
{
    if (!database_->state().writable()) co_return read_only();
    auto const work = [this, id, &encoded] { return stage_whole(id, encoded); };
    auto done = co_await writers_->run(work);
    if (!done) co_return busy("store_blobs_waiting");
    co_return std::move(*done);
}

quick<std::optional<blob_meta>> rocks_engine::meta_of(blob_id id, ReadTier tier) const
{
    auto const row = sealed_row(database_->cf().rows, blob_key(blob_meta_table, id), tier);
    if (!row) return std::nullopt;
    if (!*row) return fail(*row);
    if (!**row) return std::optional<blob_meta>{};
    auto const meta = read_blob_meta(***row);
    if (!meta) return corrupt("the row of blob " + text_of(id));
    return meta;
}

/// An empty optional: no value of that id, it may be a file.
quick<std::optional<std::string>> rocks_engine::small_blob(blob_id id, std::uint64_t offset, std::uint64_t length, ReadTier tier) const
{
    rocksdb::PinnableSlice found;
    auto const s = database_->db().Get(reading(tier), database_->cf().bulk, blob_key(blob_table, id), &found);
    if (s.IsNotFound()) return std::optional<std::string>{};
    if (s.IsIncomplete()) return std::nullopt;
    if (!s.ok()) return failed(s);
    // Decompressing a large piece is the pool's too.
    if (perhaps_on_disk(tier, found) || (tier == ReadTier::kBlockCacheTier && found.size() > encoded_inline)) return std::nullopt;
    auto octets = decode_range(id, view(found), offset, length);
    if (!octets) return fail(octets);
    return std::optional<std::string>{std::move(*octets)};
}

result<std::string> rocks_engine::large_blob(blob_id id, std::uint64_t offset, std::uint64_t length) const
{
    auto const meta = *meta_of(id, ReadTier::kReadAllTier);
    if (!meta) return fail(meta);
    if (!*meta) return no_blob();
    if ((*meta)->place != blob_place::file) return corrupt("the value of blob " + text_of(id) + " is missing");
    auto octets = files_->read(id, (*meta)->encoded, offset, length);
    if (octets) return octets;
    // It may have lost its last holder meanwhile, and its file: then it is gone, not damaged.
    auto const again = *meta_of(id, ReadTier::kReadAllTier);
    if (again && !*again) return no_blob();
    return octets;
}

task<result<std::string>> rocks_engine::blob_read(blob_id id, std::uint64_t offset, std::uint64_t length)
{
    auto const read = [this, id, offset, length](ReadTier tier) { return small_blob(id, offset, length, tier); };
    auto small = co_await read_with<std::optional<std::string>>(read);
    if (!small) {
        if (is_corruption(small.error())) log_.error("blob_damaged", {{"blob", text_of(id)}, {"why", small.error()}});
        co_return fail(std::move(small));
    }
    if (*small) co_return std::move(**small);
    auto const from_file = [this, id, offset, length] { return large_blob(id, offset, length); };
    auto large = co_await readers_.run(from_file);
    if (!large) co_return busy("store_reads_waiting");
    if (!*large && is_corruption(large->error())) log_.error("blob_damaged", {{"blob", text_of(id)}, {"why", large->error()}});
    co_return std::move(*large);
}

result<std::vector<std::optional<std::string>>> rocks_engine::whole_blobs(std::vector<blob_id> const& ids, std::uint64_t most) const
{
    std::vector<std::string> keys;
    for (auto const id : ids) keys.push_back(blob_key(blob_table, id));
    std::vector<rocksdb::Slice> const wanted{keys.begin(), keys.end()};
    std::vector<rocksdb::PinnableSlice> found(ids.size());
    std::vector<rocksdb::Status> states(ids.size());
    database_->db().MultiGet(reading(ReadTier::kReadAllTier), database_->cf().bulk, ids.size(), wanted.data(), found.data(), states.data());
    std::vector<std::optional<std::string>> out(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        result<std::string> octets;
        if (states[i].ok()) {
            octets = decode_range(ids[i], view(found[i]), 0, most + 1);
        } else if (states[i].IsNotFound()) {
            auto const meta = *meta_of(ids[i], ReadTier::kReadAllTier);
            if (!meta) return fail(meta);
            if (!*meta || (*meta)->size > most) continue;
            octets = large_blob(ids[i], 0, most);
        } else {
            return failed(states[i]);
        }
        if (!octets && octets.error().what == fault::kind::not_found) continue;
        if (!octets) {
            if (is_corruption(octets.error())) log_.error("blob_damaged", {{"blob", text_of(ids[i])}, {"why", octets.error()}});
            return fail(octets);
        }
        if (octets->size() <= most) out[i] = std::move(*octets);
    }
    return out;
}

task<result<std::vector<std::optional<std::string>>>> rocks_engine::blobs_read(std::vector<blob_id> ids, std::uint64_t most)
{
    auto const read = [this, &ids, most] { return whole_blobs(ids, most); };
    auto done = co_await readers_.run(read);
    if (!done) co_return busy("store_reads_waiting");
    co_return std::move(*done);
}

task<result<std::uint64_t>> rocks_engine::blob_size(blob_id id)
{
    auto const read = [this, id](ReadTier tier) { return meta_of(id, tier); };
    auto const meta = co_await read_with<std::optional<blob_meta>>(read);
    if (!meta) co_return fail(meta);
    if (!*meta) co_return no_blob();
    co_return (*meta)->size;
}

quick<std::vector<holder>> rocks_engine::holders_with(blob_id id, ReadTier tier) const
{
    auto const meta = meta_of(id, tier);
    if (!meta) return std::nullopt;
    if (!*meta) return fail(*meta);
    if (!**meta) return no_blob();
    auto const keys = keys_with(database_->cf().rows, blob_key(holder_table, id), tier);
    if (!keys) return std::nullopt;
    if (!*keys) return fail(*keys);
    std::vector<holder> out;
    for (auto const& key : **keys) {
        auto const where = read_partition(std::string_view{key}.substr(0, partition_key_octets));
        if (!where) return corrupt("a holder of blob " + text_of(id));
        out.push_back(holder{*where, key.substr(partition_key_octets)});
    }
    return out;
}

task<result<std::vector<holder>>> rocks_engine::blob_holders(blob_id id)
{
    auto const read = [this, id](ReadTier tier) { return holders_with(id, tier); };
    co_return co_await read_with<std::vector<holder>>(read);
}

result<void> rocks_engine::check_whole(blob_id id) const
{
    auto const meta = *meta_of(id, ReadTier::kReadAllTier);
    if (!meta) return fail(meta);
    if (!*meta) return no_blob();
    if ((*meta)->place == blob_place::file) return files_->check(id, (*meta)->encoded);
    rocksdb::PinnableSlice found;
    auto const s = database_->db().Get({}, database_->cf().bulk, blob_key(blob_table, id), &found);
    if (s.IsNotFound()) return corrupt("the value of blob " + text_of(id) + " is missing");
    if (!s.ok()) return failed(s);
    return check_blob(id, view(found));
}

task<result<void>> rocks_engine::blob_check(blob_id id)
{
    auto const work = [this, id] { return check_whole(id); };
    auto done = co_await readers_.run(work);
    if (!done) co_return busy("store_reads_waiting");
    co_return std::move(*done);
}

// ---- space and sweeping --------------------------------------------------------------------------------------------------------------------------

std::uint64_t rocks_engine::free_octets() const
{
    auto const now = clock_.monotonic().time_since_epoch().count();
    auto const asked = free_asked_.load(std::memory_order_relaxed);
    auto const stale = asked == INT64_MIN || now - asked > std::chrono::nanoseconds{std::chrono::seconds{1}}.count();
    // Also after a quarter of the reserve was written: much can be, within a second.
    if (stale || written_since_.load(std::memory_order_relaxed) > reserve_ / 4) {
        std::uint64_t octets = 0;
        // Unknown counts as plenty: a file system that cannot tell will say ENOSPC by itself.
        if (!database_->file_system()->GetFreeSpace(database_->directory(), {}, &octets, nullptr).ok()) octets = UINT64_MAX / 2;
        free_.store(octets, std::memory_order_relaxed);
        written_since_.store(0, std::memory_order_relaxed);
        free_asked_.store(now, std::memory_order_relaxed);
    }
    return free_.load(std::memory_order_relaxed);
}

/// Files nobody names are removed on the way; blobs without a holder are found for the committer.
result<std::vector<blob_id>> rocks_engine::unheld_blobs(sweep_report& report)
{
    auto const files = files_->list();
    if (!files) return fail(files);
    for (auto const& id : *files) {
        // In this order: a blob leaves the staged ones after its row can be seen.
        if (files_->staged(id)) continue;
        auto const meta = *meta_of(id, ReadTier::kReadAllTier);
        if (!meta) return fail(meta);
        if (*meta && (*meta)->place == blob_place::file) continue;
        if (auto const gone = files_->remove(id); !gone) return fail(gone);
        ++report.files;
    }
    std::vector<blob_id> out;
    std::string const prefix{blob_meta_table};
    rocksdb::ReadOptions quietly;
    quietly.fill_cache = false;
    std::unique_ptr<rocksdb::Iterator> const metas{database_->db().NewIterator(quietly, database_->cf().rows)};
    std::unique_ptr<rocksdb::Iterator> const holders{database_->db().NewIterator(quietly, database_->cf().rows)};
    holders->Seek(std::string{holder_table});
    for (metas->Seek(prefix); metas->Valid() && metas->key().starts_with(prefix); metas->Next()) {
        auto const id = blob_id::from_octets(view(metas->key()).substr(1));
        if (!id) continue;
        auto const key = blob_key(holder_table, *id);
        while (holders->Valid() && view(holders->key()) < key) holders->Next();
        if (!(holders->Valid() && holders->key().starts_with(key))) out.push_back(*id);
    }
    if (!metas->status().ok()) return failed(metas->status());
    if (!holders->status().ok()) return failed(holders->status());
    return out;
}

task<result<engine::sweep_report>> rocks_engine::sweep()
{
    // After a failed sync nobody knows what the disk names: nothing is removed then.
    if (!database_->state().writable()) co_return read_only();
    sweep_report report;
    auto const work = [this, &report] { return unheld_blobs(report); };
    auto const unheld = co_await writers_->run(work);
    if (!unheld) co_return busy("store_blobs_waiting");
    if (!*unheld) co_return fail(*unheld);
    for (auto const& id : **unheld) {
        write_request request{unheld_work{id, false}, 0};
        auto const done = co_await committer_.submit(request);
        if (!done) co_return fail(done);
        if (std::get<unheld_work>(request.work).removed) ++report.blobs;
    }
    if (report.files != 0 || report.blobs != 0) log_.info("store_swept", {{"files", report.files}, {"blobs", report.blobs}});
    co_return report;
}
}  // namespace

result<std::unique_ptr<engine>> open_rocks_engine(rocks_options o, base::clock& clock, base::random& random, base::log& log, base::metrics& metrics)
{
    auto database = rocks_database::open(o, log, metrics);
    if (!database) return fail(std::move(database));
    return std::make_unique<rocks_engine>(std::move(*database), o, clock, random, log, metrics);
}

}  // namespace mansio::store
