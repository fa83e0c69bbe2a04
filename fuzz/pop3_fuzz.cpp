// links: pop3
// Whole POP3 conversations of any octets, before and after sign-in: the answers do not depend on where the network cuts, messages leave so stuffed
// that their end is where we put it, and a maildrop of three numbers and three sizes, kept beside, says the same as the server at every command.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/directory.hpp"
#include "base/bytes.hpp"
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
    auth::pop3_policies policies{people, {}};
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
        pop3::services srv{accounts, door, policies, nullptr, limits, clock, random, base::null_log(), metrics, {true, "fuzz.example.test"}};
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
    store::mailbox_view_ptr inbox()
    {
        auto const account = accounts.open(1, store::principal::server("fuzz"));
        auto const found = loop.run(account.find_mailbox("INBOX"));
        must(found.has_value());
        auto view = loop.run(account.view(found->id));
        must(view.has_value());
        return *view;
    }
    std::vector<store::uid> uids()
    {
        auto const view = inbox();
        std::vector<store::uid> all;
        for (std::uint32_t i = 0; i < view->size(); ++i) all.push_back(view->uid_at(i));
        return all;
    }
    std::vector<std::uint64_t> sizes()
    {
        auto const view = inbox();
        std::vector<std::uint64_t> all;
        for (std::uint32_t i = 0; i < view->size(); ++i) all.push_back(view->at(i).size);
        return all;
    }
};

/// One conversation, piece by piece.
struct talker {
    world& w;
    std::unique_ptr<net::stream> client;
    bool closed = false;
    explicit talker(world& on) : w(on)
    {
        auto pair = net::make_memory_pair(w.loop);
        net::accepted a;
        a.connection = std::move(pair.server);
        client = std::move(pair.client);
        w.server->serve(w.loop, std::move(a), false);
        hear();
    }
    std::string hear()
    {
        std::string all;
        char piece[4096];
        while (!closed) {
            w.loop.run_ready();
            auto const got = client->try_read(piece);
            if (got && !*got) break;
            closed = !got || **got == 0;
            if (!closed) all.append(piece, **got);
        }
        return all;
    }
    std::string say(std::string_view octets)
    {
        static_cast<void>(w.loop.run(client->write(octets, base::monotonic_time::max())));
        return hear();
    }
    void hang_up()
    {
        client->abort();
        w.loop.run_ready();
    }
};

/// What RFC 1939 says a maildrop is, and no more.
struct reference {
    std::vector<std::uint64_t> sizes;
    std::set<std::uint32_t> marked;
    bool quit = false;

    [[nodiscard]] bool has(std::uint32_t n) const { return n >= 1 && n <= sizes.size() && !marked.contains(n); }
    [[nodiscard]] std::string stat() const
    {
        std::uint64_t octets = 0;
        for (std::uint32_t n = 1; n <= sizes.size(); ++n) octets += has(n) ? sizes[n - 1] : 0;
        return "+OK " + std::to_string(sizes.size() - marked.size()) + " " + std::to_string(octets) + "\r\n";
    }
    [[nodiscard]] std::string list() const
    {
        auto out = "+OK " + std::to_string(sizes.size() - marked.size()) + " messages\r\n";
        for (std::uint32_t n = 1; n <= sizes.size(); ++n)
            if (has(n)) out += std::to_string(n) + " " + std::to_string(sizes[n - 1]) + "\r\n";
        return out + ".\r\n";
    }
    /// Checks the server's reply to one line, said after sign-in in English, and does the same.
    void hear(std::string_view line, std::string const& reply)
    {
        if (line.ends_with('\n')) line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        auto const c = pop3::parse_command(line);
        if (!c || reply.starts_with("-ERR line too long")) return must(!reply.starts_with("+OK"));
        auto const n = pop3::parse_number(c->rest);
        bool const there = n && has(*n);
        if (c->verb == "STAT") must(reply == stat());
        if (c->verb == "LIST" && c->rest.empty()) must(reply == list());
        if (c->verb == "LIST" && there) must(reply == "+OK " + std::to_string(*n) + " " + std::to_string(sizes[*n - 1]) + "\r\n");
        if (c->verb == "RETR" || c->verb == "DELE" || c->verb == "UIDL")
            if (!c->rest.empty() || c->verb != "UIDL") must(reply.starts_with(there ? "+OK " : "-ERR "));
        if (c->verb == "DELE" && there) marked.insert(*n);
        if (c->verb == "RSET") marked.clear();
        quit = quit || c->verb == "QUIT";
    }
};

/// One command at a time. False: something was removed, as it had to be.
bool agrees_with_reference(world& w, std::string_view octets)
{
    auto const before = w.uids();
    reference model;
    model.sizes = w.sizes();
    talker t{w};
    t.say("USER alice\r\nPASS " + w.secret + "\r\n");
    while (!octets.empty() && !t.closed && !model.quit) {
        auto const line = octets.substr(0, std::min(octets.find('\n'), octets.size() - 1) + 1);
        octets.remove_prefix(line.size());
        auto const reply = t.say(line);
        if (!line.ends_with('\n')) break;  // not yet a command
        auto const word = base::to_upper_ascii(line.substr(0, 4));
        if (word == "LANG") break;  // other words from here on
        if (!reply.empty()) model.hear(line, reply);
        must(!reply.empty() || t.closed);
    }
    t.hang_up();
    std::vector<store::uid> want;
    for (std::uint32_t n = 1; n <= before.size(); ++n)
        if (!model.quit || model.has(n)) want.push_back(before[n - 1]);
    must(w.uids() == want);
    return want.size() == before.size();
}

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
    if (!kept) kept = std::make_unique<world>();
    if (!agrees_with_reference(*kept, octets)) kept.reset();
    return 0;
}
