// The engine in memory: the oracle of the conformance suite and what protocol tests stand on. Faults on demand.
#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.hpp"
#include "store/engine_checks.hpp"
#include "store/blob_frames.hpp"
#include "store/engine_watchers.hpp"
#include "store/engines.hpp"
#include "store/picture.hpp"

namespace mansio::store {
namespace {

class memory_blob final : public staged_blob {
public:
    memory_blob(blob_id id, mime::octets message) : id_(id), message_(std::move(message)) {}
    [[nodiscard]] blob_id id() const noexcept override { return id_; }
    [[nodiscard]] std::uint64_t size() const noexcept override { return message_.size(); }
    [[nodiscard]] mime::octets const& message() const noexcept { return message_; }
    /// Under the engine's lock: once committed, its life is that of its holders.
    mutable bool committed = false;

private:
    blob_id id_;
    mime::octets message_;
};

struct stored_blob {
    mime::octets message;
    std::set<holder> holders;
};

/// A commit between its call and its answer.
struct waiting_commit {
    change what;
    std::move_only_function<void(result<version>)> answer;  ///< set when its delay has passed
};

struct partition {
    version at = 0;
    std::map<std::string, std::string> rows;
    std::map<page_id, std::string> pages;
    std::deque<std::pair<change_id, version>> changes;
    std::deque<std::shared_ptr<waiting_commit>> waiting;  ///< in the order of the calls
    lease held;
    base::monotonic_time lease_ends{};
};

/// A copy: what tests keep in memory is small, and messages are shared.
class memory_picture final : public picture {
public:
    memory_picture(std::map<partition_id, partition> const& partitions, std::map<blob_id, stored_blob> blobs) : blobs_(std::move(blobs))
    {
        for (auto const& [where, p] : partitions) {
            if (p.rows.empty()) continue;
            auto& mine = partitions_[where];
            mine.state = {where, p.at, p.changes.empty() ? change_id{} : p.changes.back().first};
            mine.rows = p.rows;
            for (auto const& [id, octets] : p.pages) mine.pages.emplace(id.view(), octets);
        }
        for (auto const& [id, b] : blobs_) {
            if (b.holders.empty()) continue;
            auto const encoded = encode_blob(id, b.message.view()).size();
            list_.emplace(id.view(), encode(held_blob{encoded, {b.holders.begin(), b.holders.end()}}));
            ++totals_.blobs;
            totals_.octets += encoded;
        }
    }
    task<result<std::vector<partition_state>>> partitions(partition_kind kind) override
    {
        std::vector<partition_state> out;
        for (auto const& [where, p] : partitions_)
            if (where.kind == kind) out.push_back(p.state);
        co_return out;
    }
    task<result<picture_slice>> read(picture_table what, partition_id where, std::string from, std::size_t octets) override
    {
        auto const& p = partitions_[where];
        auto const& all = what == picture_table::rows ? p.rows : what == picture_table::pages ? p.pages : list_;
        picture_slice out;
        std::size_t taken = 0;
        for (auto it = all.lower_bound(from); it != all.end(); ++it) {
            if (taken >= octets && !out.entries.empty()) {
                out.next = it->first;
                break;
            }
            out.entries.push_back(row{it->first, it->second});
            taken += it->first.size() + it->second.size();
        }
        co_return out;
    }
    task<result<std::string>> blob(blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        auto const it = blobs_.find(id);
        if (it == blobs_.end()) co_return fail(fault::kind::not_found, "not found", "no such blob");
        auto const all = encode_blob(id, it->second.message.view());
        co_return all.substr(std::min<std::size_t>(all.size(), static_cast<std::size_t>(offset)), static_cast<std::size_t>(length));
    }
    task<result<picture_totals>> totals() override { co_return totals_; }

private:
    struct shown {
        partition_state state;
        std::map<std::string, std::string> rows, pages;
    };
    std::map<partition_id, shown> partitions_;
    std::map<blob_id, stored_blob> blobs_;
    std::map<std::string, std::string> list_;
    picture_totals totals_;
};

std::unexpected<fault> conflict(std::string detail) { return fail(fault::kind::conflict, "somebody else changed it first", std::move(detail)); }
}  // namespace

class memory_engine final : public engine {
public:
    memory_engine(base::clock& clock, base::random& random, memory_faults faults) : clock_(clock), random_(random), faults_(std::move(faults)) {}

