#include "transfer/restore.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "store/account_restore.hpp"
#include "store/blob_frames.hpp"
#include "transfer/backup.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 1000;
constexpr std::size_t commit_octets = std::size_t{512} << 10U;
constexpr std::size_t blobs_octets = std::size_t{8} << 20U;
constexpr std::size_t blobs_at_once = 256;
// 2026-01-01: incarnations count the days from here, so that restores on different days differ even when they come from copies of one directory.
constexpr std::int64_t first_day = 20'454, day_seconds = 86'400;

class restorer {
public:
    restorer(backup_directory const& in, generation const& g, store::engine& into, std::uint64_t incarnation, base::random& random, restore_options o)
        : in_(in),
          generation_(g),
          engine_(into),
          random_(random),
          options_(std::move(o))
    {
        report_.generation = g.number;
        report_.incarnation = incarnation;
        report_.expected = g.messages;
        for (auto const& p : g.problems) problem("when the backup was made: " + p);
    }

    task<result<restore_report>> run()
    {
        // Messages first: what holds them comes after, as with every commit.
        for (auto const& t : generation_.tables) {
            if (t.what != store::picture_table::blobs) continue;
            auto const done = co_await messages(t);
            if (!done) co_return fail(done);
        }
        for (auto const& t : generation_.tables) {
            if (t.what == store::picture_table::blobs || left_out(t.of.where)) continue;
            auto work = t.what == store::picture_table::pages ? pages(t) : rows(t);
            auto const done = co_await std::move(work);
            if (!done) co_return fail(done);
        }
        co_return std::move(report_);
    }

private:
    void problem(std::string sentence)
    {
        ++report_.problem_count;
        if (report_.problems.size() < problems_kept) report_.problems.push_back(std::move(sentence));
    }
    [[nodiscard]] bool left_out(store::partition_id p) const { return !options_.queue && p.kind == store::partition_kind::queue; }
    std::vector<store::row> entries(table const& t, chunk const& c)
    {
        auto got = in_.entries(c);
        if (got) return std::move(*got);
        auto const whose = t.what == store::picture_table::blobs ? std::string{"the list of messages"} : t.of.where.text();
        problem(fmt::format("{}: {} entries from {} on are lost: {}", whose, c.entries, base::to_hex(c.first), base::describe(got.error())));
        return {};
    }

    task<result<void>> commit(store::change c)
    {
        c.id = store::change_id::make(random_);
        auto const done = co_await engine_.commit(std::move(c));
        if (!done) co_return fail(done);
        co_return result<void>{};
    }

    task<result<void>> messages(table const& t)
    {
        store::change c;
        std::size_t octets = 0;
        for (auto const& part : t.chunks) {
            for (auto const& e : entries(t, part)) {
                octets += co_await message(e, c);
                if (options_.progress) options_.progress(report_);
                if (octets < blobs_octets && c.new_blobs.size() < blobs_at_once) continue;
                auto const done = co_await commit(std::exchange(c, {}));
                if (!done) co_return done;
                octets = 0;
            }
        }
        if (c.new_blobs.empty()) co_return result<void>{};
        co_return co_await commit(std::move(c));
    }

    /// Octets it added to the commit.
    task<std::size_t> message(store::row const& e, store::change& c)
    {
        auto const id = store::blob_id::from_octets(e.key);
        auto m = decode_stored_message(e.value);
        if (!id || !m) {
            problem("an entry of the list of messages is damaged");
            co_return 0;
        }
        std::erase_if(m->held.holders, [this](store::holder const& h) { return left_out(h.where); });
        if (m->held.holders.empty()) co_return 0;
        auto encoded = in_.read(m->at);
        auto staged = encoded ? co_await stage(*id, std::move(*encoded)) : result<std::shared_ptr<store::staged_blob const>>{fail(encoded)};
        if (!staged) {
            problem(fmt::format("message {} of {} is lost: {}", store::text_of(*id), owner_text(m->held), base::describe(staged.error())));
            co_return 0;
        }
        if (c.new_blobs.empty()) c.where = m->held.holders.front().where;
        c.new_blobs.push_back(std::move(*staged));
        for (auto& h : m->held.holders) c.add_holders.push_back({*id, std::move(h)});
        ++report_.messages;
        report_.octets += m->at.length;
        co_return static_cast<std::size_t>(m->at.length);
    }
    task<result<std::shared_ptr<store::staged_blob const>>> stage(store::blob_id id, std::string encoded)
    {
        auto staged = co_await engine_.stage_encoded(id, mime::octets{std::move(encoded)});
        co_return staged;
    }

