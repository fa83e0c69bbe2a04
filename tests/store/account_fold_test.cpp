// The background: folds, pages, sweeps, large things in slices, damage, memory.
#include <gtest/gtest.h>

#include "account_support.hpp"
#include "store/account_rows.hpp"
#include "store/keys.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
partition_id const annas = [] {
    partition_id p;
    p.number = anna;
    return p;
}();
flag_change adding(std::string flag)
{
    flag_change c;
    c.names = {std::move(flag)};
    return c;
}
/// Writes rows behind the accounts' back.
void put_row(world& w, std::string key, std::optional<std::string> value)
{
    change c;
    c.where = annas;
    c.id = change_id::make(w.random);
    c.rows.push_back(row_change{std::move(key), std::move(value)});
    ASSERT_TRUE(w.run(w.storage->commit(std::move(c))));
}
std::string flipped(std::string row, std::size_t bit)
{
    row[bit / 8] = static_cast<char>(row[bit / 8] ^ (1 << (bit % 8)));
    return row;
}
void small_pages(world& w)
{
    w.options.fold_rows = 5;
    w.options.page_entries = 10;
    w.restart();
}
}  // namespace

TEST(account_fold, keeps_what_is_seen_and_writes_only_what_changed)
{
    world w;
    small_pages(w);
    w.make();
    auto const inbox = w.box("INBOX");
    for (int i = 0; i < 100; ++i) w.add(inbox);
    w.settle();
    EXPECT_EQ(w.rows_of(keys::log_of(inbox)), 100U % 6 == 0 ? 0U : w.rows_of(keys::log_of(inbox)));
    EXPECT_LE(w.rows_of(keys::log_of(inbox)), 6U);
    expect_sound(w);
    auto const table = [&] { return *rows::decode_page_table(**w.run(w.storage->get(annas, keys::page_table(inbox)))); };
    auto const fold_now = [&] {
        for (int i = 0; i < 8; ++i)
            ASSERT_TRUE(w.run(w.open().change_flags(inbox, {{95, 95}}, [&] {
                auto c = adding("\\Flagged");
                c.how = i % 2 == 0 ? flag_operation::add : flag_operation::remove;
                return c;
            }())));
        w.settle();
    };
    fold_now();
    auto const before = table();
    ASSERT_TRUE(w.run(w.open().change_flags(inbox, {{15, 15}}, adding("\\Answered"))));
    fold_now();
    auto const after = table();
    std::size_t same_static = 0, same_flags = 0;
    for (auto const& a : after.pages)
        for (auto const& b : before.pages) {
            same_static += a.statics == b.statics ? 1 : 0;
            same_flags += a.flags == b.flags ? 1 : 0;
        }
    EXPECT_GE(same_static, 9U) << "flags changed: static pages stay";
    EXPECT_LE(same_flags, after.pages.size() - 2);
    EXPECT_GE(same_flags, after.pages.size() - 4);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 88}}, true)));
    fold_now();
    EXPECT_LE(table().pages.size(), 3U);
    expect_sound(w);
    // Nothing unnamed stays behind.
    auto const pages = *w.run(w.storage->list_pages(annas));
    auto const now = table();
    EXPECT_EQ(pages.size(), now.pages.size() * 2 + now.tombstones.size());
}

TEST(account_fold, tells_what_vanished)
{
    world w;
    small_pages(w);
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 50);
    std::vector<std::pair<mod_seq, store::uid>> gone;
    for (store::uid u = 3; u <= 40; u += 3) {
        gone.emplace_back((*w.run(w.open().view(inbox)))->highest_modseq(), u);
        ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{u, u}}, true)));
    }
    for (std::size_t i = 0; i < gone.size(); ++i) {
        uid_set want;
        for (std::size_t k = i; k < gone.size(); ++k) want.emplace_back(gone[k].second, gone[k].second);
        auto const told = w.run(w.open().vanished_since(inbox, gone[i].first));
        ASSERT_TRUE(told) << base::describe(told.error());
        EXPECT_EQ(*told, want) << i;
    }
    w.restart();
    EXPECT_EQ(w.run(w.open().vanished_since(inbox, 0))->size(), gone.size());
    // A year later the tombstones are folded away: every UID that is not there is told.
    w.clock.advance(std::chrono::hours{24 * 400});
    for (int i = 0; i < 12; ++i) w.add(inbox);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{62, 62}}, true)));
    for (int i = 0; i < 8; ++i) w.add(inbox);
    w.settle();
    auto const all = w.run(w.open().vanished_since(inbox, 0));
    ASSERT_TRUE(all);
    for (auto const& g : gone) EXPECT_TRUE(std::any_of(all->begin(), all->end(), [&](auto const& r) { return r.first <= g.second && g.second <= r.second; }));
    EXPECT_EQ(*w.run(w.open().vanished_since(inbox, (*w.run(w.open().view(inbox)))->highest_modseq())), uid_set{});
}

