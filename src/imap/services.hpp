// What the IMAP server is handed.
#pragma once
#include <optional>
#include <string>

#include "auth/sign_in.hpp"
#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "imap/capability.hpp"
#include "imap/server_entries.hpp"
#include "net/tls.hpp"
#include "store/account.hpp"
#include "store/spool.hpp"

namespace mansio::imap {

struct options {
    bool cleartext_sign_in = false;  ///< the demo's --cleartext: a local peer may sign in without TLS
    std::string hostname = "localhost";
    std::string version;
    extension_set off = {};          ///< switched off for everybody (docs/imap.md)
    server_entries entries = {};     ///< what all see of this server by METADATA
};

/// Who a number is, and the other way round: for access control lists and other people's mailboxes. Threads: any; answers on the caller's executor.
class people {
public:
    struct person {
        store::account_number number = 0;
        std::string address;  ///< canonical
    };
    virtual ~people() = default;
    /// nullopt: that is no account's address. As much work for one that is as for one that is not (trust.md I8).
    [[nodiscard]] virtual task<result<std::optional<person>>> with_address(std::string address) = 0;
    [[nodiscard]] virtual task<result<std::optional<person>>> with_number(store::account_number n) = 0;
};

/// The parts the server stands on. All outlive it.
struct services {
    store::accounts& accounts;
    auth::sign_in& sign_in;
    store::spool& spool;
    net::tls_server_context* tls = nullptr;  ///< nullptr: no STARTTLS, no implicit TLS
    base::worker_pool* heavy = nullptr;      ///< parses messages over 1 MiB; nullptr: inline
    base::limits const& limits;
    base::clock& clock;
    base::random& random;
    base::log& log;
    base::metrics& metrics;
    imap::options options;
    imap::people* people = nullptr;          ///< nullptr: no access control lists, nobody sees another's mailboxes
};

}  // namespace mansio::imap
