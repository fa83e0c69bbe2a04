#include "rig.hpp"

#include <cstdlib>
#include <filesystem>

#include "base/bytes.hpp"
#include "mime/message.hpp"

namespace mansio::pop3::test {

contexts& contexts::get()
{
    static contexts one = [] {
        contexts c;
        std::string name = (std::filesystem::temp_directory_path() / "mansio-tls-XXXXXX").string();
        std::string const dir = ::mkdtemp(name.data());
        auto const made = net::make_demo_certificates(dir, {"localhost"}, {"127.0.0.1"});
        MANSIO_ASSERT(made);
        net::tls_server_context::options o;
        o.certificate_file = dir + "/cert.pem";
        o.key_file = dir + "/key.pem";
        auto server = net::tls_server_context::make(o);
        MANSIO_ASSERT(server);
        c.server = std::move(*server);
        auto client = net::tls_client_context::make(dir + "/ca.pem");
        MANSIO_ASSERT(client);
        c.client = std::move(*client);
        std::filesystem::remove_all(dir);
        return c;
    }();
    return one;
}

rig::rig(rig_options o) : limits(o.limits), options_(std::move(o))
{
    store::memory_faults ask;
    ask.fail = [this](store::change const& c) { return faults.fail && faults.fail(c); };
    ask.delay = [this](store::change const& c) { return faults.delay ? faults.delay(c) : std::chrono::nanoseconds{0}; };
    engine = store::make_memory_engine(clock, random, std::move(ask));
    accounts = std::make_unique<store::accounts>(
        *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, log, metrics, store::accounts::options{});
    people = std::make_unique<auth::directory>(*engine, loop, limits, random, log);
    door = std::make_unique<auth::sign_in>(*people, *engine, loop, std::string(32, 'p'), limits, random, log, metrics);
    policies = std::make_unique<auth::pop3_policies>(*people, options_.defaults);
    auth::domain d;
    d.name = "example.test";
    MANSIO_ASSERT(loop.run(people->add_domain(d)));
    for (std::string const who : {"alice", "bob"}) {
        auto const a = loop.run(people->add_account(who + "@example.test", "", 0, false));
        MANSIO_ASSERT(a);
        MANSIO_ASSERT(loop.run(accounts->create(a->number, 0)));
        MANSIO_ASSERT(loop.run(people->account_ready(a->number)));
        auto const secret = loop.run(door->add_app_password(a->number, "test", auth::all_mail_protocols, false, std::chrono::days{400}));
        auto const reader = loop.run(door->add_app_password(a->number, "reader", auth::all_mail_protocols, true, std::chrono::days{400}));
        MANSIO_ASSERT(secret && reader);
        variables[who] = who + "@example.test";
        variables[who + "_secret"] = secret->secret;
        variables[who + "_id"] = secret->info.id;
        variables[who + "_reader"] = reader->secret;
        variables[who + "_plain"] = base::to_base64(std::string{'\0'} + variables[who] + '\0' + secret->secret);
        variables[who + "_other_plain"] = base::to_base64("carl@example.test" + std::string{'\0'} + variables[who] + '\0' + secret->secret);
    }
    MANSIO_ASSERT(loop.run(door->set_portal_password(bob, "correct horse battery staple")));
    deliver(alice, "From: a@example.test\r\nSubject: one\r\n\r\nHello\r\n", "Return-Path: <a@example.test>\r\n");
    deliver(alice, "Subject: dots\r\n\r\n.\r\n..two\r\n.last line, not ended");
    deliver(alice, "Subject: header only\r\n");
    deliver(alice, "Subject: lines\r\n\r\n1\r\n2\r\n3\r\n4\r\n5\r\n");
    services srv{*accounts, *door,
                 *policies, options_.with_tls ? contexts::get().server.get() : nullptr,
                 limits,    clock,
                 random,    log,
                 metrics,   {options_.cleartext, "mail.example.test"}};
    server = std::make_unique<pop3::server>(srv, [](base::executor&, std::unique_ptr<net::detached_stream>) { return std::unique_ptr<net::stream>{}; });
}

rig::~rig()
{
    faults = {};
    loop.run(server->stop(clock.monotonic() + std::chrono::seconds{1}));
    loop.run(accounts->stop());
    loop.run(door->stop());
    loop.run_ready();
}

store::account_ref rig::open(store::account_number n)
{
    return accounts->open(n, store::principal::person(n, n == alice ? "alice@example.test" : "bob@example.test"));
}

store::mailbox_id rig::inbox(store::account_number n)
{
    auto const found = loop.run(open(n).find_mailbox("INBOX"));
    MANSIO_ASSERT(found);
    return found->id;
}

void rig::deliver(store::account_number n, std::string text, std::string prefix)
{
    store::new_message m;
    mime::octets const octets{std::move(text)};
    m.summary = std::make_shared<mime::summary const>(mime::summarize(octets, limits));
    auto staged = loop.run(engine->stage(octets));
    MANSIO_ASSERT(staged);
    m.blob = *staged;
    m.prefix = std::move(prefix);
    m.internal_date.unix_seconds = 1'767'225'600;
    std::vector<store::new_message> one;
    one.push_back(std::move(m));
    auto const done = loop.run(open(n).append(inbox(n), std::move(one)));
    MANSIO_ASSERT(done);
}

std::vector<store::uid> rig::uids(store::account_number n)
{
    auto const view = loop.run(open(n).view(inbox(n)));
    MANSIO_ASSERT(view);
    std::vector<store::uid> all;
    for (std::uint32_t i = 0; i < (*view)->size(); ++i) all.push_back((*view)->uid_at(i));
    return all;
}

std::unique_ptr<net::stream> rig::connect(std::string_view name)
{
    net::memory_pair_options o;
    o.cut = options_.cut;
    o.peer.address = name.starts_with("far") ? net::ip_address::v4({192, 0, 2, 7}) : net::ip_address::v4({127, 0, 0, 1});
    auto pair = net::make_memory_pair(loop, o);
    net::accepted a;
    a.connection = std::move(pair.server);
    server->serve(loop, std::move(a), name.starts_with("tls"));
    if (name.starts_with("tls"))
        MANSIO_ASSERT(loop.run(pair.client->start_tls_client(*contexts::get().client, {}, clock.monotonic() + std::chrono::seconds{5})));
    return std::move(pair.client);
}

mansio::test::dialog_setting rig::setting()
{
    return {loop, [this](std::string_view name) { return connect(name); }, variables, 0, contexts::get().client.get()};
}

void rig::talk(std::string_view dialog, std::size_t client_cut)
{
    auto s = setting();
    s.cut = client_cut;
    EXPECT_EQ(mansio::test::run_dialog(dialog, std::move(s)), "");
}

std::uint64_t rig::counter(std::string_view name) { return metrics.get_counter(name, "").value(); }

wire_client::wire_client(rig& r, std::string_view name) : rig_(r), stream_(r.connect(name)) {}
wire_client::~wire_client()
{
    stream_->abort();
    rig_.loop.run_ready();
}

std::string wire_client::say(std::string_view octets)
{
    static_cast<void>(rig_.loop.run(stream_->write(octets, base::monotonic_time::max())));
    return hear();
}

std::string wire_client::hear()
{
    rig_.loop.run_ready();
    std::string out;
    while (!ended_) {
        char piece[4096];
        auto const got = stream_->try_read(piece);
        if (!got || (*got && **got == 0)) ended_ = true;
        if (ended_ || !*got) break;
        out.append(piece, **got);
        rig_.loop.run_ready();
    }
    return out;
}

bool wire_client::start_tls()
{
    auto const done = rig_.loop.run(stream_->start_tls_client(*contexts::get().client, {}, rig_.clock.monotonic() + std::chrono::seconds{5}));
    rig_.loop.run_ready();
    return done.has_value();
}

void wire_client::hang_up()
{
    stream_->abort();
    rig_.loop.run_ready();
}

bool wire_client::closed()
{
    hear();
    return ended_;
}

std::string sign_in_lines(rig const& r, std::string const& who) { return "USER " + who + "\r\nPASS " + r.variables.at(who + "_secret") + "\r\n"; }

}  // namespace mansio::pop3::test
