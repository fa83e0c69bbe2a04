// A whole SMTP server over in-memory connections: real directory, sign-in, accounts and delivery on the engine in memory; the queue is a counter.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "accept/pipeline.hpp"
#include "auth/sign_in.hpp"
#include "mailauth/authenticator.hpp"
#include "net/dns.hpp"
#include "support/kept_keys.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "deliver/deliver.hpp"
#include "smtp/server/adaptors.hpp"
#include "smtp/server/server.hpp"
#include "store/engines.hpp"

namespace mansio::test {

class smtp_envelopes final : public accept::envelopes {
public:
    std::vector<queue::submission> queued;
    std::function<task<result<queue::queue_id>>(queue::submission)> instead;  // a real queue
    task<result<queue::queue_id>> enqueue(queue::submission s) override
    {
        if (instead) co_return co_await instead(std::move(s));
        queued.push_back(std::move(s));
        co_return "0-" + std::to_string(queued.size());
    }
};

/// TLS contexts of real certificates; in-memory streams only turn a flag but want one.
struct tls_for_tests {
    std::unique_ptr<net::tls_server_context> server;
    std::unique_ptr<net::tls_client_context> client;
    static tls_for_tests& get()
    {
        static tls_for_tests made = [] {
            auto const directory = std::filesystem::temp_directory_path() / ("mansio-smtp-test-" + std::to_string(::getpid()));
            std::filesystem::create_directories(directory);
            tls_for_tests t;
            auto const done = net::make_demo_certificates(directory.string(), {"mx.example.test"}, {"127.0.0.1"});
            MANSIO_ASSERT(done.has_value());
            net::tls_server_context::options o;
            o.certificate_file = directory / "cert.pem";
            o.key_file = directory / "key.pem";
            auto server = net::tls_server_context::make(o);
            auto client = net::tls_client_context::make(directory / "ca.pem");
            MANSIO_ASSERT(server && client);
            t.server = std::move(*server);
            t.client = std::move(*client);
            std::filesystem::remove_all(directory);
            return t;
        }();
        return made;
    }
};

struct smtp_rig_options {
    std::function<void(base::limits&)> limits;
    store::memory_faults faults;
    std::function<void(smtp::server_options&)> server;
    std::function<void(accept::options&)> accept;
    std::uint64_t seed = 7;
};

struct smtp_rig {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random;
    base::memory_log log;
    base::metrics metrics;
    base::limits limits;
    base::memory_budget memory{64U << 20U};
    base::worker_pool pool{"test", 1, 64};
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<auth::directory> people;
    std::unique_ptr<auth::sign_in> door;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<deliver::local_delivery> delivery;
    std::unique_ptr<store::spool> spool;
    std::unique_ptr<smtp::local_mailboxes> boxes;
    smtp_envelopes envelopes;
    net::scripted_resolver dns;
    test::kept_keys keys;
    std::unique_ptr<mailauth::authenticator> senders;
    std::unique_ptr<accept::pipeline> pipeline;
    std::unique_ptr<smtp::server> server;
    store::account_number alice = 0, bob = 0;
    std::string alice_secret, bob_secret;

    explicit smtp_rig(smtp_rig_options o = {}) : random(o.seed)
    {
        if (o.limits) o.limits(limits);
        engine = store::make_memory_engine(clock, random, std::move(o.faults));
        people = std::make_unique<auth::directory>(*engine, loop, limits, random, log);
        door = std::make_unique<auth::sign_in>(*people, *engine, loop, std::string(32, 'p'), limits, random, log, metrics);
        accounts = std::make_unique<store::accounts>(
            *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, log, metrics, store::accounts::options{});
        delivery = std::make_unique<deliver::local_delivery>(*accounts, log, metrics);
        spool = std::make_unique<store::spool>(std::filesystem::temp_directory_path().string(), limits.memory_per_message, memory);
        boxes = std::make_unique<smtp::local_mailboxes>(*delivery, *accounts);
        senders = std::make_unique<mailauth::authenticator>(mailauth::authenticator_parts{dns, clock, random, pool, limits, metrics},
                                                            mailauth::authenticator_options{"mx.example.test", false, {"sealer.test"}});
        accept::options a;
        a.hostname = "mx.example.test";
        a.srs_key = "0123456789abcdef0123456789abcdef";
        if (o.accept) o.accept(a);
        pipeline = std::make_unique<accept::pipeline>(
            accept::parts{*people, *engine, *spool, *boxes, envelopes, *senders, keys, pool, memory, limits, clock, random, log, metrics}, a);
        smtp::server_options s;
        s.hostname = "mx.example.test";
        if (o.server) o.server(s);
        server = std::make_unique<smtp::server>(smtp::services{*pipeline, *door, limits, random, log, metrics}, s);
        populate();
    }
    ~smtp_rig()
    {
        loop.run(server->stop());
        loop.run(door->stop());
        loop.run(accounts->stop());
        loop.run_ready();
    }
    smtp_rig(smtp_rig const&) = delete;
    smtp_rig& operator=(smtp_rig const&) = delete;

