// What IMAP's fuzz targets share: a server on the engine in memory with one account in it.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>

#include "auth/directory.hpp"
#include "imap/server.hpp"
#include "net/stream.hpp"
#include "store/engines.hpp"

namespace mansio::fuzz {

/// What a target asserts; says where.
inline void must(bool b, std::source_location where = std::source_location::current())
{
    if (b) return;
    std::fprintf(stderr, "%s:%u: this must hold\n", where.file_name(), where.line());
    std::abort();
}

/// The account is a@t.test; without `with_account` nobody can sign in.
struct imap_world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::limits limits;
    base::metrics metrics;
    base::memory_budget budget{8U << 20U};
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    store::accounts accounts{
        *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, base::null_log(), metrics, store::accounts::options{}};
    auth::directory people{*engine, loop, limits, random, base::null_log()};
    auth::sign_in door{people, *engine, loop, std::string(32, 'p'), limits, random, base::null_log(), metrics};
    store::spool spool{std::filesystem::temp_directory_path().string(), 1U << 20U, budget};
    imap::server server{imap::services{accounts, door, spool, nullptr, nullptr, limits, clock, random, base::null_log(), metrics, {true, "h", "0"}},
                        [](base::executor&, std::unique_ptr<net::detached_stream>) { return std::unique_ptr<net::stream>{}; }};
    std::string secret;  ///< the account's app password

    explicit imap_world(bool with_account)
    {
        if (!with_account) return;
        auth::domain d;
        d.name = "t.test";
        must(loop.run(people.add_domain(d)).has_value());
        auto const a = loop.run(people.add_account("a@t.test", "", 0, false));
        must(a && loop.run(accounts.create(a->number, 0)) && loop.run(people.account_ready(a->number)));
        auto made = loop.run(door.add_app_password(a->number, "f", auth::all_mail_protocols, false, std::chrono::days{1}));
        must(made.has_value());
        secret = std::move(made->secret);
    }
    ~imap_world()
    {
        loop.run(server.stop(clock.monotonic() + std::chrono::seconds{1}));
        loop.run(accounts.stop());
        loop.run(door.stop());
        loop.run_ready();
    }
    imap_world(imap_world const&) = delete;
    imap_world& operator=(imap_world const&) = delete;

    /// The client's end of a new conversation.
    std::unique_ptr<net::stream> connect()
    {
        net::memory_pair_options o;
        o.local = true;
        auto pair = net::make_memory_pair(loop, o);
        net::accepted in;
        in.connection = std::move(pair.server);
        server.serve(loop, std::move(in), false);
        loop.run_ready();
        return std::move(pair.client);
    }
    /// False: the connection is gone.
    bool send(net::stream& client, std::string_view octets)
    {
        auto const sent = loop.run(client.write(octets, base::monotonic_time::max()));
        loop.run_ready();
        return sent.has_value();
    }
    /// Appends what has come to `heard`; false when the server has closed.
    bool hear(net::stream& client, std::string& heard)
    {
        loop.run_ready();
        char piece[4096];
        for (;;) {
            auto const got = client.try_read(piece);
            if (!got || (*got && **got == 0)) return false;
            if (!*got) return true;
            heard.append(piece, **got);
            loop.run_ready();
        }
    }
};

}  // namespace mansio::fuzz
