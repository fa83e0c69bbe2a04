// Joins acceptance, which knows neither delivery nor the queue's inside, to both.
#pragma once
#include "accept/pipeline.hpp"
#include "deliver/deliver.hpp"
#include "queue/queue.hpp"
#include "store/account.hpp"

namespace mansio::smtp {

/// accept::mailboxes over deliver::local_delivery. What it is given outlives it.
class local_mailboxes final : public accept::mailboxes {
public:
    local_mailboxes(deliver::local_delivery& d, store::accounts& a) : delivery_(d), accounts_(a) {}
    task<result<void>> commit(accept::local_message m) override;
    task<result<store::quota>> quota(store::account_number n) override;

private:
    deliver::local_delivery& delivery_;
    store::accounts& accounts_;
};

/// accept::envelopes over queue::mail_queue.
class queued_envelopes final : public accept::envelopes {
public:
    explicit queued_envelopes(queue::mail_queue& q) : queue_(q) {}
    task<result<queue::queue_id>> enqueue(queue::submission s) override;

private:
    queue::mail_queue& queue_;
};

}  // namespace mansio::smtp
