#include "store/rocks_group.hpp"

#include <algorithm>

#include "store/engine_checks.hpp"

namespace mansio::store {
namespace {
std::unexpected<fault> conflict(std::string detail) { return fail(fault::kind::conflict, "somebody else changed it first", std::move(detail)); }
rocksdb::Slice slice(std::string_view v) { return {v.data(), v.size()}; }
bool is_new(rocks_blob const& b) { return !b.committed.load(std::memory_order_acquire); }
}  // namespace

rocks_blob::rocks_blob(blob_id id, std::uint64_t size, std::string encoded) : id_(id), size_(size), encoded_(encoded.size()), octets_(std::move(encoded)) {}
rocks_blob::rocks_blob(blob_id id, std::uint64_t size, std::uint64_t encoded, std::shared_ptr<blob_files> files, std::move_only_function<void(blob_id)> dropped)
    : id_(id),
      size_(size),
      encoded_(encoded),
      files_(std::move(files)),
      dropped_(std::move(dropped))
{}
rocks_blob::~rocks_blob()
{
    if (!files_) return;
    if (committed.load(std::memory_order_acquire))
        files_->forget(id_);
    else
        dropped_(id_);
}

std::optional<lease> lease_table::other(partition_id where, std::string const& owner) const
{
    std::lock_guard const lock{mutex_};
    auto const it = entries_.find(where);
    if (it == entries_.end() || it->second.held.owner == owner || it->second.ends <= clock_.monotonic()) return std::nullopt;
    return it->second.held;
}
void lease_table::hold(partition_id where, lease const& held, std::chrono::seconds life)
{
    std::lock_guard const lock{mutex_};
    entries_.insert_or_assign(where, entry{held, clock_.monotonic() + life});
}
bool lease_table::renew(partition_id where, lease const& held, std::chrono::seconds life)
{
    std::lock_guard const lock{mutex_};
    auto const it = entries_.find(where);
    if (it == entries_.end() || it->second.held.epoch != held.epoch || it->second.held.owner != held.owner) return false;
    it->second.ends = clock_.monotonic() + life;
    return true;
}
bool lease_table::release(partition_id where, lease const& held)
{
    std::lock_guard const lock{mutex_};
    auto const it = entries_.find(where);
    if (it == entries_.end() || it->second.held.epoch != held.epoch || it->second.held.owner != held.owner) return false;
    entries_.erase(it);
    return true;
}

group_builder::group_builder(rocksdb::DB& db, column_families cf, version_cache& versions, lease_table& leases)
    : db_(db),
      cf_(cf),
      versions_(versions),
      leases_(leases)
{}

void group_builder::add(write_request& r)
{
    r.answer = std::visit([this](auto& w) { return add(w); }, r.work);
}

result<std::optional<std::string>> group_builder::look_up(std::string const& key)
{
    if (auto const it = overlay_.find(key); it != overlay_.end()) return it->second;
    rocksdb::PinnableSlice found;
    auto const s = db_.Get({}, cf_.rows, key, &found);
    if (s.IsNotFound()) return std::nullopt;
    if (!s.ok()) return failed(s);
    return std::string{found.data(), found.size()};
}

result<void> group_builder::fetch(std::string const& key)
{
    if (overlay_.contains(key)) return {};
    auto stored = look_up(key);
    if (!stored) return fail(stored);
    overlay_.emplace(key, std::move(*stored));
    return {};
}

void group_builder::put(std::string const& key, std::string_view value)
{
    batch_.Put(cf_.rows, key, slice(value));
    overlay_.insert_or_assign(key, std::string{value});
}

void group_builder::put_row(row_put& r)
{
    if (r.value)
        batch_.Put(cf_.rows, r.key, *r.value);
    else
        batch_.Delete(cf_.rows, r.key);
    // Copies cost; they are made only when somebody in this group asks what a key holds.
    if (guards_) overlay_.insert_or_assign(r.key, r.value);
}

result<version*> group_builder::version_of(partition_id where)
{
    auto key = partition_key(version_table, where);
    if (auto const it = versions_.find(key); it != versions_.end()) return &it->second;
    rocksdb::PinnableSlice found;
    auto const s = db_.Get({}, cf_.rows, key, &found);
    version at = 0;
    if (s.ok()) {
        auto const value = unseal(key, {found.data(), found.size()});
        auto const read = value ? read_version(*value) : std::nullopt;
        if (!read) return corrupt("the version of " + where.text());
        at = *read;
    } else if (!s.IsNotFound()) {
        return failed(s);
    }
    return &versions_.emplace(std::move(key), at).first->second;
}

result<void> group_builder::check(commit_work& w, version at)
{
    auto const& c = w.what;
    if (c.expected && *c.expected != at) return conflict(c.where.text() + " is at version " + std::to_string(at) + ", not " + std::to_string(*c.expected));
    for (auto const& g : c.guards) {
        auto const key = partition_key(row_table, c.where, g.key);
        auto const stored = look_up(key);
        if (!stored) return fail(stored);
        if (!*stored) {
            if (g.equals) return conflict("a guarded row is absent");
            continue;
        }
        auto const value = unseal(key, **stored);
        if (!value) return corrupt("a row of " + c.where.text());
        if (!g.equals || *value != *g.equals) return conflict("a guarded row differs");
    }
    return check_holders(c);
}

/// Nothing is written before every blob that gets a holder is known to be there, and everything that could fail to be read was read.
result<void> group_builder::check_holders(change const& c)
{
    // Nobody else can have made that id: a look at the disk for it would be in vain.
    for (auto const& b : c.new_blobs)
        if (is_new(static_cast<rocks_blob const&>(*b))) blob_states_.try_emplace(b->id());
    for (auto const& h : c.add_holders) {
        auto const blob = blob_of(h.blob);
        if (!blob) return fail(blob);
        if ((*blob)->exists) {
            if (auto const known = fetch(holder_key(h.blob, h.who)); !known) return known;
            continue;
        }
        auto const comes = std::ranges::any_of(c.new_blobs, [&](auto const& b) { return b->id() == h.blob && is_new(static_cast<rocks_blob const&>(*b)); });
        if (!comes) return conflict("blob " + text_of(h.blob) + " is gone");
    }
    for (auto const& h : c.drop_holders) {
        auto const blob = blob_of(h.blob);
        if (!blob) return fail(blob);
        if (!(*blob)->exists) continue;
        if (auto const known = fetch(holder_key(h.blob, h.who)); !known) return known;
    }
    return {};
}

result<group_builder::blob_state*> group_builder::blob_of(blob_id id)
{
    if (auto const it = blob_states_.find(id); it != blob_states_.end()) return &it->second;
    auto const key = blob_key(blob_meta_table, id);
    auto const stored = look_up(key);
    if (!stored) return fail(stored);
    blob_state state;
    if (*stored) {
        auto const value = unseal(key, **stored);
        auto const meta = value ? read_blob_meta(*value) : std::nullopt;
        if (!meta) return corrupt("the row of blob " + text_of(id));
        state = blob_state{true, *meta, false};
    }
    return &blob_states_.emplace(id, state).first->second;
}

result<version> group_builder::add(commit_work& w)
{
    auto const& c = w.what;
    auto const at = version_of(c.where);
    if (!at) return fail(at);
    if (auto const may = check(w, **at); !may) return fail(may);
    // From here on nothing can fail: a request is in the batch whole or not at all.
    add_blobs(w);
    for (auto& r : w.rows) put_row(r);
    for (auto const& id : c.drop_pages) batch_.Delete(cf_.bulk, page_key(c.where, id));
    auto const as = ++**at;
    auto const version_row = partition_key(version_table, c.where);
    batch_.Put(cf_.rows, version_row, seal(version_row, write_version(as)));
    auto const change_row = change_key(c.where, as);
    batch_.Put(cf_.rows, change_row, seal(change_row, write_change_record(as, c.id, c.note)));
    if (std::ranges::find(changed_, c.where) == changed_.end()) changed_.push_back(c.where);
    return as;
}

void group_builder::add_blobs(commit_work& w)
{
    auto const& c = w.what;
    touched_.clear();
    for (auto const& staged : c.new_blobs) {
        auto const& b = static_cast<rocks_blob const&>(*staged);
        auto& state = blob_states_.at(b.id());  // looked up by check_holders: each new blob has a holder
        if (state.exists || !is_new(b)) continue;
        state = blob_state{true, {b.in_memory() ? blob_place::value : blob_place::file, b.encoded(), b.size(), 0}, true};
        if (b.in_memory()) batch_.Put(cf_.bulk, blob_key(blob_table, b.id()), b.octets());
        std::erase(dead_files_, b.id());
        blobs_.push_back(staged);
    }
    for (auto const& h : c.add_holders) add_holder(h);
    for (auto const& h : c.drop_holders) drop_holder(h);
    write_metas();
}

/// What this group knows of a row that was fetched or written; of a new blob's holders nothing is on the disk.
bool group_builder::known(std::string const& key) const
{
    auto const it = overlay_.find(key);
    return it != overlay_.end() && it->second.has_value();
}

void group_builder::add_holder(blob_change const& b)
{
    auto& state = blob_states_.at(b.blob);
    auto const key = holder_key(b.blob, b.who);
    if (known(key)) return;
    put(key, seal(key, {}));
    ++state.meta.holders;
    state.changed = true;
    touched_.push_back(b.blob);
}

void group_builder::drop_holder(blob_change const& b)
{
    auto& state = blob_states_.at(b.blob);
    auto const key = holder_key(b.blob, b.who);
    if (!state.exists || !known(key)) return;
    batch_.Delete(cf_.rows, key);
    overlay_.insert_or_assign(key, std::nullopt);
    if (state.meta.holders != 0) --state.meta.holders;
    state.changed = true;
    touched_.push_back(b.blob);
}

void group_builder::write_metas()
{
    for (auto const& id : touched_) {
        auto& state = blob_states_.at(id);
        if (!state.changed) continue;
        state.changed = false;
        if (state.meta.holders == 0) {
            remove_blob(id, state);
        } else {
            auto const key = blob_key(blob_meta_table, id);
            put(key, seal(key, write_blob_meta(state.meta)));
        }
    }
}

void group_builder::remove_blob(blob_id id, blob_state& s)
{
    auto const key = blob_key(blob_meta_table, id);
    batch_.Delete(cf_.rows, key);
    overlay_.insert_or_assign(key, std::nullopt);
    if (s.meta.place == blob_place::value)
        batch_.Delete(cf_.bulk, blob_key(blob_table, id));
    else
        dead_files_.push_back(id);
    s = blob_state{};
}

result<version> group_builder::add(page_work& w)
{
    for (auto const& r : w.rows) batch_.Put(cf_.bulk, r.key, *r.value);
    return version{0};
}

result<version> group_builder::add(lease_work& w)
{
    if (auto const other = leases_.other(w.where, w.owner)) return conflict(w.where.text() + " is leased to " + other->owner);
    for (auto const& g : granted_)
        if (g.where == w.where && g.owner != w.owner) return conflict(w.where.text() + " is leased to " + g.owner);
    auto const key = partition_key(lease_row_table, w.where);
    auto const stored = look_up(key);
    if (!stored) return fail(stored);
    std::uint64_t epoch = 0;
    if (*stored) {
        auto const value = unseal(key, **stored);
        base::row_reader r{value.value_or(std::string_view{})};
        epoch = r.varint();
        if (!value || !r.ok()) return corrupt("the lease of " + w.where.text());
    }
    w.got = lease{epoch + 1, w.owner};
    base::row_writer row;
    row.varint(w.got.epoch).octets(w.owner);
    put(key, seal(key, row.str()));
    granted_.push_back(w);
    return version{0};
}

result<version> group_builder::add(unheld_work& w)
{
    auto const blob = blob_of(w.blob);
    if (!blob) return fail(blob);
    if (!(*blob)->exists || (*blob)->changed) return version{0};
    auto const prefix = blob_key(holder_table, w.blob);
    for (auto const& [key, value] : overlay_)
        if (value && key.starts_with(prefix)) return version{0};
    std::unique_ptr<rocksdb::Iterator> const at{db_.NewIterator({}, cf_.rows)};
    at->Seek(prefix);
    if (!at->status().ok()) return failed(at->status());
    if (at->Valid() && at->key().starts_with(prefix)) return version{0};
    remove_blob(w.blob, **blob);
    w.removed = true;
    return version{0};
}

}  // namespace mansio::store
