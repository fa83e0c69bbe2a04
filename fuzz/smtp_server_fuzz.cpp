// links: smtp
// Whole conversations of any octets, on each door: what is answered and what is stored does not depend on where the network cuts, every line of it is a
// reply, and nothing is relayed for strangers. First octet: the door and the size of the pieces.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accept/pipeline.hpp"
#include "auth/sign_in.hpp"
#include "base/bytes.hpp"
#include "mailauth/authenticator.hpp"
#include "net/dns.hpp"
#include "smtp/server/server.hpp"
#include "store/engines.hpp"

using namespace mansio;

namespace {

void must(bool condition)
{
    if (!condition) std::abort();
}

/// Commits nowhere; keeps what it was given.
struct kept_mail final : accept::mailboxes {
    std::vector<std::string> all;
    task<result<void>> commit(accept::local_message m) override
    {
        all.push_back(std::to_string(m.account) + " " + m.sender + " " + std::to_string(m.blob ? m.blob->size() : 0) + " " + m.trace);
        co_return result<void>{};
    }
    task<result<store::quota>> quota(store::account_number) override { co_return store::quota{}; }
};
struct kept_envelopes final : accept::envelopes {
    std::vector<std::string> all;
    bool relayed = false;
    task<result<queue::queue_id>> enqueue(queue::submission s) override
    {
        std::string one = s.sender;
        for (auto const& r : s.recipients) {
            one += " " + r.address;
            relayed = relayed || r.account == 0;
        }
        all.push_back(one);
        co_return "0-" + std::to_string(all.size());
    }
};

/// What outlives a conversation: people and their secrets.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::limits limits;
    base::metrics metrics;
    base::worker_pool pool{"fuzz", 1, 16};
    base::memory_budget memory{16U << 20U};
    std::unique_ptr<store::engine> engine = store::make_memory_engine(clock, random);
    auth::directory people{*engine, loop, limits, random, base::null_log()};
    auth::sign_in door{people, *engine, loop, std::string(32, 'p'), limits, random, base::null_log(), metrics};
    std::string secret;
    store::spool spool{std::filesystem::temp_directory_path().string(), 65536, memory};

    world()
    {
        limits.smtp_command_line = 200;  // short, so that inputs reach them
        limits.smtp_auth_line = 300;
        limits.smtp_recipients = 3;
        limits.message_size = 2000;
        limits.header_size = 1000;
        limits.smtp_unknown_recipients = 4;
        auth::domain d;
        d.name = "b.cc";
        must(loop.run(people.add_domain(d)).has_value());
        auto const a = loop.run(people.add_account("a@b.cc", "", 0, true));
        auto const c = loop.run(people.add_account("c@b.cc", "", 0, false));
        must(a && c);
        // A secret that the corpus can know: the generator is seeded.
        auto const made = loop.run(door.add_app_password(a->number, "fuzz", auth::all_mail_protocols, false, std::chrono::days{0}));
        must(made.has_value());
        secret = made->secret;
    }
};

struct outcome {
    std::string said;
    std::vector<std::string> stored, queued;
    bool relayed = false;
    bool operator==(outcome const&) const = default;
};

task<void> write_all(net::stream& s, std::string_view octets) { (void)co_await s.write(octets, base::monotonic_time::max()); }

void read_all(world& w, net::stream& client, std::string& into)
{
    char piece[4096];
    while (true) {
        w.loop.run_ready();
        auto const got = client.try_read(piece);
        if (!got || !*got || **got == 0) return;
        into.append(piece, **got);
    }
}

struct no_keys final : mailauth::key_ring {
    task<std::vector<mailauth::domain_signer>> keys_of(std::string) override { co_return std::vector<mailauth::domain_signer>{}; }
};

outcome converse(world& w, std::string_view octets, accept::door through, std::size_t cut)
{
    base::seeded_random random{5};
    base::manual_clock stopped;  // so that both runs write the same dates
    base::metrics metrics;
    kept_mail boxes;
    kept_envelopes envelopes;
    net::scripted_resolver dns;
    mailauth::authenticator senders{{dns, stopped, random, w.pool, w.limits, metrics}, {"mx.b.cc", false, {}}};
    no_keys keys;
    accept::pipeline pipeline{
        accept::parts{w.people, *w.engine, w.spool, boxes, envelopes, senders, keys, w.pool, w.memory, w.limits, stopped, random, base::null_log(), metrics},
        accept::options{"mx.b.cc", "0123456789abcdef", {}, true}};
    smtp::server_options o;
    o.hostname = "mx.b.cc";
    o.cleartext_sign_in = true;
    smtp::server server{smtp::services{pipeline, w.door, w.limits, random, base::null_log(), metrics}, o};
    net::memory_pair_options pair_options;
    pair_options.cut = cut;
    auto pair = net::make_memory_pair(w.loop, pair_options);
    net::accepted a;
    a.connection = std::move(pair.server);
    smtp::face f;
    f.through = through;
    server.serve(w.loop, std::move(a), f);
    outcome out;
    w.loop.run_for(std::chrono::milliseconds{1});  // the MX wants to speak first
    read_all(w, *pair.client, out.said);
    for (std::size_t at = 0; at < octets.size(); at += cut) {
        w.loop.run(write_all(*pair.client, octets.substr(at, cut)));
        read_all(w, *pair.client, out.said);
    }
    w.loop.run_for(std::chrono::seconds{10});  // the tarpit
    read_all(w, *pair.client, out.said);
    pair.client->abort();
    w.loop.run(server.stop());
    w.loop.run_ready();
    // The date is the only thing that may differ: the first conversation took its time on the clock.
    out.stored = boxes.all;
    for (auto& m : out.stored)
        if (auto const date = m.rfind("; "); date != std::string::npos) m.resize(date);
    // EHLO tells how late a message may be held, which is later in the second conversation.
    for (auto at = out.said.find("FUTURERELEASE"); at != std::string::npos; at = out.said.find("FUTURERELEASE", at + 13))
        if (auto const end = out.said.find("\r\n", at); end != std::string::npos) out.said.erase(at + 13, end - at - 13);
    out.queued = envelopes.all;
    out.relayed = envelopes.relayed;
    must(w.memory.used() == 0);
    return out;
}

/// Every line: three digits, a blank or hyphen, printable octets.
void check_replies(std::string_view said)
{
    while (!said.empty()) {
        auto const end = said.find("\r\n");
        must(end != std::string_view::npos && end >= 4 && end <= 510);
        auto const line = said.substr(0, end);
        must(line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '5' && line[2] >= '0' && line[2] <= '9' && (line[3] == ' ' || line[3] == '-'));
        for (char const c : line) must(static_cast<unsigned char>(c) >= 32 && c != 127);
        said.remove_prefix(end + 2);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    static auto& w = *new world;
    if (size < 1 || size > 20000) return 0;
    std::string octets{reinterpret_cast<char const*>(data) + 1, size - 1};
    // "SIGNIN" stands for the right response to AUTH PLAIN, which no mutation would find.
    auto const good = base::to_base64(std::string{'\0'} + "a@b.cc" + std::string{'\0'} + w.secret);
    for (auto at = octets.find("SIGNIN"); at != std::string::npos; at = octets.find("SIGNIN", at + good.size())) octets.replace(at, 6, good);
    auto const through = static_cast<accept::door>(data[0] % 3);
    auto const whole = converse(w, octets, through, 1U << 20U);
    auto const cut = converse(w, octets, through, 1 + data[0] / 3 % 17);
    must(whole == cut);
    check_replies(whole.said);
    if (through != accept::door::submission) must(!whole.relayed);
    return 0;
}