TEST(account_fold, an_unopened_mailbox_is_folded_too)
{
    world w;
    small_pages(w);
    w.make();
    auto const inbox = w.box("INBOX");
    for (int round = 0; round < 6; ++round) {
        w.restart();
        for (int i = 0; i < 4; ++i) w.add(inbox);
    }
    w.settle();
    EXPECT_LE(w.rows_of(keys::log_of(inbox)), 9U);
    expect_sound(w);
}

TEST(account_fold, pages_that_nobody_names_are_swept)
{
    world w;
    small_pages(w);
    w.make();
    auto const inbox = w.box("INBOX");
    w.add_many(inbox, 30);
    page p;
    p.id = page_id::make(w.random);
    p.octets = "left by a crash";
    std::vector<page> some;
    some.push_back(std::move(p));
    ASSERT_TRUE(w.run(w.storage->put_pages(annas, std::move(some))));
    auto const named = w.run(w.storage->list_pages(annas))->size() - 1;
    w.clock.advance(std::chrono::minutes{6});
    ASSERT_TRUE(w.run(w.open().change_flags(inbox, {{1, 1}}, adding("\\Seen"))));
    w.settle();
    w.clock.advance(std::chrono::minutes{6});
    ASSERT_TRUE(w.run(w.open().change_flags(inbox, {{2, 2}}, adding("\\Seen"))));
    w.settle();
    EXPECT_EQ(w.run(w.storage->list_pages(annas))->size(), named);
    expect_sound(w);
}

TEST(account_fold, multiappend_of_any_size)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    std::vector<new_message> many;
    for (int i = 0; i < 900; ++i) many.push_back(w.letter("s", "id" + std::to_string(i)));
    auto const letter_again = many[0];
    auto const done = w.run(w.open().append(inbox, std::move(many), "big"));
    ASSERT_TRUE(done) << base::describe(done.error());
    EXPECT_EQ(done->uids.size(), 900U);
    EXPECT_EQ(w.uids(inbox), done->uids);
    std::vector<new_message> again(900, letter_again);
    auto const twice = w.run(w.open().append(inbox, std::move(again), "big"));
    ASSERT_TRUE(twice);
    EXPECT_TRUE(twice->already);
    EXPECT_EQ(twice->uids, done->uids);
    expect_sound(w);
}

TEST(account_fold, a_large_append_that_fails_leaves_nothing)
{
    for (int n = 1; n <= 6; ++n) {
        SCOPED_TRACE(n);
        world w{static_cast<std::uint64_t>(n)};
        w.make();
        auto const inbox = w.box("INBOX");
        std::vector<new_message> many;
        for (int i = 0; i < 900; ++i) many.push_back(w.letter("s", "id" + std::to_string(i)));
        int left = n;
        w.faults.fail = [&](change const&) { return --left == 0; };
        auto const done = w.run(w.open().append(inbox, std::move(many)));
        w.faults = {};
        w.settle();
        if (done) {
            EXPECT_EQ(w.uids(inbox).size(), 900U);
        } else {
            EXPECT_TRUE(w.uids(inbox).empty());
            w.add(inbox);  // the store works again: what was begun is undone
            w.settle();
        }
        expect_sound(w);
    }
}

TEST(account_fold, large_moves_survive_a_failure_at_each_commit)
{
    for (int n = 1; n <= 14; ++n) {
        SCOPED_TRACE(n);
        world w{static_cast<std::uint64_t>(n)};
        w.options.slice_messages = 7;
        w.restart();
        w.make();
        auto const inbox = w.box("INBOX");
        auto const work = w.box("Work");
        w.add_many(inbox, 30);
        int left = n;
        w.faults.fail = [&](change const&) { return --left == 0; };
        auto const done = w.run(w.open().move(inbox, {{1, 30}}, work));
        w.crash();
        w.faults = {};
        // D6: never zero copies, never half of them.
        EXPECT_EQ(w.uids(inbox).size(), done ? 0U : 30U);
        EXPECT_EQ(w.uids(work).size(), done ? 30U : 0U);
        w.add(inbox);
        w.settle();
        expect_sound(w);
        EXPECT_EQ(w.rows_of("E"), 31U);
    }
}

TEST(account_fold, long_records_go_into_pages)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    std::string to = "To: a0@example.test";
    for (int i = 1; i < 1900; ++i) to += ",\r\n somebody-with-a-long-name-" + std::to_string(i) + "@a-long-domain-name.example.test";
    std::vector<new_message> one;
    one.push_back(w.message("From: a@b.c\r\nSubject: long\r\n" + to + "\r\n\r\nbody\r\n"));
    ASSERT_TRUE(w.run(w.open().append(inbox, std::move(one))));
    EXPECT_GE(w.rows_of("Z"), 1U);
    w.clock.advance(std::chrono::minutes{6});
    w.add(inbox);
    w.settle();
    w.clock.advance(std::chrono::minutes{6});
    w.add(inbox);
    w.settle();
    w.crash();
    auto const v = *w.run(w.open().view(inbox));
    auto const e = w.run(w.open().emails(inbox, {v->at(0).email}));
    ASSERT_TRUE(e) << base::describe(e.error());
    EXPECT_GT((*e)[0]->envelope_text().size(), 70'000U);
    ASSERT_TRUE(w.run(w.open().expunge(inbox, uid_set{{1, 1}}, true)));
    EXPECT_EQ(w.rows_of("Z"), 0U);
    expect_sound(w);
}

