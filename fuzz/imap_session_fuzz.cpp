// links: imap net auth store mime base
// A whole IMAP conversation on the engine in memory. The first octet says how the network cuts, and whether the client is signed in with a mailbox open.
// Property: whatever is said, it is answered the same however it is cut, every line of an answer ends in CRLF, and the server can always be stopped.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "auth/directory.hpp"
#include "imap/server.hpp"
#include "net/stream.hpp"
#include "store/engines.hpp"

using namespace mansio;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view message = "From: a@b\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"sv;

void must(bool b)
{
    if (!b) std::abort();
}

/// A server with one account and one message in it.
struct world {
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
    std::string opening;

    explicit world(bool signed_in)
    {
        if (!signed_in) return;
        auth::domain d;
        d.name = "t.test";
        must(loop.run(people.add_domain(d)).has_value());
        auto const a = loop.run(people.add_account("a@t.test", "", 0, false));
        must(a && loop.run(accounts.create(a->number, 0)) && loop.run(people.account_ready(a->number)));
        auto const secret = loop.run(door.add_app_password(a->number, "f", auth::all_mail_protocols, false, std::chrono::days{1}));
        must(secret.has_value());
        opening = "l LOGIN a " + secret->secret + "\r\nm APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + std::string{message} +
                  "\r\ns SELECT INBOX\r\n";
    }
    ~world()
    {
        loop.run(server.stop(clock.monotonic() + std::chrono::seconds{1}));
        loop.run(accounts.stop());
        loop.run(door.stop());
        loop.run_ready();
    }
    std::string converse(std::string_view said, std::size_t cut)
    {
        net::memory_pair_options o;
        o.local = true;
        auto pair = net::make_memory_pair(loop, o);
        net::accepted in;
        in.connection = std::move(pair.server);
        server.serve(loop, std::move(in), false);
        loop.run_ready();
        static_cast<void>(loop.run(pair.client->write(opening, base::monotonic_time::max())));
        loop.run_ready();
        std::string heard;
        for (std::size_t at = 0; at < said.size(); at += cut) {
            auto const sent = loop.run(pair.client->write(said.substr(at, cut), base::monotonic_time::max()));
            loop.run_ready();
            if (!sent) break;
        }
        char piece[4096];
        for (auto got = pair.client->try_read(piece); got && *got && **got != 0; got = pair.client->try_read(piece)) heard.append(piece, **got);
        pair.client->abort();
        loop.run_ready();
        return heard;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2 || size > 4096) return 0;
    bool const signed_in = (data[0] & 1U) != 0;
    std::size_t const cut = 1U + (data[0] >> 1U);
    std::string_view const said{reinterpret_cast<char const*>(data) + 1, size - 1};
    std::string whole;
    std::string in_pieces;
    {
        world w{signed_in};
        whole = w.converse(said, said.size());
    }
    {
        world w{signed_in};
        in_pieces = w.converse(said, cut);
    }
    must(whole == in_pieces);
    must(whole.empty() || whole.ends_with("\r\n"));
    return 0;
}
