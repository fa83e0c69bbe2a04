#include "transfer/backup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/bytes.hpp"
#include "store/account_rows.hpp"
#include "store/blob_frames.hpp"
#include "store/keys.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 1000;
constexpr std::size_t read_at_once = std::size_t{1} << 20U;
constexpr std::uint64_t whole_blob_octets = std::uint64_t{1} << 20U;  ///< longer ones are copied frame by frame
// A chunk ends behind a key whose checksum says so: an entry more or less moves the ends of its own chunk and no others.
constexpr std::size_t least_chunk = std::size_t{16} << 10U, most_chunk = std::size_t{512} << 10U;
constexpr std::uint32_t cut_mask = 127;

store::blob_id content_id(std::string_view octets)
{
    auto const digest = base::sha256(octets);
    return *store::blob_id::from_octets({reinterpret_cast<char const*>(digest.data()), 16});
}

template <class Report> void add_problem(Report& r, std::string sentence)
{
    ++r.problem_count;
    if (r.problems.size() < problems_kept) r.problems.push_back(std::move(sentence));
}

/// Walks the messages of the generation before, in step with the picture's.
class messages_before {
public:
    messages_before(backup_directory const& in, table const* t) : in_(in), table_(t) {}
    /// Asked in ascending order. nullopt: it was not there, or its chunk cannot be read any more.
    std::optional<stored_message> find(std::string_view id)
    {
        if (table_ == nullptr) return std::nullopt;
        while (true) {
            while (at_ < entries_.size() && entries_[at_].key < id) ++at_;
            if (at_ < entries_.size()) {
                if (entries_[at_].key != id) return std::nullopt;
                auto m = decode_stored_message(entries_[at_].value);
                return m && m->at.pack != 0 ? std::optional{*m} : std::nullopt;
            }
            if (chunk_ == table_->chunks.size()) return std::nullopt;
            auto read = in_.entries(table_->chunks[chunk_++]);
            entries_ = read ? std::move(*read) : std::vector<store::row>{};
            at_ = 0;
        }
    }

private:
    backup_directory const& in_;
    table const* table_;
    std::size_t chunk_ = 0, at_ = 0;
    std::vector<store::row> entries_;
};

class maker {
public:
    maker(store::picture& from, backup_directory& to, base::clock& clock, backup_options o)
        : from_(from),
          to_(to),
          clock_(clock),
          options_(std::move(o)),
          packs_(to)
    {}

    task<result<backup_report>> run()
    {
        now_.made = std::chrono::floor<std::chrono::seconds>(clock_.wall()).time_since_epoch().count();
        look_back();
        auto const totals = co_await from_.totals();
        if (!totals) co_return fail(totals);
        report_.expected = totals->blobs;
        using kind = store::partition_kind;
        for (auto const k : {kind::directory, kind::account, kind::queue, kind::story, kind::report}) {
            auto const all = co_await from_.partitions(k);
            if (!all) co_return fail(all);
            if (k == kind::account) report_.accounts = all->size();
            for (auto const& p : *all) {
                auto const done = co_await partition(p);
                if (!done) co_return fail(done);
            }
        }
        auto const done = co_await messages();
        if (!done) co_return fail(done);
        auto const saved = save();
        if (!saved) co_return fail(saved);
        co_return std::move(report_);
    }

private:
    void look_back()
    {
        auto const all = to_.generations();
        now_.number = all.empty() ? 1 : all.back().number + 1;
        for (auto it = all.rbegin(); it != all.rend() && !options_.full; ++it) {
            auto g = to_.load(*it);
            if (!g) {
                add_problem(report_, g.error().say + ": nothing of it is used again");
                continue;
            }
            before_ = std::move(*g);
            break;
        }
        now_.incarnation = before_.incarnation;
        // Packs of which little is used any more are left behind: what is used is copied, and they go with the last generation that names them.
        for (auto const& [number, use] : before_.packs)
            if (use.used * 2 < use.size) sparse_.insert(number);
    }
    [[nodiscard]] bool stays(location const& l) const { return l.pack != 0 && !sparse_.contains(l.pack); }
    void tell()
    {
        if (options_.progress) options_.progress(report_);
    }