TEST(account_damage, is_found_and_never_served)
{
    world w;
    small_pages(w);
    w.make();
    auto const inbox = w.box("INBOX");
    auto const work = w.box("Work");
    w.add_many(inbox, 60);
    w.add(inbox);
    w.add(work);
    w.settle();
    auto const good = w.picture(work, w.open());
    auto const rows = *w.run(w.storage->scan(annas, key_range{}, 100'000));
    base::seeded_random random{5};
    std::size_t broken = 0;
    for (auto const& r : rows) {
        auto const letter = r.key[0];
        bool const of_inbox = std::string_view{"MGNL"}.contains(letter) && r.key.substr(1, 4) == keys::meta(inbox).substr(1);
        if (!of_inbox && letter != 'E') continue;
        for (int k = 0; k < 3; ++k) {
            put_row(w, r.key, flipped(r.value, random.below(r.value.size() * 8)));
            w.crash();
            // Also when the messages come after the answer to SELECT.
            if (auto const opened = w.run(w.open().open(inbox)); of_inbox && opened) {
                auto const late = w.run(w.open().whole(*opened));
                ASSERT_FALSE(late) << base::printable(r.key);
                EXPECT_EQ(late.error().what, fault::kind::broken);
            }
            auto const v = w.run(w.open().view(inbox));
            if (of_inbox) {
                ASSERT_FALSE(v) << base::printable(r.key);
                EXPECT_EQ(v.error().what, fault::kind::broken);
                ++broken;
            } else if (v) {
                std::uint64_t e = 0;
                std::string_view rest;
                ASSERT_TRUE(keys::parse_be64(r.key, e, rest));
                auto const record = w.run(w.open().emails(inbox, {e}));
                ASSERT_FALSE(record);
                EXPECT_EQ(record.error().what, fault::kind::broken);
                ++broken;
            }
            EXPECT_EQ(w.picture(work, w.open()), good) << "the other mailboxes go on";
            put_row(w, r.key, r.value);
        }
    }
    EXPECT_GT(broken, 20U);
    w.crash();
    expect_sound(w);
}

TEST(account_damage, a_missing_log_row_is_noticed)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    for (int i = 0; i < 5; ++i) w.add(inbox);
    auto const logs = *w.run(w.storage->scan(annas, key_range::prefix(keys::log_of(inbox)), 100));
    ASSERT_EQ(logs.size(), 5U);
    put_row(w, logs[2].key, std::nullopt);
    w.crash();
    EXPECT_EQ(w.run(w.open().view(inbox)).error().what, fault::kind::broken);
    // Deliveries still arrive: they read the tally alone.
    w.add(inbox);
    put_row(w, logs[2].key, logs[2].value);
    w.crash();
    EXPECT_EQ(w.uids(inbox).size(), 6U);
}

TEST(account_memory, is_given_back_when_nobody_looks)
{
    world w;
    w.options.cache_octets = 200'000;
    w.restart();
    for (account_number n = 1; n <= 20; ++n) {
        w.make(n, 0, false);
        w.add_many(w.box("INBOX", n), 300, n);
    }
    w.settle();
    for (int round = 0; round < 200; ++round) static_cast<void>(w.uids(w.box("INBOX", 1 + round % 20), 1 + round % 20));
    auto const text = w.metrics->exposition();
    auto const at = text.find("\nmansio_store_account_cache_octets ");
    ASSERT_NE(at, std::string::npos);
    EXPECT_LT(std::stod(text.substr(at + 35)), 400'000.0);
    for (account_number n = 1; n <= 20; ++n) EXPECT_EQ(w.uids(w.box("INBOX", n), n).size(), 300U);
}

TEST(account_history, one_row_for_each_commit_and_the_last_change_of_each_type)
{
    world w;
    w.make();
    auto const inbox = w.box("INBOX");
    auto const before = w.rows_of("J");
    w.add(inbox);
    ASSERT_TRUE(w.run(w.open().subscribe_mailbox("INBOX", false)));
    EXPECT_EQ(w.rows_of("J"), before + 2);
    auto const head = rows::decode_head(**w.run(w.storage->get(annas, keys::head())));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->last_change[static_cast<std::size_t>(rows::data_type::subscriptions)], head->counter);
    EXPECT_EQ(head->last_change[static_cast<std::size_t>(rows::data_type::emails)], head->counter - 1);
    auto const row = w.run(w.storage->get(annas, keys::history(head->counter - 1)));
    auto const j = rows::decode_history(**row);
    ASSERT_TRUE(j);
    EXPECT_EQ(j->mailboxes, (std::vector<mailbox_id>{inbox}));
}
