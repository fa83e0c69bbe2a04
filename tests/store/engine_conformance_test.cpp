// What every engine promises (src/store/engine.hpp), run on each.
#include <set>

#include "engine_fixture.hpp"
#include "store/blob_frames.hpp"
#include "store/picture.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;
using namespace std::chrono_literals;

namespace {
enum class kind { memory, rocks, rocks_on_disk };

class engine_test : public ::testing::TestWithParam<kind> {
protected:
    void SetUp() override { open(); }
    void TearDown() override { engine_.reset(); }
    void open()
    {
        engine_.reset();
        if (GetParam() == kind::memory) {
            engine_ = make_memory_engine(w_.clock, w_.random);
            return;
        }
        auto o = GetParam() == kind::rocks ? small_options("/store", fs_) : small_options(scratch_.path() + "/store", nullptr);
        auto made = open_rocks_engine(o, w_.clock, w_.random, w_.log, w_.metrics);
        ASSERT_TRUE(made) << describe(made.error());
        engine_ = std::move(*made);
    }
    [[nodiscard]] bool keeps() const { return GetParam() != kind::memory; }

    template <class T> T run(task<T> t) { return w_.loop.run(std::move(t)); }
    change change_of(partition_id where, std::vector<row_change> rows = {})
    {
        change c;
        c.where = where;
        c.id = change_id::make(w_.random);
        c.rows = std::move(rows);
        c.note = "test";
        return c;
    }
    result<version> commit(change c) { return run(engine_->commit(std::move(c))); }
    version must(change c)
    {
        auto const v = commit(std::move(c));
        EXPECT_TRUE(v) << describe(v.error());
        return v.value_or(0);
    }
    std::string value(partition_id where, std::string key)
    {
        auto const v = run(engine_->get(where, std::move(key)));
        EXPECT_TRUE(v) << describe(v.error());
        return v && *v ? **v : "(absent)";
    }
    std::string keys(partition_id where, key_range range = {}, std::size_t limit = 1000, direction d = direction::forward)
    {
        auto const rows = run(engine_->scan(where, std::move(range), limit, d));
        EXPECT_TRUE(rows);
        std::string out;
        for (auto const& r : rows.value()) out += (out.empty() ? "" : " ") + r.key;
        return out;
    }
    std::shared_ptr<staged_blob const> stage(std::string octets)
    {
        auto b = run(engine_->stage(mime::octets{std::move(octets)}));
        EXPECT_TRUE(b) << describe(b.error());
        return b.value_or(nullptr);
    }
    change with_blob(partition_id where, std::shared_ptr<staged_blob const> b, std::string name)
    {
        auto c = change_of(where, {put(name, "x")});
        c.add_holders.push_back({b->id(), {where, std::move(name)}});
        c.new_blobs.push_back(std::move(b));
        return c;
    }
    result<std::string> read(blob_id id, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) { return run(engine_->blob_read(id, offset, length)); }

    engine_world w_;
    scratch_directory scratch_;
    std::shared_ptr<faulty_file_system> fs_ = std::make_shared<faulty_file_system>();
    std::unique_ptr<engine> engine_;
};

template <class T> fault::kind error_of(result<T> const& r) { return r ? fault::kind::syntax : r.error().what; }
}  // namespace

TEST_P(engine_test, rows_are_put_replaced_and_removed_in_order)
{
    EXPECT_EQ(must(change_of(account(1), {put("a", "1"), put("b", "2"), put("a", "3"), put("c", ""), take_out("b")})), 1U);
    EXPECT_EQ(value(account(1), "a"), "3");
    EXPECT_EQ(value(account(1), "b"), "(absent)");
    EXPECT_EQ(value(account(1), "c"), "");
    EXPECT_EQ(value(account(2), "a"), "(absent)");
    EXPECT_EQ(must(change_of(account(1), {take_out("a"), put("a", "4")})), 2U);
    EXPECT_EQ(value(account(1), "a"), "4");
}