    task<result<void>> partition(store::partition_state p)
    {
        for (auto const what : {store::picture_table::rows, store::picture_table::pages}) {
            auto const* const old = before_.find(what, p.where);
            // What could not be read then is tried, and told, again.
            bool const same = before_.problems.empty() && old != nullptr && old->of == p && p.at != 0 && !p.last.empty();
            if (same && std::ranges::all_of(old->chunks, [this](chunk const& c) { return stays(c.at); })) {
                now_.tables.push_back(*old);
                continue;
            }
            auto const done = co_await table_of(what, p, old);
            if (!done) co_return done;
        }
        tell();
        co_return result<void>{};
    }

    task<result<void>> table_of(store::picture_table what, store::partition_state p, table const* old)
    {
        begin(what, p, old);
        std::optional<std::string> from{std::string{}};
        while (from) {
            auto part = co_await from_.read(what, p.where, std::move(*from), read_at_once);
            if (!part) co_return fail(part);
            for (auto const& key : part->damaged)
                add_problem(report_,
                            fmt::format("{}: {} {} is damaged", p.where.text(), what == store::picture_table::rows ? "row" : "page", base::to_hex(key)));
            for (auto& e : part->entries) {
                note_incarnation(what, p.where, e);
                if (auto const put = add(std::move(e)); !put) co_return put;
            }
            from = std::move(part->next);
        }
        co_return end();
    }

    void note_incarnation(store::picture_table what, store::partition_id where, store::row const& e)
    {
        if (what != store::picture_table::rows || where.kind != store::partition_kind::account || e.key != store::keys::head()) return;
        if (auto const head = store::rows::decode_head(e.value)) now_.incarnation = std::max(now_.incarnation, head->incarnation);
    }

    // ---- a table's chunks ----

    void begin(store::picture_table what, store::partition_state p, table const* old)
    {
        table_ = {what, p, {}};
        known_.clear();
        if (old != nullptr)
            for (auto const& c : old->chunks)
                if (stays(c.at)) known_.emplace(c.id, c.at);
    }
    result<void> add(store::row e)
    {
        held_octets_ += e.key.size() + e.value.size();
        bool const ends = held_octets_ >= most_chunk || (held_octets_ >= least_chunk && (base::crc32c(e.key) & cut_mask) == 0);
        held_.push_back(std::move(e));
        return ends ? write_chunk() : result<void>{};
    }
    result<void> write_chunk()
    {
        if (held_.empty()) return {};
        auto const octets = encode_entries(held_);
        chunk c{held_.front().key, content_id(octets), {}, held_.size()};
        if (auto const it = known_.find(c.id); it != known_.end()) {
            c.at = it->second;
        } else {
            auto const at = packs_.add(c.id, store::encode_blob(c.id, octets));
            if (!at) return fail(at);
            c.at = *at;
        }
        table_.chunks.push_back(std::move(c));
        held_.clear();
        held_octets_ = 0;
        return {};
    }
    result<void> end()
    {
        if (auto const done = write_chunk(); !done) return done;
        now_.tables.push_back(std::move(table_));
        return {};
    }

    // ---- messages ----

    task<result<void>> messages()
    {
        auto const* const old = before_.find(store::picture_table::blobs, {});
        messages_before before{to_, old};
        store::partition_state nowhere;
        begin(store::picture_table::blobs, nowhere, old);
        std::optional<std::string> from{std::string{}};
        while (from) {
            auto part = co_await from_.read(store::picture_table::blobs, {}, std::move(*from), read_at_once);
            if (!part) co_return fail(part);
            for (auto const& key : part->damaged) add_problem(report_, fmt::format("the row of message blob {} is damaged", base::to_base32(key)));
            for (auto const& e : part->entries) {
                auto const done = co_await message(e, before.find(e.key));
                if (!done) co_return done;
            }
            from = std::move(part->next);
        }
        co_return end();
    }