    task<result<version>> commit(change c) override
    {
        assert_well_formed(c);
        auto const where = c.where;
        auto const delay = faults_.delay ? faults_.delay(c) : std::chrono::nanoseconds{0};
        auto entry = std::make_shared<waiting_commit>();
        entry->what = std::move(c);
        {
            std::lock_guard const lock{mutex_};
            partitions_[where].waiting.push_back(entry);
        }
        // Never answered within the call: callers must bear that others run meanwhile, as with a real disk.
        if (delay.count() > 0)
            co_await base::sleep_for{delay};
        else
            co_await base::yield_now{};
        base::await_callback<result<version>> answered{[this, where, entry](auto done) {
            std::unique_lock lock{mutex_};
            entry->answer = std::move(done);
            apply_in_order(where, lock);
        }};
        co_return co_await answered;
    }

    task<result<std::optional<version>>> committed_as(partition_id where, change_id id) override
    {
        std::lock_guard const lock{mutex_};
        for (auto const& [known, as] : partitions_[where].changes)
            if (known == id) co_return as;
        co_return std::nullopt;
    }

    task<result<version>> current_version(partition_id where) override
    {
        std::lock_guard const lock{mutex_};
        co_return partitions_[where].at;
    }

    task<result<std::optional<std::string>>> get(partition_id where, std::string key) override
    {
        std::lock_guard const lock{mutex_};
        auto const& rows = partitions_[where].rows;
        auto const it = rows.find(key);
        if (it == rows.end()) co_return std::nullopt;
        co_return it->second;
    }

    task<result<std::vector<row>>> scan(partition_id where, key_range range, std::size_t limit, direction d, reuse) override
    {
        std::lock_guard const lock{mutex_};
        auto const& rows = partitions_[where].rows;
        auto const from = rows.lower_bound(range.from);
        auto const to = range.to.empty() ? rows.end() : rows.lower_bound(range.to);
        std::vector<row> out;
        if (!range.to.empty() && range.to <= range.from) co_return out;
        if (d == direction::forward)
            for (auto it = from; it != to && out.size() < limit; ++it) out.push_back(row{it->first, it->second});
        else
            for (auto it = to; it != from && out.size() < limit;) {
                --it;
                out.push_back(row{it->first, it->second});
            }
        co_return out;
    }

    task<result<std::vector<partition_id>>> partitions(partition_kind kind) override
    {
        std::lock_guard const lock{mutex_};
        std::vector<partition_id> out;
        for (auto const& [id, p] : partitions_)
            if (id.kind == kind && !p.rows.empty()) out.push_back(id);
        co_return out;
    }

    task<result<std::shared_ptr<staged_blob const>>> stage(mime::octets message) override
    {
        std::shared_ptr<staged_blob const> blob = std::make_shared<memory_blob>(blob_id::make_ordered(random_, clock_.wall()), std::move(message));
        co_return blob;
    }

    task<result<std::string>> blob_read(blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        std::lock_guard const lock{mutex_};
        auto const it = blobs_.find(id);
        if (it == blobs_.end()) co_return no_blob();
        auto const octets = it->second.message.view();
        if (offset >= octets.size()) co_return std::string{};
        co_return std::string{octets.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(std::min<std::uint64_t>(length, octets.size())))};
    }

