// The embedded store: RocksDB for rows and small blobs, files for large ones, one committer (docs/formats/engine.md).
#include <algorithm>
#include <thread>

#include "store/rocks_engine.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t rows_inline = 250;  // longer scans are the pool's, whole
}  // namespace

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

quick<std::optional<std::string>> rocks_engine::sealed_row(rocksdb::ColumnFamilyHandle* family, std::string const& key) const
{
    rocksdb::PinnableSlice found;
    auto const s = database_->db().Get({}, family, key, &found);
    if (s.IsNotFound()) return std::optional<std::string>{};
    if (s.IsIncomplete()) return std::nullopt;
    if (!s.ok()) return failed(s);
    auto const value = row_value(key, found);
    if (!value) return fail(value);
    return std::optional<std::string>{*value};
}

task<result<std::optional<std::string>>> rocks_engine::get(partition_id where, std::string key)
{
    auto const full = partition_key(row_table, where, key);
    auto const read = [this, &full](reach) { return sealed_row(database_->cf().rows, full); };
    co_return co_await read_with<std::optional<std::string>>(read);
}

task<result<version>> rocks_engine::current_version(partition_id where)
{
    auto const full = partition_key(version_table, where);
    auto const read = [this, &full](reach) { return sealed_row(database_->cf().rows, full); };
    auto const value = co_await read_with<std::optional<std::string>>(read);
    if (!value) co_return fail(value);
    if (!*value) co_return version{0};
    auto const v = read_version(**value);
    if (!v) co_return corrupt("the version of " + where.text());
    co_return *v;
}

quick<std::optional<version>> rocks_engine::committed_with(partition_id where, change_id id) const
{
    auto const prefix = partition_key(change_table, where);
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator({}, database_->cf().rows)};
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
    auto const read = [this, where, id](reach) { return committed_with(where, id); };
    co_return co_await read_with<std::optional<version>>(read);
}

result<std::string_view> rocks_engine::row_value(rocksdb::Slice const& key, rocksdb::Slice const& stored) const
{
    if (auto const value = unseal(view(key), view(stored))) return *value;
    log_.error("row_damaged", {{"key", base::to_hex(view(key))}});
    return corrupt("a row fails its checksum");
}

quick<std::vector<row>> rocks_engine::scan_with(partition_id where, key_range const& range, std::size_t limit, direction d, reach how_far, reuse again) const
{
    std::vector<row> out;
    if (!range.to.empty() && range.to <= range.from) return out;
    auto const from = partition_key(row_table, where, range.from);
    auto const to = range.to.empty() ? key_after_prefix(partition_key(row_table, where)) : partition_key(row_table, where, range.to);
    rocksdb::Slice const lower{from}, upper{to};
    rocksdb::ReadOptions options;
    options.fill_cache = again == reuse::likely;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator(options, database_->cf().rows)};
    bool const forward = d == direction::forward;
    forward ? at->SeekToFirst() : at->SeekToLast();
    for (; at->Valid() && out.size() < limit; forward ? at->Next() : at->Prev()) {
        auto const value = row_value(at->key(), at->value());
        if (!value) return fail(value);
        if (how_far == reach::memory && out.size() == rows_inline) return std::nullopt;
        out.push_back(row{std::string{view(at->key()).substr(1 + partition_key_octets)}, std::string{*value}});
    }
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return out;
}

task<result<std::vector<row>>> rocks_engine::scan(partition_id where, key_range range, std::size_t limit, direction d, reuse again)
{
    if (again == reuse::unlikely) {
        // Most of it is not in memory, and trying would read what is there twice.
        co_return co_await on_readers<std::vector<row>>([&] { return *scan_with(where, range, limit, d, reach::disk, again); });
    }
    auto const read = [this, where, &range, limit, d](reach how_far) { return scan_with(where, range, limit, d, how_far); };
    co_return co_await read_with<std::vector<row>>(read);
}

