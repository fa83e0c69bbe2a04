// The packed columns against a plain vector, and pictures that must not move under their readers.
#include <gtest/gtest.h>

#include "store/mailbox_columns.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

using namespace mansio;
using namespace mansio::store;

namespace {
message_entry entry(store::uid u, mod_seq when)
{
    message_entry e;
    e.uid = u;
    e.modseq = e.added = when;
    e.size = u * 10;
    e.internal_date.unix_seconds = -static_cast<std::int64_t>(u);
    e.internal_date.zone_minutes = static_cast<std::int16_t>(u % 700);
    e.save_date = u + 7;
    e.email = u + 1000;
    if (u % 3 == 0) e.flags.set(system_flag::seen);
    if (u % 50 == 0) e.flags.set(100);
    return e;
}
void expect_same(mailbox_columns const& c, std::vector<message_entry> const& want)
{
    ASSERT_EQ(c.size(), want.size());
    for (std::uint32_t i = 0; i < want.size(); ++i) {
        auto const e = c.at(i);
        ASSERT_EQ(e.uid, want[i].uid) << i;
        ASSERT_EQ(e.flags, want[i].flags) << i;
        ASSERT_EQ(e.modseq, want[i].modseq);
        ASSERT_EQ(e.size, want[i].size);
        ASSERT_EQ(e.internal_date, want[i].internal_date);
        ASSERT_EQ(e.save_date, want[i].save_date);
        ASSERT_EQ(e.email, want[i].email);
        ASSERT_EQ(e.added, want[i].added);
        ASSERT_EQ(c.uid_at(i), want[i].uid);
        ASSERT_EQ(c.lower_bound(want[i].uid), i);
        ASSERT_EQ(c.lower_bound(want[i].uid + 1), i + 1);
    }
}
}  // namespace

TEST(mailbox_columns, equal_a_plain_vector_and_old_pictures_stay)
{
    base::seeded_random random{4};
    std::vector<message_entry> model;
    auto columns = std::make_shared<mailbox_columns const>();
    std::vector<std::pair<std::shared_ptr<mailbox_columns const>, std::vector<message_entry>>> old;
    store::uid next = 1;
    mod_seq when = 1;
    for (int step = 0; step < 120; ++step) {
        auto work = columns->branch();
        auto pending = model;
        ++when;
        auto const what = random.below(4);
        if (what <= 1) {
            for (auto n = random.below(400); n > 0; --n) {
                next += 1 + static_cast<store::uid>(random.below(3));
                pending.push_back(entry(next, when));
                work->append(pending.back());
            }
        } else if (what == 2) {
            for (auto n = random.below(40); n > 0 && !pending.empty(); --n) {
                auto const p = static_cast<std::uint32_t>(random.below(pending.size()));
                auto& e = pending[p];
                e.flags.set(static_cast<unsigned>(random.below(90)), random.below(2) == 0);
                e.modseq = when;
                work->set_flags(p, e.flags, when);
            }
        } else {
            uid_set gone;
            store::uid at = 0;
            for (auto n = random.below(20); n > 0; --n) {
                auto const from = at + 2 + static_cast<store::uid>(random.below(200));
                at = from + static_cast<store::uid>(random.below(60));
                gone.emplace_back(from, at);
            }
            work->remove(gone);
            std::erase_if(pending, [&](auto const& e) { return contains(gone, e.uid); });
        }
        // Some work is thrown away, as when a commit fails: what follows writes into the same free slots.
        if (random.below(4) == 0) {
            next += 1;
            continue;
        }
        columns = work;
        model = std::move(pending);
        if (step % 10 == 0) old.emplace_back(columns, model);
        std::vector<store::uid> changed, want;
        columns->changed_since(when - 1, [&](std::uint32_t p) { changed.push_back(columns->uid_at(p)); });
        for (auto const& e : model)
            if (e.modseq > when - 1) want.push_back(e.uid);
        ASSERT_EQ(changed, want);
    }
    expect_same(*columns, model);
    for (auto const& [c, m] : old) expect_same(*c, m);
}

