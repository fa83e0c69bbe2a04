// What the backup tests share: a store in memory with people's mail in it, and a directory to back it up into.
#pragma once
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "store/account.hpp"
#include "store/engines.hpp"
#include "store/spool.hpp"
#include "transfer/backup.hpp"
#include "transfer/backup_store.hpp"
#include "transfer/restore.hpp"
#include "transfer/verify.hpp"

namespace mansio::transfer::test {

/// A directory of its own, removed at the end.
class scratch {
public:
    scratch()
    {
        std::string made = (std::filesystem::temp_directory_path() / "mansio-backup-XXXXXX").string();
        MANSIO_ASSERT(mkdtemp(made.data()) != nullptr);
        path_ = made;
    }
    ~scratch() { std::filesystem::remove_all(path_); }
    scratch(scratch const&) = delete;
    scratch& operator=(scratch const&) = delete;
    [[nodiscard]] std::string path() const { return path_; }

private:
    std::string path_;
};

/// Everything of a message that a client can see, but for what a restore changes.
struct seen_message {
    store::uid uid = 0;
    std::vector<std::string> flags;
    std::int64_t date = 0;
    store::email_id email = 0;
    std::string text;
    bool operator==(seen_message const&) const = default;
};
using seen_account = std::map<std::string, std::vector<seen_message>>;  ///< by mailbox

/// A loop turned by hand, an engine and the accounts in it.
struct side {
    base::manual_executor& loop;
    base::limits& limits;
    base::random& random;
    base::metrics metrics;
    std::unique_ptr<store::engine> storage;
    std::unique_ptr<store::accounts> accounts;

    side(base::manual_executor& l, base::limits& lim, base::random& r, base::log& log, std::unique_ptr<store::engine> e)
        : loop(l),
          limits(lim),
          random(r),
          storage(std::move(e))
    {
        store::accounts::options o;
        o.fold_rows = 8;  // pages come early
        o.page_entries = 16;
        accounts =
            std::make_unique<store::accounts>(*storage, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, log, metrics, o);
    }
    ~side() { loop.run(accounts->stop()); }
    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }
    store::account_ref open(store::account_number n) { return accounts->open(n, store::principal::server("test")); }
    void make(store::account_number n)
    {
        auto const made = run(accounts->create(n, 0, true));
        ASSERT_TRUE(made) << base::describe(made.error());
    }
    store::mailbox_info box(store::account_number n, std::string name)
    {
        auto found = run(open(n).find_mailbox(name));
        if (!found) found = run(open(n).create_mailbox(name));
        EXPECT_TRUE(found);
        return found.value_or(store::mailbox_info{});
    }
    store::uid add(store::account_number n, std::string const& mailbox, std::string const& subject, std::string body = "hello\r\n",
                   std::vector<std::string> flags = {})
    {
        auto const text = "From: a@example.test\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@example.test>\r\n\r\n" + body;
        store::new_message m;
        mime::octets const octets{text};
        m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, limits));
        m.blob = *run(storage->stage(octets));
        m.prefix = "Received: by test\r\n";
        m.flags = std::move(flags);
        m.internal_date.unix_seconds = 1'767'225'600;
        std::vector<store::new_message> one;
        one.push_back(std::move(m));
        auto const done = run(open(n).append(box(n, mailbox).id, std::move(one)));
        EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
        return done && !done->uids.empty() ? done->uids.front() : 0;
    }
    void expunge(store::account_number n, std::string const& mailbox, store::uid u)
    {
        auto const done = run(open(n).expunge(box(n, mailbox).id, store::uid_set{{u, u}}, true));
        EXPECT_TRUE(done);
    }
    seen_account look(store::account_number n)
    {
        seen_account out;
        auto const ref = open(n);
        auto const all = run(ref.list_mailboxes());
        EXPECT_TRUE(all) << (all ? "" : base::describe(all.error()));
        if (!all) return out;
        for (auto const& m : *all) {
            auto const view = run(ref.view(m.id));
            EXPECT_TRUE(view) << m.name << ": " << (view ? "" : base::describe(view.error()));
            if (!view) continue;
            auto& list = out[m.name];
            for (std::uint32_t i = 0; i < (*view)->size(); ++i) {
                auto const e = (*view)->at(i);
                auto const emails = run(ref.emails(m.id, std::vector<store::email_id>{e.email}));
                std::string text = "(lost)";
                if (emails && emails->front() != nullptr) text = run(ref.read(emails->front(), 0, UINT32_MAX)).value_or("(damaged)");
                list.push_back({e.uid, (*view)->names(e.flags), e.internal_date.unix_seconds, e.email, std::move(text)});
            }
        }
        return out;
    }
    std::map<std::string, std::uint32_t> validities(store::account_number n)
    {
        std::map<std::string, std::uint32_t> out;
        auto const all = run(open(n).list_mailboxes());
        EXPECT_TRUE(all);
        if (all)
            for (auto const& m : *all) out[m.name] = m.uid_validity;
        return out;
    }
};