    task<result<std::vector<std::optional<std::string>>>> blobs_read(std::vector<blob_id> ids, std::uint64_t most) override
    {
        std::lock_guard const lock{mutex_};
        std::vector<std::optional<std::string>> out(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (auto const it = blobs_.find(ids[i]); it != blobs_.end() && it->second.message.size() <= most) out[i] = it->second.message.view();
        co_return out;
    }

    task<result<std::uint64_t>> blob_size(blob_id id) override
    {
        std::lock_guard const lock{mutex_};
        auto const it = blobs_.find(id);
        if (it == blobs_.end()) co_return no_blob();
        co_return it->second.message.size();
    }

    task<result<std::vector<holder>>> blob_holders(blob_id id) override
    {
        std::lock_guard const lock{mutex_};
        auto const it = blobs_.find(id);
        if (it == blobs_.end()) co_return no_blob();
        co_return std::vector<holder>{it->second.holders.begin(), it->second.holders.end()};
    }

    task<result<void>> blob_check(blob_id id) override
    {
        std::lock_guard const lock{mutex_};
        if (!blobs_.contains(id)) co_return no_blob();
        co_return result<void>{};
    }

    task<result<void>> put_pages(partition_id where, std::vector<page> pages) override
    {
        assert_well_formed(pages);
        std::lock_guard const lock{mutex_};
        for (auto& p : pages) partitions_[where].pages.insert_or_assign(p.id, std::move(p.octets));
        co_return result<void>{};
    }

    task<result<std::string>> get_page(partition_id where, page_id id) override
    {
        std::lock_guard const lock{mutex_};
        auto const& pages = partitions_[where].pages;
        auto const it = pages.find(id);
        if (it == pages.end()) co_return fail(fault::kind::not_found, "not found", "no such page");
        co_return it->second;
    }

    task<result<std::vector<page_id>>> list_pages(partition_id where) override
    {
        std::lock_guard const lock{mutex_};
        std::vector<page_id> out;
        for (auto const& [id, octets] : partitions_[where].pages) out.push_back(id);
        co_return out;
    }

    std::shared_ptr<void> watch(partition_id where, base::executor& where_to, std::move_only_function<void()> changed) override
    {
        return watchers_.add(where, where_to, std::move(changed));
    }

    task<result<lease>> acquire(partition_id where, std::string owner, std::chrono::seconds life) override
    {
        std::lock_guard const lock{mutex_};
        auto& p = partitions_[where];
        auto const now = clock_.monotonic();
        if (!p.held.owner.empty() && p.held.owner != owner && p.lease_ends > now) co_return conflict("leased to " + p.held.owner);
        p.held = lease{p.held.epoch + 1, std::move(owner)};
        p.lease_ends = now + life;
        co_return p.held;
    }

    task<result<void>> renew(partition_id where, lease held, std::chrono::seconds life) override
    {
        std::lock_guard const lock{mutex_};
        auto& p = partitions_[where];
        if (p.held.epoch != held.epoch || p.held.owner != held.owner) co_return conflict("the lease was taken over");
        p.lease_ends = clock_.monotonic() + life;
        co_return result<void>{};
    }

    task<result<void>> release(partition_id where, lease held) override
    {
        std::lock_guard const lock{mutex_};
        auto& p = partitions_[where];
        if (p.held.epoch != held.epoch || p.held.owner != held.owner) co_return conflict("the lease was taken over");
        p.held.owner.clear();  // the epoch stays: it only rises
        co_return result<void>{};
    }

    [[nodiscard]] engine_health health() const override { return engine_health{true, {}, std::uint64_t{1} << 40U}; }
    [[nodiscard]] std::uint64_t sync_count() const noexcept override { return 0; }

    task<result<sweep_report>> sweep() override
    {
        std::lock_guard const lock{mutex_};
        co_return sweep_report{std::erase_if(blobs_, [](auto const& entry) { return entry.second.holders.empty(); }), 0};
    }

    task<result<std::unique_ptr<picture>>> take_picture() override
    {
        std::lock_guard const lock{mutex_};
        std::unique_ptr<picture> taken = std::make_unique<memory_picture>(partitions_, blobs_);
        co_return taken;
    }

    task<result<std::shared_ptr<staged_blob const>>> stage_encoded(blob_id id, mime::octets encoded) override
    {
        auto const good = check_blob(id, encoded.view());
        if (!good) co_return fail(good);
        auto message = decode_range(id, encoded.view(), 0, UINT64_MAX);
        if (!message) co_return fail(message);
        std::lock_guard const lock{mutex_};
        if (blobs_.contains(id)) co_return fail(fault::kind::refused, "the message is there already");
        std::shared_ptr<staged_blob const> blob = std::make_shared<memory_blob>(id, mime::octets{std::move(*message)});
        co_return blob;
    }

private:
    static std::unexpected<fault> no_blob() { return fail(fault::kind::not_found, "not found", "no such blob"); }

    /// Applies the commits at the head of the queue whose delay has passed; answers them outside the lock.
    void apply_in_order(partition_id where, std::unique_lock<std::mutex>& lock)
    {
        std::vector<std::pair<std::shared_ptr<waiting_commit>, result<version>>> done;
        auto& p = partitions_[where];
        while (!p.waiting.empty() && p.waiting.front()->answer) {
            auto entry = std::move(p.waiting.front());
            p.waiting.pop_front();
            auto outcome = apply(p, entry->what);
            done.emplace_back(std::move(entry), std::move(outcome));
        }
        lock.unlock();
        for (auto& [entry, outcome] : done) entry->answer(std::move(outcome));
    }

    result<version> apply(partition& p, change const& c)
    {
        if (faults_.fail && faults_.fail(c)) return fail(fault::kind::broken, "try again later", "injected failure");
        if (faults_.conflict && faults_.conflict(c)) return conflict("injected conflict");
        if (auto const may = check(p, c); !may) return fail(may);
        for (auto const& r : c.rows) {
            if (r.value)
                p.rows.insert_or_assign(r.key, *r.value);
            else
                p.rows.erase(r.key);
        }
        for (auto const& b : c.new_blobs) {
            auto const& staged = static_cast<memory_blob const&>(*b);
            blobs_[b->id()].message = staged.message();
            staged.committed = true;
        }
        for (auto const& h : c.add_holders) blobs_[h.blob].holders.insert(h.who);
        for (auto const& h : c.drop_holders) {
            auto const it = blobs_.find(h.blob);
            if (it == blobs_.end()) continue;
            it->second.holders.erase(h.who);
            if (it->second.holders.empty()) blobs_.erase(it);
        }
        for (auto const& id : c.drop_pages) p.pages.erase(id);
        p.changes.emplace_back(c.id, ++p.at);
        if (p.changes.size() > remembered_changes) p.changes.pop_front();
        watchers_.wake(c.where);
        if (faults_.lose_ack && faults_.lose_ack(c)) return fail(fault::kind::timeout, "try again later", "injected lost acknowledgement");
        return p.at;
    }

    result<void> check(partition const& p, change const& c) const
    {
        if (c.expected && *c.expected != p.at) return conflict("version " + std::to_string(p.at) + " is not " + std::to_string(*c.expected));
        for (auto const& g : c.guards) {
            auto const it = p.rows.find(g.key);
            if (g.equals ? it == p.rows.end() || it->second != *g.equals : it != p.rows.end()) return conflict("a guarded row differs");
        }
        for (auto const& h : c.add_holders) {
            bool const is_new =
                std::ranges::any_of(c.new_blobs, [&](auto const& b) { return b->id() == h.blob && !static_cast<memory_blob const&>(*b).committed; });
            if (!is_new && !blobs_.contains(h.blob)) return conflict("the blob is gone");
        }
        return {};
    }

    base::clock& clock_;
    base::random& random_;
    memory_faults faults_;
    mutable std::mutex mutex_;
    std::map<partition_id, partition> partitions_;
    std::map<blob_id, stored_blob> blobs_;
    watcher_registry watchers_;
};

std::unique_ptr<engine> make_memory_engine(base::clock& clock, base::random& random, memory_faults faults)
{
    return std::make_unique<memory_engine>(clock, random, std::move(faults));
}

}  // namespace mansio::store
