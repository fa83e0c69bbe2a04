// The admin API: what an operator may ask, as calls with JSON in and out, over the admin socket (later HTTPS too).
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "auth/directory.hpp"
#include "auth/domain_keys.hpp"
#include "auth/pop3_policies.hpp"
#include "auth/sign_in.hpp"
#include "base/log.hpp"
#include "http/server.hpp"
#include "net/dns.hpp"
#include "queue/queue.hpp"
#include "store/account.hpp"

namespace mansio::admin {

/// Parts an operator works with; they outlive the service.
struct services {
    auth::directory& directory;
    auth::sign_in& sign_in;
    store::accounts& accounts;
    queue::mail_queue& queue;
    auth::pop3_policies& pop3;
    auth::domain_keys& keys;
    net::resolver& dns;
    base::worker_pool& pool;                   ///< makes keys
    base::clock& clock;
    base::log& log;
    std::function<result<void>()> reload;      ///< applies what can change live
    std::function<std::string()> status;       ///< JSON object text: version, uptime, health
    std::string hostname;                      ///< ours, as an MX record names it
    std::vector<std::string> imap_extensions;  ///< that can be switched off, as CAPABILITY has them
};

/// Adds `POST /v1/<noun>/<verb>` for every call of the table in service.cpp to a server whose socket only operators can open
/// (mode 0600: the file system is the check). Answers 200 with a JSON object, or 4xx/5xx with {"error": "one sentence"}.
/// Threads: calls run on the shard that has the connection.
class service {
public:
    service(services s, http::server& on);
    ~service();
    /// Makes an account whole: directory row, mailboxes, then the intent goes. Used by the demo too.
    [[nodiscard]] static task<result<auth::account>> make_account(services const& s, std::string address, std::string display_name, std::uint64_t quota_octets,
                                                                  bool administrator, std::optional<bool> folders = {});
    /// Finishes accounts whose making a crash cut short. Run at start.
    [[nodiscard]] static task<result<void>> recover(services const& s);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::admin
