// Clauses D1, D2, D5, D7 of docs/catalogue.md at the engine: the machine stops at any write, un-synced octets and names survive as the disk
// likes, and afterwards everything acknowledged is there and everything else is there whole or not at all.
#include <cstdlib>
#include <map>
#include <set>

#include "engine_fixture.hpp"
#include "store/blob_frames.hpp"
#include "store/rocks_file_system.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
constexpr std::uint64_t partitions = 3;

bool full_size() { return std::getenv("MANSIO_FULL") != nullptr; }

/// What one change did, kept apart from the engine.
struct planned {
    change_id id;
    std::vector<row_change> rows;
    std::vector<std::pair<blob_id, holder>> add, drop;
    std::map<page_id, std::string> pages;
};
/// A partition after some number of changes.
struct picture {
    std::map<std::string, std::string> rows;
    std::map<page_id, std::string> pages;
};

/// Keeps what was asked and what was acknowledged; after a crash compares the store with it.
class oracle {
public:
    struct partition {
        std::vector<planned> called;  ///< in the order of the calls
        std::size_t acknowledged = 0;
    };
    std::map<partition_id, partition> all;
    std::map<blob_id, std::string> octets;

    picture after(partition_id where, std::size_t n) const
    {
        picture p;
        auto const it = all.find(where);
        for (std::size_t i = 0; i < n; ++i) {
            auto const& c = it->second.called[i];
            for (auto const& r : c.rows) {
                if (r.value)
                    p.rows[r.key] = *r.value;
                else
                    p.rows.erase(r.key);
            }
            for (auto const& [id, text] : c.pages) p.pages[id] = text;
        }
        return p;
    }

