// What acme needs of the machine: a place for its files, and the faces that answer its challenges.
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "acme/keeper.hpp"
#include "app/data_directory.hpp"
#include "http/server.hpp"
#include "net/tls.hpp"

namespace mansio::app {

/// keys/ of the data directory.
class key_files final : public acme::storage {
public:
    explicit key_files(data_directory d) : directory_(std::move(d)) {}
    [[nodiscard]] result<std::optional<std::string>> read(std::string const& name) override { return read_secret(directory_, name); }
    [[nodiscard]] result<void> write(std::string const& name, std::string_view octets) override { return write_secret(directory_, name, octets); }

private:
    data_directory directory_;
};

/// Proofs that names are ours: as files for the web in clear text, as certificates for the web over TLS. Threads: safe.
class challenge_answers final : public acme::responder {
public:
    /// Where tls-alpn-01 is answered; null: nowhere. Before anything is shown.
    void answer_on(net::tls_server_context* web) noexcept { web_ = web; }
    void show(acme::proof how, std::string const& name, std::string const& token, std::string const& key_authorization) override;
    void hide(acme::proof how, std::string const& name, std::string const& token) override;
    /// GET of a path below /.well-known/acme-challenge/ (RFC 8555 §8.3).
    [[nodiscard]] task<http::response> answer(http::request r) const;
    static constexpr std::string_view place = "/.well-known/acme-challenge/";

private:
    net::tls_server_context* web_ = nullptr;
    mutable std::mutex mutex_;
    std::map<std::string, std::string, std::less<>> files_;  // guarded; by token
};

}  // namespace mansio::app
