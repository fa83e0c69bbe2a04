// Keeps one certificate fresh.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/client.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"

namespace mansio::acme {

/// Small secret files. Called on the keeper's executor and before it starts.
class storage {
public:
    virtual ~storage() = default;
    [[nodiscard]] virtual result<std::optional<std::string>> read(std::string const& name) = 0;  ///< nullopt: there is none
    /// Whole or not at all, and durable when it returns.
    [[nodiscard]] virtual result<void> write(std::string const& name, std::string_view octets) = 0;
};

/// Names inside the storage.
inline constexpr char const* account_file = "acme-account.pem";
inline constexpr char const* certificate_file = "certificate.pem";  ///< key and chain in one file, so that one rename changes both

struct keeper_parts {
    net::fetcher& fetch;
    storage& files;
    responder& answers;
    base::random& random;
    base::clock& clock;
    base::log& log;
    base::metrics& metrics;
};

/// Orders a certificate when there is none for these names, renews it at two thirds of its life (a little earlier by chance, so that not all servers
/// come at once), and after a failure waits: one minute, doubling to twelve hours, never less than the authority asked for. What was in force stays in
/// force until its successor has been checked and written. Lifetime: parts outlive it; stop() before its destruction.
/// Threads: prepare() anywhere before start(); start() and stop() on `home`.
class keeper {
public:
    /// `names`: lower case; the first is the main one. `changed`: called after the file was replaced; what it refuses is logged.
    keeper(keeper_parts p, std::vector<std::string> names, client_options o, std::move_only_function<result<void>()> changed);
    ~keeper();
    keeper(keeper const&) = delete;
    keeper& operator=(keeper const&) = delete;
    /// Makes what must be there before anything listens: the account's key, and a self-signed certificate where there is none. Errors: refused.
    [[nodiscard]] result<void> prepare();
    void start(base::executor& home);
    [[nodiscard]] task<void> stop();
    /// When the next order is due; for tests.
    [[nodiscard]] base::wall_time due() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::acme