TEST_P(engine_test, versions_rise_by_partition_and_survive)
{
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 0U);
    for (version v = 1; v <= 5; ++v) EXPECT_EQ(must(change_of(account(1))), v);
    EXPECT_EQ(must(change_of(partition_id{partition_kind::queue, 1})), 1U);
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 5U);
    if (keeps()) open();
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 5U);
    EXPECT_EQ(must(change_of(account(1))), 6U);
}

TEST_P(engine_test, a_failed_guard_applies_nothing)
{
    must(change_of(account(1), {put("there", "v")}));
    auto const tried = [&](auto arrange) {
        auto c = change_of(account(1), {put("new", "x"), take_out("there")});
        arrange(c);
        return error_of(commit(std::move(c)));
    };
    EXPECT_EQ(tried([](change& c) { c.expected = 0; }), fault::kind::conflict);
    EXPECT_EQ(tried([](change& c) { c.expected = 2; }), fault::kind::conflict);
    EXPECT_EQ(tried([](change& c) { c.guards.push_back({"there", std::nullopt}); }), fault::kind::conflict);
    EXPECT_EQ(tried([](change& c) { c.guards.push_back({"there", "w"}); }), fault::kind::conflict);
    EXPECT_EQ(tried([](change& c) { c.guards.push_back({"absent", ""}); }), fault::kind::conflict);
    EXPECT_EQ(tried([](change& c) { c.add_holders.push_back({blob_id{{1}}, {account(1), "e1"}}); }), fault::kind::conflict);
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 1U);
    EXPECT_EQ(keys(account(1)), "there");
    auto c = change_of(account(1), {put("new", "x")});
    c.expected = 1;
    c.guards = {{"there", "v"}, {"absent", std::nullopt}};
    EXPECT_EQ(must(std::move(c)), 2U);
}

TEST_P(engine_test, guards_see_the_changes_before_them_in_one_group)
{
    // Twenty callers, each "put the number if nobody has": exactly one may.
    base::task_group group{w_.loop};
    int won = 0, lost = 0;
    auto const attempt = [](engine& e, change c, int& yes, int& no) -> task<void> {
        auto const v = co_await e.commit(std::move(c));
        ++(v ? yes : no);
    };
    for (int i = 0; i < 20; ++i) {
        auto c = change_of(account(1), {put("once", std::to_string(i))});
        c.guards.push_back({"once", std::nullopt});
        group.spawn(attempt(*engine_, std::move(c), won, lost));
    }
    run(group.join());
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 19);
    EXPECT_EQ(value(account(1), "once"), "0");
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 1U);
}

TEST_P(engine_test, changes_of_a_partition_apply_in_the_order_of_the_calls)
{
    base::task_group group{w_.loop};
    std::vector<version> order;
    auto const one = [](engine& e, change c, std::vector<version>& out) -> task<void> {
        auto const v = co_await e.commit(std::move(c));
        out.push_back(v.value_or(0));
    };
    for (int i = 0; i < 300; ++i) group.spawn(one(*engine_, change_of(account(7), {put("last", std::to_string(i)), put("n" + std::to_string(i), "")}), order));
    run(group.join());
    ASSERT_EQ(order.size(), 300U);
    for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i + 1);
    EXPECT_EQ(value(account(7), "last"), "299");
}

TEST_P(engine_test, a_change_can_be_looked_up_by_its_id)
{
    std::vector<change_id> ids;
    for (int i = 0; i < 1100; ++i) {
        auto c = change_of(account(3));
        ids.push_back(c.id);
        must(std::move(c));
    }
    EXPECT_EQ(run(engine_->committed_as(account(3), ids.back())).value(), std::optional<version>{1100});
    EXPECT_EQ(run(engine_->committed_as(account(3), ids[1100 - 1024])).value(), std::optional<version>{1100 - 1024 + 1});
    EXPECT_EQ(run(engine_->committed_as(account(4), ids.back())).value(), std::nullopt);
    EXPECT_EQ(run(engine_->committed_as(account(3), change_id::make(w_.random))).value(), std::nullopt);
    if (!keeps()) return;
    open();
    EXPECT_EQ(run(engine_->committed_as(account(3), ids.back())).value(), std::optional<version>{1100});
}

