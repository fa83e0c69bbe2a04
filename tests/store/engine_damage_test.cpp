// Clause D9 at the engine: flipped, zeroed or cut octets in any file are found; nothing wrong is ever served, nothing acknowledged vanishes without a word.
#include <cstdlib>

#include "engine_fixture.hpp"
#include "store/blob_frames.hpp"
#include "store/rocks_wal.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
bool full_size() { return std::getenv("MANSIO_FULL") != nullptr; }

struct message {
    blob_id id;
    std::string octets;
    std::string key, row;
};

result<std::unique_ptr<engine>> open_on(engine_world& w, std::shared_ptr<faulty_file_system> const& fs)
{
    return open_rocks_engine(small_options("/store", fs), w.clock, w.random, w.log, w.metrics);
}

std::vector<message> fill(engine_world& w, engine& e, std::uint64_t count)
{
    std::vector<message> out;
    for (std::uint64_t i = 0; i < count; ++i) {
        message m;
        m.octets = i % 10 == 9 ? random_octets(300'000, i) : i % 3 == 0 ? random_octets(200 + i * 900, i) : text_octets(500 + i * 1000, i);
        m.key = "e" + std::to_string(i);
        m.row = text_octets(700, i);
        auto const b = w.loop.run(e.stage(mime::octets{m.octets}));
        change c;
        c.where = account(1 + i % 3);
        c.id = change_id::make(w.random);
        c.rows.push_back(put(m.key, m.row));
        c.new_blobs.push_back(*b);
        c.add_holders.push_back({(*b)->id(), {c.where, m.key}});
        m.id = (*b)->id();
        auto const v = w.loop.run(e.commit(std::move(c)));
        EXPECT_TRUE(v) << describe(v.error());
        out.push_back(std::move(m));
    }
    return out;
}

struct outcome {
    bool opened = false;
    int right = 0, errors = 0, missing = 0, wrong = 0;
};
outcome read_all(std::shared_ptr<faulty_file_system> const& fs, std::vector<message> const& messages)
{
    outcome o;
    engine_world w{99};
    auto const e = open_on(w, fs);
    if (!e) return o;
    o.opened = true;
    auto const count = [&o](bool ok, fault const& f, bool same) {
        if (ok)
            ++(same ? o.right : o.wrong);
        else
            ++(f.what == fault::kind::not_found ? o.missing : o.errors);
    };
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto const& m = messages[i];
        auto const got = w.loop.run((*e)->blob_read(m.id, 0, UINT64_MAX));
        count(got.has_value(), got ? fault{} : got.error(), got && *got == m.octets);
        auto const row = w.loop.run((*e)->get(account(1 + i % 3), m.key));
        if (row && !*row)
            ++o.missing;
        else
            count(row.has_value(), row ? fault{} : row.error(), row && **row == m.row);
    }
    return o;
}

std::string flipped(std::string octets, std::size_t block)
{
    auto& c = octets[std::min(block * 4096 + 1234 % octets.size(), octets.size() - 1)];
    c = static_cast<char>(c ^ 0x10);
    return octets;
}
std::string zeroed(std::string octets, std::size_t block)
{
    auto const at = block * 4096;
    octets.replace(at, std::min<std::size_t>(4096, octets.size() - at), std::min<std::size_t>(4096, octets.size() - at), '\0');
    return octets;
}
std::string cut(std::string octets, std::size_t block)
{
    octets.resize(block * 4096);
    return octets;
}
}  // namespace