    template <class T> T must(task<result<T>> t)
    {
        auto r = loop.run(std::move(t));
        EXPECT_TRUE(r.has_value()) << (r ? "" : describe(r.error()));
        MANSIO_ASSERT(r.has_value());
        if constexpr (!std::is_void_v<T>) return std::move(*r);
    }
    store::account_number add(std::string const& address, bool administrator)
    {
        auto const a = must(people->add_account(address, "", 0, administrator));
        must(accounts->create(a.number, 0));
        must(people->account_ready(a.number));
        return a.number;
    }
    void alias(std::string const& address, std::vector<std::string> targets)
    {
        auth::alias a;
        a.address = address;
        a.targets = std::move(targets);
        must(people->set_alias(std::move(a)));
    }
    void populate()
    {
        auth::domain d;
        d.name = "example.test";
        must(people->add_domain(d));
        alice = add("alice@example.test", true);
        bob = add("bob@example.test", false);
        alias("both@example.test", {"alice@example.test", "bob@example.test"});
        alias("away@example.test", {"alice@elsewhere.example"});
        alice_secret = must(door->add_app_password(alice, "test", auth::all_mail_protocols, false, std::chrono::days{400})).secret;
        bob_secret = must(door->add_app_password(bob, "test", auth::all_mail_protocols, false, std::chrono::days{400})).secret;
    }
    static std::string plain(std::string const& user, std::string const& secret)
    {
        return base::to_base64(std::string{'\0'} + user + std::string{'\0'} + secret);
    }

    /// Everything in a mailbox of an account, prefix and octets, oldest first.
    std::vector<std::string> mail_of(store::account_number n, std::string const& mailbox = "INBOX")
    {
        auto const a = accounts->open(n, store::principal::server("test"));
        auto const box = must(a.find_mailbox(mailbox));
        auto const view = must(a.view(box.id));
        std::vector<std::string> out;
        for (std::uint32_t i = 0; i < view->size(); ++i) {
            auto const records = must(a.emails(box.id, {view->at(i).email}));
            out.push_back(must(a.read(records.front(), 0, ~0ULL >> 1U)));
        }
        return out;
    }

    smtp::face face(accept::door d, bool implicit = false)
    {
        smtp::face f;
        f.through = d;
        f.implicit_tls = implicit;
        f.tls = tls_for_tests::get().server.get();
        return f;
    }
    /// The client's end of a new connection; not greeted yet.
    std::unique_ptr<net::stream> connect(smtp::face f, std::string const& from = "192.0.2.7", std::size_t cut = 1U << 20U, bool local = false)
    {
        net::memory_pair_options o;
        o.cut = cut;
        o.peer = {*net::ip_address::parse(from), 4321};
        o.local = local;
        auto pair = net::make_memory_pair(loop, o);
        net::accepted a;
        a.connection = std::move(pair.server);
        server->serve(loop, std::move(a), f);
        return std::move(pair.client);
    }
};

/// A client that says octets and collects what comes.
class smtp_peer {
public:
    smtp_peer(smtp_rig& r, accept::door d, std::string const& from = "192.0.2.7", bool local = false)
        : rig_(r),
          stream_(r.connect(r.face(d), from, 1U << 20U, local))
    {
        // The greeting may wait for the early talkers' sake.
        rig_.loop.run_for(std::chrono::milliseconds{1});
        greeting = drain();
    }
    ~smtp_peer()
    {
        stream_->abort();
        stream_.reset();
        rig_.loop.run_ready();
    }
    smtp_peer(smtp_peer const&) = delete;
    smtp_peer& operator=(smtp_peer const&) = delete;
    std::string greeting;
    /// Says it, lets the server work, answers what came back.
    std::string say(std::string_view octets)
    {
        (void)rig_.loop.run(stream_->write(octets, base::monotonic_time::max()));
        return drain();
    }
    std::string line(std::string const& text) { return say(text + "\r\n"); }
    /// The code of the last reply line: "250", or "" when nothing came.
    std::string code(std::string const& text)
    {
        auto const all = line(text);
        return last_code(all);
    }
    /// "550 5.7.1"
    std::string status(std::string const& text) { return line(text).substr(0, 9); }
    static std::string last_code(std::string const& all)
    {
        if (all.size() < 5) return {};
        auto const at = all.rfind("\r\n", all.size() - 3);
        return all.substr(at == std::string::npos ? 0 : at + 2, 3);
    }
    std::string drain()
    {
        std::string out;
        char buffer[4096];
        while (true) {
            rig_.loop.run_ready();
            auto const got = stream_->try_read(buffer);
            if (!got || !*got) return out;
            if (**got == 0) {
                closed = true;
                return out;
            }
            out.append(buffer, **got);
        }
    }
    void start_tls()
    {
        auto const done = rig_.loop.run(stream_->start_tls_client(*tls_for_tests::get().client, {}, base::monotonic_time::max()));
        EXPECT_TRUE(done.has_value());
    }
    /// STARTTLS, EHLO, AUTH PLAIN as alice.
    void sign_in()
    {
        (void)line("EHLO client.example");
        EXPECT_EQ(code("STARTTLS"), "220");
        start_tls();
        (void)line("EHLO client.example");
        EXPECT_EQ(code("AUTH PLAIN " + smtp_rig::plain("alice@example.test", rig_.alice_secret)), "235");
    }
    net::stream& raw() { return *stream_; }
    bool closed = false;

private:
    smtp_rig& rig_;
    std::unique_ptr<net::stream> stream_;
};

}  // namespace mansio::test