TEST_P(engine_test, scans_go_both_ways_within_their_range)
{
    must(change_of(account(5), {put("a", ""), put("b", ""), put("b1", ""), put("b2", ""), put("c", ""), put(std::string{"\xFF\xFF"}, "")}));
    must(change_of(account(4), {put("z", "")}));
    must(change_of(account(6), {put("0", "")}));
    EXPECT_EQ(keys(account(5)), "a b b1 b2 c \xFF\xFF");
    EXPECT_EQ(keys(account(5), {}, 1000, direction::backward), "\xFF\xFF c b2 b1 b a");
    EXPECT_EQ(keys(account(5), key_range::prefix("b")), "b b1 b2");
    EXPECT_EQ(keys(account(5), key_range::prefix("b"), 2), "b b1");
    EXPECT_EQ(keys(account(5), key_range::prefix("b"), 2, direction::backward), "b2 b1");
    EXPECT_EQ(keys(account(5), {"b", "b2"}), "b b1");
    EXPECT_EQ(keys(account(5), {std::string("b") + '\0', "c"}), "b1 b2");
    EXPECT_EQ(keys(account(5), {"c", "b"}), "");
    EXPECT_EQ(keys(account(5), {"b", "b"}), "");
    EXPECT_EQ(keys(account(5), key_range::prefix("\xFF")), "\xFF\xFF");
    EXPECT_EQ(keys(account(5), {}, 0), "");
    EXPECT_EQ(keys(account(9)), "");
}

