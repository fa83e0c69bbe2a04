#include "app/adaptors.hpp"

namespace mansio::app {

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
