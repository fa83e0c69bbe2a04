// The server's side of imports and exports: conversations on the transfer socket (docs/formats/transfer.md).
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "net/shard.hpp"
#include "store/account.hpp"
#include "store/spool.hpp"

namespace mansio::transfer {

/// What a service works with; outlives it.
struct service_parts {
    store::accounts& accounts;
    store::spool& spool;
    base::worker_pool* heavy;            ///< for summaries of large messages; null: none
    base::limits const& limits;
    base::log& log;
    /// The account of an address. Errors: not_found with a sentence.
    std::function<task<result<store::account_number>>(std::string address)> find_account;
};

/// Speaks with `mansio import` and `mansio export`, as the server itself: who may open the socket (mode 0600) may do anything with mail.
/// Threads: serve() on the shard that has the connection; stop() from any.
class service {
public:
    explicit service(service_parts p);
    ~service();
    service(service const&) = delete;
    service& operator=(service const&) = delete;
    void serve(net::shard& here, net::accepted connection);
    /// Cuts what is open; returns when every conversation has ended.
    task<void> stop();

    struct impl;

private:
    std::unique_ptr<impl> impl_;
};

/// One conversation, to its end; for tests over a pair in memory.
[[nodiscard]] task<void> converse(service_parts parts, std::unique_ptr<net::stream> connection);

}  // namespace mansio::transfer
