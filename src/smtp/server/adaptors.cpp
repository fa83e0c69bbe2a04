#include "smtp/server/adaptors.hpp"

namespace mansio::smtp {

task<result<void>> local_mailboxes::commit(accept::local_message m)
{
    deliver::delivery d;
    d.id = std::move(m.id);
    d.account = m.account;
    d.address = std::move(m.address);
    d.detail = std::move(m.detail);
    d.sender = std::move(m.sender);
    d.trace = std::move(m.trace);
    d.blob = std::move(m.blob);
    d.stored = m.stored;
    d.summary = std::move(m.summary);
    d.fresh = m.fresh;
    return delivery_.deliver(std::move(d));
}

task<result<store::quota>> local_mailboxes::quota(store::account_number n)
{
    auto const account = accounts_.open(n, store::principal::server("accept"));
    co_return co_await account.get_quota();
}

task<result<queue::queue_id>> queued_envelopes::enqueue(queue::submission s) { return queue_.enqueue(std::move(s)); }

}  // namespace mansio::smtp
