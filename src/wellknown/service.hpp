// The routes of well-known documents.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "http/server.hpp"
#include "wellknown/settings.hpp"

namespace mansio::wellknown {

/// Whether mail for a domain (lower case) lives here.
using is_ours = std::function<task<result<bool>>(std::string domain)>;

/// Adds its routes to a web server, which it must outlive. Threads: as the server's.
class service {
public:
    service(settings s, is_ours ours, http::server& on);
    ~service();
    service(service const&) = delete;
    service& operator=(service const&) = delete;

    // Each answers one request; public for tests.
    [[nodiscard]] task<http::response> mta_sts(http::request r) const;
    [[nodiscard]] task<http::response> thunderbird(http::request r) const;
    [[nodiscard]] task<http::response> outlook(http::request r) const;
    [[nodiscard]] task<http::response> outlook_json(http::request r) const;
    [[nodiscard]] task<http::response> apple(http::request r) const;

private:
    settings settings_;
    is_ours ours_;
};

}  // namespace mansio::wellknown
