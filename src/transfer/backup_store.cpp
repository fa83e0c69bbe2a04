#include "transfer/backup_store.hpp"

#include <algorithm>
#include <list>
#include <map>

#include "base/bytes.hpp"
#include "store/blob_frames.hpp"
#include "store/engine_watchers.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t chunks_kept = 16;
constexpr std::uint64_t kept_blob_octets = std::uint64_t{8} << 20U;

std::unexpected<fault> only_read() { return fail(fault::kind::refused, "a backup is only read"); }

class backup_store final : public store::engine {
public:
    backup_store(backup_directory const& in, generation const& g) : in_(in), generation_(g) {}

    task<result<store::version>> commit(store::change c) override
    {
        if (!c.new_blobs.empty()) co_return only_read();
        auto& mine = changed_[c.where];
        for (auto& r : c.rows) mine.rows.insert_or_assign(std::move(r.key), std::move(r.value));
        mine.changes.push_back(c.id);
        co_return base_version(c.where) + mine.changes.size();
    }
    task<result<std::optional<store::version>>> committed_as(store::partition_id where, store::change_id id) override
    {
        auto const& all = changed_[where].changes;
        auto const it = std::ranges::find(all, id);
        if (it == all.end()) co_return std::optional<store::version>{};
        co_return std::optional{base_version(where) + static_cast<store::version>(it - all.begin()) + 1};
    }
    task<result<store::version>> current_version(store::partition_id where) override { co_return base_version(where) + changed_[where].changes.size(); }

    task<result<std::optional<std::string>>> get(store::partition_id where, std::string key) override
    {
        auto const& over = changed_[where].rows;
        if (auto const it = over.find(key); it != over.end()) co_return it->second;
        co_return look_up(generation_.find(store::picture_table::rows, where), key);
    }

    task<result<std::vector<store::row>>> scan(store::partition_id where, store::key_range range, std::size_t limit, store::direction d, store::reuse) override
    {
        std::vector<store::row> out;
        if (!range.to.empty() && range.to <= range.from) co_return out;
        auto const* const t = generation_.find(store::picture_table::rows, where);
        std::vector<chunk> const none;
        auto const& chunks = t != nullptr ? t->chunks : none;
        bool const forward = d == store::direction::forward;
        // A window of the table is laid over with what was changed since; chunk by chunk, until there are enough.
        std::map<std::string, std::string> window;
        auto const inside = [&range](std::string const& k) { return k >= range.from && (range.to.empty() || k < range.to); };
        auto first = std::upper_bound(chunks.begin(), chunks.end(), range.from, [](std::string const& k, chunk const& c) { return k < c.first; });
        if (first != chunks.begin()) --first;
        auto last =
            range.to.empty() ? chunks.end() : std::lower_bound(first, chunks.end(), range.to, [](chunk const& c, std::string const& k) { return c.first < k; });
        auto const lay_over = [&](std::string const& from, std::string const* to) {
            for (auto const& [k, v] : changed_[where].rows) {
                if (!inside(k) || k < from || (to != nullptr && k >= *to)) continue;
                if (v)
                    window.insert_or_assign(k, *v);
                else
                    window.erase(k);
            }
        };
        if (first == last) lay_over({}, nullptr);
        while (first != last && out.size() < limit) {
            auto const at = forward ? first : last - 1;
            auto const entries = load(*at);
            if (!entries) co_return fail(entries);
            for (auto const& e : **entries)
                if (inside(e.key)) window.emplace(e.key, e.value);
            // The outermost chunks also stand for what lies outside the table.
            auto const next = at + 1;
            bool const lowest = at == chunks.begin(), highest = next == chunks.end();
            lay_over(lowest ? std::string{} : at->first, highest ? nullptr : &next->first);
            take(window, out, limit, forward);
            forward ? static_cast<void>(++first) : static_cast<void>(--last);
        }
        take(window, out, limit, forward);
        co_return out;
    }

    task<result<std::vector<store::partition_id>>> partitions(store::partition_kind kind) override
    {
        std::vector<store::partition_id> out;
        for (auto const& t : generation_.tables)
            if (t.what == store::picture_table::rows && t.of.where.kind == kind) out.push_back(t.of.where);
        co_return out;
    }

