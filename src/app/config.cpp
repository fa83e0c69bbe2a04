#include "app/config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <algorithm>
#include <array>
#include <cstring>
#include <variant>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "auth/pop3_policy.hpp"
#include "base/bytes.hpp"
#include "imap/capability.hpp"
#include "imap/server_entries.hpp"
#include "net/address.hpp"
#include "smtp/server/extensions.hpp"

namespace mansio::app {
namespace {
using text_member = std::string config::*;
using number_member = std::uint64_t config::*;
using list_member = std::vector<std::string> config::*;
using flag_member = bool config::*;
using member = std::variant<text_member, number_member, list_member, flag_member>;

struct known_key {
    std::string_view name;
    member where;
    std::string_view text;
    bool live = false;
    std::string_view choices = {};  ///< "a|b"
};

std::vector<known_key> const& known_keys()
{
    static std::vector<known_key> const keys{
        {"hostname", &config::hostname,
         "Full name of this server, as other servers see it: greetings, Received fields, bounces. Its address should resolve back to it. Default: the "
         "machine's name."},
        {"data", &config::data, "Directory that holds everything: store/, keys/, spool/, run/ (admin socket). Must exist, or its parent must be writable."},
        {"shards", &config::shards, "Threads that own mail state. 0: one for each core."},
        {"memory", &config::memory, "Octets that caches, memtables and message buffers share."},
        {"log.format", &config::log_format, "How events are written.", true, "human|json"},
        {"log.level", &config::log_level, "Least level that is written.", true, "debug|info|warning|error"},
        {"log.file", &config::log_file, "File that events are appended to. Empty: standard error."},
        {"tls.certificate", &config::tls_certificate, "PEM file with the certificate and its chain.", true},
        {"tls.key", &config::tls_key, "PEM file with the private key; readable by Mansio alone.", true},
        {"listen.mx", &config::listen_mx, "Addresses where other servers deliver, STARTTLS offered: \"0.0.0.0:25\", \"[::]:25\"."},
        {"listen.submission", &config::listen_submission, "Addresses for people's programs with STARTTLS, usually port 587."},
        {"listen.submissions", &config::listen_submissions, "Addresses for people's programs with TLS from the start, usually port 465."},
        {"listen.imap", &config::listen_imap, "IMAP with STARTTLS, usually port 143."},
        {"listen.imaps", &config::listen_imaps, "IMAP with TLS from the start, usually port 993."},
        {"listen.pop3", &config::listen_pop3, "POP3 with STLS, usually port 110."},
        {"listen.pop3s", &config::listen_pop3s, "POP3 with TLS from the start, usually port 995."},
        {"listen.lmtp", &config::listen_lmtp, "LMTP for another mail server in front: \"unix:/run/mansio/lmtp\" or a loopback address."},
        {"listen.metrics", &config::listen_metrics, "Prometheus figures over plain HTTP, at /metrics; a loopback address."},
        {"listen.proxy_from", &config::proxy_from,
         "Networks of proxies before us: [\"10.0.0.5/32\"]. Their connections to the SMTP, LMTP, IMAP and POP3 faces must begin with a PROXY header "
         "(version 1 or 2) and count as from the address it tells; nobody else's header is believed."},
        {"smtp.off", &config::smtp_off, "SMTP extensions switched off, as EHLO names them: [\"DSN\"] (docs/smtp.md)."},
        {"smtp.xclient_from", &config::smtp_xclient_from, "Networks of filters that may say by XCLIENT for whom they speak: [\"127.0.0.1/32\"]."},
        {"smtp.priority_from", &config::smtp_priority_from,
         "Networks of servers whose MT-PRIORITY above 0 counts on the MX. People signed in and LMTP need not be listed."},
        {"listen.http", &config::listen_http, "The web in clear text, usually port 80: proofs for acme.challenge = \"http-01\", and nothing else."},
        {"listen.https", &config::listen_https,
         "The web over TLS, usually port 443: MTA-STS policy, settings for mail programs (autoconfig, Autodiscover, Apple's profile)."},
        {"acme.directory", &config::acme_directory,
         "Certificate authority that issues and renews this server's certificate: \"https://acme-v02.api.letsencrypt.org/directory\". Setting it agrees to its "
         "terms. Instead of tls.certificate and tls.key; the certificate lies in keys/ of the data directory."},
        {"acme.names", &config::acme_names,
         "Names in that certificate, all pointing here: [\"mail.example.org\", \"mta-sts.example.org\", \"autoconfig.example.org\"]. Empty: hostname alone."},
        {"acme.contacts", &config::acme_contacts, "Where the authority may write to: [\"mailto:postmaster@example.org\"]."},
        {"acme.challenge", &config::acme_challenge, "How the names are proven: http-01 needs port 80 (listen.http), tls-alpn-01 port 443 (listen.https).",
         false, "http-01|tls-alpn-01"},
        {"acme.ca_file", &config::acme_ca_file, "PEM file with the authority's own root, for a private one. Empty: the system's roots."},
        {"acme.external_id", &config::acme_external_id,
         "Name of an account you have with the authority already, where it asks for one (external account binding)."},
        {"acme.external_key_file", &config::acme_external_key_file, "File with the key of acme.external_id, as the authority gave it (base64url)."},
        {"mta_sts.mode", &config::mta_sts_mode,
         "Policy that this server hosts for its domains at https://mta-sts.DOMAIN/ (RFC 8461). testing: others report and deliver all the same; none: takes a "
         "policy back; off: none is hosted.",
         false, "off|none|testing|enforce"},
        {"mta_sts.mx", &config::mta_sts_mx, "MX hosts that the policy names, \"*.example.org\" too. Empty: hostname."},
        {"mta_sts.max_age", &config::mta_sts_max_age, "Seconds others keep the policy; at most 31557600."},
        {"dns.forwarders", &config::dns_forwarders, "Resolvers asked instead of the root servers: \"192.0.2.53:53\". DNSSEC is still validated here."},
        {"dns.trust_anchor_file", &config::dns_trust_anchor_file,
         "File with the root's trust anchor. Empty: the one of the package dns-root-data; \"none\": no validation."},
        {"dns.trust_anchors", &config::dns_trust_anchors, "Further trust anchors, as DS or DNSKEY records in text."},
        {"dns.stub_zones", &config::dns_stub_zones, "Zones asked at a server of your own: \"example.test@192.0.2.53:53\"."},
        {"egress.allow", &config::egress_allow,
         "Networks that are not global but may be connected to all the same: \"10.20.0.0/16\". Everything else private is refused.", true},
        {"relay.ca_file", &config::relay_ca_file, "PEM file of certificate authorities for outgoing TLS. Empty: the system's."},
        {"relay.port", &config::relay_port, "Port of other servers' MX."},
        {"authentication.check", &config::check_senders,
         "Whether SPF, DKIM, ARC and DMARC of what other servers bring are checked and told in Authentication-Results. Connections from this machine itself "
         "never are."},
        {"authentication.obey_dmarc", &config::obey_dmarc,
         "Whether a message that fails DMARC is refused when its From domain asks for that (p=reject). If not, the failure is only told."},
        {"authentication.organizational_domain", &config::organizational_domain,
         "How DMARC finds the domain of an organisation: asking the DNS label by label (RFC 9989), or by the public suffix list (RFC 7489).", false,
         "tree-walk|public-suffix"},
        {"authentication.trusted_sealers", &config::trusted_sealers,
         "Domains whose ARC seals are believed: a message that fails DMARC is taken all the same when such a mailing list or forwarder says that it passed "
         "before it was changed. In lower case: [\"lists.example.org\"]."},
        {"imap.off", &config::imap_off,
         "IMAP extensions switched off for everybody, as CAPABILITY names them: [\"NOTIFY\"]. For one account: mansio account set --imap-off."},
        {"imap.metadata", &config::imap_metadata,
         "What all see of this server by METADATA, a name and its value: [\"/shared/admin mailto:postmaster@example.org\", \"/shared/comment Our mail\"]; "
         "searches "
         "for all as \"/shared/filters/values/NAME SEARCH-KEYS\" (docs/imap.md)."},
        {"pop3.keep", &config::pop3_keep,
         "How long mail stays in INBOX for POP3, unless a domain or an account says otherwise: forever, until-fetched, 7-days-after-fetch, 30-days "
         "(docs/pop3.md)."},
        {"pop3.login_delay", &config::pop3_login_delay,
         "Least seconds between two POP3 sign-ins of an account, unless a domain or an account says otherwise. 0: none."},
        {"accounts.default_folders", &config::default_folders, "New accounts get Drafts, Sent, Junk, Trash and Archive."},
        {"accounts.subaddresses", &config::subaddresses, "Mail for name+detail@ goes to the mailbox \"detail\" where there is one, else to INBOX."},
    };
    return keys;
}

std::string default_text(member const& m)
{
    static config const defaults;
    return std::visit(
        [](auto p) -> std::string {
            using V = std::remove_cvref_t<decltype(defaults.*p)>;
            if constexpr (std::is_same_v<V, std::string>)
                return fmt::format("\"{}\"", defaults.*p);
            else if constexpr (std::is_same_v<V, bool>)
                return (defaults.*p) ? "true" : "false";
            else if constexpr (std::is_same_v<V, std::uint64_t>)
                return std::to_string(defaults.*p);
            else
                return "[]";
        },
        m);
}

std::string_view type_text(member const& m)
{
    constexpr std::array<std::string_view, 4> names{"text", "number", "list of text", "true or false"};
    return names.at(m.index());
}

/// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t const up = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = up;
        }
    }
    return row[b.size()];
}

