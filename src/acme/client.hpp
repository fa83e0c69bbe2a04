// One certificate, from account to chain: the client's side of RFC 8555.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/account_key.hpp"
#include "acme/certificate.hpp"
#include "acme/messages.hpp"
#include "base/executor.hpp"
#include "net/fetch.hpp"

namespace mansio::acme {

enum class proof : std::uint8_t {
    http_01,      ///< a file on port 80 (RFC 8555 §8.3)
    tls_alpn_01,  ///< a certificate on port 443 (RFC 8737)
};

/// Shows the authority that a name is ours. Called on the client's executor.
class responder {
public:
    virtual ~responder() = default;
    /// From now on whoever asks `name` for `token` finds `key_authorization`.
    virtual void show(proof how, std::string const& name, std::string const& token, std::string const& key_authorization) = 0;
    virtual void hide(proof how, std::string const& name, std::string const& token) = 0;
};

struct client_options {
    std::string directory;              ///< URL
    std::vector<std::string> contacts;  ///< "mailto:postmaster@example.org"
    proof how = proof::http_01;
    std::string external_id, external_key;  ///< external account binding (RFC 8555 §7.3.4): its name and HMAC key, octets; empty: none
    std::chrono::seconds longest{600};  ///< one order, from its first request to its chain
};

struct issued {
    std::string key_pem, chain_pem;
    validity valid;
};

/// Asks one authority. Lifetime: all that is handed in outlives it; stop() before its destruction, and the task ends.
/// Threads: one executor; one order at a time.
class client {
public:
    client(net::fetcher& fetch, account_key const& key, responder& r, client_options o);
    ~client();
    client(client const&) = delete;
    client& operator=(client const&) = delete;
    /// Orders one certificate of all these names. Errors: any; `say` is a sentence for the operator, try_later and timeout are worth another try.
    [[nodiscard]] task<result<issued>> order(std::vector<std::string> names);
    /// What the authority's last error asked to wait (Retry-After, RFC 8555 §6.6); zero: it said nothing.
    [[nodiscard]] std::chrono::seconds asked_to_wait() const noexcept;
    /// The order under way ends at its next step, with `closed`.
    void stop();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Retry-After (RFC 9110 §10.2.3): seconds or a date; nullopt: neither.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, base::wall_time now);

}  // namespace mansio::acme
