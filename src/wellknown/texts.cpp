#include "wellknown/texts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "wellknown/xml.hpp"

namespace mansio::wellknown {
namespace {
using protocol = access::protocol;

std::string_view name_of(protocol p) { return p == protocol::imap ? "imap" : p == protocol::pop3 ? "pop3" : "smtp"; }

bool is_host_octet(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

/// The same for the same text, so that installing a profile again replaces it (RFC 9562 §5.8: version 8, made our own way).
std::string uuid_of(std::string_view seed)
{
    auto digest = base::sha256(seed);
    digest[6] = static_cast<unsigned char>((digest[6] & 0x0FU) | 0x80U);
    digest[8] = static_cast<unsigned char>((digest[8] & 0x3FU) | 0x80U);
    auto const hex = base::to_upper_ascii(base::to_hex({reinterpret_cast<char const*>(digest.data()), 16}));
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

/// Pairs of a property list.
class plist {
public:
    explicit plist(xml_writer& x) : x_(x) {}
    plist& text(std::string_view key, std::string_view value)
    {
        x_.leaf("key", key).leaf("string", value);
        return *this;
    }
    plist& number(std::string_view key, unsigned value)
    {
        x_.leaf("key", key).leaf("integer", std::to_string(value));
        return *this;
    }
    plist& flag(std::string_view key, bool value)
    {
        x_.leaf("key", key).empty(value ? "true" : "false");
        return *this;
    }

private:
    xml_writer& x_;
};
}  // namespace

std::vector<access> ways_in(settings const& s)
{
    std::vector<access> const all{{protocol::imap, s.imaps, true}, {protocol::imap, s.imap, false},       {protocol::pop3, s.pop3s, true},
                                  {protocol::pop3, s.pop3, false}, {protocol::smtp, s.submissions, true}, {protocol::smtp, s.submission, false}};
    std::vector<access> some;
    std::ranges::copy_if(all, std::back_inserter(some), [](access const& a) { return a.port != 0; });
    return some;
}

std::string mta_sts_policy(settings const& s)
{
    std::string out = fmt::format("version: STSv1\r\nmode: {}\r\n", s.mta_sts_mode);
    for (auto const& mx : s.mta_sts_mx) out += fmt::format("mx: {}\r\n", mx);
    return out + fmt::format("max_age: {}\r\n", s.mta_sts_max_age);
}

std::string autoconfig(settings const& s, std::string_view domain)
{
    xml_writer x;
    x.open("clientConfig", {{"version", "1.1"}}).open("emailProvider", {{"id", domain}});
    x.leaf("domain", domain).leaf("displayName", domain).leaf("displayShortName", domain);
    for (auto const& a : ways_in(s)) {
        auto const server = a.what == protocol::smtp ? "outgoingServer" : "incomingServer";
        x.open(server, {{"type", name_of(a.what)}}).leaf("hostname", s.hostname).leaf("port", std::to_string(a.port));
        x.leaf("socketType", a.implicit_tls ? "SSL" : "STARTTLS").leaf("username", "%EMAILADDRESS%");
        x.leaf("authentication", "password-cleartext").close();  // an app password, inside TLS
    }
    x.close().close();
    return x.take();
}

namespace {
constexpr std::string_view response_schema = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
constexpr std::string_view outlook_schema = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
}  // namespace

std::string autodiscover(settings const& s, std::string_view address)
{
    xml_writer x;
    x.open("Autodiscover", {{"xmlns", response_schema}}).open("Response", {{"xmlns", outlook_schema}});
    x.open("User").leaf("DisplayName", address).close();
    x.open("Account").leaf("AccountType", "email").leaf("Action", "settings");
    for (auto const& a : ways_in(s)) {
        x.open("Protocol").leaf("Type", base::to_upper_ascii(name_of(a.what))).leaf("Server", s.hostname).leaf("Port", std::to_string(a.port));
        x.leaf("LoginName", address).leaf("DomainRequired", "off").leaf("SPA", "off");
        x.leaf("SSL", "on").leaf("Encryption", a.implicit_tls ? "SSL" : "TLS").leaf("AuthRequired", "on");
        if (a.what == protocol::smtp) x.leaf("UsePOPAuth", "off").leaf("SMTPLast", "off");
        x.close();
    }
    x.close().close().close();
    return x.take();
}

std::string autodiscover_failure()
{
    xml_writer x;
    x.open("Autodiscover", {{"xmlns", response_schema}}).open("Response");
    x.open("Error", {{"Time", "00:00:00.0000000"}, {"Id", "0"}}).leaf("ErrorCode", "600").leaf("Message", "Invalid Request").empty("DebugData").close();
    x.close().close();
    return x.take();
}

std::string apple_profile(settings const& s, std::string_view address)
{
    auto const ways = ways_in(s);
    auto const incoming = std::ranges::find_if(ways, [](access const& a) { return a.what != protocol::smtp; });
    auto const outgoing = std::ranges::find(ways, protocol::smtp, &access::what);
    xml_writer x;
    x.line(R"(<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">)");
    plist p{x};
    x.open("plist", {{"version", "1.0"}}).open("dict").leaf("key", "PayloadContent").open("array").open("dict");
    p.text("EmailAccountDescription", address).text("EmailAddress", address);
    if (incoming != ways.end()) {
        p.text("EmailAccountType", incoming->what == protocol::imap ? "EmailTypeIMAP" : "EmailTypePOP")
            .text("IncomingMailServerAuthentication", "EmailAuthPassword");
        p.text("IncomingMailServerHostName", s.hostname).number("IncomingMailServerPortNumber", incoming->port).flag("IncomingMailServerUseSSL", true);
        p.text("IncomingMailServerUsername", address);
    }
    if (outgoing != ways.end()) {
        p.text("OutgoingMailServerAuthentication", "EmailAuthPassword").text("OutgoingMailServerHostName", s.hostname);
        p.number("OutgoingMailServerPortNumber", outgoing->port).flag("OutgoingMailServerUseSSL", true).text("OutgoingMailServerUsername", address);
        p.flag("OutgoingPasswordSameAsIncomingPassword", true);
    }
    auto const id = fmt::format("{}.mail.{}", s.hostname, base::to_hex(base::to_lower_ascii(address)).substr(0, 32));
    p.text("PayloadDisplayName", address).text("PayloadIdentifier", id + ".account").text("PayloadType", "com.apple.mail.managed");
    p.text("PayloadUUID", uuid_of("account " + id)).number("PayloadVersion", 1);
    x.close().close();
    p.text("PayloadDisplayName", fmt::format("Mail for {}", address)).text("PayloadIdentifier", id).text("PayloadType", "Configuration");
    p.text("PayloadUUID", uuid_of("profile " + id)).number("PayloadVersion", 1);
    x.close().close();
    return x.take();
}

std::optional<typed_address> parse_typed_address(std::string_view text)
{
    constexpr std::size_t longest = 254;  // RFC 5321 §4.5.3.1.3, without the brackets
    auto const at = text.rfind('@');
    if (text.size() > longest || at == std::string_view::npos || at == 0 || at + 1 == text.size() || text.find('@') != at || !base::is_utf8(text))
        return std::nullopt;
    auto const wrong = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || std::string_view{"<>&\"'\\(),:;[]"}.contains(c); };
    auto domain = base::to_lower_ascii(text.substr(at + 1));
    if (std::ranges::any_of(text, wrong) || !std::ranges::all_of(domain, is_host_octet)) return std::nullopt;
    return typed_address{std::string{text.substr(0, at + 1)} + domain, domain};
}

std::optional<typed_address> address_in_request(std::string_view xml)
{
    constexpr std::string_view begin = "<EMailAddress>", end = "</EMailAddress>";
    auto const from = xml.find(begin);
    if (from == std::string_view::npos) return std::nullopt;
    auto const rest = xml.substr(from + begin.size());
    auto const to = rest.find(end);
    if (to == std::string_view::npos) return std::nullopt;
    return parse_typed_address(base::trim_blanks(rest.substr(0, to)));
}

std::optional<std::string> query_value(std::string_view query, std::string_view name)
{
    while (!query.empty()) {
        auto const pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        auto const equals = pair.find('=');
        if (equals == std::string_view::npos || !base::equal_ignoring_case(pair.substr(0, equals), name)) continue;
        std::string out;
        auto const value = pair.substr(equals + 1);
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (value[i] != '%') {
                out += value[i];
                continue;
            }
            auto const octet = base::from_hex(value.substr(i + 1, 2));
            if (i + 2 >= value.size() || !octet) return std::nullopt;
            out += *octet;
            i += 2;
        }
        return out;
    }
    return std::nullopt;
}

std::string host_name(std::string_view field)
{
    auto name = base::to_lower_ascii(field.substr(0, field.find(':')));
    if (name.ends_with('.')) name.pop_back();
    return std::ranges::all_of(name, is_host_octet) ? name : std::string{};
}

}  // namespace mansio::wellknown
