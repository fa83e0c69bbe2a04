// mansio demo: a complete server on this machine, the embedded default and the contract for outside tools (docs/demo.md).
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "app/blocking.hpp"
#include "app/commands.hpp"
#include "app/data_directory.hpp"
#include "app/server_process.hpp"
#include "base/bytes.hpp"
#include "net/tls.hpp"

namespace mansio::app {
namespace {
constexpr char const* domain = "example.test";
constexpr char const* hostname = "mail.example.test";

/// What the demo remembers beside the data, so that its accounts keep their secrets between runs. Mode 0600.
struct secrets {
    std::map<std::string, std::string> values;  ///< "alice.app_password" → secret

    static secrets read(std::string const& path)
    {
        secrets s;
        std::ifstream in{path};
        std::string name, value;
        while (in >> name >> value) s.values[name] = value;
        return s;
    }
    [[nodiscard]] bool write(std::string const& path) const
    {
        auto const draft = path + ".new";
        int const fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) return false;
        std::string text;
        for (auto const& [n, v] : values) text += fmt::format("{} {}\n", n, v);
        bool const good = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
        ::close(fd);
        return good && ::rename(draft.c_str(), path.c_str()) == 0;
    }
};

struct face_port {
    char const* face;
    std::uint16_t offset;
    std::vector<std::string> config::* where;
};
constexpr std::array<face_port, 9> face_ports{face_port{"smtp", 25, &config::listen_mx},
                                              face_port{"lmtp", 24, &config::listen_lmtp},
                                              face_port{"metrics", 90, &config::listen_metrics},
                                              face_port{"pop3", 110, &config::listen_pop3},
                                              face_port{"imap", 143, &config::listen_imap},
                                              face_port{"submissions", 465, &config::listen_submissions},
                                              face_port{"submission", 587, &config::listen_submission},
                                              face_port{"imaps", 993, &config::listen_imaps},
                                              face_port{"pop3s", 995, &config::listen_pop3s}};
constexpr std::uint16_t usual_base = 10'000;

/// Whether nobody listens there; the listener itself probes again.
bool is_free(std::string const& address, std::uint16_t port)
{
    auto const a = net::ip_address::parse(address);
    if (!a) return false;
    int const fd = ::socket(a->is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int const one = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(port);
    std::memcpy(a->is_v4() ? static_cast<void*>(&v4.sin_addr) : static_cast<void*>(&v6.sin6_addr), a->octets().data(), a->octets().size());
    auto const* at = a->is_v4() ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    bool const free = ::bind(fd, at, a->is_v4() ? sizeof v4 : sizeof v6) == 0;
    ::close(fd);
    return free;
}

/// The usual ports, or the next free ones.
void choose_ports(cli::demo_options const& o, config& c, std::vector<std::string>& notes)
{
    std::set<std::uint16_t> taken;
    bool const any = o.port_base && *o.port_base == 0;
    for (auto const& f : face_ports) {
        std::uint16_t port = 0;
        if (!any) {
            auto const wanted = static_cast<unsigned>(o.port_base.value_or(usual_base)) + f.offset;
            unsigned p = wanted;
            while (p < 65'535 && (taken.contains(static_cast<std::uint16_t>(p)) || !is_free(o.listen, static_cast<std::uint16_t>(p)))) ++p;
            if (p != wanted) notes.push_back(fmt::format("port {} is busy, {} listens on {}", wanted, f.face, p));
            port = static_cast<std::uint16_t>(p);
            taken.insert(port);
        }
        (c.*f.where) = {o.listen.find(':') == std::string::npos ? fmt::format("{}:{}", o.listen, port) : fmt::format("[{}]:{}", o.listen, port)};
    }
}

config make_config(cli::demo_options const& o, std::string const& data)
{
    config c;
    c.hostname = hostname;
    c.data = data;
    c.log_file = data + "/log";
    c.tls_certificate = data + "/tls/cert.pem";
    c.tls_key = data + "/tls/key.pem";
    c.relay_ca_file = data + "/tls/ca.pem";
    c.default_folders = o.default_folders;
    c.cleartext_sign_in = o.cleartext;
    c.per_address_limits = o.limits && !o.cleartext;
    c.relay_route = o.route;
    c.egress_allow = o.allow_targets;
    c.break_sync_on_purpose = o.break_sync_on_purpose;
    c.die_in_sync = o.die_in_sync;
    return c;
}

struct demo_account {
    std::string address, app_password, portal_password;
};

/// Makes what is missing: the domain, alice and bob with their secrets, the load users with their one secret.
class people {
public:
    people(server_process& s, secrets& remembered) : server_(s), secrets_(remembered) {}

    result<void> make_domain()
    {
        auto const found = ask(server_.services().directory.find_domain(domain));
        if (!found) return fail(found);
        if (*found) return {};
        auth::domain d;
        d.name = domain;
        return ask(server_.services().directory.add_domain(d));
    }

    result<demo_account> make_person(std::string const& name, bool administrator)
    {
        auto const address = fmt::format("{}@{}", name, domain);
        auto const number = account_number(address, administrator, {});
        if (!number) return fail(number);
        auto& app = secrets_.values[name + ".app_password"];
        if (app.empty()) {
            auto const made = ask(server_.services().sign_in.add_app_password(*number, "demo", auth::all_mail_protocols, false, std::chrono::days{3650}));
            if (!made) return fail(made);
            app = made->secret;
        }
        auto& portal = secrets_.values[name + ".portal_password"];
        if (portal.empty()) {
            portal = fmt::format("{}-{}", name, base::to_base32(base::system_random().octets(10)));
            auto const set = ask(server_.services().sign_in.set_portal_password(*number, portal));
            if (!set) return fail(set);
        }
        return demo_account{address, app, portal};
    }

    result<std::string> make_users(std::uint64_t count)
    {
        auto& secret = secrets_.values["users.secret"];
        auto const known = secrets_.values.contains("users.count") ? std::stoull(secrets_.values["users.count"]) : 0;
        std::vector<store::account_number> made;
        for (std::uint64_t i = known + 1; i <= count; ++i) {
            // INBOX only: load tools count mailboxes.
            auto const number = account_number(fmt::format("u{}@{}", i, domain), false, false);
            if (!number) return fail(number);
            made.push_back(*number);
            if (isatty(STDERR_FILENO) != 0 && i % 100 == 0) fmt::print(stderr, "\rmaking users: {}/{}", i, count);
        }
        if (isatty(STDERR_FILENO) != 0 && count > known) fmt::print(stderr, "\rmaking users: {0}/{0}\n", count);
        if (!made.empty()) {
            auto const shared = ask(server_.services().sign_in.add_shared_app_password(made, "load", secret));
            if (!shared) return fail(shared);
            secret = *shared;
            secrets_.values["users.count"] = std::to_string(count);
        }
        return secret;
    }

private:
    template <class T> T ask(task<T> t) { return run_blocking(server_.first_shard(), std::move(t)); }

    result<store::account_number> account_number(std::string const& address, bool administrator, std::optional<bool> folders)
    {
        auto const& s = server_.services();
        auto const found = ask(s.directory.find_account(address));
        if (!found) return fail(found);
        if (*found) return (*found)->number;
        auto const made = ask(admin::service::make_account(s, address, "", 0, administrator, folders));
        if (!made) return fail(made);
        return made->number;
    }

    server_process& server_;
    secrets& secrets_;
};

std::string json_text(std::string_view s)
{
    std::string out = "\"";
    for (char const c : base::printable(s, 4096)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string ready_line(server_process const& s, cli::demo_options const& o, std::string const& data, std::vector<demo_account> const& accounts,
                       std::string const& users_secret)
{
    std::string out = fmt::format("{{\"ready\":true,\"pid\":{},\"version\":{},\"data\":{},\"host\":{}", getpid(), json_text(version_text), json_text(data),
                                  json_text(o.listen));
    for (auto const& f : face_ports) {
        auto const at = s.faces().find(f.face);
        if (at == s.faces().end()) continue;
        if (std::string_view{f.face} == "metrics")
            out += fmt::format(",\"metrics\":\"http://{}/metrics\"", at->second.text());
        else
            out += fmt::format(",\"{}\":{}", f.face, at->second.port);
    }
    out += fmt::format(",\"admin_socket\":{},\"ca\":{},\"limits\":\"{}\",\"accounts\":[", json_text(s.admin_socket()), json_text(data + "/tls/ca.pem"),
                       o.limits && !o.cleartext ? "on" : "off");
    for (std::size_t i = 0; i < accounts.size(); ++i)
        out += fmt::format("{}{{\"address\":{},\"app_password\":{},\"portal_password\":{}}}", i == 0 ? "" : ",", json_text(accounts[i].address),
                           json_text(accounts[i].app_password), json_text(accounts[i].portal_password));
    out += "]";
    if (!users_secret.empty()) out += fmt::format(",\"users_secret\":{}", json_text(users_secret));
    return out + "}";
}

void print_help(server_process const& s, cli::demo_options const& o, std::string const& data, std::vector<demo_account> const& accounts,
                std::vector<std::string> const& notes)
{
    auto const port = [&](char const* face) { return s.faces().at(face).port; };
    auto const& alice = accounts.at(0);
    auto const& bob = accounts.at(1);
    for (auto const& n : notes) fmt::print("note: {}\n", n);
    fmt::print("\nMansio {} is ready on {}. Data: {}. Log: {}/log. Ctrl-C stops it.\n\n", version_text, o.listen, data, data);
    fmt::print("Send a message from alice to bob:\n\n  swaks --server {}:{} --tls-on-connect --auth PLAIN --auth-user {} \\\n    --auth-password {} --from {} "
               "--to {} --header 'Subject: hello'\n\n",
               o.listen, port("submissions"), alice.address, alice.app_password, alice.address, bob.address);
    fmt::print("Read it as bob:\n\n  curl --silent --cacert {}/tls/ca.pem --user {}:{} \\\n    'imaps://{}:{}/INBOX;MAILINDEX=*'\n\n", data, bob.address,
               bob.app_password, o.listen, port("imaps"));
    fmt::print("Ask the server:\n\n  mansio account list --socket {}\n  mansio queue list --socket {}\n  curl --silent http://{}/metrics\n\n", s.admin_socket(),
               s.admin_socket(), s.faces().at("metrics").text());
    fmt::print("Settings for a mail program (trust {}/tls/ca.pem first):\n\n", data);
    fmt::print("  IMAP    {}  port {}  TLS        or port {} with STARTTLS\n  POP3    {}  port {}  TLS        or port {} with STLS\n  SMTP    {}  port {}  TLS "
               "       or port {} with STARTTLS\n\n",
               o.listen, port("imaps"), port("imap"), o.listen, port("pop3s"), port("pop3"), o.listen, port("submissions"), port("submission"));
    for (auto const& a : accounts)
        fmt::print("  {}\n    app password     {}\n    portal password  {} (opens no mail protocol)\n", a.address, a.app_password, a.portal_password);
    fmt::print("\n");
}

int give_up(cli::demo_options const& o, std::string const& sentence)
{
    if (o.json) fmt::print("{{\"ready\":false,\"error\":{}}}\n", json_text(sentence));
    fmt::print(stderr, "mansio: {}\n", sentence);
    std::fflush(stdout);
    return cli::refused;
}

int run(cli::demo_options const& o, std::string const& data)
{
    config c = make_config(o, data);
    std::vector<std::string> notes;
    choose_ports(o, c, notes);
    auto const certificates = net::make_demo_certificates(data + "/tls", {hostname, domain, "localhost"}, {"127.0.0.1", "::1", o.listen});
    if (!certificates) return give_up(o, certificates.error().say);
    auto const log = base::make_log(base::log_format::human, base::log_level::info, c.log_file);
    auto made = server_process::make(std::move(c), *log);
    if (!made) return give_up(o, made.error().say);
    auto& server = **made;
    auto const started = server.start();
    if (!started) return give_up(o, started.error().say);

    auto const secrets_file = data + "/keys/demo";
    auto remembered = secrets::read(secrets_file);
    people population{server, remembered};
    auto const ready = population.make_domain();
    if (!ready) return give_up(o, ready.error().say);
    std::vector<demo_account> accounts;
    for (auto const* name : {"alice", "bob"}) {
        auto person = population.make_person(name, std::string_view{name} == "alice");
        if (!person) return give_up(o, person.error().say);
        accounts.push_back(std::move(*person));
    }
    auto const users_secret = o.users == 0 ? result<std::string>{std::string{}} : population.make_users(o.users);
    if (!users_secret) return give_up(o, users_secret.error().say);
    if (!remembered.write(secrets_file)) return give_up(o, fmt::format("cannot write {}.", secrets_file));

    for (auto const& n : notes)
        if (o.json) fmt::print(stderr, "mansio: {}\n", n);
    if (o.json)
        fmt::print("{}\n", ready_line(server, o, data, accounts, *users_secret));
    else
        print_help(server, o, data, accounts, notes);
    std::fflush(stdout);
    server.wait();
    server.stop();
    return cli::done;
}
}  // namespace

int demo(cli::demo_options const& o)
{
    if (!net::ip_address::parse(o.listen)) return give_up(o, fmt::format("'{}' is no address to listen on.", base::printable(o.listen)));
    for (auto const& t : o.allow_targets)
        if (!net::cidr::parse(t)) return give_up(o, fmt::format("'{}' is no network; write --allow-target 127.0.0.0/8.", base::printable(t)));
    std::error_code wrong;
    if (!o.data.empty()) {
        auto const data = std::filesystem::absolute(o.data, wrong).lexically_normal().string();
        if (!exists(data) && ::mkdir(data.c_str(), 0700) != 0) return give_up(o, fmt::format("cannot make the directory {}: {}.", data, std::strerror(errno)));
        return run(o, data);
    }
    std::string pattern = (std::filesystem::temp_directory_path(wrong) / "mansio-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return give_up(o, fmt::format("cannot make a temporary directory: {}.", std::strerror(errno)));
    int const code = run(o, pattern);
    std::filesystem::remove_all(pattern, wrong);
    return code;
}

}  // namespace mansio::app
