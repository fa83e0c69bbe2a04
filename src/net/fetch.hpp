// Outgoing HTTPS: policies, certificates, keys that others publish.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "net/address.hpp"
#include "net/dns.hpp"

namespace mansio::net {

/// One question over HTTP/1.1 and TLS 1.2 or newer. What it names may come from strangers; what limits it is ours.
struct fetch_request {
    std::string method = "GET";
    std::string url;                                              ///< host names as A-labels; no user and password in it
    std::vector<std::pair<std::string, std::string>> fields;      ///< further header fields; must hold no CR, LF or NUL (asserted)
    std::string body;                                             ///< sent by POST and PUT
    std::chrono::milliseconds total{60'000};                      ///< all connections and redirects together, after the name is known
    std::chrono::milliseconds connect{15'000};                    ///< one address: TCP and TLS handshake
    std::size_t most_header = 32U * 1024U;                        ///< octets of one response's header
    std::size_t most_body = 64U * 1024U;                          ///< octets; reading stops with the one after
    unsigned redirects = 0;                                       ///< followed by GET and HEAD only; the next one is the answer (a 3xx status)
    bool cleartext = false;                                       ///< http:// too. A redirect never leads from https to http.
};

struct fetch_response {
    unsigned status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;  ///< as sent: no content coding is asked for or undone
    std::string url;   ///< where it came from, after redirects
    /// First field of that name, case ignored.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
};

/// What `say` of a fault holds when no trusted certificate for the name was shown (TLSRPT tells it apart, RFC 8460 §4.3).
inline constexpr std::string_view certificate_not_trusted = "the server's certificate is not trusted";

/// Asks others' web servers. Lifetime: outlives its callers' tasks; stop() ends them soon. Threads: safe; answers on the awaiting executor, which it never blocks.
class fetcher {
public:
    virtual ~fetcher() = default;
    /// Any status is an answer. Errors: refused (the URL, an address the gate forbids, the certificate), not_found (no such host), timeout,
    /// over_limit (header, body, too many requests under way), try_later (DNS or connection failed, the answer was cut), syntax (no HTTP), closed (stopped).
    [[nodiscard]] virtual task<result<fetch_response>> fetch(fetch_request r) = 0;
    /// Requests under way and later ones are answered `closed`. Waits for no task: those end on their executors.
    virtual void stop() {}
};

struct fetch_options {
    std::string ca_file;  ///< PEM; empty: the system's. Read again for each connection.
    std::string user_agent = "mansio";
    std::size_t most_under_way = 64;  ///< further requests are over_limit
};

/// Over libcurl, on one thread of its own. Names are asked of `dns` and every address of the gate (trust.md R7); curl is told the address to dial and never
/// resolves, follows a redirect, uses a proxy or keeps a connection by itself. Lifetime: `dns`, `gate`, `log` and `m` outlive it.
[[nodiscard]] std::unique_ptr<fetcher> make_fetcher(resolver& dns, egress_gate const& gate, base::log& log, base::metrics& m, fetch_options o = {});

/// Answers by a script, for tests. Threads: safe.
class scripted_fetcher final : public fetcher {
public:
    using script = std::move_only_function<result<fetch_response>(fetch_request const&)>;
    scripted_fetcher();
    explicit scripted_fetcher(script s);
    ~scripted_fetcher() override;
    /// One URL's answer, before the script is asked. What nobody answers is not_found.
    void set(std::string url, result<fetch_response> answer);
    [[nodiscard]] std::vector<fetch_request> asked() const;
    task<result<fetch_response>> fetch(fetch_request r) override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace mansio::net