std::string nearest(std::string_view name)
{
    std::string best;
    std::size_t least = name.size() / 2 + 2;
    for (auto const& k : config_keys()) {
        auto const d = distance(name, k.name);
        if (d < least) {
            least = d;
            best = k.name;
        }
    }
    return best;
}

/// Walks the file's tables and puts every value where it belongs.
class reader {
public:
    explicit reader(std::string_view file) : file_(file) {}

    result<config> read(toml::table const& root)
    {
        auto const walked = table(root, "");
        if (!walked) return fail(walked);
        return std::move(into_);
    }

private:
    std::unexpected<fault> wrong(toml::source_region const& at, std::string_view sentence) const
    {
        return fail(fault::kind::refused, fmt::format("{}:{}: {}", file_, at.begin.line, sentence));
    }

    result<void> table(toml::table const& t, std::string const& prefix)
    {
        // The file nests at most two levels, so this recursion is bounded: deeper tables are unknown keys.
        for (auto const& [key, node] : t) {
            auto const name = prefix + std::string{key.str()};
            auto const* below = node.as_table();
            auto const done = below != nullptr && prefix.empty() ? table(*below, name + ".") : value(name, node);
            if (!done) return done;
        }
        return {};
    }

    result<void> value(std::string const& name, toml::node const& node)
    {
        if (name.starts_with("limits.")) return limit(name, node);
        for (auto const& k : known_keys())
            if (k.name == name) return std::visit([&](auto m) { return put(k, m, node); }, k.where);
        auto const near = nearest(name);
        return wrong(node.source(), fmt::format("there is no key '{}'{}", base::printable(name),
                                                near.empty() ? "; see mansio config explain" : fmt::format("; did you mean '{}'?", near)));
    }

