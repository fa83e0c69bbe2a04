// links: pop3
// Whole POP3 conversations of any octets, before and after sign-in: the answers do not depend on where the network cuts, and messages leave so stuffed
// that their end is where we put it.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "auth/directory.hpp"
#include "mime/message.hpp"
#include "pop3/server.hpp"
#include "pop3/wire.hpp"
#include "store/engines.hpp"

using namespace mansio;

namespace {
void must(bool condition)
{
    if (!condition) std::abort();
}

/// A server with one account and three messages.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::limits limits;
    base::metrics metrics;
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    store::accounts accounts{
        *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, base::null_log(), metrics, store::accounts::options{}};
    auth::directory people{*engine, loop, limits, random, base::null_log()};
    auth::sign_in door{people, *engine, loop, std::string(32, 'p'), limits, random, base::null_log(), metrics};
    std::unique_ptr<pop3::server> server;
    std::string secret;

    world()
    {
        limits.pop3_line = 64;  // short, so that inputs reach it
        limits.smtp_auth_line = 96;
        auth::domain d;
        d.name = "example.test";
        must(loop.run(people.add_domain(d)).has_value());
        auto const a = loop.run(people.add_account("alice@example.test", "", 0, false));
        must(a && loop.run(accounts.create(a->number, 0, false)));
        auto made = loop.run(door.add_app_password(a->number, "fuzz", auth::all_mail_protocols, false, std::chrono::days{0}));
        must(made.has_value());
        secret = made->secret;
        for (std::string const text : {"Subject: 1\r\n\r\n.\r\n..\r\nx", "Subject: 2\r\n", "\r\nbody\r\n"}) add(a->number, text);
        pop3::services srv{accounts, door, nullptr, limits, clock, random, base::null_log(), metrics, {true, "fuzz.example.test"}};
        server = std::make_unique<pop3::server>(srv, [](base::executor&, std::unique_ptr<net::detached_stream>) { return std::unique_ptr<net::stream>{}; });
    }
    ~world()
    {
        loop.run(server->stop());
        loop.run(accounts.stop());
        loop.run(door.stop());
        loop.run_ready();
    }
    void add(store::account_number n, std::string const& text)
    {
        auto const account = accounts.open(n, store::principal::server("fuzz"));
        auto const inbox = loop.run(account.find_mailbox("INBOX"));
        must(inbox.has_value());
        store::new_message m;
        mime::octets const octets{text};
        m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, limits));
        auto staged = loop.run(engine->stage(octets));
        must(staged.has_value());
        m.blob = *staged;
        std::vector<store::new_message> one;
        one.push_back(std::move(m));
        must(loop.run(account.append(inbox->id, std::move(one))).has_value());
    }

    void read_all(net::stream& client, std::string& into)
    {
        char piece[4096];
        while (true) {
            loop.run_ready();
            auto const got = client.try_read(piece);
            if (!got || !*got || **got == 0) return;
            into.append(piece, **got);
        }
    }
    std::string converse(std::string_view lines, bool signed_in, std::size_t cut)
    {
        net::memory_pair_options o;
        o.cut = cut;
        auto pair = net::make_memory_pair(loop, o);
        net::accepted a;
        a.connection = std::move(pair.server);
        server->serve(loop, std::move(a), false);
        std::string all;
        read_all(*pair.client, all);
        auto const say = [&](std::string_view octets) {
            static_cast<void>(loop.run(pair.client->write(octets, base::monotonic_time::max())));
            read_all(*pair.client, all);
        };
        if (signed_in) say("USER alice\r\nPASS " + secret + "\r\n");
        say(lines);
        pair.client->abort();
        loop.run_ready();
        return all;
    }
};

void stuffing(std::string_view octets)
{
    pop3::dot_writer whole, cut;
    std::string a, b;
    whole.text(octets, a);
    whole.end(a);
    auto const at = octets.size() / 3;
    cut.text(octets.substr(0, at), b);
    cut.text(octets.substr(at), b);
    cut.end(b);
    must(a == b);
    // The end stands at the end and nowhere else, and no line end is a bare one.
    std::string_view const reply = a;
    must(reply.ends_with(".\r\n") && (reply == ".\r\n" || reply.ends_with("\r\n.\r\n")));
    must(reply == ".\r\n" || reply.find("\r\n.\r\n") == reply.size() - 5);
    must(!reply.starts_with(".\r\n") || reply.size() == 3);
    for (std::size_t i = 0; i < reply.size(); ++i) {
        if (reply[i] == '\n') must(i > 0 && reply[i - 1] == '\r');
        if (reply[i] == '\r') must(i + 1 < reply.size() && reply[i + 1] == '\n');
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0 || size > 4096) return 0;
    bool const signed_in = (data[0] & 1U) != 0;
    std::string_view const octets{reinterpret_cast<char const*>(data) + 1, size - 1};
    stuffing(octets);
    // What the input removes must be there again for the second conversation: a new world when it may have.
    static std::unique_ptr<world> kept;
    if (!kept) kept = std::make_unique<world>();
    auto const whole = kept->converse(octets, signed_in, 1U << 20U);
    if (whole.find(" marked\r\n") != std::string::npos) kept = std::make_unique<world>();
    auto const cut = kept->converse(octets, signed_in, 1);
    if (cut.find(" marked\r\n") != std::string::npos) kept.reset();
    must(whole == cut);
    return 0;
}