TEST(engine_damage, nothing_wrong_is_served_and_nothing_vanishes_after_a_clean_stop)
{
    engine_world w;
    auto const disk = std::make_shared<faulty_file_system>();
    std::vector<message> messages;
    {
        auto const e = open_on(w, disk);
        ASSERT_TRUE(e);
        messages = fill(w, **e, 40);
    }
    ASSERT_EQ(read_all(disk, messages).right, 80);
    struct {
        char const* name;
        std::string (*apply)(std::string, std::size_t);
    } const damages[] = {{"flipped", flipped}, {"zeroed", zeroed}, {"cut", cut}};
    std::size_t blocks = 0, tried = 0;
    auto const files = disk->after_power_cut(1)->files();
    for (auto const& f : files) blocks += disk->contents(f).size() / 4096 + 1;
    std::size_t const step = full_size() ? 1 : std::max<std::size_t>(1, blocks / 50);
    std::size_t number = 0;
    int refused = 0, with_errors = 0;
    for (auto const& f : files) {
        auto const octets = disk->contents(f);
        for (std::size_t block = 0; block * 4096 < octets.size(); ++block) {
            // Small files are tried whole: headers, manifests, logs.
            if (number++ % step != 0 && octets.size() > 40'000) continue;
            for (auto const& damage : damages) {
                auto const damaged = disk->after_power_cut(1);
                damaged->overwrite(f, damage.apply(octets, block));
                auto const o = read_all(damaged, messages);
                ++tried;
                ASSERT_EQ(o.wrong, 0) << f << " block " << block << " " << damage.name;
                ASSERT_EQ(o.missing, 0) << f << " block " << block << " " << damage.name;
                refused += o.opened ? 0 : 1;
                with_errors += o.errors != 0 ? 1 : 0;
            }
        }
    }
    EXPECT_GT(refused, 0);
    EXPECT_GT(with_errors, 10);
    RecordProperty("tried", static_cast<int>(tried));
}

// RocksDB alone takes a shortened manifest for an older state, and deletes the tables it no longer names.
TEST(engine_damage, a_shortened_manifest_is_found_before_anything_is_deleted)
{
    engine_world w;
    auto const disk = std::make_shared<faulty_file_system>();
    std::vector<message> messages;
    for (int i = 0; i < 3; ++i) {
        auto const e = open_on(w, disk);
        ASSERT_TRUE(e);
        messages = fill(w, **e, 70);  // several times the memtables
    }
    for (auto const& f : disk->files()) {
        if (f.find("MANIFEST") == std::string::npos) continue;
        auto const octets = disk->contents(f);
        for (std::size_t at = 0; at < octets.size(); at += full_size() ? 1 : octets.size() / 7 + 1) {
            auto const damaged = disk->after_power_cut(1);
            damaged->overwrite(f, octets.substr(0, at));
            auto const before = damaged->files();
            EXPECT_FALSE(read_all(damaged, messages).opened) << f << " cut at " << at;
            EXPECT_EQ(damaged->files(), before);
        }
    }
    EXPECT_EQ(read_all(disk, messages).right, 140);
}

TEST(engine_damage, an_acknowledged_record_of_the_log_is_never_skipped)
{
    engine_world w;
    auto const disk = std::make_shared<faulty_file_system>();
    auto e = open_on(w, disk);
    ASSERT_TRUE(e);
    auto const messages = fill(w, **e, 8);
    // As after a kill: the log holds everything.
    auto const crashed = disk->after_power_cut(1);
    e->reset();
    std::string log;
    for (auto const& f : crashed->files())
        if (f.ends_with(".log") && crashed->contents(f).size() > crashed->contents(log).size()) log = f;
    ASSERT_FALSE(log.empty());
    auto const octets = crashed->contents(log);
    auto const whole = inspect_wal(octets);
    ASSERT_EQ(whole.records, 8U);
    EXPECT_FALSE(whole.torn);
    ASSERT_EQ(read_all(crashed, messages).right, 16);
    std::size_t const step = full_size() ? 7 : 997;
    int refused = 0;
    for (std::size_t at = 0; at < whole.intact_octets; at += step) {
        auto damaged = octets;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
        auto const state = inspect_wal(damaged);
        ASSERT_TRUE(state.torn) << at;
        // Only the last record may be taken for a torn one.
        ASSERT_TRUE(state.damaged || state.records == 7) << at << " after " << state.records;
        if (!state.damaged) continue;
        if (++refused % 5 != 0) continue;
        auto const copy = crashed->after_power_cut(1);
        copy->overwrite(log, damaged);
        engine_world v{2};
        auto const opened = open_on(v, copy);
        ASSERT_FALSE(opened) << at;
        EXPECT_NE(opened.error().say.find("damaged"), std::string::npos) << opened.error().say;
        EXPECT_EQ(copy->contents(log) == damaged, true) << "a refused store was changed";
    }
    EXPECT_GT(refused, 10);
    // Zeroed blocks, which RocksDB skips without a word.
    for (std::size_t at = 0; at + 32768 < whole.intact_octets; at += 32768) {
        auto const state = inspect_wal(std::string{octets}.replace(at, 32768, 32768, '\0'));
        EXPECT_TRUE(state.damaged) << at;
    }
}

TEST(engine_damage, any_end_of_the_log_is_a_torn_end_and_no_damage)
{
    engine_world w;
    auto const disk = std::make_shared<faulty_file_system>();
    auto const e = open_on(w, disk);
    ASSERT_TRUE(e);
    static_cast<void>(fill(w, **e, 6));
    std::string octets;
    for (auto const& f : disk->files())
        if (f.ends_with(".log") && disk->contents(f).size() > octets.size()) octets = disk->contents(f);
    octets.resize(static_cast<std::size_t>(inspect_wal(octets).intact_octets));
    std::size_t const step = full_size() ? 1 : 101;
    std::uint64_t last = 0;
    for (std::size_t at = 0; at <= octets.size(); at += step) {
        for (bool const filled : {false, true}) {
            auto cut_off = octets.substr(0, at);
            if (filled) cut_off.resize(octets.size() + 5000, '\0');
            auto const state = inspect_wal(cut_off);
            ASSERT_FALSE(state.damaged) << at;
            ASSERT_GE(state.records, last);
            ASSERT_LE(state.intact_octets, at);
            last = state.records;
        }
    }
    EXPECT_GE(last, 5U);
}

TEST(engine_damage, octets_that_look_like_a_log_inside_a_message_change_nothing)
{
    engine_world w;
    auto const disk = std::make_shared<faulty_file_system>();
    auto const e = open_on(w, disk);
    ASSERT_TRUE(e);
    auto const messages = fill(w, **e, 3);
    std::string log;
    for (auto const& f : disk->files())
        if (f.ends_with(".log") && disk->contents(f).size() > log.size()) log = disk->contents(f);
    log.resize(static_cast<std::size_t>(inspect_wal(log).intact_octets));
    // A message that holds our own log, torn: the records in it are of the past.
    auto const b = w.loop.run((*e)->stage(mime::octets{log.substr(0, 200'000)}));
    change c;
    c.where = account(1);
    c.id = change_id::make(w.random);
    c.new_blobs.push_back(*b);
    c.add_holders.push_back({(*b)->id(), {account(1), "log"}});
    ASSERT_TRUE(w.loop.run((*e)->commit(std::move(c))));
    std::string now;
    for (auto const& f : disk->files())
        if (f.ends_with(".log") && disk->contents(f).size() > now.size()) now = disk->contents(f);
    auto const end = static_cast<std::size_t>(inspect_wal(now).intact_octets);
    now.resize(end);
    now[log.size() + 200] = static_cast<char>(now[log.size() + 200] ^ 1);
    auto const state = inspect_wal(now);
    EXPECT_TRUE(state.torn);
    EXPECT_FALSE(state.damaged);
    EXPECT_EQ(state.records, 3U);
}