TEST(mailbox_columns, many_small_expunges_do_not_leave_crumbs)
{
    auto columns = std::make_shared<mailbox_columns>();
    for (store::uid u = 1; u <= 50'000; ++u) columns->append(entry(u, 1));
    uid_set gone;
    for (store::uid u = 1; u <= 50'000; ++u)
        if (u % 100 != 0) append_uid(gone, u);
    columns->remove(gone);
    EXPECT_EQ(columns->size(), 500U);
    EXPECT_LT(columns->octets(), 200'000U);
}

TEST(mailbox_uids, sets_are_put_in_order)
{
    EXPECT_EQ(normalized({{5, 3}, {1, 1}, {2, 2}, {9, 9}, {4, 6}}), (uid_set{{1, 6}, {9, 9}}));
    EXPECT_EQ(normalized({{7, ~0U}, {8, 9}}), (uid_set{{7, ~0U}}));
    EXPECT_EQ(count({{1, 3}, {7, 7}}), 4U);
    EXPECT_EQ(count({{0, ~0U}}), 1ULL << 32U);
    EXPECT_TRUE(contains({{1, 3}, {7, 7}}, 7));
    EXPECT_FALSE(contains({{1, 3}, {7, 7}}, 4));
    EXPECT_FALSE(contains({}, 4));
    base::row_writer w;
    encode(w, {{1, 3}, {7, 7}, {~0U, ~0U}});
    base::row_reader r{w.str()};
    EXPECT_EQ(decode_uid_set(r), (uid_set{{1, 3}, {7, 7}, {~0U, ~0U}}));
    EXPECT_TRUE(r.ok() && r.at_end());
}

TEST(mailbox_views, a_guests_marks_follow_a_model)
{
    base::seeded_random random{3};
    auto columns = std::make_shared<mailbox_columns>();
    std::map<store::uid, bool> model;
    for (store::uid u = 2; u <= 400; u += 2) {
        columns->append(entry(u, 1));
        model[u] = false;
    }
    rows::seen_marks marks;
    for (mod_seq when = 2; when < 300; ++when) {
        if (random.below(10) == 0 && !model.empty()) {
            auto const from = static_cast<store::uid>(1 + random.below(400));
            uid_set const gone{{from, from + 5}};
            forget_seen(marks, gone, *columns);
            columns = columns->branch();
            columns->remove(gone);
            std::erase_if(model, [&](auto const& m) { return contains(gone, m.first); });
        } else {
            bool const seen = random.below(3) != 0;
            std::vector<store::uid> which;
            auto const from = random.below(400), to = from + random.below(60);
            for (auto& [u, s] : model)
                if (u >= from && u <= to && random.below(4) != 0 && s != seen) {
                    which.push_back(u);
                    s = seen;
                }
            mark_seen(marks, which, seen, when);
            for (auto const u : which) EXPECT_EQ(find_run(marks, u)->when, when);
        }
        std::uint32_t seen = 0;
        for (auto const& [u, s] : model) {
            auto const* const run = find_run(marks, u);
            ASSERT_EQ(run != nullptr && run->seen, s) << u;
            seen += s ? 1 : 0;
        }
        ASSERT_EQ(marks.seen, seen);
        auto const back = rows::decode_seen_marks(rows::encode(marks));
        ASSERT_TRUE(back);
        ASSERT_EQ(back->runs, marks.runs);
        if (random.below(5) != 0) continue;
        compact(marks, *columns);
        ASSERT_LE(marks.runs.size(), columns->size());
        for (auto const& [u, s] : model) {
            auto const* const now = find_run(marks, u);
            auto const* const before = find_run(*back, u);
            ASSERT_EQ(now != nullptr && now->seen, s);
            ASSERT_EQ(now == nullptr, before == nullptr);
            if (now != nullptr) ASSERT_GE(now->when, before->when);
        }
    }
}