quick<extract> rocks_engine::extract_with(partition_id where, std::vector<key_range> const& ranges, std::size_t limit) const
{
    extract out;
    // One iterator sees one moment.
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator({}, database_->cf().rows)};
    auto const version_key = partition_key(version_table, where);
    at->Seek(version_key);
    if (at->Valid() && at->key() == rocksdb::Slice{version_key}) {
        auto const value = row_value(at->key(), at->value());
        if (!value) return fail(value);
        auto const v = read_version(*value);
        if (!v) return corrupt("the version of " + where.text());
        out.at = *v;
    }
    for (auto const& range : ranges) {
        auto& rows = out.rows.emplace_back();
        auto const to = range.to.empty() ? key_after_prefix(partition_key(row_table, where)) : partition_key(row_table, where, range.to);
        if (at->status().ok()) at->Seek(partition_key(row_table, where, range.from));
        for (; at->Valid() && view(at->key()) < to && rows.size() < limit; at->Next()) {
            auto const value = row_value(at->key(), at->value());
            if (!value) return fail(value);
            rows.push_back(row{std::string{view(at->key()).substr(1 + partition_key_octets)}, std::string{*value}});
        }
        if (at->status().IsIncomplete()) return std::nullopt;
        if (!at->status().ok()) return failed(at->status());
    }
    return out;
}

task<result<extract>> rocks_engine::read_ranges(partition_id where, std::vector<key_range> ranges, std::size_t limit)
{
    auto const read = [this, where, &ranges, limit](reach) { return extract_with(where, ranges, limit); };
    co_return co_await read_with<extract>(read);
}

quick<std::vector<partition_id>> rocks_engine::partitions_with(partition_kind kind) const
{
    std::string prefix{row_table};
    prefix += static_cast<char>(kind);
    std::vector<partition_id> out;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator({}, database_->cf().rows)};
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
    auto const read = [this, kind](reach) { return partitions_with(kind); };
    co_return co_await read_with<std::vector<partition_id>>(read);
}

// ---- pages ---------------------------------------------------------------------------------------------------------------------------------------

task<result<std::string>> rocks_engine::get_page(partition_id where, page_id id)
{
    auto const full = page_key(where, id);
    auto const read = [this, &full](reach) { return sealed_row(database_->cf().bulk, full); };
    auto page = co_await read_with<std::optional<std::string>>(read);
    if (!page) co_return fail(page);
    if (!*page) co_return fail(fault::kind::not_found, "not found", "no such page");
    co_return std::move(**page);
}

task<result<std::vector<std::string>>> rocks_engine::get_pages(partition_id where, std::vector<page_id> ids)
{
    auto const read = [this, where, &ids](reach) -> quick<std::vector<std::string>> {
        std::vector<std::string> out;
        for (auto const& id : ids) {
            auto page = sealed_row(database_->cf().bulk, page_key(where, id));
            if (!page) return std::nullopt;
            if (!*page) return fail(*page);
            if (!**page) return fail(fault::kind::not_found, "not found", "no such page");
            out.push_back(std::move(***page));
        }
        return out;
    };
    co_return co_await read_with<std::vector<std::string>>(read);
}

quick<std::vector<std::string>> rocks_engine::keys_with(rocksdb::ColumnFamilyHandle* family, std::string const& prefix) const
{
    std::vector<std::string> out;
    std::unique_ptr<rocksdb::Iterator> const at{database_->db().NewIterator({}, family)};
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) out.emplace_back(view(at->key()).substr(prefix.size()));
    if (at->status().IsIncomplete()) return std::nullopt;
    if (!at->status().ok()) return failed(at->status());
    return out;
}

task<result<std::vector<page_id>>> rocks_engine::list_pages(partition_id where)
{
    auto const prefix = partition_key(page_table, where);
    auto const read = [this, &prefix](reach) { return keys_with(database_->cf().bulk, prefix); };
    auto const keys = co_await read_with<std::vector<std::string>>(read);
    if (!keys) co_return fail(keys);
    std::vector<page_id> out;
    for (auto const& key : *keys)
        if (auto const id = page_id::from_octets(key)) out.push_back(*id);
    co_return out;
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
        auto const meta = *meta_of(id);
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
result<std::unique_ptr<engine>> open_rocks_engine(rocks_options o, base::clock& clock, base::random& random, base::log& log, base::metrics& metrics)
{
    auto database = rocks_database::open(o, log, metrics);
    if (!database) return fail(std::move(database));
    return std::make_unique<rocks_engine>(std::move(*database), o, clock, random, log, metrics);
}

}  // namespace mansio::store
