#include "wellknown/service.hpp"

#include <fmt/format.h>

#include "wellknown/texts.hpp"

namespace mansio::wellknown {
namespace {

http::response plain(unsigned status, std::string text)
{
    http::response r;
    r.status = status;
    r.body = std::move(text) + "\n";
    return r;
}
http::response not_here() { return plain(404, "no such resource"); }

http::response document(std::string type, std::string body)
{
    http::response r;
    r.content_type = std::move(type);
    r.body = std::move(body);
    return r;
}

constexpr char const* xml_type = "application/xml; charset=utf-8";

/// The domain behind "mta-sts.example.org"; empty: another name.
std::string behind(http::request const& r, std::string_view label)
{
    auto const host = host_name(r.field("Host").value_or(""));
    return host.starts_with(label) ? host.substr(label.size()) : std::string{};
}

constexpr std::string_view json_place = "/autodiscover/autodiscover.json/v1.0/";
}  // namespace

service::service(settings s, is_ours ours, http::server& on) : settings_(std::move(s)), ours_(std::move(ours))
{
    if (settings_.mta_sts_mode != "off") on.route("GET", "/.well-known/mta-sts.txt", [this](http::request r) { return mta_sts(std::move(r)); });
    if (ways_in(settings_).empty()) return;
    for (auto const* path : {"/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"})
        on.route("GET", path, [this](http::request r) { return thunderbird(std::move(r)); });
    for (auto const* path : {"/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"})
        on.route("POST", path, [this](http::request r) { return outlook(std::move(r)); });
    on.route("GET", std::string{json_place}, [this](http::request r) { return outlook_json(std::move(r)); });
    on.route("GET", "/mail.mobileconfig", [this](http::request r) { return apple(std::move(r)); });
}
service::~service() = default;

task<http::response> service::mta_sts(http::request r) const
{
    auto const domain = behind(r, "mta-sts.");
    if (domain.empty()) co_return not_here();
    auto const ours = co_await ours_(domain);
    if (!ours) co_return plain(503, "try again later");
    co_return *ours ? document("text/plain", mta_sts_policy(settings_)) : not_here();
}

task<http::response> service::thunderbird(http::request r) const
{
    // "autoconfig.example.org", or example.org itself; else the domain of the address that Thunderbird names.
    auto domain = behind(r, "autoconfig.");
    if (domain.empty()) domain = behind(r, "");
    auto ours = co_await ours_(domain);
    if (ours && !*ours) {
        auto const named = parse_typed_address(query_value(r.query, "emailaddress").value_or(""));
        if (!named) co_return not_here();
        domain = named->domain;
        ours = co_await ours_(domain);
    }
    if (!ours) co_return plain(503, "try again later");
    co_return *ours ? document(xml_type, autoconfig(settings_, domain)) : not_here();
}

task<http::response> service::outlook(http::request r) const
{
    auto const asked = address_in_request(r.body);
    if (!asked) co_return document(xml_type, autodiscover_failure());
    auto const ours = co_await ours_(asked->domain);
    if (!ours) co_return plain(503, "try again later");
    co_return document(xml_type, *ours ? autodiscover(settings_, asked->whole) : autodiscover_failure());
}

task<http::response> service::outlook_json(http::request r) const
{
    auto const typed = query_value("a=" + r.path.substr(json_place.size()), "a");
    auto const asked = parse_typed_address(typed.value_or(""));
    auto const wanted = query_value(r.query, "Protocol").value_or("");
    if (!asked || wanted != "AutodiscoverV1")
        co_return document("application/json", R"({"ErrorCode":"ProtocolNotSupported","ErrorMessage":"Only AutodiscoverV1 is here."})");
    auto const ours = co_await ours_(asked->domain);
    if (!ours) co_return plain(503, "try again later");
    if (!*ours) co_return not_here();
    // Our own name: what the certificate is for. Nothing of the request is in it.
    co_return document("application/json",
                       fmt::format(R"({{"Protocol":"AutodiscoverV1","Url":"https://{}/autodiscover/autodiscover.xml"}})", settings_.hostname));
}

task<http::response> service::apple(http::request r) const
{
    auto const asked = parse_typed_address(query_value(r.query, "email").value_or(""));
    if (!asked) co_return plain(400, "give the address: /mail.mobileconfig?email=name@example.org");
    auto const ours = co_await ours_(asked->domain);
    if (!ours) co_return plain(503, "try again later");
    if (!*ours) co_return not_here();
    auto made = document("application/x-apple-aspen-config", apple_profile(settings_, asked->whole));
    made.fields.emplace_back("Content-Disposition", "attachment; filename=\"mail.mobileconfig\"");
    co_return made;
}

}  // namespace mansio::wellknown