    result<void> limit(std::string const& name, toml::node const& node)
    {
        for (auto const& e : base::limit_table()) {
            if (name.substr(7) != e.name) continue;
            auto const v = node.value<std::int64_t>();
            if (!node.is_integer() || *v < 1) return wrong(node.source(), fmt::format("'{}' wants a whole number of {}, 1 or more", name, e.unit));
            into_.limits.*e.value = static_cast<std::uint64_t>(*v);
            return {};
        }
        auto const near = nearest(name);
        return wrong(node.source(), fmt::format("there is no limit '{}'{}", base::printable(name),
                                                near.empty() ? "; see mansio config explain" : fmt::format("; did you mean '{}'?", near)));
    }

    result<void> put(known_key const& k, text_member m, toml::node const& node)
    {
        if (!node.is_string()) return wrong(node.source(), fmt::format("'{}' wants text in quotes", k.name));
        into_.*m = *node.value<std::string>();
        if (!k.choices.empty() && fmt::format("|{}|", k.choices).find(fmt::format("|{}|", into_.*m)) == std::string::npos)
            return wrong(node.source(), fmt::format("'{}' is one of {}, not '{}'", k.name, k.choices, base::printable(into_.*m)));
        return {};
    }
    result<void> put(known_key const& k, number_member m, toml::node const& node)
    {
        auto const v = node.value<std::int64_t>();
        if (!node.is_integer() || *v < 0) return wrong(node.source(), fmt::format("'{}' wants a whole number, 0 or more", k.name));
        into_.*m = static_cast<std::uint64_t>(*v);
        return {};
    }
    result<void> put(known_key const& k, flag_member m, toml::node const& node)
    {
        if (!node.is_boolean()) return wrong(node.source(), fmt::format("'{}' wants true or false", k.name));
        into_.*m = *node.value<bool>();
        return {};
    }
    result<void> put(known_key const& k, list_member m, toml::node const& node)
    {
        (into_.*m).clear();
        auto const* list = node.as_array();
        if (list == nullptr) return wrong(node.source(), fmt::format("'{}' wants a list: [\"…\"]", k.name));
        for (auto const& e : *list) {
            if (!e.is_string()) return wrong(e.source(), fmt::format("'{}' wants a list of text in quotes", k.name));
            (into_.*m).push_back(*e.value<std::string>());
        }
        return {};
    }