    /// Everything the store says is a picture of each partition at its version, and no acknowledged change is behind it.
    void check(engine_world& w, engine& e)
    {
        std::map<blob_id, std::set<holder>> held;
        for (auto& [where, p] : all) {
            auto const v = w.loop.run(e.current_version(where));
            ASSERT_TRUE(v) << describe(v.error());
            ASSERT_GE(*v, p.acknowledged) << where.text() << ": an acknowledged change is lost";
            ASSERT_LE(*v, p.called.size()) << where.text();
            check_rows(w, e, where, static_cast<std::size_t>(*v));
            for (std::size_t i = 0; i < p.called.size(); ++i) {
                auto const as = w.loop.run(e.committed_as(where, p.called[i].id));
                ASSERT_EQ(as.value(), i < *v ? std::optional<version>{i + 1} : std::nullopt) << where.text() << " change " << i;
            }
            for (std::size_t i = 0; i < *v; ++i) {
                for (auto const& [id, who] : p.called[i].add) held[id].insert(who);
                for (auto const& [id, who] : p.called[i].drop) held[id].erase(who);
            }
            // What did not happen never will: the next change follows the last that did.
            p.called.resize(static_cast<std::size_t>(*v));
            p.acknowledged = p.called.size();
        }
        for (auto const& [id, text] : octets) check_blob_is(w, e, id, text, held[id]);
    }

private:
    void check_rows(engine_world& w, engine& e, partition_id where, std::size_t v) const
    {
        auto const want = after(where, v);
        auto const rows = w.loop.run(e.scan(where, {}, 100'000));
        ASSERT_TRUE(rows) << describe(rows.error());
        std::map<std::string, std::string> got;
        for (auto const& r : *rows) got[r.key] = r.value;
        ASSERT_EQ(got == want.rows, true) << where.text() << " at version " << v << " has " << got.size() << " rows, not " << want.rows.size();
        for (auto const& [id, text] : want.pages) {
            auto const page = w.loop.run(e.get_page(where, id));
            ASSERT_TRUE(page) << describe(page.error());
            ASSERT_EQ(*page == text, true);
        }
    }
    static void check_blob_is(engine_world& w, engine& e, blob_id id, std::string const& text, std::set<holder> const& holders)
    {
        auto const got = w.loop.run(e.blob_read(id, 0, UINT64_MAX));
        if (holders.empty()) {
            ASSERT_FALSE(got) << "a blob without a holder is there";
            ASSERT_EQ(got.error().what, fault::kind::not_found) << describe(got.error());
            return;
        }
        ASSERT_TRUE(got) << describe(got.error());
        ASSERT_EQ(*got == text, true);
        auto const checked = w.loop.run(e.blob_check(id));
        ASSERT_TRUE(checked) << describe(checked.error());
        auto const by = w.loop.run(e.blob_holders(id));
        ASSERT_EQ((std::set<holder>{by->begin(), by->end()}), holders);
    }
};

/// Random changes, several under way at a time, until the work is done or the engine fails.
class workload {
public:
    workload(engine_world& w, engine& e, oracle& o, std::uint64_t seed) : w_(w), engine_(e), oracle_(o), random_(seed) {}
    /// Returns false when the engine began to fail.
    bool go_on(int rounds)
    {
        for (int i = 0; i < rounds && !failed_; ++i) {
            base::task_group group{w_.loop};
            auto const together = 1 + random_.below(5);
            for (std::uint64_t k = 0; k < together; ++k) {
                // One at a time in each partition, so that the order of the calls is known; several partitions share a group.
                auto const where = account(k % partitions);
                if (k < partitions) group.spawn(several(where, 1 + random_.below(3)));
            }
            w_.loop.run(group.join());
        }
        return !failed_;
    }

private:
    task<void> several(partition_id where, std::uint64_t n)
    {
        for (std::uint64_t i = 0; i < n && !failed_; ++i) co_await one(where);
    }
    task<void> one(partition_id where)
    {
        auto& mine = oracle_.all[where];
        auto const number = std::to_string(++number_);
        change c;
        c.where = where;
        c.id = change_id::make(w_.random);
        planned p;
        p.id = c.id;
        c.rows.push_back(put("last", number));
        c.rows.push_back(put("c/" + number, random_octets(random_.below(3000), number_)));
        if (number_ > 4 && random_.below(2) == 0) c.rows.push_back(take_out("c/" + std::to_string(1 + random_.below(number_))));
        auto const kind = random_.below(10);
        if (kind < 5) {
            auto const size = kind == 0 ? 262'145 + random_.below(300'000) : random_.below(20'000);
            auto text = random_.below(2) == 0 ? text_octets(size, number_) : random_octets(size, number_);
            auto const blob = co_await engine_.stage(mime::octets{text});
            if (!blob) co_return failing();
            holder const who{where, "e" + number};
            oracle_.octets.emplace((*blob)->id(), std::move(text));
            c.new_blobs.push_back(*blob);
            c.add_holders.push_back({(*blob)->id(), who});
            held_[where].emplace_back((*blob)->id(), who);
        }
        auto& held = held_[where];
        if (held.size() > 2 && random_.below(3) == 0) {
            auto const at = random_.below(held.size() - 1);
            c.drop_holders.push_back({held[at].first, held[at].second});
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
        }
        if (kind == 9) {
            page const text{page_id::make(w_.random), random_octets(30'000, number_)};
            p.pages[text.id] = text.octets;
            c.rows.push_back(put("p/" + number, std::string{text.id.view()}));
            auto const kept = co_await engine_.put_pages(where, {text});
            if (!kept) co_return failing();
        }
        p.rows = c.rows;
        for (auto const& h : c.add_holders) p.add.emplace_back(h.blob, h.who);
        for (auto const& h : c.drop_holders) p.drop.emplace_back(h.blob, h.who);
        mine.called.push_back(std::move(p));
        auto const v = co_await engine_.commit(std::move(c));
        if (!v) co_return failing();
        EXPECT_EQ(*v, mine.called.size());
        mine.acknowledged = mine.called.size();
    }
    void failing() { failed_ = true; }

    engine_world& w_;
    engine& engine_;
    oracle& oracle_;
    base::seeded_random random_;
    std::map<partition_id, std::vector<std::pair<blob_id, holder>>> held_;
    std::uint64_t number_ = 0;
    bool failed_ = false;
};

result<std::unique_ptr<engine>> open_on(engine_world& w, std::shared_ptr<faulty_file_system> const& fs)
{
    return open_rocks_engine(small_options("/data/store", fs), w.clock, w.random, w.log, w.metrics);
}

/// Works until the cut, comes back on what survived, and compares; `second_cut`: the power goes again while it comes back.
void crash_once(std::uint64_t cut_at, std::uint64_t seed, std::uint64_t second_cut)
{
    engine_world w{seed};
    oracle o;
    auto disk = std::make_shared<faulty_file_system>();
    disk->cut_power_at(cut_at);
    if (auto e = open_on(w, disk)) workload{w, **e, o, seed}.go_on(12);
    disk = disk->after_power_cut(seed);
    if (second_cut != 0) {
        disk->cut_power_at(second_cut);
        if (auto e = open_on(w, disk)) static_cast<void>(w.loop.run((*e)->sweep()));
        disk = disk->after_power_cut(seed + 1);
    }
    auto e = open_on(w, disk);
    ASSERT_TRUE(e) << describe(e.error()) << "\n" << w.log.text();
    o.check(w, **e);
    if (::testing::Test::HasFatalFailure()) return;
    // It goes on where it was, and the sweeper takes what nobody named and nothing else.
    ASSERT_TRUE(w.loop.run((*e)->sweep()));
    ASSERT_TRUE((workload{w, **e, o, seed + 7}.go_on(2)));
    o.check(w, **e);
}

std::uint64_t operations_of_a_whole_run(std::uint64_t seed)
{
    engine_world w{seed};
    oracle o;
    auto const disk = std::make_shared<faulty_file_system>();
    {
        auto e = open_on(w, disk);
        EXPECT_TRUE(e);
        EXPECT_TRUE((workload{w, **e, o, seed}.go_on(12)));
    }
    return disk->operations();
}
}  // namespace

TEST(engine_crash, acknowledged_changes_survive_a_power_cut_anywhere)
{
    auto const end = operations_of_a_whole_run(1);
    ASSERT_GT(end, 100U);
    std::uint64_t const step = full_size() ? 1 : std::max<std::uint64_t>(1, end / 25);
    std::uint64_t const seeds = full_size() ? 12 : 2;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        for (std::uint64_t at = 1 + seed % step; at <= end + 1; at += step) {
            SCOPED_TRACE("cut at " + std::to_string(at) + ", seed " + std::to_string(seed * 1000 + at));
            crash_once(at, seed * 1000 + at, 0);
            if (HasFatalFailure()) return;
        }
    }
}

TEST(engine_crash, coming_back_can_be_cut_short_too)
{
    auto const end = operations_of_a_whole_run(1);
    std::uint64_t const rounds = full_size() ? 3000 : 25;
    for (std::uint64_t i = 1; i <= rounds; ++i) {
        SCOPED_TRACE("round " + std::to_string(i));
        crash_once(end / 3 + (i * 37) % end, i, 1 + (i * 13) % 60);
        if (HasFatalFailure()) return;
    }
}

// Found by the test above: the rename of CURRENT survived, and the name of the manifest that it names did not.
TEST(engine_crash, what_current_names_is_on_the_disk_before_it)
{
    base::metrics metrics;
    sync_counter syncs{metrics};
    auto const disk = std::make_shared<faulty_file_system>();
    auto const fs = make_counting_file_system(disk, syncs);
    ASSERT_TRUE(fs->CreateDir("/db", {}, nullptr).ok());
    ASSERT_TRUE(sync_directory(*disk, "/").ok());
    ASSERT_TRUE(write_whole(*fs, "/db/MANIFEST-000001", "manifest").ok());
    ASSERT_TRUE(write_whole(*fs, "/db/000001.dbtmp", "MANIFEST-000001\n").ok());
    ASSERT_TRUE(fs->RenameFile("/db/000001.dbtmp", "/db/CURRENT", {}, nullptr).ok());
    bool seen = false;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        auto const left = disk->after_power_cut(seed);
        if (!left->FileExists("/db/CURRENT", {}, nullptr).ok()) continue;
        seen = true;
        EXPECT_EQ(left->contents("/db/MANIFEST-000001"), "manifest") << "seed " << seed;
    }
    EXPECT_TRUE(seen);
}

// D7: no acknowledgement after the first failed sync, the file is not synced again, and a new process finds everything that was acknowledged.
TEST(engine_crash, a_failed_sync_is_final)
{
    std::uint64_t const syncs = [] {
        engine_world w{5};
        oracle o;
        auto const disk = std::make_shared<faulty_file_system>();
        auto e = open_on(w, disk);
        EXPECT_TRUE((workload{w, **e, o, 5}.go_on(12)));
        return disk->syncs();
    }();
    int failed_commits = 0;
    for (std::uint64_t n = 1; n <= syncs; n += full_size() ? 1 : 3) {
        SCOPED_TRACE("sync " + std::to_string(n));
        engine_world w{5};
        oracle o;
        auto disk = std::make_shared<faulty_file_system>();
        disk->fail_sync_at(n);
        if (auto e = open_on(w, disk)) {
            if (!(workload{w, **e, o, 5}.go_on(12))) {
                ++failed_commits;
                EXPECT_FALSE((*e)->health().writable);
                EXPECT_NE((*e)->health().why, "");
                change c;
                c.where = account(0);
                EXPECT_EQ(w.loop.run((*e)->commit(c)).error().what, fault::kind::broken);
                EXPECT_EQ(w.loop.run((*e)->put_pages(account(0), {})).error().what, fault::kind::broken);
                EXPECT_FALSE(w.loop.run((*e)->stage(mime::octets{std::string{"x"}})));
                EXPECT_FALSE(w.loop.run((*e)->sweep()));
                // What was read before can still be read.
                EXPECT_TRUE(w.loop.run((*e)->current_version(account(0))));
            }
        }
        EXPECT_FALSE(disk->synced_after_failure());
        disk->no_more_failures();  // how many syncs a run makes depends on how its commits were grouped: this one may not have come to the n-th
        if (n % 2 == 0) disk = disk->after_power_cut(n);
        {
            auto e = open_on(w, disk);
            ASSERT_TRUE(e) << describe(e.error());
            o.check(w, **e);
            if (HasFatalFailure()) return;
            ASSERT_TRUE((workload{w, **e, o, 6}.go_on(2)));
        }
        // And the power goes: what the first process failed to sync was not taken for synced by the second.
        disk = disk->after_power_cut(n + 1);
        auto e = open_on(w, disk);
        ASSERT_TRUE(e) << describe(e.error());
        o.check(w, **e);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(failed_commits, 5);
}

TEST(engine_crash, a_failed_write_of_the_log_is_final_too)
{
    for (std::uint64_t n = 5; n <= 60; n += 11) {
        SCOPED_TRACE("append " + std::to_string(n));
        engine_world w{9};
        oracle o;
        auto const disk = std::make_shared<faulty_file_system>();
        {
            auto e = open_on(w, disk);
            ASSERT_TRUE(e);
            disk->fail_append_at(n);
            if (!(workload{w, **e, o, 9}.go_on(12))) static_cast<void>((*e)->health());
        }
        disk->no_more_failures();
        auto e = open_on(w, disk);
        ASSERT_TRUE(e) << describe(e.error());
        o.check(w, **e);
        if (HasFatalFailure()) return;
    }
}

// D8: a full disk refuses new messages by name, keeps what it has, lets people delete, and recovers by itself.
TEST(engine_crash, a_full_disk_refuses_messages_and_nothing_else)
{
    engine_world w{3};
    oracle o;
    auto const disk = std::make_shared<faulty_file_system>();
    auto options = small_options("/data/store", disk);
    options.reserve_octets = std::uint64_t{1} << 30U;  // what the database tidies away meanwhile does not make room enough
    auto e = open_rocks_engine(options, w.clock, w.random, w.log, w.metrics);
    ASSERT_TRUE(e);
    ASSERT_TRUE((workload{w, **e, o, 3}.go_on(6)));
    disk->set_capacity(0);
    w.loop.run_for(std::chrono::seconds{2});
    EXPECT_EQ((*e)->health().free_octets, 0U);
    EXPECT_EQ(w.loop.run((*e)->stage(mime::octets{random_octets(400'000)})).error().what, fault::kind::over_limit);
    auto const small = w.loop.run((*e)->stage(mime::octets{std::string{"hello"}}));
    ASSERT_TRUE(small);
    change c;
    c.where = account(1);
    c.new_blobs.push_back(*small);
    c.add_holders.push_back({(*small)->id(), {account(1), "e"}});
    EXPECT_EQ(w.loop.run((*e)->commit(c)).error().what, fault::kind::over_limit);
    // With the reserve, and no more, an expunge goes through.
    std::uint64_t used = 0;
    for (auto const& f : disk->files()) used += disk->contents(f).size();
    disk->set_capacity(used + (std::uint64_t{1} << 20U));
    w.loop.run_for(std::chrono::seconds{2});
    change removal;
    removal.where = account(1);
    removal.id = change_id::make(w.random);
    removal.rows.push_back(take_out("last"));
    auto const removed = w.loop.run((*e)->commit(removal));
    ASSERT_TRUE(removed) << describe(removed.error());
    EXPECT_EQ(w.loop.run((*e)->commit(c)).error().what, fault::kind::over_limit);
    EXPECT_TRUE((*e)->health().writable);
    disk->set_capacity(std::uint64_t{1} << 40U);
    w.loop.run_for(std::chrono::seconds{2});
    EXPECT_TRUE(w.loop.run((*e)->commit(c)));
}

TEST(engine_crash, a_large_message_that_does_not_fit_leaves_no_file)
{
    engine_world w{4};
    auto const disk = std::make_shared<faulty_file_system>();
    auto o = small_options("/data/store", disk);
    o.reserve_octets = 1;  // so that the disk itself says no
    auto e = open_rocks_engine(o, w.clock, w.random, w.log, w.metrics);
    ASSERT_TRUE(e);
    std::uint64_t used = 0;
    for (auto const& f : disk->files()) used += disk->contents(f).size();
    w.loop.run_for(std::chrono::seconds{2});
    EXPECT_TRUE((*e)->health().writable);  // also asks for the free space
    disk->set_capacity(used + 300'000);
    auto const staged = w.loop.run((*e)->stage(mime::octets{random_octets(500'000)}));
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().what, fault::kind::over_limit) << describe(staged.error());
    EXPECT_TRUE((*e)->health().writable);
    for (auto const& f : disk->files()) EXPECT_EQ(f.find("/blobs/"), std::string::npos) << f;
}
