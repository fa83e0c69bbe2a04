#include "net/fetch_url.hpp"

#include <charconv>

#include "base/bytes.hpp"
#include "net/dns_wire.hpp"

namespace mansio::net {
namespace {

/// Empty: the URL has no such part.
std::string part(CURLU* u, CURLUPart which, unsigned flags = 0)
{
    char* text = nullptr;
    if (curl_url_get(u, which, &text, flags) != CURLUE_OK) return {};
    std::string const copy{text};
    curl_free(text);
    return copy;
}

std::unexpected<fault> refuse(std::string const& text, std::string_view why)
{
    return fail(fault::kind::refused, "the URL cannot be used", std::string{why} + ": " + base::printable(text));
}

}  // namespace

result<fetch_url> parse_fetch_url(std::string const& text, bool cleartext)
{
    if (text.contains('\0')) return refuse(text, "NUL");
    fetch_url u;
    u.handle.reset(curl_url());
    MANSIO_ASSERT(u.handle);
    auto* const h = u.handle.get();
    auto const parsed = curl_url_set(h, CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
    if (parsed != CURLUE_OK) return refuse(text, curl_url_strerror(parsed));
    auto const scheme = part(h, CURLUPART_SCHEME);
    u.https = scheme == "https";
    if (!u.https && scheme != "http") return refuse(text, "neither https nor http");
    if (!u.https && !cleartext) return refuse(text, "https is asked for");
    if (!part(h, CURLUPART_ZONEID).empty()) return refuse(text, "an address with a zone");
    curl_url_set(h, CURLUPART_FRAGMENT, nullptr, 0);

    auto host = part(h, CURLUPART_HOST);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    u.address = ip_address::parse(host);
    if (u.address) {
        u.host = u.address->text();
    } else {
        auto const name = askable_name(host);
        if (!name || name->empty()) return refuse(text, "no host name");
        u.host = *name;
        if (curl_url_set(h, CURLUPART_HOST, u.host.c_str(), 0) != CURLUE_OK) return refuse(text, "no host name");
    }
    auto const port = part(h, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (std::from_chars(port.data(), port.data() + port.size(), u.port).ec != std::errc{} || u.port == 0) return refuse(text, "no port");
    u.text = part(h, CURLUPART_URL);
    return u;
}

}  // namespace mansio::net
