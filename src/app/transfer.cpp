// mansio import and mansio export: the source or the files on one side, the running server's transfer socket on the other.
#include <fmt/format.h>

#include <boost/json.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/blocking.hpp"
#include "app/commands.hpp"
#include "app/long_work.hpp"
#include "app/server_process.hpp"
#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "imapclient/dial.hpp"
#include "net/dns.hpp"
#include "net/shard.hpp"
#include "transfer/exporter.hpp"
#include "transfer/imap_source.hpp"
#include "transfer/importer.hpp"

namespace mansio::app {
namespace {
namespace json = boost::json;

constexpr std::uint64_t memory_in_flight = 256ULL << 20U;

json::array as_json(std::vector<transfer::problem> const& all)
{
    json::array out;
    for (auto const& p : all)
        out.emplace_back(
            json::object{{"folder", transfer::json_text(p.folder)}, {"message", transfer::json_text(p.message)}, {"why", transfer::json_text(p.why)}});
    return out;
}

void print_all(char const* what, std::vector<transfer::problem> const& all)
{
    for (auto const& p : all)
        fmt::print(stderr, "{}: {}{}{}: {}\n", what, base::printable(p.folder, 200), p.message.empty() ? "" : ", ", base::printable(p.message, 400),
                   base::printable(p.why, 400));
}

result<std::string> password_of(std::string const& file)
{
    std::string line;
    if (file == "-") {
        std::getline(std::cin, line);
    } else {
        std::ifstream in{file};
        if (!in) return fail(fault::kind::refused, fmt::format("cannot read the password from {}", base::printable(file)));
        std::getline(in, line);
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) return fail(fault::kind::refused, "the password is empty");
    return line;
}

/// What dialling another server takes; lives as long as the import.
struct outside {
    base::limits limits;
    base::metrics metrics;
    imapclient::bounds bounds;
    std::unique_ptr<net::resolver> dns;
    std::unique_ptr<net::egress_gate> gate;
    std::unique_ptr<net::tls_client_context> tls;
    imapclient::client_options client;
    std::string host, user, password;
    std::uint16_t port = 993;
};

/// Whom the operator names is whom they mean, in their own network too: the gate lets everything out that this command dials. A server that dials for others
/// has its own (docs/architecture.md, "Streams and TLS"). Clear text goes to this machine alone.
result<std::unique_ptr<outside>> make_outside(cli::import_options const& o)
{
    auto out = std::make_unique<outside>();
    auto const password = password_of(o.password_file);
    if (!password) return fail(password);
    auto const any = [](bool clear) {
        std::vector<net::cidr> all;
        for (auto const* text : {"127.0.0.0/8", "::1/128"}) all.push_back(*net::cidr::parse(text));
        if (!clear)
            for (auto const* text : {"0.0.0.0/0", "::/0"}) all.push_back(*net::cidr::parse(text));
        return all;
    };
    out->gate = std::make_unique<net::egress_gate>(any(o.cleartext));
    net::resolver_options ro;
    std::ifstream resolv{"/etc/resolv.conf"};
    for (std::string line; std::getline(resolv, line);) {
        auto const words = base::words_of(line, " \t");
        if (words.size() < 2 || words[0] != "nameserver") continue;
        if (auto const a = net::ip_address::parse(words[1])) ro.forwarders.push_back({*a, 53});
    }
    ro.trust_anchor_file = "none";  // the certificate says who answers
    auto dns = net::make_resolver(std::move(ro), out->limits, out->metrics);
    if (!dns) return fail(dns);
    out->dns = std::move(*dns);
    auto tls = net::tls_client_context::make(o.ca_file);
    if (!tls) return fail(tls);
    out->tls = std::move(*tls);
    out->client.how = o.cleartext ? imapclient::security::none : o.starttls ? imapclient::security::starttls : imapclient::security::tls;
    out->client.server_name = o.host;
    out->client.tls = out->tls.get();
    out->client.verify = o.verify;
    out->host = o.host;
    out->user = o.user;
    out->password = *password;
    out->port = o.port != 0 ? o.port : o.starttls || o.cleartext ? 143 : 993;
    return out;
}

task<result<std::unique_ptr<imapclient::client>>> connect(net::shard& here, outside& to)
{
    auto stream = co_await imapclient::dial(here, *to.dns, *to.gate, to.bounds, to.host, to.port);
    if (!stream) {
        // Our own server's absence has an exit code of its own; this is another's.
        co_return fail(fault::kind::refused, stream.error().say, stream.error().detail);
    }
    auto client = co_await imapclient::client::open(std::move(*stream), to.client, to.bounds, here.clock());
    if (!client) co_return fail(client);
    auto const in = co_await (*client)->login(to.user, to.password);
    if (!in) co_return fail(in.error().what, to.host + " does not let " + to.user + " in: " + in.error().say, in.error().detail);
    auto const told = co_await (*client)->identify("Mansio", version_text);
    if (!told) co_return fail(told);
    co_return std::move(*client);
}

task<result<transfer::import_report>> import_all(net::shard& here, std::string socket, transfer::source& from, transfer::import_options o)
{
    auto link = co_await transfer::link::open(here, std::move(socket));
    if (!link) co_return fail(link);
    auto report = co_await transfer::import_mail(**link, from, std::move(o));
    co_await from.close();
    co_await (*link)->close();
    co_return report;
}

task<result<transfer::export_report>> export_all(net::shard& here, std::string socket, transfer::export_options o)
{
    auto link = co_await transfer::link::open(here, std::move(socket));
    if (!link) co_return fail(link);
    auto report = co_await transfer::export_mail(**link, std::move(o));
    co_await (*link)->close();
    co_return report;
}

int print(transfer::import_report const& r, bool in_json)
{
    if (in_json) {
        fmt::print("{}\n", json::serialize(json::object{{"folders", r.folders},
                                                        {"imported", r.imported},
                                                        {"already", r.already},
                                                        {"skipped", r.skipped},
                                                        {"renumbered", r.renumbered},
                                                        {"octets", r.octets},
                                                        {"problems", as_json(r.problems)},
                                                        {"notes", as_json(r.notes)}}));
    } else {
        print_all("note", r.notes);
        print_all("skipped", r.problems);
        fmt::print("{} messages imported from {} folders ({} octets), {} were there already, {} skipped", r.imported, r.folders, r.octets, r.already,
                   r.skipped);
        if (r.renumbered != 0) fmt::print(", {} got new UIDs", r.renumbered);
        fmt::print("\n");
    }
    return r.complete() ? cli::done : cli::refused;
}

result<std::unique_ptr<transfer::source>> source_of(cli::import_options const& o, store::spool& spool, net::shard& here, std::unique_ptr<outside>& out)
{
    if (o.from == cli::import_options::origin::maildir) return transfer::open_maildir(o.path, spool);
    if (o.from == cli::import_options::origin::mbox) return transfer::open_mbox(o.path, o.into, spool);
    auto made = make_outside(o);
    if (!made) return fail(made);
    out = std::move(*made);
    auto* const to = out.get();
    return transfer::open_imap([&here, to] { return connect(here, *to); }, o.host, o.user, spool, to->limits);
}
}  // namespace

int import_mail(cli::import_options const& o)
{
    base::metrics unused;
    net::runtime loop{1, base::system_clock(), base::null_log(), unused};
    auto& here = loop.at(0);
    base::limits const limits;
    base::memory_budget budget{memory_in_flight};
    store::spool spool{std::filesystem::temp_directory_path().string(), limits.memory_per_message, budget};
    std::unique_ptr<outside> out;
    auto from = source_of(o, spool, here, out);
    if (!from) return give_up(o.json, from.error());
    auto bar = std::make_unique<progress>(base::system_clock());
    transfer::import_options options;
    options.account = o.address;
    options.keep_uids = o.keep_uids;
    options.below = o.below;
    options.only = o.only;
    options.journal = o.journal;
    options.progress = [&bar](transfer::import_report const& r) { bar->show(r.imported + r.already + r.skipped, r.expected, r.skipped); };
    loop.start();
    auto const report = run_blocking(here, import_all(here, transfer_socket(o.socket, o.config_file), **from, std::move(options)));
    from->reset();
    loop.stop();
    bar.reset();
    if (!report) return give_up(o.json, report.error());
    return print(*report, o.json);
}

int export_mail(cli::export_options const& o)
{
    base::metrics unused;
    net::runtime loop{1, base::system_clock(), base::null_log(), unused};
    auto& here = loop.at(0);
    auto bar = std::make_unique<progress>(base::system_clock());
    transfer::export_options options;
    options.account = o.address;
    options.path = o.path;
    options.form = o.mbox ? transfer::export_form::mbox : transfer::export_form::maildir;
    options.only = o.only;
    options.progress = [&bar](transfer::export_report const& r) { bar->show(r.exported + r.already + r.skipped, r.expected, r.skipped); };
    loop.start();
    auto const report = run_blocking(here, export_all(here, transfer_socket(o.socket, o.config_file), std::move(options)));
    loop.stop();
    bar.reset();
    if (!report) return give_up(o.json, report.error());
    auto const& r = *report;
    if (o.json) {
        fmt::print("{}\n", json::serialize(json::object{{"folders", r.folders},
                                                        {"exported", r.exported},
                                                        {"already", r.already},
                                                        {"skipped", r.skipped},
                                                        {"octets", r.octets},
                                                        {"problems", as_json(r.problems)},
                                                        {"notes", as_json(r.notes)}}));
    } else {
        print_all("note", r.notes);
        print_all("skipped", r.problems);
        fmt::print("{} messages exported from {} mailboxes ({} octets), {} were there already, {} skipped\n", r.exported, r.folders, r.octets, r.already,
                   r.skipped);
    }
    return r.skipped == 0 && r.problems.empty() ? cli::done : cli::refused;
}

}  // namespace mansio::app
