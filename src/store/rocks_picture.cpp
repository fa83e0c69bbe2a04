#include "store/rocks_picture.hpp"

#include "base/executor.hpp"
#include "store/engine_checks.hpp"
#include "store/rocks_rows.hpp"
#include "store/rocks_tuning.hpp"

namespace mansio::store {
namespace {
std::string_view view(rocksdb::Slice const& s) { return {s.data(), s.size()}; }

class rocks_picture final : public picture {
public:
    // In this order: files of what goes after the snapshot are kept, and perhaps some of what went just before.
    rocks_picture(rocks_database& database, base::worker_pool& readers, std::shared_ptr<blob_files> files)
        : database_(database),
          readers_(readers),
          files_(std::move(files)),
          kept_(files_->keep_removed()),
          moment_(database.db().GetSnapshot())
    {}
    ~rocks_picture() override { database_.db().ReleaseSnapshot(moment_); }

    task<result<std::vector<partition_state>>> partitions(partition_kind kind) override
    {
        auto const read = [this, kind] { return partitions_now(kind); };
        auto done = co_await readers_.run(read);
        if (!done) co_return busy();
        co_return std::move(*done);
    }
    task<result<picture_slice>> read(picture_table what, partition_id where, std::string from, std::size_t octets) override
    {
        auto const read = [this, what, where, &from, octets] {
            return what == picture_table::blobs ? blobs_now(from, octets) : rows_now(what, where, from, octets);
        };
        auto done = co_await readers_.run(read);
        if (!done) co_return busy();
        co_return std::move(*done);
    }
    task<result<std::string>> blob(blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        auto const read = [this, id, offset, length] { return blob_now(id, offset, length); };
        auto done = co_await readers_.run(read);
        if (!done) co_return busy();
        co_return std::move(*done);
    }
    task<result<picture_totals>> totals() override
    {
        auto const read = [this] { return totals_now(); };
        auto done = co_await readers_.run(read);
        if (!done) co_return busy();
        co_return std::move(*done);
    }

private:
    static std::unexpected<fault> busy() { return fail(fault::kind::over_limit, "the server is busy, try again later", "store_reads_waiting"); }
    [[nodiscard]] rocksdb::ReadOptions reading() const
    {
        count_nothing_here();
        rocksdb::ReadOptions o;
        o.snapshot = moment_;
        o.fill_cache = false;  // everything is read once: what people use stays in memory
        return o;
    }
    /// nullopt: there is none, or it is damaged.
    [[nodiscard]] std::optional<std::string> sealed(std::string const& key) const
    {
        rocksdb::PinnableSlice found;
        if (!database_.db().Get(reading(), database_.cf().rows, key, &found).ok()) return std::nullopt;
        auto const value = unseal(key, view(found));
        return value ? std::optional<std::string>{*value} : std::nullopt;
    }

    [[nodiscard]] result<std::vector<partition_state>> partitions_now(partition_kind kind) const
    {
        std::string prefix{row_table};
        prefix += static_cast<char>(kind);
        std::vector<partition_state> out;
        std::unique_ptr<rocksdb::Iterator> const at{database_.db().NewIterator(reading(), database_.cf().rows)};
        for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Seek(key_after_prefix(partition_key(row_table, out.back().where)))) {
            auto const id = read_partition(view(at->key()).substr(1, partition_key_octets));
            if (!id) return corrupt("a key of no partition");
            partition_state s;
            s.where = *id;
            // Damaged, they only cost reading the partition again.
            if (auto const v = sealed(partition_key(version_table, *id))) s.at = read_version(*v).value_or(0);
            if (auto const c = sealed(change_key(*id, s.at)))
                if (auto const record = read_change_record(*c); record && record->as == s.at) s.last = record->id;
            out.push_back(s);
        }
        if (!at->status().ok()) return failed(at->status());
        return out;
    }

    [[nodiscard]] result<picture_slice> rows_now(picture_table what, partition_id where, std::string const& from, std::size_t octets) const
    {
        auto const table = what == picture_table::rows ? row_table : page_table;
        auto* const family = what == picture_table::rows ? database_.cf().rows : database_.cf().bulk;
        auto const prefix = partition_key(table, where);
        picture_slice out;
        std::size_t taken = 0;
        std::unique_ptr<rocksdb::Iterator> const at{database_.db().NewIterator(reading(), family)};
        for (at->Seek(prefix + from); at->Valid() && at->key().starts_with(prefix); at->Next()) {
            auto const key = view(at->key()).substr(prefix.size());
            if (taken >= octets) {
                out.next = std::string{key};
                return out;
            }
            auto const value = unseal(view(at->key()), view(at->value()));
            if (value)
                out.entries.push_back(row{std::string{key}, std::string{*value}});
            else
                out.damaged.emplace_back(key);
            taken += at->key().size() + at->value().size();
        }
        if (!at->status().ok()) return failed(at->status());
        return out;
    }

