// Backups and restores: what was in the picture comes back, whatever happened meanwhile, and damage costs what is damaged.
#include "backup_rig.hpp"

#include "net/stream.hpp"
#include "transfer/importer.hpp"
#include "transfer/picture_link.hpp"
#include "transfer/service.hpp"

using namespace mansio;
using namespace mansio::transfer;
using namespace mansio::transfer::test;

namespace {
std::string noise(base::random& r, std::size_t octets)
{
    std::string out;
    while (out.size() < octets) out += base::to_base64(r.octets(54)) + "\r\n";
    return out;
}

/// Two people, some folded mailboxes, a message of several frames.
void fill(world& w, side& live)
{
    for (store::account_number const n : {1, 2}) {
        live.make(n);
        for (int i = 0; i < 40; ++i)
            live.add(n, i % 4 == 0 ? "Sent" : "INBOX", "m" + std::to_string(i), noise(w.random, 3000),
                     i % 3 == 0 ? std::vector<std::string>{"\\Seen", "$x"} : std::vector<std::string>{});
    }
    live.add(1, "Archive", "large", noise(w.random, 2'000'000));
    w.loop.run_ready();
}
}  // namespace

namespace {
/// Into another store, and back again, while people go on in the first.
void round_trip(world& w, side& live, std::unique_ptr<store::engine> empty)
{
    auto const anna = live.look(1);
    auto const bert = live.look(2);
    ASSERT_EQ(anna.at("INBOX").size(), 30U);
    auto const inbox = live.box(2, "INBOX").id;
    base::task_group people{w.loop};
    unsigned calls = 0;
    auto taken = live.run(live.storage->take_picture());
    ASSERT_TRUE(taken);
    {
        disturbed p{std::move(*taken), [&] {
                        // Between two pages: flags of this and that change, which folds the mailbox now and then.
                        if (++calls % 3 == 0)
                            people.spawn([](store::account_ref ref, store::mailbox_id m, unsigned n) -> task<void> {
                                store::flag_change c{n % 2 == 0 ? store::flag_operation::add : store::flag_operation::remove, {"\\Flagged"}, {}};
                                auto const done = co_await ref.change_flags(m, store::uid_set{{1 + n % 20, 1 + n % 20}}, std::move(c));
                                EXPECT_TRUE(done);
                            }(live.open(2), inbox, calls));
                        return result<void>{};
                    }};
        // And after the picture, before its first page is read: mail comes, mail goes, the large one too.
        live.add(1, "INBOX", "late");
        live.expunge(1, "Archive", 1);
        live.expunge(1, "INBOX", anna.at("INBOX")[3].uid);
        static_cast<void>(live.box(2, "New"));
        w.loop.run_ready();
        auto const report = w.back_up(p);
        w.run(people.join());
        EXPECT_TRUE(report.good()) << (report.problems.empty() ? "" : report.problems.front());
        EXPECT_EQ(report.accounts, 2U);
        EXPECT_EQ(report.messages, 81U);
        EXPECT_EQ(report.new_messages, 81U);
        EXPECT_GT(calls, 20U);
    }
    EXPECT_NE(live.look(2), bert) << "nobody disturbed it";
    auto const d = w.directory(backup_directory::use::read);
    auto const g = d.find(0);
    ASSERT_TRUE(g);
    auto const checked = check_backup(d, *g);
    EXPECT_TRUE(checked.good());
    EXPECT_EQ(checked.messages, 81U);

    restore_report restored;
    auto const there = w.restore(restored, 0, std::move(empty));
    EXPECT_TRUE(restored.good()) << (restored.problems.empty() ? "" : restored.problems.front());
    EXPECT_EQ(restored.messages, 81U);
    EXPECT_EQ(there->look(1), anna);
    EXPECT_EQ(there->look(2), bert);
    auto const verified = there->run(verify(*there->storage, *there->accounts, {true, {}}));
    ASSERT_TRUE(verified);
    EXPECT_TRUE(verified->good()) << (verified->problems.empty() ? "" : verified->problems.front());
}
}  // namespace

TEST(backup, what_was_there_comes_back_whatever_happens_meanwhile)
{
    world w;
    fill(w, w.live);
    round_trip(w, w.live, store::make_memory_engine(w.clock, w.random));
}

TEST(backup, and_from_the_embedded_store_too)
{
    world w;
    base::metrics metrics;
    auto const open = [&](std::string const& name) {
        store::rocks_options o;
        o.directory = w.place.path() + "/" + name;
        o.memory_octets = 8U << 20U;
        o.reserve_octets = 1;
        auto made = store::open_rocks_engine(o, w.clock, w.random, w.log, metrics);
        EXPECT_TRUE(made) << (made ? "" : base::describe(made.error()));
        return std::move(*made);
    };
    side live{w.loop, w.limits, w.random, w.log, open("store")};
    fill(w, live);
    round_trip(w, live, open("restored"));
    std::size_t files = 0;
    for (auto const& e : std::filesystem::recursive_directory_iterator{w.place.path() + "/store/blobs"}) files += e.is_regular_file() ? 1 : 0;
    EXPECT_EQ(files, 0U) << "the large message was expunged, and nothing keeps its file any more";
}