    task<result<void>> message(store::row e, std::optional<stored_message> before)
    {
        auto held = store::decode_held_blob(e.value);
        auto const id = store::blob_id::from_octets(e.key);
        if (!held || !id) co_return fail(fault::kind::broken, "the store's answer makes no sense");
        stored_message m{{}, std::move(*held)};
        ++report_.messages;
        if (before && before->at.length == m.held.encoded && stays(before->at)) {
            m.at = before->at;
        } else {
            auto const copied = co_await copy(*id, m, before);
            if (!copied) co_return copied;
        }
        report_.octets += m.at.length;
        use(m.at);
        tell();
        co_return add(store::row{std::move(e.key), encode(m)});
    }

    /// From the store; a copy that only moves to another pack, and one that the store has lost, from the directory.
    task<result<void>> copy(store::blob_id id, stored_message& m, std::optional<stored_message> before)
    {
        auto const moved = before ? moved_over(id, before->at) : result<location>{fail(fault::kind::not_found, "")};
        if (moved) {
            m.at = *moved;
            co_return result<void>{};
        }
        auto copied = m.held.encoded <= whole_blob_octets ? whole(id, m) : by_frames(id, m);
        auto const done = co_await std::move(copied);
        if (done) {
            ++report_.new_messages;
            co_return result<void>{};
        }
        // Only the message: its store and our disk go on.
        if (done.error().what != fault::kind::broken && done.error().what != fault::kind::not_found) co_return done;
        m.at = {};
        add_problem(report_, fmt::format("message {} of {} cannot be read: {}", store::text_of(id), owner_text(m.held),
                                         done.error().detail.empty() ? done.error().say : done.error().detail));
        co_return result<void>{};
    }

    result<location> moved_over(store::blob_id id, location at)
    {
        auto const octets = to_.read(at);
        if (!octets) return fail(octets);
        if (auto const good = store::check_blob(id, *octets); !good) return fail(good);
        return packs_.add(id, *octets);
    }

    /// An error of the picture or the message is `broken` or not_found, one of the directory refused.
    task<result<void>> whole(store::blob_id id, stored_message& m)
    {
        auto const octets = co_await from_.blob(id, 0, m.held.encoded);
        if (!octets) co_return fail(octets);
        if (octets->size() != m.held.encoded) co_return store::corrupt("it is cut short");
        auto const good = store::check_blob(id, *octets);
        if (!good) co_return good;
        auto const at = packs_.add(id, *octets);
        if (!at) co_return fail(at);
        m.at = *at;
        co_return result<void>{};
    }

    task<result<void>> by_frames(store::blob_id id, stored_message& m)
    {
        auto const encoded = m.held.encoded;
        auto take = std::min<std::uint64_t>(encoded, store::blob_tail_octets);
        auto tail = co_await from_.blob(id, encoded - take, take);
        if (!tail) co_return fail(tail);
        auto const needed = store::blob_tail_needed(*tail);
        if (!needed) co_return fail(needed);
        if (*needed > take && *needed <= encoded) {
            tail = co_await from_.blob(id, encoded - *needed, *needed);
            if (!tail) co_return fail(tail);
        }
        auto const index = store::read_blob_index(id, *tail, encoded);
        if (!index) co_return fail(index);
        if (auto const begun = packs_.begin(id, encoded); !begun) co_return begun;
        std::string piece;
        base::sha256_stream all;
        for (std::size_t n = 0; n < index->frames.size(); ++n) {
            auto const& frame = index->frames[n];
            auto const stored = co_await from_.blob(id, frame.offset, frame.stored);
            if (!stored) co_return fail(stored);
            piece.clear();
            if (auto const good = store::decode_frame(*index, n, *stored, piece); !good) co_return good;
            all.feed(piece);
            if (auto const put = packs_.put(*stored); !put) co_return put;
        }
        if (all.finish() != index->whole) co_return store::corrupt("the message is not the one that was stored (SHA-256)");
        if (auto const put = packs_.put(std::string_view{*tail}.substr(tail->size() - static_cast<std::size_t>(*needed))); !put) co_return put;
        m.at = packs_.end();
        co_return result<void>{};
    }

    // ---- the end ----

    void use(location const& l)
    {
        if (l.pack != 0) now_.packs[l.pack].used += l.length;
    }

