// A queue over the in-memory engine, a clock turned by hand and transports that answer by a script.
#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "base/bytes.hpp"
#include "queue/queue.hpp"
#include "queue/rows.hpp"
#include "store/engines.hpp"

namespace mansio::test {

using queue::outcome;
using namespace std::chrono_literals;

/// Answers by a table of address → outcomes, one for each attempt (the last one again and again); remembers what it was given.
class scripted_transport final : public queue::transport {
public:
    std::map<std::string, std::deque<outcome>> script;
    struct seen {
        std::string id, sender, address, octets;
        queue::requests asked;
    };
    std::vector<seen> delivered;
    std::size_t attempts = 0;
    std::size_t running = 0, most_running = 0;
    base::signal* gate = nullptr;  ///< when set, attempts wait for it
    std::size_t waiting = 0;

    task<std::vector<outcome>> deliver(queue::envelope const& e, std::vector<std::size_t> which, queue::message_source& message) override
    {
        ++attempts;
        most_running = std::max(most_running, ++running);
        if (gate != nullptr) {
            ++waiting;
            co_await gate->wait();
        }
        std::string octets;
        while (true) {
            auto const more = co_await message.read(octets.size(), 7);
            if (!more || more->empty()) break;
            octets += *more;
        }
        std::vector<outcome> answers;
        for (auto const i : which) {
            auto const& to = e.recipients[i];
            outcome o;
            o.what = outcome::kind::delivered;
            o.status = "2.0.0";
            auto it = script.find(to.address);
            if (it != script.end() && !it->second.empty()) {
                o = it->second.front();
                if (it->second.size() > 1) it->second.pop_front();
            }
            if (o.what == outcome::kind::delivered) delivered.push_back({e.id, e.sender, to.address, octets, e.asked});
            answers.push_back(o);
        }
        --running;
        co_return answers;
    }
};

inline outcome later() { return {outcome::kind::later, "4.4.1", "connection refused", "", false}; }
inline outcome never() { return {outcome::kind::never, "5.1.1", "550 5.1.1 no such user", "mx.example.org", true}; }
inline outcome good() { return {outcome::kind::delivered, "2.0.0", "250 ok", "mx.example.org", true}; }

inline queue::recipient remote(std::string address)
{
    queue::recipient r;
    r.address = std::move(address);
    return r;
}

/// A queue over the in-memory engine with a clock turned by hand. The engine outlives "crashes" of the queue.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{7};
    base::metrics metrics;
    base::limits limits;
    base::memory_log log;
    store::memory_faults faults;
    bool fail_commits = false;
    std::unique_ptr<store::engine> engine;
    scripted_transport local, relay;
    std::unique_ptr<queue::mail_queue> q;

    world()
    {
        faults.fail = [this](store::change const&) { return fail_commits; };
        engine = store::make_memory_engine(clock, random, faults);
        open();
    }
    ~world()
    {
        if (q) loop.run(q->stop());
    }
    void open()
    {
        queue::transports t;
        t.local = &local;
        t.relay = &relay;
        t.route = [](std::string address) -> task<result<std::vector<queue::recipient>>> {
            queue::recipient r;
            r.address = address;
            if (address.ends_with("@ours.test")) r.account = 1;
            co_return std::vector{r};
        };
        q = std::make_unique<queue::mail_queue>(
            *engine, [this](store::partition_id) -> base::executor& { return loop; }, t, limits, random, log, metrics,
            queue::mail_queue::options{"mail.ours.test", "postmaster@ours.test"});
        auto const started = loop.run(q->start());
        ASSERT_TRUE(started.has_value());
    }
    /// The process dies and comes back on the same store.
    void restart()
    {
        loop.run(q->stop());
        q.reset();
        open();
    }
    bool sender_unproved = false;  ///< of what send() enqueues
    std::string send(std::string sender, std::vector<queue::recipient> to, std::string text = "Subject: x\r\n\r\nhello\r\n", queue::requests asked = {})
    {
        auto const blob = loop.run(engine->stage(mime::octets{std::move(text)}));
        EXPECT_TRUE(blob.has_value());
        queue::submission s;
        s.sender = std::move(sender);
        s.recipients = std::move(to);
        s.blob = *blob;
        s.prefix = "Received: by us\r\n";
        s.asked = std::move(asked);
        s.sender_unproved = sender_unproved;
        auto const id = loop.run(q->enqueue(std::move(s)));
        return id ? *id : std::string{};
    }
    std::size_t rows()
    {
        std::size_t n = 0;
        for (unsigned i = 0; i < queue::partition_count; ++i) {
            auto const some = loop.run(engine->scan(queue::partition_of(i), {}, 100000));
            n += some->size();
        }
        return n;
    }
};

}  // namespace mansio::test
