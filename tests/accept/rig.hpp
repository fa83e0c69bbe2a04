// A pipeline with people in its directory, commits that are counted, and a loop turned by hand.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "accept/pipeline.hpp"
#include "mailauth/authenticator.hpp"
#include "net/dns.hpp"
#include "support/kept_keys.hpp"
#include "base/clock.hpp"
#include "store/engines.hpp"

namespace mansio::test {

/// Keeps what was delivered, and fails on demand.
class counted_mailboxes final : public accept::mailboxes {
public:
    explicit counted_mailboxes(store::engine& e) : engine_(e) {}
    struct kept {
        accept::local_message what;
        std::string octets;
    };
    std::vector<kept> delivered;
    std::map<store::account_number, fault> faults;
    std::map<store::account_number, store::quota> quotas;
    task<result<void>> commit(accept::local_message m) override
    {
        if (auto const it = faults.find(m.account); it != faults.end()) co_return std::unexpected(it->second);
        store::change c;
        c.where = {store::partition_kind::account, m.account};
        c.id = store::change_id::make(ids_);
        auto const blob = m.stored ? *m.stored : m.blob->id();
        if (!m.stored) c.new_blobs.push_back(m.blob);
        c.add_holders.push_back({blob, {c.where, m.id}});
        c.rows.push_back({"d" + m.id, "x"});
        auto const done = co_await engine_.commit(std::move(c));
        if (!done) co_return fail(done);
        auto octets = co_await engine_.blob_read(blob, 0, ~0ULL >> 1U);
        delivered.push_back({std::move(m), octets ? std::move(*octets) : std::string{}});
        co_return result<void>{};
    }
    task<result<store::quota>> quota(store::account_number n) override { co_return quotas[n]; }

private:
    store::engine& engine_;
    base::seeded_random ids_{77};
};

/// The queue's place: keeps what was queued. An open relay shows here.
class counted_envelopes final : public accept::envelopes {
public:
    std::vector<queue::submission> queued;
    std::optional<fault> broken;
    task<result<queue::queue_id>> enqueue(queue::submission s) override
    {
        if (broken) co_return std::unexpected(*broken);
        queued.push_back(std::move(s));
        co_return "0-" + std::to_string(queued.size());
    }
};

struct accept_rig {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{7};
    base::memory_log log;
    base::metrics metrics;
    base::limits limits;
    base::memory_budget memory{64U << 20U};
    base::worker_pool pool{"test", 1, 64};
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<auth::directory> people;
    std::unique_ptr<store::spool> spool;
    std::unique_ptr<counted_mailboxes> boxes;
    counted_envelopes envelopes;
    net::scripted_resolver dns;
    kept_keys keys;
    std::unique_ptr<mailauth::authenticator> senders;
    accept::options options{"mx.example.test", "0123456789abcdef0123456789abcdef", {}};
    std::unique_ptr<accept::pipeline> pipeline;
    store::account_number alice = 0, bob = 0;
    std::function<void(base::limits&)> set_limits;

    explicit accept_rig(std::function<void(base::limits&)> change = {}, store::memory_faults faults = {})
    {
        if (change) change(limits);
        engine = store::make_memory_engine(clock, random, std::move(faults));
        people = std::make_unique<auth::directory>(*engine, loop, limits, random, log);
        spool = std::make_unique<store::spool>(std::filesystem::temp_directory_path().string(), limits.memory_per_message, memory);
        boxes = std::make_unique<counted_mailboxes>(*engine);
        alice = populate();
        senders = std::make_unique<mailauth::authenticator>(mailauth::authenticator_parts{dns, clock, random, pool, limits, metrics},
                                                            mailauth::authenticator_options{"mx.example.test", false, {"sealer.test"}});
        build();
    }

    /// The octets of what was queued.
    std::string octets_of(queue::submission const& s)
    {
        store::change c;
        c.where = {store::partition_kind::queue, 0};
        c.id = store::change_id::make(random);
        c.new_blobs.push_back(s.blob);
        c.add_holders.push_back({s.blob->id(), {c.where, "q"}});
        c.rows.push_back({"q", "x"});
        EXPECT_TRUE(loop.run(engine->commit(std::move(c))));
        return loop.run(engine->blob_read(s.blob->id(), 0, ~0ULL >> 1U)).value_or("");
    }
    /// Anew, as `options` say.
    void build()
    {
        pipeline = std::make_unique<accept::pipeline>(
            accept::parts{*people, *engine, *spool, *boxes, envelopes, *senders, keys, pool, memory, limits, clock, random, log, metrics}, options);
    }

    store::account_number populate()
    {
        auth::domain d;
        d.name = "example.test";
        EXPECT_TRUE(loop.run(people->add_domain(d)));
        auto const a = loop.run(people->add_account("alice@example.test", "Alice", 0, true));
        auto const b = loop.run(people->add_account("bob@example.test", "Bob", 0, false));
        EXPECT_TRUE(a && b);
        bob = b->number;
        for (auto const& [name, targets] : std::map<std::string, std::vector<std::string>>{
                 {"both@example.test", {"alice@example.test", "bob@example.test"}},
                 {"info@example.test", {"alice@example.test"}},
                 {"away@example.test", {"alice@elsewhere.example"}},
                 {"mixed@example.test", {"bob@example.test", "bob@elsewhere.example"}},
             })
        {
            auth::alias al;
            al.address = name;
            al.targets = targets;
            EXPECT_TRUE(loop.run(people->set_alias(al)));
        }
        return a->number;
    }

    accept::client client(accept::door through = accept::door::mx) const
    {
        accept::client c;
        c.through = through;
        c.session = "c-test";
        c.peer = "192.0.2.7";
        c.peer_literal = "[192.0.2.7]";
        c.peer_prefix = "192.0.2.7/32";
        c.greeting = "client.example";
        c.extended = true;
        return c;
    }
    accept::client person() const
    {
        auto c = client(accept::door::submission);
        c.account = alice;
        c.account_address = "alice@example.test";
        c.tls = "TLSv1.3 with X";
        return c;
    }
    static mime::mailbox_address address(std::string const& text)
    {
        auto const at = text.rfind('@');
        return {text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
    }
    accept::reply begin(accept::message& m, std::string const& sender, std::uint64_t size = 0)
    {
        accept::pipeline::reset(m);
        if (!sender.empty()) m.sender = address(sender);
        m.declared_size = size;
        return loop.run(pipeline->begin(m)).say;
    }
    accept::reply rcpt(accept::message& m, std::string const& to)
    {
        m.asked = address(to);
        return loop.run(pipeline->recipient(m)).say;
    }
    accept::decision send(accept::message& m, std::string_view octets)
    {
        pipeline->open(m);
        m.incoming->put(octets);
        return loop.run(pipeline->finish(m));
    }
};

inline std::string code(accept::reply const& r) { return std::to_string(r.code) + " " + r.status; }

}  // namespace mansio::test
