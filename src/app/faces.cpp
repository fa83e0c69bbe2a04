// Which face listens where, and who speaks behind it.
#include <unistd.h>

#include <fmt/format.h>

#include "app/parts.hpp"
#include "base/bytes.hpp"
#include "smtp/server/extensions.hpp"

namespace mansio::app {
namespace {
constexpr char const* smtp_refusal = "421 4.7.0 too many connections from your network, try again later\r\n";
constexpr char const* imap_refusal = "* BYE too many connections from your network, try again later\r\n";
constexpr char const* pop3_refusal = "-ERR [SYS/TEMP] too many connections from your network, try again later\r\n";

/// Checked with the configuration: what is none is not there.
std::vector<net::cidr> networks_of(std::vector<std::string> const& texts)
{
    std::vector<net::cidr> out;
    for (auto const& t : texts)
        if (auto const n = net::cidr::parse(t)) out.push_back(*n);
    return out;
}

task<http::response> metrics_page(base::metrics& m)
{
    http::response r;
    r.content_type = "text/plain; version=0.0.4; charset=utf-8";
    r.body = m.exposition();
    co_return r;
}
}  // namespace

void server_process::impl::build_faces()
{
    bool const clear = settings.cleartext_sign_in;
    smtp::server_options so;
    so.hostname = settings.hostname;
    so.cleartext_sign_in = clear;
    so.off = smtp::switched_off(settings.smtp_off);
    so.xclient_from = networks_of(settings.smtp_xclient_from);
    so.priority_from = networks_of(settings.smtp_priority_from);
    smtp = std::make_unique<smtp::server>(smtp::services{*pipeline, *sign_in, settings.limits, random, log, metrics}, std::move(so));
    people = std::make_unique<directory_people>(*directory);
    // Checked with the configuration: what cannot be is not there.
    auto entries = imap::parse_server_entries(settings.imap_metadata).value_or(imap::server_entries{});
    imap =
        std::make_unique<imap::server>(imap::services{*accounts,
                                                      *sign_in,
                                                      *spool,
                                                      tls_people.get(),
                                                      &pool,
                                                      settings.limits,
                                                      clock,
                                                      random,
                                                      log,
                                                      metrics,
                                                      {clear, settings.hostname, version_text, imap::extensions_named(settings.imap_off), std::move(entries)},
                                                      people.get()});
    pop3 = std::make_unique<pop3::server>(
        pop3::services{*accounts, *sign_in, *pop3_policies, tls_people.get(), settings.limits, clock, random, log, metrics, {clear, settings.hostname}});
    pop3_sweeper = std::make_unique<pop3::sweeper>(
        pop3::sweeper_parts{*directory, *pop3_policies, *accounts, pop3->locks(), log, metrics, std::chrono::hours{1}}, shards->at(0));
    admin_http = std::make_unique<http::server>(settings.limits, log, metrics, "admin");
    metrics_http = std::make_unique<http::server>(settings.limits, log, metrics, "metrics");
    metrics_http->route("GET", "/metrics", [this](http::request) { return metrics_page(metrics); });
    admin_http->route("GET", "/metrics", [this](http::request) { return metrics_page(metrics); });
    admin_services.emplace(admin::services{*directory,
                                           *sign_in,
                                           *accounts,
                                           *mail,
                                           *pop3_policies,
                                           *domain_keys,
                                           *dns,
                                           pool,
                                           clock,
                                           log,
                                           [this] { return reload(); },
                                           [this] { return status(); },
                                           settings.hostname,
                                           {}});
    for (auto const& c : imap::capabilities()) admin_services->imap_extensions.emplace_back(c.name);
    admin = std::make_unique<admin::service>(*admin_services, *admin_http);
    build_web();
    transfer = std::make_unique<transfer::service>(
        transfer::service_parts{*accounts, *spool, &pool, settings.limits, log, [this](std::string address) { return find_account(std::move(address)); }});
}

task<result<store::account_number>> server_process::impl::find_account(std::string address)
{
    auto const found = co_await directory->find_account(address);
    if (!found) co_return fail(found);
    if (!*found) co_return fail(fault::kind::not_found, fmt::format("there is no account {}", base::printable(address)));
    co_return (*found)->number;
}

result<void> server_process::impl::listen(std::string const& face, std::vector<std::string> const& where, std::string refusal,
                                          std::function<void(net::shard&, net::accepted)> serve)
{
    for (auto const& at : where) {
        net::listen_options o;
        o.per_address_limits = settings.per_address_limits;
        o.refusal = refusal;
        if (face != "metrics") o.proxy_from = networks_of(settings.proxy_from);
        o.proxy_wait = base::limits::seconds(settings.limits.proxy_wait);
        if (at.starts_with("unix:")) {
            o.unix_path = at.substr(5);
        } else {
            o.at = *net::endpoint::parse(at);
        }
        auto opened = net::listener::open(*shards, o, *connections, [serve](net::shard&) -> net::accept_handler {
            return [serve](net::shard& here, net::accepted a) { serve(here, std::move(a)); };
        });
        if (!opened) return fail(fault::kind::refused, fmt::format("{}: {}", face, opened.error().say), opened.error().detail);
        if (o.unix_path.empty()) faces.emplace(face, (*opened)->at());
        listeners.push_back(std::move(*opened));
    }
    return {};
}

result<void> server_process::impl::listen_all()
{
    using accept::door;
    auto const smtp_door = [this](door d, bool tls_first) {
        return [this, d, tls_first](net::shard& here, net::accepted a) {
            smtp->serve(here, std::move(a), {d, tls_first, d == door::mx ? tls_mx.get() : tls_people.get()});
        };
    };
    auto const imap_door = [this](bool tls_first) {
        return [this, tls_first](net::shard& here, net::accepted a) { imap->serve(here, std::move(a), tls_first); };
    };
    auto const pop3_door = [this](bool tls_first) {
        return [this, tls_first](net::shard& here, net::accepted a) { pop3->serve(here, std::move(a), tls_first); };
    };
    struct row {
        char const* face;
        std::vector<std::string> const& where;
        char const* refusal;
        std::function<void(net::shard&, net::accepted)> serve;
    };
    std::vector<row> const rows{
        {"smtp", settings.listen_mx, smtp_refusal, smtp_door(door::mx, false)},
        {"submission", settings.listen_submission, smtp_refusal, smtp_door(door::submission, false)},
        {"submissions", settings.listen_submissions, "", smtp_door(door::submission, true)},
        {"lmtp", settings.listen_lmtp, smtp_refusal, smtp_door(door::lmtp, false)},
        {"imap", settings.listen_imap, imap_refusal, imap_door(false)},
        {"imaps", settings.listen_imaps, "", imap_door(true)},
        {"pop3", settings.listen_pop3, pop3_refusal, pop3_door(false)},
        {"pop3s", settings.listen_pop3s, "", pop3_door(true)},
        {"metrics", settings.listen_metrics, "", [this](net::shard& here, net::accepted a) { metrics_http->serve(here, std::move(a), nullptr); }},
        {"http", settings.listen_http, "", [this](net::shard& here, net::accepted a) { web_http->serve(here, std::move(a), nullptr); }},
        {"https", settings.listen_https, "", [this](net::shard& here, net::accepted a) { web_https->serve(here, std::move(a), tls_web.get()); }},
    };
    for (auto const& r : rows) {
        auto const done = listen(r.face, r.where, r.refusal, r.serve);
        if (!done) return done;
    }
    return listen_admin();
}

result<void> server_process::impl::listen_admin()
{
    // The data directory is locked by us: a socket that is there was left by a process that died.
    ::unlink(data.admin_socket().c_str());
    ::unlink(data.transfer_socket().c_str());
    auto const moving =
        listen("transfer", {"unix:" + data.transfer_socket()}, "", [this](net::shard& here, net::accepted a) { transfer->serve(here, std::move(a)); });
    if (!moving) return moving;
    return listen("admin", {"unix:" + data.admin_socket()}, "", [this](net::shard& here, net::accepted a) { admin_http->serve(here, std::move(a), nullptr); });
}

}  // namespace mansio::app
