#include "app/server_process.hpp"

#include <fmt/format.h>

#include <csignal>
#include <thread>

#include "app/blocking.hpp"
#include "app/crash_hook.hpp"
#include "app/parts.hpp"

namespace mansio::app {
namespace {
unsigned shard_count(config const& c)
{
    if (c.shards != 0) return static_cast<unsigned>(c.shards);
    return std::max(1U, std::thread::hardware_concurrency());
}
}  // namespace

server_process::impl::impl(config c, base::log& l)
    : settings(std::move(c)),
      log(l),
      data{settings.data},
      random(base::system_random()),
      clock(base::system_clock()),
      started(clock.monotonic()),
      in_flight(settings.limits.memory_in_flight)
{}

// Order matters: everything that can be wrong is looked at before anything is made.
result<void> server_process::impl::open_store()
{
    auto const good = check_data_directory(data);
    if (!good) return good;
    bool const there = exists(data.store() + "/db");
    auto const first = read_or_make_key(data, "pepper", there, random);
    if (!first) return fail(first);
    pepper = *first;
    auto const second = read_or_make_key(data, "srs", there, random);
    if (!second) return fail(second);
    srs_key = *second;
    auto const made = make_parts(data);
    if (!made) return made;
    store::rocks_options o;
    o.directory = data.store();
    o.memory_octets = settings.memory / 2;
    o.break_sync_on_purpose = settings.break_sync_on_purpose;
    if (settings.die_in_sync) o.before_sync = die_when_told();
    auto opened = store::open_rocks_engine(o, clock, random, log, metrics);
    if (!opened) return fail(opened);
    engine = std::move(*opened);
    return {};
}

result<void> server_process::impl::open_tls()
{
    if (!settings.tls_certificate.empty()) {
        auto const used = use_certificate(settings.tls_certificate, settings.tls_key);
        if (!used) return used;
        note_expiry();
    }
    auto out = net::tls_client_context::make(settings.relay_ca_file);
    if (!out) return fail(out);
    tls_out = std::move(*out);
    return {};
}

result<void> server_process::impl::open_network()
{
    std::vector<net::cidr> allowed;
    for (auto const& text : settings.egress_allow)
        if (auto const c = net::cidr::parse(text)) allowed.push_back(*c);
    gate = std::make_unique<net::egress_gate>(std::move(allowed));
    dialer = smtp::client::make_shard_dialer(*gate);
    net::resolver_options o;
    for (auto const& text : settings.dns_forwarders)
        if (auto const e = net::endpoint::parse(text)) o.forwarders.push_back(*e);
    o.trust_anchor_file = settings.dns_trust_anchor_file;
    o.stub_zones = settings.dns_stub_zones;
    o.extra_trust_anchors = settings.dns_trust_anchors;
    auto made = net::make_resolver(std::move(o), settings.limits, metrics);
    if (!made) return fail(made);
    dns = std::move(*made);
    shards = std::make_unique<net::runtime>(shard_count(settings), clock, log, metrics);
    connections = std::make_unique<net::connection_table>(settings.limits, clock, metrics);
    return {};
}

void server_process::impl::build_people()
{
    auto const owner = [this](store::partition_id p) -> base::executor& { return owner_of(p); };
    spool = std::make_unique<store::spool>(data.spool(), settings.limits.memory_per_message, in_flight);
    store::accounts::options o;
    o.default_folders = settings.default_folders;
    o.cache_octets = settings.memory / 4;
    accounts = std::make_unique<store::accounts>(*engine, owner, settings.limits, random, log, metrics, o);
    directory = std::make_unique<auth::directory>(*engine, shards->at(0), settings.limits, random, log);
    sign_in = std::make_unique<auth::sign_in>(*directory, *engine, shards->at(0), pepper, settings.limits, random, log, metrics);
    auth::pop3_settings pop3_defaults;
    pop3_defaults.login_delay = static_cast<std::uint32_t>(settings.pop3_login_delay);
    if (auto const keep = auth::pop3_keep::parse(settings.pop3_keep)) pop3_defaults.keep = *keep;  // checked by check_config()
    pop3_policies = std::make_unique<auth::pop3_policies>(*directory, pop3_defaults);
}

void server_process::impl::build_mail()
{
    auto const owner = [this](store::partition_id p) -> base::executor& { return owner_of(p); };
    delivery = std::make_unique<deliver::local_delivery>(*accounts, log, metrics);
    to_accounts = std::make_unique<local_transport>(*delivery, *engine, *spool, pool, settings.limits);
    smtp::client::relay_options ro{settings.hostname, static_cast<std::uint16_t>(settings.relay_port), settings.relay_route, {}};
    for (auto const& at : settings.listen_mx)
        if (auto const e = net::endpoint::parse(at)) ro.own_addresses.push_back(e->address);
    // Others' policy hosts are judged by the authorities that outgoing TLS trusts, not by ours.
    policy_web = net::make_fetcher(*dns, *gate, log, metrics, {settings.relay_ca_file});
    sts = std::make_unique<sts_keeper>(sts_keeper::parts{shards->at(0), *engine, *dns, *policy_web, random, log});
    ro.sts = &sts->policies();
    to_others = std::make_unique<smtp::client::relay>(*dns, *gate, *dialer, *tls_out, settings.limits, random, log, metrics, std::move(ro));
    queue::transports t{to_accounts.get(), to_others.get(), [this](std::string address) { return route_address(*directory, std::move(address)); }};
    mail = std::make_unique<queue::mail_queue>(*engine, owner, std::move(t), settings.limits, random, log, metrics,
                                               queue::mail_queue::options{settings.hostname, "postmaster@" + settings.hostname});
    mailboxes = std::make_unique<smtp::local_mailboxes>(*delivery, *accounts);
    envelopes = std::make_unique<smtp::queued_envelopes>(*mail);
    senders = std::make_unique<mailauth::authenticator>(
        mailauth::authenticator_parts{*dns, clock, random, pool, settings.limits, metrics},
        mailauth::authenticator_options{settings.hostname, settings.organizational_domain == "public-suffix", settings.trusted_sealers});
    domain_keys = std::make_unique<auth::domain_keys>(*directory, pepper, clock, random);
    signers = std::make_unique<signing_keys>(*domain_keys, log);
    accept::parts p{*directory, *engine, *spool, *mailboxes, *envelopes, *senders, *signers, pool, in_flight, settings.limits, clock, random, log, metrics};
    accept::options ao;
    ao.hostname = settings.hostname;
    ao.srs_key = srs_key;
    ao.address_limits = settings.per_address_limits;
    ao.check_senders = settings.check_senders;
    ao.obey_dmarc = settings.obey_dmarc;
    pipeline = std::make_unique<accept::pipeline>(p, std::move(ao));
}

result<void> server_process::impl::reload()
{
    for (auto* context : {tls_people.get(), tls_mx.get(), tls_web.get()}) {
        if (context == nullptr) continue;
        auto const done = context->reload();
        if (!done) {
            log.error("reload_refused", {{"why", done.error()}});
            return done;
        }
    }
    note_expiry();
    log.info("reloaded");
    return {};
}

std::string server_process::impl::status() const
{
    auto const health = engine->health();
    auto const up = std::chrono::duration_cast<std::chrono::seconds>(clock.monotonic() - started).count();
    return fmt::format(R"({{"version":"{}","uptime_seconds":{},"store_writable":{},"free_octets":{},"queue_messages":{},"connections":{}}})", version_text, up,
                       health.writable, health.free_octets, mail->size(), connections->open_connections());
}

void server_process::impl::on_signal(int signal)
{
    if (signal == SIGHUP) {
        auto const done = reload();
        if (!done) return;  // logged there; the old certificate stays in force
    } else if (!stop_told.exchange(true)) {
        asked_to_stop.set_value();
    }
}

server_process::server_process(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
server_process::~server_process() { stop(); }

result<std::unique_ptr<server_process>> server_process::make(config c, base::log& log)
{
    auto i = std::make_unique<impl>(std::move(c), log);
    // TLS and network first: their mistakes leave the disk alone.
    for (auto step : {&impl::open_tls, &impl::open_network, &impl::open_store, &impl::open_acme}) {
        auto const done = (*i.*step)();
        if (!done) return fail(done);
    }
    i->build_people();
    i->build_mail();
    i->build_faces();
    return std::unique_ptr<server_process>{new server_process{std::move(i)}};
}

result<void> server_process::start()
{
    auto& me = *impl_;
    me.shards->on_signal([&me](int signal) { me.on_signal(signal); });
    me.shards->start();
    me.running = true;
    auto& first = me.shards->at(0);
    auto const swept = run_blocking(first, me.engine->sweep());
    if (!swept) return fail(swept);
    auto const recovered = run_blocking(first, admin::service::recover(*me.admin_services));
    if (!recovered) return recovered;
    first.post([&me] {
        me.pop3_sweeper->start();
        me.sts->start();
    });
    auto listening = me.listen_all();
    if (!listening) return listening;
    auto const loaded = run_blocking(first, me.mail->start());
    if (!loaded) return loaded;
    if (me.certificates) first.post([&me] { me.certificates->start(me.shards->at(0)); });
    for (auto const& [face, at] : me.faces) me.log.info("listening", {{"face", face}, {"at", at.text()}});
    me.log.info("started", {{"version", version_text}, {"hostname", me.settings.hostname}, {"shards", me.shards->size()}});
    return {};
}

void server_process::wait() { impl_->asked_to_stop.get_future().wait(); }

task<void> server_process::impl::end_conversations()
{
    if (fetch) fetch->stop();
    policy_web->stop();
    co_await sts->stop();
    if (certificates) co_await certificates->stop();
    co_await smtp->stop();
    co_await imap->stop();
    co_await pop3_sweeper->stop();
    co_await pop3->stop();
    co_await admin_http->stop();
    co_await transfer->stop();
    co_await metrics_http->stop();
    co_await web_http->stop();
    co_await web_https->stop();
    co_await mail->stop();
    co_await sign_in->stop();
    co_await accounts->stop();
}

void server_process::stop()
{
    auto& me = *impl_;
    if (!me.running) return;
    me.running = false;
    for (auto& l : me.listeners) l->close();
    run_blocking(me.shards->at(0), me.end_conversations());
    me.shards->stop();
    me.listeners.clear();
    me.log.info("stopped");
}

std::map<std::string, net::endpoint> const& server_process::faces() const noexcept { return impl_->faces; }
std::string server_process::admin_socket() const { return impl_->data.admin_socket(); }
admin::services const& server_process::services() const noexcept { return *impl_->admin_services; }
base::executor& server_process::first_shard() noexcept { return impl_->shards->at(0); }

}  // namespace mansio::app