    task<result<std::shared_ptr<store::staged_blob const>>> stage(mime::octets) override { co_return only_read(); }
    task<result<std::string>> blob_read(store::blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        auto const index = open_blob(id);
        if (!index) co_return fail(index);
        std::string out;
        auto const& b = **index;
        if (offset >= b.index.size) co_return out;
        auto const end = offset + std::min(length, b.index.size - offset);
        for (auto n = offset / store::blob_piece_octets; n * store::blob_piece_octets < end; ++n) {
            auto const& frame = b.index.frames[static_cast<std::size_t>(n)];
            auto const stored = in_.read(b.at, frame.offset, frame.stored);
            if (!stored) co_return store::corrupt(base::describe(stored.error()));
            auto const done = store::decode_frame(b.index, static_cast<std::size_t>(n), *stored, out);
            if (!done) co_return fail(done);
        }
        out.erase(0, static_cast<std::size_t>(offset % store::blob_piece_octets));
        out.resize(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), end - offset)));
        co_return out;
    }
    task<result<std::uint64_t>> blob_size(store::blob_id id) override
    {
        auto const index = open_blob(id);
        if (!index) co_return fail(index);
        co_return (*index)->index.size;
    }
    task<result<std::vector<store::holder>>> blob_holders(store::blob_id id) override
    {
        auto const m = find_blob(id);
        if (!m) co_return fail(m);
        co_return m->held.holders;
    }
    task<result<void>> blob_check(store::blob_id id) override
    {
        auto const m = find_blob(id);
        if (!m) co_return fail(m);
        auto const encoded = in_.read(m->at);
        if (!encoded) co_return fail(encoded);
        co_return store::check_blob(id, *encoded);
    }
    task<result<std::vector<std::optional<std::string>>>> blobs_read(std::vector<store::blob_id> ids, std::uint64_t most) override
    {
        std::vector<std::optional<std::string>> out(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            auto const size = co_await blob_size(ids[i]);
            if (!size || *size > std::min(most, kept_blob_octets)) continue;
            auto octets = co_await blob_read(ids[i], 0, *size);
            if (!octets) co_return fail(octets);
            out[i] = std::move(*octets);
        }
        co_return out;
    }

    task<result<void>> put_pages(store::partition_id where, std::vector<store::page> pages) override
    {
        for (auto& p : pages) changed_[where].pages.insert_or_assign(std::string{p.id.view()}, std::move(p.octets));
        co_return result<void>{};
    }
    task<result<std::string>> get_page(store::partition_id where, store::page_id id) override
    {
        auto const& over = changed_[where].pages;
        std::string const key{id.view()};
        if (auto const it = over.find(key); it != over.end()) co_return it->second;
        auto found = look_up(generation_.find(store::picture_table::pages, where), key);
        if (!found) co_return fail(found);
        if (!*found) co_return fail(fault::kind::not_found, "not found", "no such page");
        co_return std::move(**found);
    }
    task<result<std::vector<store::page_id>>> list_pages(store::partition_id) override { co_return std::vector<store::page_id>{}; }  // nothing is swept here

    std::shared_ptr<void> watch(store::partition_id where, base::executor& where_to, std::move_only_function<void()> changed) override
    {
        return watchers_.add(where, where_to, std::move(changed));
    }
    task<result<store::lease>> acquire(store::partition_id, std::string, std::chrono::seconds) override { co_return only_read(); }
    task<result<void>> renew(store::partition_id, store::lease, std::chrono::seconds) override { co_return only_read(); }
    task<result<void>> release(store::partition_id, store::lease) override { co_return only_read(); }
    [[nodiscard]] store::engine_health health() const override { return {}; }
    [[nodiscard]] std::uint64_t sync_count() const noexcept override { return 0; }
    task<result<sweep_report>> sweep() override { co_return sweep_report{}; }
    task<result<std::unique_ptr<store::picture>>> take_picture() override { co_return only_read(); }
    task<result<std::shared_ptr<store::staged_blob const>>> stage_encoded(store::blob_id, mime::octets) override { co_return only_read(); }

