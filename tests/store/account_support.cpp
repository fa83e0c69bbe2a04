#include "store/account_support.hpp"

#include <gtest/gtest.h>

#include "store/account_rows.hpp"
#include "store/keys.hpp"

namespace mansio::store::test {

world::world(std::uint64_t seed) : random(seed)
{
    memory_faults f;
    f.conflict = [this](change const& c) {
        if (record) {
            change copy = c;
            copy.new_blobs.clear();
            seen.push_back(std::move(copy));
        }
        return faults.conflict && faults.conflict(c);
    };
    f.lose_ack = [this](change const& c) { return faults.lose_ack && faults.lose_ack(c); };
    f.fail = [this](change const& c) { return faults.fail && faults.fail(c); };
    f.delay = [this](change const& c) { return faults.delay ? faults.delay(c) : std::chrono::nanoseconds{0}; };
    storage = make_memory_engine(clock, random, std::move(f));
    options.default_folders = true;
    start();
}

void world::start()
{
    metrics = std::make_unique<base::metrics>();
    service = std::make_unique<accounts>(*storage, [this](partition_id) -> base::executor& { return loop; }, limits, random, log, *metrics, options);
}

world::~world()
{
    faults = {};
    record = false;
    for (auto& d : dead) loop.run(d.second->stop());
    if (service) loop.run(service->stop());
}

void world::restart()
{
    loop.run(service->stop());
    service.reset();
    start();
}

void world::crash()
{
    loop.run_ready();
    dead.emplace_back(std::move(metrics), std::move(service));
    start();
}

account_ref world::open(account_number n) { return service->open(n, principal::person(n, "owner@example.test")); }
account_ref world::open_as(account_number n, account_number who, rights scope) { return service->open(n, principal::person(who, "guest@example.test", scope)); }
account_ref world::open_server(account_number n) { return service->open(n, principal::server("test")); }

void world::make(account_number n, std::uint64_t quota_octets, bool folders)
{
    auto const made = run(service->create(n, quota_octets, folders));
    ASSERT_TRUE(made) << base::describe(made.error());
}

mailbox_id world::box(std::string name, account_number n)
{
    auto found = run(open(n).find_mailbox(name));
    if (!found) found = run(open(n).create_mailbox(name));
    EXPECT_TRUE(found) << (found ? "" : base::describe(found.error()));
    return found ? found->id : 0;
}

new_message world::message(std::string text, std::vector<std::string> flags, std::string prefix)
{
    new_message m;
    mime::octets const octets{text};
    m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, limits));
    auto staged = run(storage->stage(octets));
    EXPECT_TRUE(staged);
    m.blob = *staged;
    m.flags = std::move(flags);
    m.prefix = std::move(prefix);
    m.internal_date.unix_seconds = 1'767'225'600;
    m.internal_date.zone_minutes = 60;
    return m;
}

new_message world::letter(std::string subject, std::string id, std::string references, std::size_t octets)
{
    std::string text = "From: a@example.test\r\nSubject: " + subject + "\r\n";
    if (!id.empty()) text += "Message-ID: <" + id + "@example.test>\r\n";
    if (!references.empty()) text += "In-Reply-To: <" + references + "@example.test>\r\n";
    text += "\r\n" + std::string(octets, 'x') + "\r\n";
    return message(text);
}

store::uid world::add(mailbox_id m, std::string subject, std::vector<std::string> flags, account_number n)
{
    std::vector<new_message> one;
    one.push_back(letter(std::move(subject), base::to_hex(random.octets(6))));
    one[0].flags = std::move(flags);
    auto const done = run(open(n).append(m, std::move(one)));
    EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
    return done && !done->uids.empty() ? done->uids[0] : 0;
}

void world::add_many(mailbox_id m, std::size_t n, account_number to)
{
    for (std::size_t left = n; left > 0;) {
        auto const some = std::min<std::size_t>(left, 50);
        std::vector<new_message> batch;
        for (std::size_t i = 0; i < some; ++i) batch.push_back(letter("many", base::to_hex(random.octets(6))));
        auto const done = run(open(to).append(m, std::move(batch)));
        ASSERT_TRUE(done) << base::describe(done.error());
        left -= some;
    }
}

std::vector<store::uid> world::uids(mailbox_id m, account_number n)
{
    auto const v = run(open(n).view(m));
    EXPECT_TRUE(v) << (v ? "" : base::describe(v.error()));
    std::vector<store::uid> out;
    if (v)
        for (std::uint32_t i = 0; i < (*v)->size(); ++i) out.push_back((*v)->uid_at(i));
    return out;
}

std::string world::picture(mailbox_id m, account_ref const& through)
{
    auto const v = run(through.view(m));
    if (!v) return base::describe(v.error());
    std::string text;
    for (std::uint32_t i = 0; i < (*v)->size(); ++i) {
        auto const e = (*v)->at(i);
        if (!text.empty()) text += ' ';
        text += std::to_string(e.uid) + ":";
        bool first = true;
        for (auto const& name : (*v)->names(e.flags)) {
            if (!first) text += ',';
            first = false;
            text += name;
        }
    }
    return text;
}

