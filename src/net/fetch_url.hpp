// URLs of outgoing requests, by libcurl's own parser: what is checked is what is asked. Internal to this folder.
#pragma once
#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "net/address.hpp"

namespace mansio::net {

struct curl_url_free {
    void operator()(CURLU* u) const noexcept { curl_url_cleanup(u); }
};

/// A URL we are willing to ask: https (or http), a host name or address, no user.
struct fetch_url {
    std::unique_ptr<CURLU, curl_url_free> handle;
    std::string text;
    bool https = true;
    std::string host;                   ///< lower case, no final dot; of an address its text
    std::optional<ip_address> address;  ///< when the host is one, however it was written
    std::uint16_t port = 443;
    /// Same scheme, host and port: what a request's own header fields may be shown to.
    [[nodiscard]] bool same_origin(fetch_url const& o) const { return https == o.https && host == o.host && port == o.port; }
};

/// Errors: refused.
[[nodiscard]] result<fetch_url> parse_fetch_url(std::string const& text, bool cleartext);

}  // namespace mansio::net