private:
    using entries_ptr = std::shared_ptr<std::vector<store::row> const>;
    struct overlay {
        std::map<std::string, std::optional<std::string>> rows;
        std::map<std::string, std::string> pages;
        std::vector<store::change_id> changes;
    };
    struct opened_blob {
        location at;
        store::blob_index index;
    };

    [[nodiscard]] store::version base_version(store::partition_id where) const
    {
        auto const* const t = generation_.find(store::picture_table::rows, where);
        return t != nullptr ? t->of.at : 0;
    }
    static void take(std::map<std::string, std::string>& window, std::vector<store::row>& out, std::size_t limit, bool forward)
    {
        while (!window.empty() && out.size() < limit) {
            auto node = window.extract(forward ? window.begin() : std::prev(window.end()));
            out.push_back(store::row{std::move(node.key()), std::move(node.mapped())});
        }
    }
    result<entries_ptr> load(chunk const& c)
    {
        auto const known = std::ranges::find(recent_, c.id, &std::pair<store::blob_id, entries_ptr>::first);
        if (known != recent_.end()) {
            recent_.splice(recent_.begin(), recent_, known);
            return recent_.front().second;
        }
        auto got = in_.entries(c);
        if (!got) return store::corrupt(base::describe(got.error()));
        recent_.emplace_front(c.id, std::make_shared<std::vector<store::row> const>(std::move(*got)));
        if (recent_.size() > chunks_kept) recent_.pop_back();
        return recent_.front().second;
    }
    result<std::optional<std::string>> look_up(table const* t, std::string_view key)
    {
        if (t == nullptr) return std::optional<std::string>{};
        auto at = std::upper_bound(t->chunks.begin(), t->chunks.end(), key, [](std::string_view k, chunk const& c) { return k < c.first; });
        if (at == t->chunks.begin()) return std::optional<std::string>{};
        auto const entries = load(*--at);
        if (!entries) return fail(entries);
        auto const it = std::ranges::lower_bound(**entries, key, {}, [](store::row const& r) { return std::string_view{r.key}; });
        if (it == (*entries)->end() || it->key != key) return std::optional<std::string>{};
        return std::optional{it->value};
    }
    result<stored_message> find_blob(store::blob_id id)
    {
        auto const found = look_up(generation_.find(store::picture_table::blobs, {}), id.view());
        if (!found) return fail(found);
        if (!*found) return fail(fault::kind::not_found, "not found", "no such blob");
        return decode_stored_message(**found);
    }
    result<std::shared_ptr<opened_blob const>> open_blob(store::blob_id id)
    {
        if (last_ && last_->index.id == id) return last_;
        auto const m = find_blob(id);
        if (!m) return fail(m);
        if (m->at.pack == 0) return store::corrupt("it could not be read when the backup was made");
        auto const encoded = m->at.length;
        auto take = std::min<std::uint64_t>(encoded, store::blob_tail_octets);
        auto tail = in_.read(m->at, encoded - take, take);
        auto const needed = tail ? store::blob_tail_needed(*tail) : result<std::uint64_t>{fail(tail)};
        if (!needed) return store::corrupt(base::describe(needed.error()));
        if (*needed > take && *needed <= encoded) tail = in_.read(m->at, encoded - *needed, *needed);
        if (!tail) return store::corrupt(base::describe(tail.error()));
        auto index = store::read_blob_index(id, *tail, encoded);
        if (!index) return fail(index);
        last_ = std::make_shared<opened_blob const>(m->at, std::move(*index));
        return last_;
    }

    backup_directory const& in_;
    generation const& generation_;
    std::map<store::partition_id, overlay> changed_;
    std::list<std::pair<store::blob_id, entries_ptr>> recent_;
    std::shared_ptr<opened_blob const> last_;
    store::watcher_registry watchers_;
};

}  // namespace

std::unique_ptr<store::engine> open_backup_store(backup_directory const& in, generation const& g) { return std::make_unique<backup_store>(in, g); }

}  // namespace mansio::transfer
