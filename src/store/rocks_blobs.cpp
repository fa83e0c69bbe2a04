// The embedded engine's blobs: staged, read, checked (docs/formats/blob.md).
#include "store/rocks_engine.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t encoded_inline = std::size_t{64} << 10U;  // larger messages are compressed on a pool, not on a shard
}

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
    auto const known = *meta_of(id);
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

quick<std::optional<blob_meta>> rocks_engine::meta_of(blob_id id) const
{
    auto const row = sealed_row(database_->cf().rows, blob_key(blob_meta_table, id));
    if (!row) return std::nullopt;
    if (!*row) return fail(*row);
    if (!**row) return std::optional<blob_meta>{};
    auto const meta = read_blob_meta(***row);
    if (!meta) return corrupt("the row of blob " + text_of(id));
    return meta;
}

/// An empty optional: no value of that id, it may be a file.
quick<std::optional<std::string>> rocks_engine::small_blob(blob_id id, std::uint64_t offset, std::uint64_t length, reach how_far) const
{
    rocksdb::PinnableSlice found;
    auto const s = database_->db().Get({}, database_->cf().bulk, blob_key(blob_table, id), &found);
    if (s.IsNotFound()) return std::optional<std::string>{};
    if (s.IsIncomplete()) return std::nullopt;
    if (!s.ok()) return failed(s);
    // Decompressing a large piece is the pool's too.
    if (how_far == reach::memory && found.size() > encoded_inline) return std::nullopt;
    auto octets = decode_range(id, view(found), offset, length);
    if (!octets) return fail(octets);
    return std::optional<std::string>{std::move(*octets)};
}

result<std::string> rocks_engine::large_blob(blob_id id, std::uint64_t offset, std::uint64_t length) const
{
    auto const meta = *meta_of(id);
    if (!meta) return fail(meta);
    if (!*meta) return no_blob();
    if ((*meta)->place != blob_place::file) return corrupt("the value of blob " + text_of(id) + " is missing");
    auto octets = files_->read(id, (*meta)->encoded, offset, length);
    if (octets) return octets;
    // It may have lost its last holder meanwhile, and its file: then it is gone, not damaged.
    auto const again = *meta_of(id);
    if (again && !*again) return no_blob();
    return octets;
}

task<result<std::string>> rocks_engine::blob_read(blob_id id, std::uint64_t offset, std::uint64_t length)
{
    auto const read = [this, id, offset, length](reach how_far) { return small_blob(id, offset, length, how_far); };
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
    keys.reserve(ids.size());
    for (auto const id : ids) keys.push_back(blob_key(blob_table, id));
    std::vector<rocksdb::Slice> const wanted{keys.begin(), keys.end()};
    std::vector<rocksdb::PinnableSlice> found(ids.size());
    std::vector<rocksdb::Status> states(ids.size());
    database_->db().MultiGet({}, database_->cf().bulk, ids.size(), wanted.data(), found.data(), states.data());
    std::vector<std::optional<std::string>> out(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        result<std::string> octets;
        if (states[i].ok()) {
            octets = decode_range(ids[i], view(found[i]), 0, most + 1);
        } else if (states[i].IsNotFound()) {
            auto const meta = *meta_of(ids[i]);
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
    auto const read = [this, id](reach) { return meta_of(id); };
    auto const meta = co_await read_with<std::optional<blob_meta>>(read);
    if (!meta) co_return fail(meta);
    if (!*meta) co_return no_blob();
    co_return (*meta)->size;
}

quick<std::vector<holder>> rocks_engine::holders_with(blob_id id) const
{
    auto const meta = meta_of(id);
    if (!meta) return std::nullopt;
    if (!*meta) return fail(*meta);
    if (!**meta) return no_blob();
    auto const keys = keys_with(database_->cf().rows, blob_key(holder_table, id));
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
    auto const read = [this, id](reach) { return holders_with(id); };
    co_return co_await read_with<std::vector<holder>>(read);
}

result<void> rocks_engine::check_whole(blob_id id) const
{
    auto const meta = *meta_of(id);
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

}  // namespace mansio::store