    [[nodiscard]] result<picture_slice> blobs_now(std::string const& from, std::size_t octets) const
    {
        picture_slice out;
        std::size_t taken = 0;
        std::string const prefix{blob_meta_table};
        std::unique_ptr<rocksdb::Iterator> const metas{database_.db().NewIterator(reading(), database_.cf().rows)};
        std::unique_ptr<rocksdb::Iterator> const holders{database_.db().NewIterator(reading(), database_.cf().rows)};
        holders->Seek(std::string{holder_table} + from);
        for (metas->Seek(prefix + from); metas->Valid() && metas->key().starts_with(prefix); metas->Next()) {
            auto const key = view(metas->key()).substr(1);
            if (taken >= octets) {
                out.next = std::string{key};
                break;
            }
            auto const value = unseal(view(metas->key()), view(metas->value()));
            auto const meta = value ? read_blob_meta(*value) : std::nullopt;
            auto const held = std::string{holder_table} + std::string{key};
            held_blob b;
            while (holders->Valid() && view(holders->key()) < held) holders->Next();
            for (; holders->Valid() && holders->key().starts_with(held); holders->Next()) {
                auto const rest = view(holders->key()).substr(held.size());
                if (auto const who = read_partition(rest.substr(0, partition_key_octets)))
                    b.holders.push_back(holder{*who, std::string{rest.substr(partition_key_octets)}});
            }
            if (meta) b.encoded = meta->encoded;
            auto text = encode(b);
            taken += key.size() + text.size();
            if (!meta)
                out.damaged.emplace_back(key);
            else if (!b.holders.empty())  // else it is gone as soon as the sweeper comes
                out.entries.push_back(row{std::string{key}, std::move(text)});
        }
        if (!metas->status().ok()) return failed(metas->status());
        if (!holders->status().ok()) return failed(holders->status());
        return out;
    }

    [[nodiscard]] result<std::string> blob_now(blob_id id, std::uint64_t offset, std::uint64_t length) const
    {
        auto const row = sealed(blob_key(blob_meta_table, id));
        auto const meta = row ? read_blob_meta(*row) : std::nullopt;
        if (!meta) return fail(fault::kind::not_found, "not found", "no such blob");
        if (meta->place == blob_place::file) return files_->read_encoded(id, meta->encoded, offset, length);
        rocksdb::PinnableSlice found;
        auto const s = database_.db().Get(reading(), database_.cf().bulk, blob_key(blob_table, id), &found);
        if (s.IsNotFound()) return corrupt("the value of blob " + text_of(id) + " is missing");
        if (!s.ok()) return failed(s);
        auto const all = view(found);
        return std::string{all.substr(std::min<std::size_t>(all.size(), static_cast<std::size_t>(offset)), static_cast<std::size_t>(length))};
    }

    [[nodiscard]] result<picture_totals> totals_now() const
    {
        picture_totals t;
        std::string const prefix{blob_meta_table};
        std::unique_ptr<rocksdb::Iterator> const at{database_.db().NewIterator(reading(), database_.cf().rows)};
        for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
            auto const value = unseal(view(at->key()), view(at->value()));
            auto const meta = value ? read_blob_meta(*value) : std::nullopt;
            if (!meta || meta->holders == 0) continue;
            ++t.blobs;
            t.octets += meta->encoded;
        }
        if (!at->status().ok()) return failed(at->status());
        return t;
    }

    rocks_database& database_;
    base::worker_pool& readers_;
    std::shared_ptr<blob_files> files_;
    std::shared_ptr<void> kept_;
    rocksdb::Snapshot const* moment_;
};
}  // namespace

std::unique_ptr<picture> take_rocks_picture(rocks_database& database, base::worker_pool& readers, std::shared_ptr<blob_files> files)
{
    return std::make_unique<rocks_picture>(database, readers, std::move(files));
}

}  // namespace mansio::store