    std::string file_;
    config into_;
};

void check_readable(std::vector<std::string>& problems, std::string_view key, std::string const& path)
{
    if (path.empty() || access(path.c_str(), R_OK) == 0) return;
    problems.push_back(fmt::format("{}: cannot read {}: {}. Give the right path, or let the user Mansio runs as read it.", key, path, std::strerror(errno)));
}

struct face {
    std::string_view key;
    list_member where;
    bool tls;           ///< needs a certificate, listens anywhere
    bool open = false;  ///< in clear text, and anywhere all the same
};
constexpr std::array<face, 11> faces{face{"listen.mx", &config::listen_mx, true},
                                     face{"listen.submission", &config::listen_submission, true},
                                     face{"listen.submissions", &config::listen_submissions, true},
                                     face{"listen.imap", &config::listen_imap, true},
                                     face{"listen.imaps", &config::listen_imaps, true},
                                     face{"listen.pop3", &config::listen_pop3, true},
                                     face{"listen.pop3s", &config::listen_pop3s, true},
                                     face{"listen.lmtp", &config::listen_lmtp, false},
                                     face{"listen.metrics", &config::listen_metrics, false},
                                     face{"listen.http", &config::listen_http, false, true},
                                     face{"listen.https", &config::listen_https, true}};

void check_faces(std::vector<std::string>& problems, config const& c)
{
    bool any = false, tls = false;
    for (auto const& f : faces) {
        for (auto const& at : c.*f.where) {
            any = true;
            tls = tls || f.tls;
            bool const unix_socket = at.starts_with("unix:/");
            auto const parsed = net::endpoint::parse(at);
            if (unix_socket ? f.tls || f.open : !parsed)
                problems.push_back(
                    fmt::format("{}: '{}' is no address with a port; write \"192.0.2.1:25\" or \"[2001:db8::1]:25\".", f.key, base::printable(at)));
            if (!f.tls && !f.open && parsed && !parsed->address.is_loopback())
                problems.push_back(
                    fmt::format("{}: '{}' is not a loopback address, and this face trusts who connects; use 127.0.0.1 or [::1].", f.key, base::printable(at)));
        }
    }
    if (!any) problems.emplace_back("listen: no face listens anywhere; give at least one, for instance listen.imaps = [\"0.0.0.0:993\"].");
    if (tls && c.acme_directory.empty() && (c.tls_certificate.empty() || c.tls_key.empty()))
        problems.emplace_back("tls: people's programs sign in over TLS only; give tls.certificate and tls.key, or acme.directory.");
}

