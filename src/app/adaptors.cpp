#include "app/adaptors.hpp"

namespace mansio::app {

task<result<void>> pipeline_mailboxes::commit(accept::local_message m)
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
    return delivery_.deliver(std::move(d));
}

task<result<store::quota>> pipeline_mailboxes::quota(store::account_number n)
{
    auto const ref = accounts_.open(n, store::principal::server("accept"));
    auto q = co_await ref.get_quota();
    co_return q;
}

task<result<std::vector<queue::recipient>>> route_address(auth::directory& people, std::string address)
{
    auto const parsed = mime::parse_mailbox(address, true);
    if (!parsed) co_return std::vector<queue::recipient>{};
    auto const found = co_await people.resolve(*parsed);
    if (!found) co_return fail(found);
    std::vector<queue::recipient> all;
    queue::recipient r;
    r.original = address;
    if (found->what == auth::resolution::kind::elsewhere) {
        r.address = std::move(address);
        all.push_back(std::move(r));
        co_return all;
    }
    for (auto const& to : found->recipients) {
        r.address = to.address;
        r.account = to.account;
        r.detail = to.detail;
        all.push_back(r);
    }
    co_return all;
}

}  // namespace mansio::app