std::size_t world::rows_of(std::string prefix, account_number n)
{
    partition_id where;
    where.number = n;
    auto const got = run(storage->scan(where, key_range::prefix(prefix), 1'000'000));
    EXPECT_TRUE(got);
    return got ? got->size() : 0;
}

void world::settle() { loop.run_ready(); }

void expect_sound(world& w, account_number n)
{
    w.settle();
    auto const boxes = w.run(w.open(n).list_mailboxes());
    ASSERT_TRUE(boxes) << base::describe(boxes.error());
    struct kept {
        std::vector<message_entry> entries;
        mailbox_counts counts;
    };
    auto const read = [&](world& from) {
        std::map<std::string, kept> all;
        for (auto const& b : *boxes) {
            auto const v = from.run(from.open(n).view(b.id));
            auto const c = from.run(from.open(n).counts(b.id));
            EXPECT_TRUE(v) << b.name << ": " << (v ? "" : base::describe(v.error()));
            EXPECT_TRUE(c);
            if (!v || !c) continue;
            auto& k = all[b.name];
            k.counts = *c;
            EXPECT_EQ((*v)->size(), c->messages);
            EXPECT_EQ((*v)->uid_next(), c->uid_next);
            EXPECT_EQ((*v)->highest_modseq(), c->highest_modseq);
            for (std::uint32_t i = 0; i < (*v)->size(); ++i) {
                k.entries.push_back((*v)->at(i));
                EXPECT_LE(k.entries.back().modseq, c->highest_modseq);
            }
        }
        return all;
    };
    auto const before = read(w);
    w.crash();
    auto const after = read(w);
    std::map<email_id, std::map<mailbox_id, std::uint32_t>> members;
    ASSERT_EQ(before.size(), after.size());
    std::map<std::string, mailbox_id> ids;
    for (auto const& b : *boxes) ids[b.name] = b.id;
    std::uint64_t unique_octets = 0;
    for (auto const& [name, k] : before) {
        auto const& a = after.at(name);
        ASSERT_EQ(k.entries.size(), a.entries.size()) << name;
        std::uint32_t unseen = 0, deleted = 0;
        std::uint64_t octets = 0;
        for (std::size_t i = 0; i < k.entries.size(); ++i) {
            auto const& x = k.entries[i];
            auto const& y = a.entries[i];
            EXPECT_EQ(x.uid, y.uid);
            EXPECT_EQ(x.flags, y.flags);
            EXPECT_EQ(x.modseq, y.modseq);
            EXPECT_EQ(x.size, y.size);
            EXPECT_EQ(x.email, y.email);
            EXPECT_EQ(x.added, y.added);
            EXPECT_EQ(x.save_date, y.save_date);
            EXPECT_EQ(x.internal_date, y.internal_date);
            if (!x.flags.has(system_flag::seen)) ++unseen;
            if (x.flags.has(system_flag::deleted)) ++deleted;
            octets += x.size;
            auto& of = members[x.email];
            if (of.empty()) unique_octets += x.size;
            ++of[ids.at(name)];
        }
        EXPECT_EQ(k.counts.unseen, unseen) << name;
        EXPECT_EQ(k.counts.deleted, deleted) << name;
        EXPECT_EQ(k.counts.octets, octets) << name;
    }
    w.settle();
    // Rows of emails and members say the same; each blob has exactly this holder.
    partition_id where;
    where.number = n;
    auto const emails = w.run(w.storage->scan(where, key_range::prefix("E"), 1'000'000));
    ASSERT_TRUE(emails);
    EXPECT_EQ(emails->size(), members.size());
    for (auto const& r : *emails) {
        std::uint64_t e = 0;
        std::string_view rest;
        ASSERT_TRUE(keys::parse_be64(r.key, e, rest));
        ASSERT_TRUE(members.contains(e)) << "email " << e << " is in no mailbox";
        auto const w_row = w.run(w.storage->get(where, keys::members(e)));
        ASSERT_TRUE(w_row);
        if (*w_row) {
            auto const list = rows::decode_members(**w_row);
            ASSERT_TRUE(list);
            std::map<mailbox_id, std::uint32_t> stored;
            for (auto const& m : *list) stored[m.mailbox] = m.times;
            EXPECT_EQ(stored, members[e]) << "members of " << e;
        } else {
            EXPECT_EQ(members[e].size(), 1U);
            EXPECT_EQ(members[e].begin()->second, 1U);
        }
    }
    auto const quota = w.run(w.open(n).get_quota());
    ASSERT_TRUE(quota);
    EXPECT_EQ(quota->used_octets, unique_octets);
    EXPECT_EQ(quota->messages, members.size());
    EXPECT_EQ(w.rows_of("X", n), 0U);
    EXPECT_EQ(w.rows_of("Q", n) == 0, members.empty());
    if (members.empty()) EXPECT_EQ(w.rows_of("T", n), 0U);
}

}  // namespace mansio::store::test