TEST_P(engine_test, a_scan_may_be_long)
{
    std::string want, backward;
    std::vector<row_change> rows;
    rows.reserve(2500);
    auto const add = [](std::string& list, int n) { list.append(list.empty() ? "" : " ").append(std::to_string(n)); };
    for (int i = 1000; i < 3500; ++i) {
        rows.push_back(put(std::to_string(i), "v"));
        add(want, i);
        add(backward, 4499 - i);
    }
    must(change_of(account(1), std::move(rows)));
    EXPECT_EQ(keys(account(1), {}, 10'000), want);
    EXPECT_EQ(keys(account(1), {}, 10'000, direction::backward), backward);
    EXPECT_EQ(keys(account(1), {}, 1500), want.substr(0, 1500 * 5 - 1));
}

TEST_P(engine_test, a_scan_answers_the_same_whether_its_rows_are_wanted_again_or_not)
{
    std::vector<row_change> rows;
    for (int i = 100; i < 900; ++i) rows.push_back(put(std::to_string(i), std::string(50, 'v')));
    must(change_of(account(1), std::move(rows)));
    for (auto const d : {direction::forward, direction::backward}) {
        auto const likely = run(engine_->scan(account(1), {"2", "7"}, 400, d, reuse::likely)).value();
        auto const unlikely = run(engine_->scan(account(1), {"2", "7"}, 400, d, reuse::unlikely)).value();
        ASSERT_EQ(likely.size(), 400U);
        ASSERT_EQ(unlikely.size(), likely.size());
        for (std::size_t i = 0; i < likely.size(); ++i) {
            EXPECT_EQ(unlikely[i].key, likely[i].key);
            EXPECT_EQ(unlikely[i].value, likely[i].value);
        }
    }
}

TEST_P(engine_test, several_ranges_are_read_with_the_version)
{
    must(change_of(account(3), {put("z", "of another")}));
    must(change_of(account(4), {put("a", "1"), put("b", "2"), put("b1", "3"), put("c", "4"), put("d", "5")}));
    must(change_of(account(4), {put("c", "6")}));
    must(change_of(account(5), {put("a", "of another")}));
    auto const got = run(engine_->read_ranges(account(4), {{"c", ""}, key_range::prefix("b"), {"x", "z"}, {"b", "a"}, {"a", "b"}}, 10)).value();
    EXPECT_EQ(got.at, 2U);
    auto const text = [&](std::size_t i) {
        std::string out;
        for (auto const& r : got.rows.at(i)) out += r.key + r.value + " ";
        return out;
    };
    ASSERT_EQ(got.rows.size(), 5U);
    EXPECT_EQ(text(0), "c6 d5 ");
    EXPECT_EQ(text(1), "b2 b13 ");
    EXPECT_EQ(text(2), "");
    EXPECT_EQ(text(3), "");
    EXPECT_EQ(text(4), "a1 ");
    EXPECT_EQ(run(engine_->read_ranges(account(4), {{}}, 2)).value().rows.at(0).size(), 2U);
    EXPECT_EQ(run(engine_->read_ranges(account(9), {{}}, 2)).value().at, 0U);
    EXPECT_TRUE(run(engine_->read_ranges(account(4), {}, 2)).value().rows.empty());
}

TEST_P(engine_test, partitions_are_listed_by_kind_while_they_have_a_row)
{
    for (std::uint64_t const n : {std::uint64_t{3}, std::uint64_t{1}, std::uint64_t{1} << 40U, std::uint64_t{255}, std::uint64_t{256}})
        must(change_of(account(n), {put("k1", ""), put("k2", "")}));
    must(change_of(partition_id{partition_kind::queue, 9}, {put("q", "")}));
    must(change_of(account(2)));
    must(change_of(account(255), {take_out("k1"), take_out("k2")}));
    auto const got = run(engine_->partitions(partition_kind::account));
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, (std::vector{account(1), account(3), account(256), account(std::uint64_t{1} << 40U)}));
    EXPECT_EQ(run(engine_->partitions(partition_kind::queue)).value(), (std::vector{partition_id{partition_kind::queue, 9}}));
    EXPECT_TRUE(run(engine_->partitions(partition_kind::story)).value().empty());
}

TEST_P(engine_test, a_change_of_one_mebibyte_is_taken)
{
    std::vector<row_change> rows;
    std::size_t left = std::size_t{1} << 20U;
    for (int i = 0; left > 16 + 4 + 4; ++i) {
        auto const n = std::min<std::size_t>(60'000, left - 16 - 4);
        rows.push_back(put("k" + std::to_string(1000 + i), random_octets(n, static_cast<std::uint64_t>(i))));
        left -= n + 5;
    }
    must(change_of(account(1), rows));
    if (keeps()) open();
    for (auto const& r : rows) EXPECT_EQ(value(account(1), r.key) == *r.value, true);
}

TEST_P(engine_test, blobs_of_every_size_come_back_in_any_range)
{
    std::vector<std::pair<blob_id, std::string>> stored;
    for (std::size_t const n :
         {std::size_t{0}, std::size_t{1}, std::size_t{600}, std::size_t{70'000}, std::size_t{262'144}, std::size_t{262'145}, std::size_t{3'000'000}})
    {
        for (auto const& octets : {text_octets(n, n), random_octets(n, n)}) {
            auto const b = stage(octets);
            EXPECT_EQ(b->size(), n);
            EXPECT_EQ(error_of(read(b->id())), fault::kind::not_found);  // not before it is committed
            must(with_blob(account(1), b, "e" + std::to_string(stored.size())));
            stored.emplace_back(b->id(), octets);
        }
    }
    for (int pass = 0; pass < (keeps() ? 2 : 1); ++pass) {
        for (auto const& [id, octets] : stored) {
            EXPECT_EQ(run(engine_->blob_size(id)).value(), octets.size());
            EXPECT_TRUE(run(engine_->blob_check(id)));
            std::uint64_t const ends[] = {0, 1, octets.size() / 2, 262'143, 262'144, 262'145, octets.size(), octets.size() + 5, UINT64_MAX};
            for (auto const from : ends) {
                for (auto const length : ends) {
                    auto const got = read(id, from, length);
                    ASSERT_TRUE(got) << describe(got.error());
                    auto const want = from >= octets.size() ? std::string{} : octets.substr(from, length);
                    ASSERT_EQ(*got == want, true) << octets.size() << " " << from << " " << length;
                }
            }
        }
        if (keeps()) open();
    }
}

TEST_P(engine_test, a_picture_shows_one_moment_whatever_comes_after)
{
    auto const one = account(1);
    auto c = change_of(one, {put("a", "1"), put("b", "2"), put("c", "3")});
    auto const small = stage(text_octets(1000)), large = stage(random_octets(700'000));
    auto const message = random_octets(700'000);
    for (auto const& b : {small, large}) {
        c.new_blobs.push_back(b);
        c.add_holders.push_back({b->id(), {one, "e1"}});
    }
    auto const change = c.id;
    auto const at = must(std::move(c));
    auto const named = page_id::make(w_.random);
    ASSERT_TRUE(run(engine_->put_pages(one, {page{named, "page"}})));
    auto taken = run(engine_->take_picture());
    ASSERT_TRUE(taken) << describe(taken.error());
    auto later = change_of(one, {put("a", "later"), take_out("b"), put("d", "4")});
    for (auto const& b : {small, large}) later.drop_holders.push_back({b->id(), {one, "e1"}});
    later.drop_pages.push_back(named);
    must(std::move(later));
    must(change_of(account(2), {put("x", "y")}));
    ASSERT_TRUE(run(engine_->sweep()));

    auto& p = **taken;
    auto const states = run(p.partitions(partition_kind::account));
    ASSERT_TRUE(states);
    EXPECT_EQ(*states, (std::vector{partition_state{one, at, change}}));
    auto const text = [&](picture_table what, std::size_t octets) {
        std::string out;
        std::optional<std::string> from{""};
        while (from) {
            auto const part = run(p.read(what, one, *from, octets));
            EXPECT_TRUE(part) << describe(part.error());
            if (!part) break;
            EXPECT_TRUE(part->damaged.empty());
            for (auto const& e : part->entries) out += (what == picture_table::rows ? e.key : "") + e.value + " ";
            from = part->next;
        }
        return out;
    };
    EXPECT_EQ(text(picture_table::rows, 1), "a1 b2 c3 ");
    EXPECT_EQ(text(picture_table::rows, 1U << 20U), "a1 b2 c3 ");
    EXPECT_EQ(text(picture_table::pages, 1), "page ");
    auto const totals = run(p.totals());
    ASSERT_TRUE(totals);
    EXPECT_EQ(totals->blobs, 2U);
    auto const blobs = run(p.read(picture_table::blobs, {}, "", 1U << 20U));
    ASSERT_TRUE(blobs);
    ASSERT_EQ(blobs->entries.size(), 2U);
    for (auto const& e : blobs->entries) {
        auto const held = decode_held_blob(e.value);
        ASSERT_TRUE(held);
        EXPECT_EQ(held->holders, (std::vector{holder{one, "e1"}}));
        auto const id = *blob_id::from_octets(e.key);
        std::string encoded;
        for (std::uint64_t o = 0; o < held->encoded; o += 100'000) encoded += run(p.blob(id, o, 100'000)).value_or("?");
        EXPECT_EQ(encoded.size(), held->encoded);
        EXPECT_TRUE(check_blob(id, encoded)) << "expunged meanwhile, and still there as long as the picture is";
        // Elsewhere, under its own id.
        auto const again = run(engine_->stage_encoded(id, mime::octets{encoded}));
        ASSERT_TRUE(again) << describe(again.error());
        auto back = change_of(account(3), {put("r", "s")});
        back.new_blobs.push_back(*again);
        back.add_holders.push_back({id, {account(3), "e7"}});
        must(std::move(back));
        EXPECT_EQ(run(engine_->blob_read(id, 0, 1U << 20U)).value_or(""), id == small->id() ? text_octets(1000) : message);
        EXPECT_FALSE(run(engine_->stage_encoded(id, mime::octets{encoded}))) << "there is one of that id";
        encoded[encoded.size() / 3] ^= 1;
        EXPECT_FALSE(run(engine_->stage_encoded(blob_id::make(w_.random), mime::octets{encoded})));
    }
    taken->reset();
    // What came back while its file waited to be removed is not removed.
    EXPECT_EQ(run(engine_->blob_read(large->id(), 0, 1U << 20U)).value_or(""), message);
}

TEST_P(engine_test, a_blob_lives_as_long_as_its_holders)
{
    for (std::size_t const n : {std::size_t{500}, std::size_t{700'000}}) {
        auto const octets = random_octets(n);
        auto const b = stage(octets);
        auto const id = b->id();
        must(with_blob(account(1), b, "e1"));
        auto more = change_of(account(2));
        more.add_holders.push_back({id, {account(2), "e9"}});
        more.add_holders.push_back({id, {account(2), "e9"}});  // twice is once
        must(std::move(more));
        EXPECT_EQ(run(engine_->blob_holders(id)).value(), (std::vector<holder>{{account(1), "e1"}, {account(2), "e9"}}));
        auto less = change_of(account(1));
        less.drop_holders.push_back({id, {account(1), "e1"}});
        less.drop_holders.push_back({id, {account(1), "never"}});
        must(less);
        EXPECT_TRUE(read(id));
        less.id = change_id::make(w_.random);
        must(less);  // again: nothing happens
        EXPECT_EQ(read(id).value() == octets, true);
        auto last = change_of(account(2));
        last.drop_holders.push_back({id, {account(2), "e9"}});
        must(std::move(last));
        EXPECT_EQ(error_of(read(id)), fault::kind::not_found);
        EXPECT_EQ(error_of(run(engine_->blob_size(id))), fault::kind::not_found);
        EXPECT_EQ(error_of(run(engine_->blob_holders(id))), fault::kind::not_found);
        EXPECT_EQ(error_of(run(engine_->blob_check(id))), fault::kind::not_found);
        auto late = change_of(account(3), {put("x", "y")});
        late.add_holders.push_back({id, {account(3), "e1"}});
        EXPECT_EQ(error_of(commit(std::move(late))), fault::kind::conflict);
        EXPECT_EQ(value(account(3), "x"), "(absent)");
        // Staged, committed and gone: it does not come back either.
        EXPECT_EQ(error_of(commit(with_blob(account(3), b, "e2"))), fault::kind::conflict);
    }
}

TEST_P(engine_test, one_staged_blob_serves_several_recipients_at_once)
{
    for (std::size_t const n : {std::size_t{5000}, std::size_t{400'000}}) {
        auto const octets = random_octets(n);
        auto const b = stage(octets);
        base::task_group group{w_.loop};
        int done = 0;
        auto const one = [](engine& e, change c, int& good) -> task<void> {
            auto const v = co_await e.commit(std::move(c));
            if (v) ++good;
        };
        for (std::uint64_t i = 1; i <= 10; ++i) group.spawn(one(*engine_, with_blob(account(i), b, "m"), done));
        run(group.join());
        EXPECT_EQ(done, 10);
        EXPECT_EQ(run(engine_->blob_holders(b->id())).value().size(), 10U);
        EXPECT_EQ(read(b->id()).value() == octets, true);
    }
}

TEST_P(engine_test, a_holder_moves_in_one_change)
{
    auto const b = stage("hello");
    must(with_blob(account(1), b, "q1"));
    auto c = change_of(account(1));
    c.add_holders.push_back({b->id(), {account(1), "e1"}});
    c.drop_holders.push_back({b->id(), {account(1), "q1"}});
    must(std::move(c));
    EXPECT_EQ(run(engine_->blob_holders(b->id())).value(), (std::vector<holder>{{account(1), "e1"}}));
    EXPECT_EQ(read(b->id()).value(), "hello");
}

TEST_P(engine_test, what_is_staged_and_dropped_leaves_nothing)
{
    auto const id = stage(random_octets(600'000))->id();
    auto const small = stage("small")->id();
    EXPECT_EQ(error_of(read(id)), fault::kind::not_found);
    EXPECT_EQ(error_of(read(small)), fault::kind::not_found);
    auto const report = run(engine_->sweep());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->blobs, 0U);
    if (keeps()) open();
    if (GetParam() == kind::rocks)
        for (auto const& f : fs_->files()) EXPECT_EQ(f.find("/blobs/"), std::string::npos) << f;
}

TEST_P(engine_test, the_sweeper_leaves_what_is_held_or_staged)
{
    auto const held = stage(random_octets(600'000, 1));
    must(with_blob(account(1), held, "e1"));
    auto const staged = stage(random_octets(600'000, 2));
    auto const report = run(engine_->sweep());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->blobs + report->files, 0U);
    must(with_blob(account(1), staged, "e2"));
    EXPECT_TRUE(run(engine_->blob_check(held->id())));
    EXPECT_TRUE(run(engine_->blob_check(staged->id())));
}

TEST_P(engine_test, pages_are_kept_until_dropped)
{
    std::vector<page> pages;
    pages.reserve(3);
    for (int i = 0; i < 3; ++i)
        pages.push_back({page_id::make(w_.random), random_octets(i == 0 ? std::size_t{1} << 20U : 1000, static_cast<std::uint64_t>(i))});
    ASSERT_TRUE(run(engine_->put_pages(account(1), pages)));
    ASSERT_TRUE(run(engine_->put_pages(account(1), pages)));  // idempotent
    EXPECT_EQ(run(engine_->current_version(account(1))).value(), 0U);
    EXPECT_EQ(keys(account(1)), "");
    EXPECT_EQ(error_of(run(engine_->get_page(account(2), pages[0].id))), fault::kind::not_found);
    auto c = change_of(account(1), {put("names", "0 2")});
    c.drop_pages.push_back(pages[1].id);
    must(std::move(c));
    if (keeps()) open();
    EXPECT_EQ(run(engine_->get_page(account(1), pages[0].id)).value() == pages[0].octets, true);
    EXPECT_EQ(run(engine_->get_pages(account(1), {pages[0].id, pages[0].id})).value(), (std::vector<std::string>{pages[0].octets, pages[0].octets}));
    EXPECT_EQ(error_of(run(engine_->get_pages(account(1), {pages[0].id, page_id{}}))), fault::kind::not_found);
    EXPECT_TRUE(run(engine_->get_pages(account(1), {})).value().empty());
    EXPECT_EQ(error_of(run(engine_->get_page(account(1), pages[1].id))), fault::kind::not_found);
    auto const listed = run(engine_->list_pages(account(1))).value();
    EXPECT_EQ((std::set<page_id>{listed.begin(), listed.end()}), (std::set<page_id>{pages[0].id, pages[2].id}));
    EXPECT_TRUE(run(engine_->list_pages(account(2))).value().empty());
}

TEST_P(engine_test, a_lease_has_one_owner_and_epochs_that_only_rise)
{
    auto const first = run(engine_->acquire(account(1), "a", 30s));
    ASSERT_TRUE(first);
    EXPECT_EQ(error_of(run(engine_->acquire(account(1), "b", 30s))), fault::kind::conflict);
    EXPECT_TRUE(run(engine_->acquire(account(2), "b", 30s)));
    w_.loop.run_for(20s);
    EXPECT_TRUE(run(engine_->renew(account(1), *first, 30s)));
    w_.loop.run_for(20s);
    EXPECT_EQ(error_of(run(engine_->acquire(account(1), "b", 30s))), fault::kind::conflict);
    w_.loop.run_for(11s);
    auto const second = run(engine_->acquire(account(1), "b", 30s));
    ASSERT_TRUE(second);
    EXPECT_GT(second->epoch, first->epoch);
    EXPECT_EQ(error_of(run(engine_->renew(account(1), *first, 30s))), fault::kind::conflict);
    EXPECT_EQ(error_of(run(engine_->release(account(1), *first))), fault::kind::conflict);
    EXPECT_TRUE(run(engine_->release(account(1), *second)));
    auto const third = run(engine_->acquire(account(1), "a", 30s));
    ASSERT_TRUE(third);
    EXPECT_GT(third->epoch, second->epoch);
    if (!keeps()) return;
    open();  // the process that held it is gone
    auto const fourth = run(engine_->acquire(account(1), "c", 30s));
    ASSERT_TRUE(fourth);
    EXPECT_GT(fourth->epoch, third->epoch);
    EXPECT_EQ(error_of(run(engine_->renew(account(1), *third, 30s))), fault::kind::conflict);
}

TEST_P(engine_test, watchers_wake_once_for_what_they_missed)
{
    int woken = 0, other = 0;
    auto const token = engine_->watch(account(1), w_.loop, [&] { ++woken; });
    auto const elsewhere = engine_->watch(account(2), w_.loop, [&] { ++other; });
    must(change_of(account(1), {put("a", "")}));
    w_.loop.run_ready();
    EXPECT_EQ(woken, 1);
    base::task_group group{w_.loop};
    auto const one = [](engine& e, change c) -> task<void> { static_cast<void>(co_await e.commit(std::move(c))); };
    for (int i = 0; i < 10; ++i) group.spawn(one(*engine_, change_of(account(1))));
    run(group.join());
    w_.loop.run_ready();
    EXPECT_GE(woken, 2);
    EXPECT_LE(woken, 11);
    EXPECT_EQ(other, 0);
    auto const before = woken;
    auto failing = change_of(account(1));
    failing.expected = 999;
    EXPECT_FALSE(commit(std::move(failing)));
    w_.loop.run_ready();
    EXPECT_EQ(woken, before);
}

TEST_P(engine_test, a_dropped_watcher_is_not_woken)
{
    int woken = 0;
    auto token = engine_->watch(account(1), w_.loop, [&] { ++woken; });
    token.reset();
    must(change_of(account(1)));
    w_.loop.run_ready();
    EXPECT_EQ(woken, 0);
}

TEST_P(engine_test, it_is_healthy)
{
    EXPECT_TRUE(engine_->health().writable);
    EXPECT_GT(engine_->health().free_octets, 1U << 20U);
}

TEST_P(engine_test, many_waiting_changes_share_syncs)
{
    if (!keeps()) return;
    must(change_of(account(1)));
    auto const before = engine_->sync_count();
    base::task_group group{w_.loop};
    auto const one = [](engine& e, change c) -> task<void> { static_cast<void>(co_await e.commit(std::move(c))); };
    for (std::uint64_t i = 0; i < 500; ++i) group.spawn(one(*engine_, change_of(account(i), {put("k", "v")})));
    run(group.join());
    EXPECT_GT(engine_->sync_count(), before);
    EXPECT_LT(engine_->sync_count() - before, 250U);
}

TEST_P(engine_test, rows_and_pages_and_blobs_survive_flushes_and_compactions)
{
    // Several times the memtables: most of it is read back from files.
    std::map<std::string, std::string> rows;
    std::vector<std::pair<blob_id, std::uint64_t>> blobs;
    for (std::uint64_t i = 0; i < 120; ++i) {
        auto const b = stage(random_octets(60'000, i));
        auto c = with_blob(account(1), b, "e" + std::to_string(i % 50));
        for (int k = 0; k < 5; ++k) {
            auto const key = "r" + std::to_string((i * 7 + static_cast<std::uint64_t>(k) * 31) % 200);
            c.rows.push_back(put(key, text_octets(2000, i)));
            rows[key] = text_octets(2000, i);
        }
        must(std::move(c));
        blobs.emplace_back(b->id(), i);
    }
    if (keeps()) open();
    for (auto const& [key, want] : rows) ASSERT_EQ(value(account(1), key) == want, true) << key;
    for (auto const& [id, i] : blobs) ASSERT_EQ(read(id).value() == random_octets(60'000, i), true) << i;
}

INSTANTIATE_TEST_SUITE_P(all, engine_test, ::testing::Values(kind::memory, kind::rocks, kind::rocks_on_disk), [](auto const& i) {
    return i.param == kind::memory ? "memory" : i.param == kind::rocks ? "rocks" : "rocks_on_disk";
});