TEST(backup, a_second_one_copies_what_is_new_and_no_more)
{
    world w;
    fill(w, w.live);
    auto const first = w.back_up();
    EXPECT_GT(first.new_octets, 2'000'000U);
    auto const idle = w.back_up();
    EXPECT_EQ(idle.new_messages, 0U);
    EXPECT_EQ(idle.new_octets, 0U);
    EXPECT_EQ(idle.messages, first.messages);
    EXPECT_EQ(idle.octets, first.octets);
    w.live.add(2, "INBOX", "one more", noise(w.random, 3000));
    auto const third = w.back_up();
    EXPECT_EQ(third.new_messages, 1U);
    // The message, the parts of one account's rows that changed, the list of messages' last part.
    EXPECT_LT(third.new_octets, 150'000U);
    EXPECT_LT(third.new_octets * 10, first.new_octets);
    auto const now = w.live.look(2);
    restore_report r;
    EXPECT_EQ(w.restore(r)->look(2), now);
    EXPECT_EQ(w.restore(r, 1)->look(2).at("INBOX").size(), now.at("INBOX").size() - 1) << "the first one is there as it was";
}

TEST(backup, nothing_that_was_given_out_after_it_is_given_out_again)
{
    world w;
    fill(w, w.live);
    w.back_up();
    auto const before = w.live.validities(1);
    // After the backup: a folder, messages. Then the store is lost.
    static_cast<void>(w.live.box(1, "After"));
    auto const lost_validity = w.live.validities(1).at("After");
    w.live.add(1, "INBOX", "after");
    auto const lost = w.live.look(1).at("INBOX").back();
    restore_report one, two;
    auto const a = w.restore(one);
    auto const b = w.restore(two);
    EXPECT_GT(two.incarnation, one.incarnation) << "two restores of one backup must differ";
    std::set<std::uint32_t> used{lost_validity};
    for (auto const& [name, v] : before) used.insert(v);
    for (auto* const s : {a.get(), b.get()}) {
        static_cast<void>(s->box(1, "After"));
        for (auto const& [name, v] : s->validities(1)) EXPECT_TRUE(used.insert(v).second) << name << " has a UIDVALIDITY that was used before";
        EXPECT_GT(s->validities(1).at("INBOX"), lost_validity);
    }
    a->add(1, "INBOX", "new");
    b->add(1, "INBOX", "new");
    auto const in_a = a->look(1).at("INBOX").back(), in_b = b->look(1).at("INBOX").back();
    EXPECT_GT(in_a.email, lost.email) << "an EMAILID, and a POP3 name, of another message";
    EXPECT_GT(in_b.email, in_a.email);
    auto const old = w.run(w.live.open(1).counts(w.live.box(1, "INBOX").id));
    auto const fresh = w.run(a->open(1).counts(a->box(1, "INBOX").id));
    EXPECT_GT(fresh->highest_modseq, old->highest_modseq) << "MODSEQ";
    EXPECT_EQ(fresh->highest_modseq >> 48U, one.incarnation);
}

TEST(backup, cut_short_anywhere_leaves_the_former_whole)
{
    world w;
    fill(w, w.live);
    w.back_up();
    auto const size = w.octets_on_disk();
    w.live.add(1, "INBOX", "second", noise(w.random, 300'000));
    bool ended = false;
    for (unsigned n = 1; !ended; n += 3) {
        unsigned left = n;
        disturbed p{w.picture(), [&]() -> result<void> {
                        if (--left == 0) return fail(fault::kind::closed, "killed");
                        return {};
                    }};
        {
            auto d = w.directory();
            auto const done = w.run(make_backup(p, d, w.clock, {}));
            ended = done.has_value();
            if (!ended) EXPECT_EQ(done.error().what, fault::kind::closed);
        }
        if (ended) break;
        auto const d = w.directory(backup_directory::use::read);
        auto const g = d.find(0);
        ASSERT_TRUE(g);
        ASSERT_EQ(g->number, 1U);
        EXPECT_EQ(w.directory().packs().size(), g->packs.size()) << "what was left behind is removed";
        ASSERT_TRUE(check_backup(d, *g).good()) << "after " << n << " calls";
    }
    EXPECT_LT(w.octets_on_disk(), size + 600'000U);
    auto const d = w.directory(backup_directory::use::read);
    EXPECT_EQ(d.find(0)->number, 2U);
}

TEST(backup, damage_is_told_and_costs_what_is_damaged)
{
    world w;
    fill(w, w.live);
    w.back_up();
    std::string whose;
    {
        auto const d = w.directory(backup_directory::use::read);
        auto const g = d.find(0);
        auto const* const list = g->find(store::picture_table::blobs, {});
        auto const entries = d.entries(list->chunks.front());
        auto const m = decode_stored_message((*entries)[5].value);
        whose = owner_text(m->held);
        EXPECT_TRUE(whose.starts_with("account/1 (email "));
        world::flip(d.pack_path(m->at.pack), m->at.offset + m->at.length / 3);
    }
    auto const d = w.directory(backup_directory::use::read);
    auto const checked = check_backup(d, *d.find(0));
    EXPECT_EQ(checked.problem_count, 1U);
    ASSERT_FALSE(checked.problems.empty());
    EXPECT_NE(checked.problems[0].find(whose), std::string::npos) << checked.problems[0];
    restore_report r;
    auto const there = w.restore(r);
    EXPECT_EQ(r.problem_count, 1U);
    EXPECT_EQ(r.messages, 80U);
    auto const anna = there->look(1);
    std::size_t damaged = 0;
    for (auto const& [name, list] : anna)
        for (auto const& m : list) damaged += m.text == "(damaged)" || m.text == "(lost)" ? 1 : 0;
    EXPECT_EQ(damaged, 1U);
    EXPECT_EQ(there->look(2), w.live.look(2));
    // The store still has it: a full backup mends the directory.
    {
        auto to = w.directory();
        auto const p = w.picture();
        backup_options o;
        o.full = true;
        EXPECT_EQ(w.run(make_backup(*p, to, w.clock, std::move(o)))->new_messages, 81U);
        EXPECT_TRUE(check_backup(to, *to.find(0)).good());
    }
}

TEST(backup, a_torn_generation_is_refused_and_the_one_before_stands)
{
    world w;
    fill(w, w.live);
    w.back_up();
    w.live.add(1, "INBOX", "second");
    w.back_up();
    auto const second = w.path() + "/generations/00000002";
    auto const whole = std::filesystem::file_size(second);
    for (auto const at : {std::uint64_t{0}, whole / 2, whole - 1}) {
        world::flip(second, at);
        auto const d = w.directory(backup_directory::use::read);
        auto const asked = d.find(2);
        ASSERT_FALSE(asked) << at;
        EXPECT_NE(asked.error().say.find("generation 2 is damaged"), std::string::npos);
        EXPECT_EQ(d.find(0)->number, 1U);
        world::flip(second, at);
    }
    std::filesystem::resize_file(second, whole / 2);
    EXPECT_EQ(w.directory(backup_directory::use::read).find(0)->number, 1U);
    // The next one goes on from the one before, and keeps what the damaged one may still need.
    auto const third = w.back_up();
    EXPECT_EQ(third.generation, 3U);
    EXPECT_EQ(third.problem_count, 1U);
    restore_report r;
    EXPECT_EQ(w.restore(r)->look(1), w.live.look(1));
}

TEST(backup, a_message_that_the_store_cannot_read_is_told_and_the_older_copy_stands)
{
    world w;
    fill(w, w.live);
    auto const list = w.run(w.picture()->read(store::picture_table::blobs, {}, "", 1U << 20U));
    auto const id = *store::blob_id::from_octets(list->entries[2].key);
    disturbed p{w.picture(), [] { return result<void>{}; }};
    p.damage.insert(id);
    auto const bad = w.back_up(p);
    EXPECT_EQ(bad.problem_count, 1U);
    EXPECT_EQ(bad.messages, 81U);
    EXPECT_EQ(bad.new_messages, 80U);
    auto const good = w.back_up();
    EXPECT_EQ(good.problem_count, 0U) << "read again, and this time it can be";
    EXPECT_EQ(good.new_messages, 1U);
    disturbed again{w.picture(), [] { return result<void>{}; }};
    again.damage.insert(id);
    EXPECT_TRUE(w.back_up(again).good()) << "the copy of before still counts";
}

TEST(backup, only_its_own_directories)
{
    world w;
    fill(w, w.live);
    std::filesystem::create_directories(w.path());
    std::ofstream{w.path() + "/letter.txt"} << "dear";
    auto const foreign = backup_directory::open(w.path(), backup_directory::use::write, &w.random);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().say.find("no backup of Mansio"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(w.path() + "/packs"));
    auto const empty = backup_directory::open(w.place.path() + "/none", backup_directory::use::read);
    ASSERT_FALSE(empty);
    EXPECT_NE(empty.error().say.find("MANSIO-BACKUP"), std::string::npos);
    std::filesystem::remove(w.path() + "/letter.txt");
    auto const held = w.directory();
    auto const other = backup_directory::open(w.path(), backup_directory::use::write, &w.random);
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().say.find("another backup"), std::string::npos);
    world::flip(w.path() + "/MANSIO-BACKUP", 30);
    EXPECT_FALSE(backup_directory::open(w.path(), backup_directory::use::read));
}

TEST(backup, old_generations_go_and_their_octets_with_them)
{
    world w;
    w.live.make(1);
    for (int i = 0; i < 20; ++i) w.live.add(1, "INBOX", "m" + std::to_string(i), noise(w.random, 50'000));
    w.back_up(2);
    auto const full = w.octets_on_disk();
    // Three quarters go: the first pack is mostly useless, what is left of it moves on.
    for (store::uid u = 1; u <= 15; ++u) w.live.expunge(1, "INBOX", u);
    w.back_up(2);
    auto const moved = w.back_up(2);
    EXPECT_EQ(moved.new_messages, 0U) << "from pack to pack is not from the store";
    EXPECT_GT(moved.new_octets, 5U * 40'000);
    w.back_up(2);  // the last generation that names the first pack goes
    auto const d = w.directory();
    auto const names = d.generations();
    ASSERT_EQ(names.size(), 2U);
    EXPECT_EQ(names.front().number, 3U);
    w.loop.run_ready();
    EXPECT_LT(w.octets_on_disk(), full / 2);
    EXPECT_TRUE(check_backup(d, *d.find(0)).good());
    EXPECT_TRUE(check_backup(d, *d.find(3)).good());
}

TEST(backup, over_the_socket_and_one_message_back)
{
    world w;
    fill(w, w.live);
    base::memory_budget budget{64U << 20U};
    store::spool spool{w.place.path(), 256U << 10U, budget};
    service_parts const parts{*w.live.accounts, spool, nullptr, w.limits, w.log, [](std::string address) -> task<result<store::account_number>> {
                                  if (address == "bert@example.test") co_return store::account_number{2};
                                  co_return fail(fault::kind::not_found, "there is no such account");
                              }};
    base::task_group group{w.loop};
    auto const connect = [&] {
        net::memory_pair_options o;
        o.local = true;
        auto pair = net::make_memory_pair(w.loop, std::move(o));
        group.spawn(converse(parts, std::move(pair.server)));
        return std::make_unique<transfer::link>(std::move(pair.client), w.clock);
    };
    {
        auto const l = connect();
        auto const p = w.run(take_remote_picture(*l));
        ASSERT_TRUE(p) << base::describe(p.error());
        auto const report = w.back_up(**p);
        EXPECT_TRUE(report.good());
        EXPECT_EQ(report.messages, 81U);
        EXPECT_EQ(report.expected, 81U);
        w.run(l->close());
    }
    auto const anna = w.live.look(1);
    auto const wanted = anna.at("INBOX")[7];
    auto const d = w.directory(backup_directory::use::read);
    auto const g = d.find(0);
    ASSERT_TRUE(g);
    {
        side old{w.loop, w.limits, w.random, w.log, open_backup_store(d, *g)};
        EXPECT_EQ(old.look(1), anna) << "a backup can be read as a store";
        auto const l = connect();
        auto const bring = [&](message_choice which, std::string into) {
            auto const from = open_backup_source(old.open(1), std::move(which), into, spool);
            import_options o;
            o.account = "bert@example.test";
            o.below = into;
            auto const done = w.run(import_mail(*l, *from, std::move(o)));
            EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
            return done.value_or(import_report{});
        };
        message_choice one;
        one.message_id = "<m9@example.test>";
        EXPECT_EQ(bring(one, "Restored").imported, 1U);
        EXPECT_EQ(bring(one, "Restored").already, 1U) << "a second time into the same folder";
        message_choice by_email;
        by_email.email = wanted.email;
        EXPECT_EQ(bring(by_email, "By email").imported, 1U);
        message_choice by_uid;
        by_uid.folders = {"INBOX"};
        by_uid.uid = wanted.uid;
        EXPECT_EQ(bring(by_uid, "By UID").imported, 1U);
        auto const all = bring({}, "All");
        EXPECT_EQ(all.imported, 41U);
        EXPECT_TRUE(all.complete());
        w.run(l->close());
    }
    auto const bert = w.live.look(2);
    for (auto const* name : {"By email/INBOX", "By UID/INBOX"}) {
        ASSERT_TRUE(bert.contains(name)) << name;
        ASSERT_EQ(bert.at(name).size(), 1U);
        EXPECT_EQ(bert.at(name)[0].text, wanted.text);
        EXPECT_EQ(bert.at(name)[0].flags, wanted.flags);
        EXPECT_EQ(bert.at(name)[0].date, wanted.date);
    }
    EXPECT_EQ(bert.at("All/INBOX").size(), anna.at("INBOX").size());
    EXPECT_EQ(bert.at("All/Archive").at(0).text, anna.at("Archive").at(0).text);
    w.run(group.join());
}
