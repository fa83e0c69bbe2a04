// Owners on threads of their own, sessions on others: for the thread sanitizer, and for the promise that nothing is lost on the way.
#include <gtest/gtest.h>

#include <thread>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

/// A thread that turns a loop until it is told to stop.
class loop_thread {
public:
    explicit loop_thread(base::manual_clock& clock)
        : loop(clock),
          thread_([this] {
              while (!stop_) loop.run_until([this] { return stop_.load(); });
          })
    {}
    ~loop_thread()
    {
        stop_ = true;
        loop.post([] {});
        thread_.join();
    }
    base::manual_executor loop;

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

struct shared_parts {
    base::manual_clock clock;
    base::seeded_random random{8};
    base::limits limits;
    base::metrics metrics;
    std::unique_ptr<engine> storage = make_memory_engine(clock, random);
};

task<void> session(shared_parts& p, account_ref me, int rounds, std::atomic<int>& added, std::atomic<int>& woken)
{
    auto const inbox = co_await me.find_mailbox("INBOX");
    EXPECT_TRUE(inbox);
    auto& here = base::executor::current();
    auto const held = co_await me.watch(inbox->id, [&woken, &here] {
        EXPECT_TRUE(here.running_here());
        ++woken;
    });
    EXPECT_TRUE(held);
    for (int i = 0; i < rounds; ++i) {
        mime::octets const octets{"Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n"};
        new_message m;
        m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, p.limits));
        auto staged = co_await p.storage->stage(octets);
        EXPECT_TRUE(staged);
        m.blob = *staged;
        std::vector<new_message> one;
        one.push_back(std::move(m));
        auto const done = co_await me.append(inbox->id, std::move(one));
        EXPECT_TRUE(done);
        EXPECT_TRUE(here.running_here());
        ++added;
        auto const view = co_await me.view(inbox->id);
        EXPECT_TRUE(view);
        EXPECT_TRUE((*view)->find(done->uids[0]));
        std::uint64_t sum = 0;
        for (std::uint32_t k = 0; k < (*view)->size(); ++k) sum += (*view)->at(k).size;
        EXPECT_GT(sum, 0U);
        flag_change c;
        c.names = {"\\Seen"};
        uid_set const which{{done->uids[0], done->uids[0]}};
        auto const changed = co_await me.change_flags(inbox->id, which, c);
        EXPECT_TRUE(changed);
        if (i % 3 == 0) {
            auto const gone = co_await me.expunge(inbox->id, which, true);
            EXPECT_TRUE(gone);
            if (gone) added -= static_cast<int>(gone->size());
        }
        auto const e = co_await me.emails(inbox->id, {(*view)->at(0).email});
        EXPECT_TRUE(e);
        if (e && (*e)[0]) EXPECT_FALSE((*e)[0]->summary().subject.empty());
    }
}

task<void> go_and_count(shared_parts& p, account_ref me, int rounds, std::atomic<int>& added, std::atomic<int>& woken, std::atomic<int>& ended)
{
    co_await session(p, std::move(me), rounds, added, woken);
    ++ended;
}

}  // namespace

TEST(account_threads, sessions_and_owners_on_their_own_threads)
{
    shared_parts parts;
    auto first = std::make_unique<loop_thread>(parts.clock);
    auto second = std::make_unique<loop_thread>(parts.clock);
    accounts::options o;
    o.fold_rows = 20;
    o.page_entries = 16;
    o.cache_octets = 50'000;
    accounts service{*parts.storage,
                     [&](partition_id where) -> base::executor& { return where.number % 2 == 0 ? first->loop : second->loop; },
                     parts.limits,
                     parts.random,
                     base::null_log(),
                     parts.metrics,
                     o};
    base::manual_executor here{parts.clock};
    for (account_number n = 1; n <= 2; ++n) ASSERT_TRUE(here.run(service.create(n, 0)));
    std::atomic<int> added[2] = {0, 0}, woken{0}, ended{0};
    constexpr int rounds = 40;
    for (account_number n = 1; n <= 2; ++n)
        for (auto* const where : {&first->loop, &second->loop}) {
            auto me = service.open(n, principal::person(n, "x"));
            base::spawn_detached(*where, go_and_count(parts, me, rounds, added[n - 1], woken, ended));
        }
    ASSERT_TRUE(here.run_until([&] {
        std::this_thread::yield();
        here.post([] {});
        return ended == 4;
    }));
    for (account_number n = 1; n <= 2; ++n) {
        auto me = service.open(n, principal::person(n, "x"));
        auto const inbox = here.run(me.find_mailbox("INBOX"));
        ASSERT_TRUE(inbox);
        EXPECT_EQ(static_cast<int>(here.run(me.view(inbox->id)).value()->size()), added[n - 1].load());
    }
    EXPECT_GT(woken, 0);
    here.run(service.stop());
    first.reset();
    second.reset();
}