/// A picture that lets something happen at every call, or ends the conversation at one.
class disturbed final : public store::picture {
public:
    disturbed(std::unique_ptr<store::picture> inner, std::move_only_function<result<void>()> each) : inner_(std::move(inner)), each_(std::move(each)) {}
    task<result<std::vector<store::partition_state>>> partitions(store::partition_kind k) override
    {
        if (auto const ok = each_(); !ok) co_return fail(ok);
        auto got = co_await inner_->partitions(k);
        co_return got;
    }
    task<result<store::picture_slice>> read(store::picture_table what, store::partition_id where, std::string from, std::size_t) override
    {
        if (auto const ok = each_(); !ok) co_return fail(ok);
        auto got = co_await inner_->read(what, where, std::move(from), 2048);  // many pages
        co_return got;
    }
    task<result<std::string>> blob(store::blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        if (auto const ok = each_(); !ok) co_return fail(ok);
        auto got = co_await inner_->blob(id, offset, length);
        if (got && damage.contains(id) && offset <= got->size()) (*got)[got->size() / 2] ^= 1;
        co_return got;
    }
    task<result<store::picture_totals>> totals() override { return inner_->totals(); }
    std::set<store::blob_id> damage;

private:
    std::unique_ptr<store::picture> inner_;
    std::move_only_function<result<void>()> each_;
};

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{7};
    base::memory_log log;
    base::limits limits;
    scratch place;
    side live;

    world() : live(loop, limits, random, log, store::make_memory_engine(clock, random)) {}
    [[nodiscard]] std::string path() const { return place.path() + "/backup"; }
    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }

    backup_directory directory(backup_directory::use how = backup_directory::use::write)
    {
        auto d = backup_directory::open(path(), how, &random);
        EXPECT_TRUE(d) << (d ? "" : d.error().say);
        return std::move(*d);
    }
    std::unique_ptr<store::picture> picture() { return std::move(*run(live.storage->take_picture())); }
    backup_report back_up(store::picture& from, std::uint64_t keep = 7)
    {
        auto d = directory();
        backup_options o;
        o.keep = keep;
        auto const report = run(make_backup(from, d, clock, std::move(o)));
        EXPECT_TRUE(report) << (report ? "" : base::describe(report.error()));
        return report.value_or(backup_report{});
    }
    backup_report back_up(std::uint64_t keep = 7)
    {
        auto const p = picture();
        return back_up(*p, keep);
    }
    /// Into an empty store.
    std::unique_ptr<side> restore(restore_report& report, std::uint32_t number = 0, std::unique_ptr<store::engine> empty = {})
    {
        auto const d = directory();
        auto const g = d.find(number);
        EXPECT_TRUE(g) << (g ? "" : g.error().say);
        if (!empty) empty = store::make_memory_engine(clock, random);
        auto fresh = std::make_unique<side>(loop, limits, random, log, std::move(empty));
        auto const incarnation = next_incarnation(d, *g, clock);
        EXPECT_TRUE(incarnation) << (incarnation ? "" : incarnation.error().say);
        auto const done = run(restore_all(d, *g, *fresh->storage, *incarnation, random, {}));
        EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
        report = done.value_or(restore_report{});
        return fresh;
    }
    static void flip(std::string const& file, std::uint64_t at)
    {
        std::fstream f{file, std::ios::in | std::ios::out | std::ios::binary};
        f.seekg(static_cast<std::streamoff>(at));
        char c = 0;
        f.get(c);
        f.seekp(static_cast<std::streamoff>(at));
        f.put(static_cast<char>(c ^ 1));
    }
    std::uint64_t octets_on_disk()
    {
        std::uint64_t n = 0;
        for (auto const& e : std::filesystem::recursive_directory_iterator{path()})
            if (e.is_regular_file()) n += e.file_size();
        return n;
    }
};

}  // namespace mansio::transfer::test
