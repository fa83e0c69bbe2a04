#include "cli/program.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "base/bytes.hpp"
#include "cli/online.hpp"

namespace mansio::cli {
namespace {
namespace json = boost::json;

/// What all online commands share: where the server is, how to print.
struct online_context {
    local_commands const& local;
    std::string config_file, socket;
    bool as_json = false;
    int code = done;

    [[nodiscard]] std::string where() const { return socket.empty() ? local.admin_socket(config_file) : socket; }

    void run(std::string const& name, json::object const& arguments)
    {
        auto const answer = call(where(), name, arguments);
        if (!answer) {
            code = answer.error().what == fault::kind::closed ? unreachable : refused;
            if (as_json)
                fmt::print("{}\n", json::serialize(json::object{{"error", answer.error().say}}));
            else
                fmt::print(stderr, "mansio: {}\n", answer.error().say);
            return;
        }
        fmt::print("{}", as_json ? json::serialize(*answer) + "\n" : for_people(*answer));
    }
};

/// A sub-subcommand whose options go into a JSON object as they are.
class online_command {
public:
    online_command(CLI::App& under, online_context& ctx, std::string verb, std::string help, std::string call_name)
        : app_(under.add_subcommand(verb, help)),
          arguments_(std::make_shared<json::object>())
    {
        app_->add_option("--socket", ctx.socket, "admin socket of the server (default: by its configuration)");
        app_->add_option("--config", ctx.config_file, "configuration file of the server");
        app_->add_flag("--json", ctx.as_json, "print the answer as one line of JSON");
        app_->callback([&ctx, arguments = arguments_, name = std::move(call_name)] { ctx.run(name, *arguments); });
    }
    online_command& text(std::string const& option, std::string const& name, std::string const& help, bool required = false)
    {
        app_->add_option_function<std::string>(option, [a = arguments_, name](std::string const& v) { (*a)[name] = v; }, help)->required(required);
        return *this;
    }
    online_command& number(std::string const& option, std::string const& name, std::string const& help)
    {
        app_->add_option_function<std::uint64_t>(option, [a = arguments_, name](std::uint64_t v) { (*a)[name] = v; }, help);
        return *this;
    }
    online_command& octets(std::string const& option, std::string const& name, std::string const& help)
    {
        app_->add_option_function<std::string>(
            option, [a = arguments_, name](std::string const& v) { (*a)[name] = as_octets(v); }, help + " (a number, or with K, M, G, T)");
        return *this;
    }
    online_command& list(std::string const& option, std::string const& name, std::string const& help, bool required = false)
    {
        app_->add_option_function<std::vector<std::string>>(
                option, [a = arguments_, name](std::vector<std::string> const& v) { (*a)[name] = json::value_from(v); }, help)
            ->required(required);
        return *this;
    }
    online_command& flag(std::string const& option, std::string const& name, bool value, std::string const& help)
    {
        app_->add_flag_callback(option, [a = arguments_, name, value] { (*a)[name] = value; }, help);
        return *this;
    }

private:
    static std::uint64_t as_octets(std::string const& text)
    {
        std::size_t used = 0;
        std::uint64_t n = 0;
        try {
            n = std::stoull(text, &used);
        } catch (std::exception const&) {
            throw CLI::ValidationError(fmt::format("'{}' is no number of octets", base::printable(text)));
        }
        auto const unit = base::to_upper_ascii(std::string_view{text}.substr(used));
        if (unit.empty()) return n;
        constexpr std::string_view units = "KMGT";
        auto const power = unit.size() == 1 ? units.find(unit.front()) : std::string_view::npos;
        if (power == std::string_view::npos || n > (UINT64_MAX >> (10 * (power + 1))))
            throw CLI::ValidationError(fmt::format("'{}' is no number of octets", base::printable(text)));
        return n << (10 * (power + 1));
    }
    CLI::App* app_;
    std::shared_ptr<json::object> arguments_;
};

CLI::App& noun(CLI::App& root, std::string name, std::string help)
{
    auto* app = root.add_subcommand(std::move(name), std::move(help));
    app->require_subcommand(1);
    return *app;
}

void add_directory_commands(CLI::App& root, online_context& ctx)
{
    auto& domain = noun(root, "domain", "domains this server receives mail for");
    online_command{domain, ctx, "add", "receive mail for a domain", "domain/add"}
        .text("name", "name", "domain name", true)
        .text("--catch-all", "catch_all", "address that takes mail for unknown names");
    online_command{domain, ctx, "set", "change a domain", "domain/set"}
        .text("name", "name", "domain name", true)
        .text("--catch-all", "catch_all", "address that takes mail for unknown names; empty: none")
        .text("--subaddress-separator", "subaddress_separator", "character between name and detail; empty: none")
        .text("--pop3-keep", "pop3_keep", "how long POP3 leaves mail: forever, until-fetched, 7-days-after-fetch, 30-days, default")
        .text("--pop3-login-delay", "pop3_login_delay", "least seconds between POP3 sign-ins, or default");
    online_command{domain, ctx, "remove", "no longer receive for a domain", "domain/remove"}.text("name", "name", "domain name", true);
    static_cast<void>(online_command{domain, ctx, "list", "all domains", "domain/list"});

    auto& dkim = noun(root, "dkim", "the keys that sign a domain's mail");
    online_command{dkim, ctx, "list", "keys of a domain", "dkim/list"}.text("name", "name", "domain name", true);
    online_command{dkim, ctx, "rotate", "make new keys; they sign once they are published and activated", "dkim/rotate"}.text("name", "name", "domain name",
                                                                                                                              true);
    online_command{dkim, ctx, "activate", "sign with the new keys, and no longer with the old ones", "dkim/activate"}
        .text("name", "name", "domain name", true)
        .flag("--force", "force", true, "although the DNS does not show them yet");
    online_command{dkim, ctx, "remove", "forget a key that no longer signs", "dkim/remove"}
        .text("name", "name", "domain name", true)
        .text("selector", "selector", "the key's selector", true);

    auto& dns = noun(root, "dns", "what a domain publishes");
    online_command{dns, ctx, "records", "what to publish for a domain", "dns/records"}.text("name", "name", "domain name", true);
    online_command{dns, ctx, "check", "what is missing or wrong in the DNS, and how to mend it", "dns/check"}.text("name", "name", "domain name", true);

    auto& account = noun(root, "account", "people who have mail here");
    online_command{account, ctx, "add", "make an account; prints a first app password for its mail program", "account/add"}
        .text("address", "address", "address of the account", true)
        .text("--name", "display_name", "the person's name")
        .octets("--quota", "quota_octets", "most octets of mail")
        .flag("--administrator", "administrator", true, "may administer this server")
        .flag("--no-app-password", "app_password", false, "make no app password");
    online_command{account, ctx, "show", "an account with its mailboxes", "account/show"}.text("address", "address", "address of the account", true);
    online_command{account, ctx, "set", "change an account", "account/set"}
        .text("address", "address", "address of the account", true)
        .text("--name", "display_name", "the person's name")
        .octets("--quota", "quota_octets", "most octets of mail; 0: no limit")
        .number("--quota-messages", "quota_messages", "most messages; 0: no limit")
        .flag("--enable", "enabled", true, "may sign in and receive")
        .flag("--disable", "enabled", false, "may not sign in; mail to it is refused")
        .flag("--administrator", "administrator", true, "may administer this server")
        .flag("--no-administrator", "administrator", false, "may no longer administer this server")
        .text("--imap-off", "imap_off", "IMAP extensions switched off for its programs: \"SORT NOTIFY\"; empty: none")
        .text("--pop3-keep", "pop3_keep", "how long POP3 leaves mail: forever, until-fetched, 7-days-after-fetch, 30-days, default")
        .text("--pop3-login-delay", "pop3_login_delay", "least seconds between POP3 sign-ins, or default");
    online_command{account, ctx, "remove", "remove an account and all its mail, for good", "account/remove"}.text("address", "address",
                                                                                                                  "address of the account", true);
    online_command{account, ctx, "list", "accounts, by address", "account/list"}
        .number("--limit", "limit", "at most so many")
        .text("--after", "after", "go on after this address");
    online_command{account, ctx, "password", "set the portal password (it opens no mail protocol)", "account/password"}
        .text("address", "address", "address of the account", true)
        .text("--password", "password", "the password; at least 12 characters", true);

    auto& alias = noun(root, "alias", "addresses that stand for others");
    online_command{alias, ctx, "add", "make or change an alias", "alias/add"}
        .text("address", "address", "the alias", true)
        .list("targets", "targets", "where its mail goes", true);
    online_command{alias, ctx, "remove", "remove an alias", "alias/remove"}.text("address", "address", "the alias", true);
    static_cast<void>(online_command{alias, ctx, "list", "all aliases", "alias/list"});
}

void add_credential_commands(CLI::App& root, online_context& ctx)
{
    auto& app = noun(root, "app-password", "what mail programs sign in with");
    online_command{app, ctx, "add", "make an app password; it is shown once", "app-password/add"}
        .text("address", "address", "address of the account", true)
        .text("--name", "name", "what it is for: \"phone\"")
        .list("--protocol", "protocols", "imap, pop3, submission; default: all")
        .flag("--read-only", "read_only", true, "may read, not change")
        .number("--days", "days", "how long it lives");
    online_command{app, ctx, "list", "an account's app passwords", "app-password/list"}.text("address", "address", "address of the account", true);
    online_command{app, ctx, "revoke", "end an app password and its open sessions", "app-password/revoke"}
        .text("address", "address", "address of the account", true)
        .text("id", "id", "its id, as listed", true);
}

void add_operation_commands(CLI::App& root, online_context& ctx)
{
    auto& queue = noun(root, "queue", "mail that waits to be delivered");
    online_command{queue, ctx, "list", "what waits", "queue/list"}.number("--limit", "limit", "at most so many");
    online_command{queue, ctx, "show", "one message with its recipients", "queue/show"}.text("id", "id", "queue id", true);
    online_command{queue, ctx, "retry", "try now", "queue/retry"}.text("id", "id", "queue id; none: everything");
    online_command{queue, ctx, "hold", "do not try until released", "queue/hold"}
        .text("id", "id", "queue id", true)
        .text("--reason", "reason", "why, for the next operator");
    online_command{queue, ctx, "release", "try again", "queue/release"}.text("id", "id", "queue id", true);
    online_command{queue, ctx, "cancel", "give up without telling the sender", "queue/cancel"}.text("id", "id", "queue id", true);
    static_cast<void>(online_command{root, ctx, "status", "how the server is", "status"});
    online_command{root, ctx, "reload", "apply changed certificates and live settings", "reload"};
}

/// Options that every import and export has.
template <class Options> void add_transfer_options(CLI::App& app, Options& o)
{
    app.add_option("address", o.address, "address of the account here")->required();
    app.add_option("--folder", o.only, "only this folder; may be given again");
    app.add_option("--socket", o.socket, "admin socket of the server (default: by its configuration)");
    app.add_option("--config", o.config_file, "configuration file of the server");
    app.add_flag("--json", o.json, "print the report as one line of JSON");
}

void add_import(CLI::App& root, local_commands const& local, int& code)
{
    using origin = import_options::origin;
    auto& import = noun(root, "import", "bring mail from elsewhere into an account; again goes on where it ended");
    struct kind {
        origin from;
        char const* name;
        char const* help;
    };
    for (auto const& k : {kind{origin::maildir, "maildir", "from a Maildir with its folders (Maildir++ or LAYOUT=fs)"},
                          kind{origin::mbox, "mbox", "from an mbox file, or a directory of them"}, kind{origin::imap, "imap", "from another server over IMAP"}})
    {
        auto o = std::make_shared<import_options>();
        o->from = k.from;
        auto* c = import.add_subcommand(k.name, k.help);
        add_transfer_options(*c, *o);
        if (k.from == origin::imap) {
            c->add_option("host", o->host, "name or address of the other server")->required();
            c->add_option("--user", o->user, "who signs in there")->required();
            c->add_option("--password-file", o->password_file, "file whose first line is the password there; -: standard input")->required();
            c->add_option("--port", o->port, "port (default: 993; 143 with --starttls)");
            c->add_flag("--starttls", o->starttls, "ask for TLS instead of beginning with it");
            c->add_flag("--cleartext", o->cleartext, "no TLS at all: only for this very machine");
            c->add_flag_callback("--any-certificate", [o] { o->verify = false; }, "do not check who answers");
            c->add_option("--ca-file", o->ca_file, "certificate authorities to trust (default: the system's)");
        } else {
            c->add_option("path", o->path, "where it lies")->required();
        }
        if (k.from == origin::mbox) c->add_option("--into", o->into, "mailbox for a single file (default: INBOX)");
        c->add_flag("--keep-uids", o->keep_uids, "keep UIDVALIDITY and UIDs, so that mail programs need not fetch anything again");
        c->add_option("--below", o->below, "put everything below this mailbox");
        c->add_option("--journal", o->journal, "remember in this file what came (default: the server remembers for 30 days)");
        c->callback([&local, &code, o] { code = local.import_mail(*o); });
    }
}

void add_export(CLI::App& root, local_commands const& local, int& code)
{
    auto& out = noun(root, "export", "write an account's mail into files");
    for (bool const mbox : {false, true}) {
        auto o = std::make_shared<export_options>();
        o->mbox = mbox;
        auto* c = out.add_subcommand(mbox ? "mbox" : "maildir",
                                     mbox ? "into mbox files, one for each mailbox" : "into a Maildir++ with UIDs and keywords as Dovecot keeps them");
        add_transfer_options(*c, *o);
        c->add_option("path", o->path, "directory to write into")->required();
        c->callback([&local, &code, o] { code = local.export_mail(*o); });
    }
}

void add_backup(CLI::App& root, local_commands const& local, int& code)
{
    auto o = std::make_shared<backup_options>();
    auto* c = root.add_subcommand("backup", "copy what is new in the running server's store into a directory of backups");
    c->add_option("directory", o->directory, "where the backups are; made when it is missing");
    c->add_option("--keep", o->keep, "so many backups; older ones go (default: 7)")->check(CLI::Range(1, 100'000));
    c->add_flag("--full", o->full, "copy everything anew: what older backups hold is not used again");
    c->add_flag("--verify", o->verify, "make none: read one of them and compare every checksum");
    c->add_option("--generation", o->generation, "with --verify: which one (default: the last)");
    c->add_option("--data", o->data, "data directory of a server that does not run, instead of the running one's");
    c->add_option("--socket", o->socket, "admin socket of the server (default: by its configuration)");
    c->add_option("--config", o->config_file, "configuration file of the server");
    c->add_flag("--json", o->json, "print the report as one line of JSON");
    c->require_subcommand(0, 1);
    auto l = std::make_shared<backup_options>();
    auto* list = c->add_subcommand("list", "which backups a directory holds");
    list->add_option("directory", l->directory, "where the backups are")->required();
    list->add_flag("--json", l->json, "print them as one line of JSON");
    list->callback([&local, &code, l] { code = local.backup_list(*l); });
    c->callback([&local, &code, list, o] {
        if (list->parsed()) return;
        if (o->directory.empty()) throw CLI::RequiredError("directory");
        code = local.backup(*o);
    });
}

void add_restore(CLI::App& root, local_commands const& local, int& code)
{
    auto o = std::make_shared<restore_options>();
    auto* c = root.add_subcommand("restore", "a backup into an empty data directory, or with --account mail from it into the running server");
    c->add_option("directory", o->directory, "where the backups are")->required();
    c->add_option("--generation", o->generation, "which backup (default: the last)");
    c->add_option("--config", o->config_file, "configuration file of the server");
    c->add_flag("--json", o->json, "print the report as one line of JSON");
    auto* data = c->add_option("--data", o->data, "data directory to restore into (default: by the configuration)");
    auto* queue = c->add_flag_callback("--without-queue", [o] { o->queue = false; }, "leave out mail that waited to be delivered: it may have been since");
    auto* account = c->add_option("--account", o->account, "append this account's mail of then to its mail of now");
    account->excludes(data)->excludes(queue);
    c->add_option("--to", o->to, "append it to this account instead")->needs(account);
    c->add_option("--into", o->into, "folder to put everything below (default: \"Restored\" and the time)")->needs(account);
    c->add_option("--folder", o->only, "only this folder; may be given again")->needs(account);
    auto* message = c->add_option("--message", o->message, "only the message of this Message-ID or EMAILID")->needs(account);
    c->add_option("--uid", o->uid, "only the message of this UID in --folder")->needs(account)->excludes(message);
    c->add_option("--socket", o->socket, "admin socket of the server (default: by its configuration)");
    c->callback([&local, &code, o] { code = local.restore(*o); });
}

void add_demo(CLI::App& root, local_commands const& local, int& code)
{
    auto options = std::make_shared<demo_options>();
    auto* demo = root.add_subcommand("demo", "a complete server on this machine with accounts to try it");
    demo->add_option("--data", options->data, "keep its data here (default: a temporary directory)");
    demo->add_option_function<int>(
            "--port-base", [options](int v) { options->port_base = static_cast<std::uint16_t>(v); }, "first of its ports; 0: any free ones")
        ->check(CLI::Range(0, 65'000));
    demo->add_option("--users", options->users, "further accounts u1, u2, …")->check(CLI::Range(0, 1'000'000));
    demo->add_flag("--cleartext", options->cleartext, "let loopback sign in without TLS and turn per-address limits off, for load tools");
    demo->add_option_function<std::string>(
            "--limits", [options](std::string const& v) { options->limits = v == "on"; }, "per-address limits: on or off")
        ->check(CLI::IsMember({"on", "off"}));
    demo->add_option_function<std::string>(
            "--folders", [options](std::string const& v) { options->default_folders = v == "default"; }, "folders of alice and bob: default or none")
        ->check(CLI::IsMember({"default", "none"}));
    demo->add_option("--listen", options->listen, "address it listens on");
    demo->add_option("--route", options->route, "send all relayed mail to HOST:PORT");
    demo->add_option("--allow-target", options->allow_targets, "network that may be connected to though it is not global: 127.0.0.0/8");
    demo->add_flag("--json", options->json, "print one line of JSON when ready");
    demo->add_flag("--break-sync-on-purpose", options->break_sync_on_purpose, "acknowledge before syncing: for the test that must catch it")->group("");
    demo->add_flag("--die-in-sync", options->die_in_sync, "on SIGUSR2 die between the next write and its sync: for tests of crashes")->group("");
    demo->callback([&local, &code, options] { code = local.demo(*options); });
}

void add_local_commands(CLI::App& root, local_commands const& local, int& code)
{
    auto serve = std::make_shared<serve_options>();
    auto* s = root.add_subcommand("serve", "the server");
    s->add_option("--config", serve->config_file, "configuration file (default: /etc/mansio/mansio.toml)");
    s->callback([&local, &code, serve] { code = local.serve(*serve); });

    auto verify = std::make_shared<verify_options>();
    auto* v = root.add_subcommand("verify", "check a store that no server has open: every row, page and message");
    v->add_option("--data", verify->data, "its data directory (default: by the configuration)");
    v->add_option("--config", verify->config_file, "configuration file");
    v->add_flag("--deep", verify->deep, "read every message and compare its checksum");
    v->add_flag("--json", verify->json, "print the report as one line of JSON");
    v->callback([&local, &code, verify] { code = local.verify(*verify); });

    auto& config = noun(root, "config", "the configuration file");
    auto file = std::make_shared<std::string>();
    auto as_json = std::make_shared<bool>(false);
    auto* check = config.add_subcommand("check", "is it right?");
    check->add_option("--config,file", *file, "configuration file (default: /etc/mansio/mansio.toml)");
    check->add_flag("--json", *as_json, "print problems as JSON");
    check->callback([&local, &code, file, as_json] { code = local.config_check(*file, *as_json); });
    auto key = std::make_shared<std::string>();
    auto page = std::make_shared<bool>(false);
    auto* explain = config.add_subcommand("explain", "what keys there are and what they do");
    explain->add_option("key", *key, "a key, or the start of one: \"listen\"");
    explain->add_flag("--page", *page, "print docs/configuration.md")->group("");
    explain->callback([&local, &code, key, page] { code = local.config_explain(*key, *page); });

    auto version_json = std::make_shared<bool>(false);
    auto* version = root.add_subcommand("version", "which version this is");
    version->add_flag("--json", *version_json, "as JSON");
    version->callback([&local, version_json] {
        if (*version_json)
            fmt::print("{}\n", json::serialize(json::object{{"version", local.version}}));
        else
            fmt::print("mansio {}\n", local.version);
    });
}
}  // namespace

int run(int argc, char const* const* argv, local_commands const& local)
{
    CLI::App root{"Mansio, a mail server: SMTP, IMAP and POP3 in one program."};
    root.name("mansio");
    root.require_subcommand(1);
    root.set_version_flag("--version", "mansio " + local.version);
    root.footer("Each command explains itself: mansio COMMAND --help. Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 no server.");
    online_context ctx{local, {}, {}, false, done};
    int code = done;
    add_local_commands(root, local, code);
    add_demo(root, local, code);
    add_directory_commands(root, ctx);
    add_credential_commands(root, ctx);
    add_operation_commands(root, ctx);
    add_import(root, local, code);
    add_export(root, local, code);
    add_backup(root, local, code);
    add_restore(root, local, code);
    try {
        root.parse(argc, argv);
    } catch (CLI::ParseError const& e) {
        int const asked = root.exit(e, std::cout, std::cerr);
        return asked == 0 ? done : usage;
    }
    return code != done ? code : ctx.code;
}

}  // namespace mansio::cli
