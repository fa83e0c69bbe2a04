// Joins parts that must not know each other (the include table): accept's interfaces over deliver and queue.
#pragma once
#include "accept/pipeline.hpp"
#include "auth/directory.hpp"
#include "deliver/deliver.hpp"
#include "queue/queue.hpp"

namespace mansio::app {

/// accept's way to accounts.
class pipeline_mailboxes final : public accept::mailboxes {
public:
    pipeline_mailboxes(deliver::local_delivery& d, store::accounts& a) : delivery_(d), accounts_(a) {}
    task<result<void>> commit(accept::local_message m) override;
    task<result<store::quota>> quota(store::account_number n) override;

private:
    deliver::local_delivery& delivery_;
    store::accounts& accounts_;
};

/// accept's way to the queue.
class pipeline_envelopes final : public accept::envelopes {
public:
    explicit pipeline_envelopes(queue::mail_queue& q) : queue_(q) {}
    task<result<queue::queue_id>> enqueue(queue::submission s) override { return queue_.enqueue(std::move(s)); }

private:
    queue::mail_queue& queue_;
};

/// Where mail to an address goes, as the queue wants it: local accounts, or the address itself. A free function so that the queue can be made first.
[[nodiscard]] task<result<std::vector<queue::recipient>>> route_address(auth::directory& people, std::string address);

}  // namespace mansio::app