bool is_host_name(std::string_view name)
{
    auto const good = [](char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.'; };
    return name.size() <= 253 && name.contains('.') && name.front() != '.' && name.back() != '.' && !name.contains("..") && std::ranges::all_of(name, good);
}

void check_web(std::vector<std::string>& problems, config const& c)
{
    check_readable(problems, "acme.ca_file", c.acme_ca_file);
    check_readable(problems, "acme.external_key_file", c.acme_external_key_file);
    if (c.acme_external_id.empty() != c.acme_external_key_file.empty())
        problems.emplace_back("acme: give acme.external_id and acme.external_key_file together, or neither.");
    if (!c.acme_directory.empty()) {
        if (!c.acme_directory.starts_with("https://")) problems.emplace_back("acme.directory: an authority is asked over https; give its whole URL.");
        if (!c.tls_certificate.empty() || !c.tls_key.empty())
            problems.emplace_back(
                "acme.directory: there is tls.certificate or tls.key too; keep one or the other, so that it is clear which certificate is shown.");
        if (c.acme_challenge == "http-01" && c.listen_http.empty())
            problems.emplace_back("acme.challenge: http-01 is proven on port 80; give listen.http = [\"0.0.0.0:80\", \"[::]:80\"].");
        if (c.acme_challenge == "tls-alpn-01" && c.listen_https.empty())
            problems.emplace_back("acme.challenge: tls-alpn-01 is proven on port 443; give listen.https = [\"0.0.0.0:443\", \"[::]:443\"].");
    }
    if (c.acme_names.size() > 100) problems.emplace_back("acme.names: an authority puts at most 100 names into a certificate.");
    for (auto const& n : c.acme_names)
        if (!is_host_name(n)) problems.push_back(fmt::format("acme.names: '{}' is no full host name in lower case.", base::printable(n)));
    for (auto const& a : c.acme_contacts)
        if (!a.starts_with("mailto:")) problems.push_back(fmt::format("acme.contacts: '{}' does not begin with mailto:.", base::printable(a)));
    for (auto const& n : c.mta_sts_mx)
        if (!is_host_name(n.starts_with("*.") ? std::string_view{n}.substr(2) : std::string_view{n}))
            problems.push_back(fmt::format("mta_sts.mx: '{}' is no host name in lower case.", base::printable(n)));
    if (c.mta_sts_max_age > 31'557'600) problems.emplace_back("mta_sts.max_age: at most 31557600 seconds, a year (RFC 8461).");
    if (c.mta_sts_mode != "off" && c.listen_https.empty()) problems.emplace_back("mta_sts.mode: a policy is served on port 443; give listen.https.");
}
}  // namespace

std::vector<config_key> const& config_keys()
{
    static std::vector<config_key> const keys = [] {
        std::vector<config_key> all;
        for (auto const& k : known_keys()) all.push_back({k.name, type_text(k.where), default_text(k.where), k.text, k.live});
        static std::vector<std::string> names;
        names.reserve(base::limit_table().size());
        for (auto const& e : base::limit_table()) {
            names.push_back(fmt::format("limits.{}", e.name));
            all.push_back({names.back(), "number", std::to_string(e.default_value), e.text, false});
        }
        return all;
    }();
    return keys;
}

result<config> parse_config(std::string_view toml_text, std::string_view file_name)
{
    try {
        auto const root = toml::parse(toml_text, file_name);
        return reader{file_name}.read(root);
    } catch (toml::parse_error const& e) {
        return fail(fault::kind::refused, fmt::format("{}:{}: {}", file_name, e.source().begin.line, e.description()));
    }
}

result<config> load_config(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in)
        return fail(fault::kind::refused, fmt::format("cannot read the configuration {}: {}. Give its place with --config FILE.", path, std::strerror(errno)));
    std::string const text{std::istreambuf_iterator<char>{in}, {}};
    auto parsed = parse_config(text, path);
    if (!parsed) return parsed;
    if (parsed->hostname.empty()) {
        std::array<char, 256> name{};
        gethostname(name.data(), name.size() - 1);
        parsed->hostname = name.data();
    }
    return parsed;
}