    task<result<void>> pages(table const& t)
    {
        std::vector<store::page> some;
        std::size_t octets = 0;
        for (auto const& part : t.chunks) {
            for (auto& e : entries(t, part)) {
                auto const id = store::page_id::from_octets(e.key);
                if (!id) continue;
                octets += e.value.size();
                some.push_back(store::page{*id, std::move(e.value)});
            }
            if (octets < commit_octets) continue;
            auto const done = co_await engine_.put_pages(t.of.where, std::exchange(some, {}));
            if (!done) co_return done;
            octets = 0;
        }
        if (some.empty()) co_return result<void>{};
        co_return co_await engine_.put_pages(t.of.where, std::move(some));
    }

    task<result<void>> rows(table const& t)
    {
        bool const account = t.of.where.kind == store::partition_kind::account;
        store::restored_account changed{report_.incarnation};
        store::change c;
        c.where = t.of.where;
        std::size_t octets = 0;
        for (auto const& part : t.chunks) {
            for (auto& e : entries(t, part)) {
                auto const key = e.key;
                auto now = account ? changed.next(std::move(e)) : result<std::optional<store::row>>{std::optional{std::move(e)}};
                if (!now) {
                    problem(fmt::format("{} is lost: {}", t.of.where.text(), base::describe(now.error())));
                    co_return result<void>{};
                }
                if (!*now) continue;
                auto const size = (*now)->key.size() + (*now)->value.size();
                if (octets != 0 && octets + size > commit_octets) {
                    auto const done = co_await commit(std::exchange(c, {}));
                    if (!done) co_return done;
                    c.where = t.of.where;
                    octets = 0;
                }
                octets += size;
                c.rows.push_back({std::move((*now)->key), std::move((*now)->value)});
            }
        }
        auto head = account ? changed.finish() : std::nullopt;
        if (head) {
            c.rows.push_back({std::move(head->key), std::move(head->value)});
            ++report_.accounts;
        } else if (account) {
            problem(fmt::format("{}: its first row is lost, and with it the account", t.of.where.text()));
        }
        if (c.rows.empty()) co_return result<void>{};
        co_return co_await commit(std::move(c));
    }

    backup_directory const& in_;
    generation const& generation_;
    store::engine& engine_;
    base::random& random_;
    restore_options options_;
    restore_report report_;
};

}  // namespace

result<std::uint64_t> next_incarnation(backup_directory const& in, generation const& g, base::clock& clock)
{
    auto const before = in.restored_as();
    if (!before) return fail(before);
    auto const day = std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count() / day_seconds - first_day;
    auto const by_day = day > 0 && static_cast<std::uint64_t>(day) < store::last_incarnation / 2 ? static_cast<std::uint64_t>(day) : 1;
    auto const next = std::max({*before + 1, g.incarnation + 1, by_day});
    if (next > store::last_incarnation) return fail(fault::kind::refused, "nothing more can be restored from this directory: its incarnations are used up");
    if (auto const noted = in.note_restored_as(next); !noted)
        return fail(fault::kind::refused, "the restore must be noted in the backup's directory, so that a second one differs: " + noted.error().say);
    return next;
}

task<result<restore_report>> restore_all(backup_directory const& in, generation const& g, store::engine& into, std::uint64_t incarnation, base::random& random,
                                         restore_options o)
{
    restorer r{in, g, into, incarnation, random, std::move(o)};
    auto report = co_await r.run();
    co_return report;
}

}  // namespace mansio::transfer
