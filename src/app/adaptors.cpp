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

namespace {
std::optional<imap::people::person> as_person(std::optional<auth::account> const& a)
{
    if (!a) return std::nullopt;
    return imap::people::person{a->number, a->address};
}
}  // namespace

task<result<std::optional<imap::people::person>>> directory_people::with_address(std::string address)
{
    // A whole address, not the bare name that an operator may type.
    if (!address.contains('@')) co_return std::nullopt;
    auto const found = co_await directory_.find_account(std::move(address));
    if (!found && (found.error().what == fault::kind::syntax || found.error().what == fault::kind::not_found)) co_return std::nullopt;
    if (!found) co_return fail(found);
    co_return as_person(*found);
}

task<result<std::optional<imap::people::person>>> directory_people::with_number(store::account_number n)
{
    auto const found = co_await directory_.account_by_number(n);
    if (!found) co_return fail(found);
    co_return as_person(*found);
}

}  // namespace mansio::app
