// Final local delivery: which mailbox, quota, the recipient's own header fields, the commit.
#pragma once
#include <memory>
#include <string>

#include "auth/directory.hpp"
#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "mime/message.hpp"
#include "store/account.hpp"

namespace mansio::deliver {

/// One message for one account.
struct delivery {
    store::delivery_id id;                    ///< repeated: nothing happens the second time
    store::account_number account = 0;
    std::string address;                      ///< Delivered-To
    std::string detail;                       ///< "+detail": a mailbox of that name (letter case ignored) takes it if it exists, else INBOX
    std::string sender;                       ///< Return-Path; empty: <>
    std::string trace;                        ///< Received and other fields common to all recipients, CRLF at the end
    std::shared_ptr<store::staged_blob const> blob;  ///< staged, or null with
    std::optional<store::blob_id> stored;     ///< committed before (for another recipient, or with the queue's envelope)
    std::shared_ptr<mime::summary const> summary;  ///< of the blob's octets
    bool fresh = false;                       ///< submitted by a person of ours just now: fields that say it was here before are no loop
};

/// Named steps, run in order: place (mailbox), prefix (Return-Path, Delivered-To, trace), loop (our own Delivered-To seen: 5.4.6), commit (quota inside).
/// Errors: over_limit (quota: 452 4.2.2), not_found (account gone: 550 5.1.1), refused (loop; detail "5.4.6"), try_later, broken.
/// Threads: any executor, answers there.
class local_delivery {
public:
    struct options {
        bool detail_mailboxes = true;         ///< false: "+detail" goes to INBOX like the rest
    };
    local_delivery(store::accounts& a, base::log& log, base::metrics& m);
    local_delivery(store::accounts& a, base::log& log, base::metrics& m, options o);
    ~local_delivery();
    [[nodiscard]] task<result<void>> deliver(delivery d);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::deliver