namespace {
void check_networks(std::vector<std::string>& problems, std::string_view key, std::vector<std::string> const& networks)
{
    for (auto const& n : networks)
        if (!net::cidr::parse(n)) problems.push_back(fmt::format("{}: '{}' is no network; write \"10.20.0.0/16\".", key, base::printable(n)));
}
}  // namespace

std::vector<std::string> check_config(config const& c)
{
    std::vector<std::string> problems;
    check_faces(problems, c);
    check_web(problems, c);
    check_readable(problems, "tls.certificate", c.tls_certificate);
    check_readable(problems, "tls.key", c.tls_key);
    check_readable(problems, "relay.ca_file", c.relay_ca_file);
    if (c.dns_trust_anchor_file != "none") check_readable(problems, "dns.trust_anchor_file", c.dns_trust_anchor_file);
    check_networks(problems, "egress.allow", c.egress_allow);
    check_networks(problems, "listen.proxy_from", c.proxy_from);
    check_networks(problems, "smtp.xclient_from", c.smtp_xclient_from);
    check_networks(problems, "smtp.priority_from", c.smtp_priority_from);
    for (auto const& e : c.smtp_off)
        if (smtp::find_switch(e) == nullptr)
            problems.push_back(fmt::format("smtp.off: there is no SMTP extension '{}' with a switch; docs/smtp.md lists them.", base::printable(e)));
    for (auto const& e : c.imap_off)
        if (!imap::find_extension(e))
            problems.push_back(fmt::format("imap.off: there is no IMAP extension '{}'; docs/imap.md lists them.", base::printable(e)));
    if (auto const entries = imap::parse_server_entries(c.imap_metadata); !entries) problems.push_back(fmt::format("imap.metadata: {}.", entries.error().say));
    for (auto const& a : c.dns_forwarders)
        if (!net::endpoint::parse(a))
            problems.push_back(fmt::format("dns.forwarders: '{}' is no address with a port; write \"192.0.2.53:53\".", base::printable(a)));
    if (c.relay_port == 0 || c.relay_port > 65535) problems.emplace_back("relay.port: a port is a number from 1 to 65535.");
    if (c.data.empty() || c.data.front() != '/') problems.push_back(fmt::format("data: '{}' is no absolute path.", base::printable(c.data)));
    if (auto const keep = auth::pop3_keep::parse(c.pop3_keep); !keep) problems.push_back(fmt::format("pop3.keep: {}.", keep.error().say));
    if (c.pop3_login_delay > auth::most_login_delay) problems.push_back(fmt::format("pop3.login_delay: at most {} seconds.", auth::most_login_delay));
    if (c.shards > 1024) problems.emplace_back("shards: more than 1024 threads; use 0 for one each core.");
    return problems;
}

std::string configuration_page()
{
    std::string out = "# Configuration\n\nGenerated by `mansio config explain --page`; the table lives in `src/app/config.cpp` and `src/base/limits.def`.\n"
                      "One TOML file, by default `/etc/mansio/mansio.toml`, holds what belongs to the machine. People, domains and keys live in the store.\n"
                      "Unknown keys are errors. Keys marked live are applied by `mansio reload` or SIGHUP; the others need a restart.\n\n"
                      "| key | type | default | live | what it does |\n|---|---|---|---|---|\n";
    for (auto const& k : config_keys()) out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", k.name, k.type, k.default_text, k.live ? "yes" : "", k.text);
    return out;
}

base::log_level log_level_of(config const& c)
{
    if (c.log_level == "debug") return base::log_level::debug;
    if (c.log_level == "warning") return base::log_level::warning;
    return c.log_level == "error" ? base::log_level::error : base::log_level::info;
}
base::log_format log_format_of(config const& c) { return c.log_format == "json" ? base::log_format::json : base::log_format::human; }

}  // namespace mansio::app