    result<void> save()
    {
        if (auto const synced = packs_.finish(); !synced) return synced;
        for (auto const& t : now_.tables)
            for (auto const& c : t.chunks) use(c.at);
        for (auto& [number, use] : now_.packs) use.size = files::size_of(to_.pack_path(number));
        report_.generation = now_.number;
        report_.new_octets = packs_.octets();
        now_.accounts = report_.accounts;
        now_.messages = report_.messages;
        now_.octets = report_.octets;
        now_.new_octets = report_.new_octets;
        now_.problems = report_.problems;
        if (auto const saved = to_.save(now_); !saved) return saved;
        return to_.prune(std::max<std::uint64_t>(1, options_.keep));
    }

    store::picture& from_;
    backup_directory& to_;
    base::clock& clock_;
    backup_options options_;
    pack_writer packs_;
    generation before_, now_;
    std::set<std::uint32_t> sparse_;
    backup_report report_;
    table table_;
    std::map<store::blob_id, location> known_;  ///< chunks of this table that are there already
    std::vector<store::row> held_;
    std::size_t held_octets_ = 0;
};

class checker {
public:
    checker(backup_directory const& in, generation const& g, std::function<void(check_report const&)> progress)
        : in_(in),
          generation_(g),
          progress_(std::move(progress))
    {}
    check_report run()
    {
        report_.expected = generation_.messages;
        for (auto const& p : generation_.problems) add_problem(report_, "when it was made: " + p);
        for (auto const& t : generation_.tables) {
            ++report_.tables;
            for (auto const& c : t.chunks) {
                auto const entries = in_.entries(c);
                report_.octets += c.at.length;
                if (!entries || entries->size() != c.entries) {
                    auto const what = t.what == store::picture_table::blobs ? std::string{"the list of messages"} : t.of.where.text();
                    add_problem(report_, fmt::format("{}: {} entries from {} on are damaged: {}", what, c.entries, base::to_hex(c.first),
                                                     entries ? "some are missing" : base::describe(entries.error())));
                } else if (t.what == store::picture_table::blobs) {
                    for (auto const& e : *entries) message(e);
                }
            }
        }
        return std::move(report_);
    }

private:
    void message(store::row const& e)
    {
        ++report_.messages;
        auto const id = store::blob_id::from_octets(e.key);
        auto const m = decode_stored_message(e.value);
        if (!id || !m)
            add_problem(report_, "an entry of the list of messages is damaged");
        else if (m->at.pack != 0)  // else it was told when the backup was made
            octets(*id, *m);
        if (progress_) progress_(report_);
    }
    void octets(store::blob_id id, stored_message const& m)
    {
        auto const encoded = in_.read(m.at);
        auto const whole = encoded ? store::check_blob(id, *encoded) : result<void>{fail(encoded)};
        report_.octets += m.at.length;
        if (!whole)
            add_problem(report_, fmt::format("message {} of {} is damaged in pack {}: {}", store::text_of(id), owner_text(m.held), m.at.pack,
                                             base::describe(whole.error())));
    }

    backup_directory const& in_;
    generation const& generation_;
    std::function<void(check_report const&)> progress_;
    check_report report_;
};

}  // namespace

std::string owner_text(store::held_blob const& b)
{
    std::vector<std::string> all;
    for (auto const& h : b.holders) {
        base::row_reader r{h.name};
        if (r.u8() == 'e' && h.where.kind == store::partition_kind::account)
            all.push_back(fmt::format("{} (email {})", h.where.text(), r.be64()));
        else
            all.push_back(fmt::format("{} ({})", h.where.text(), base::printable(h.name, 40)));
        if (all.size() == 3) break;
    }
    return all.empty() ? "nobody" : base::joined(all, ", ");
}

task<result<backup_report>> make_backup(store::picture& from, backup_directory& to, base::clock& clock, backup_options o)
{
    maker m{from, to, clock, std::move(o)};
    auto report = co_await m.run();
    co_return report;
}

check_report check_backup(backup_directory const& in, generation const& g, std::function<void(check_report const&)> progress)
{
    checker c{in, g, std::move(progress)};
    return c.run();
}

}  // namespace mansio::transfer
