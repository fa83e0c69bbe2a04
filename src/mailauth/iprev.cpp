#include "mailauth/iprev.hpp"

#include <algorithm>

namespace mansio::mailauth {
namespace {
constexpr std::size_t most_names = 5;
}

task<mime::iprev_outcome> check_iprev(net::resolver& dns, net::ip_address client)
{
    using mime::iprev_result;
    mime::iprev_outcome o;
    o.address = client.text();
    auto const names = co_await dns.ptr(client);
    if (names.status == net::dns_status::failed) o.result = iprev_result::temperror;
    if (names.status != net::dns_status::found) co_return o;
    o.result = iprev_result::fail;
    for (std::size_t i = 0; i < std::min(names.records.size(), most_names); ++i) {
        auto const addresses = client.is_v4() ? co_await dns.ipv4(names.records[i]) : co_await dns.ipv6(names.records[i]);
        if (addresses.status == net::dns_status::failed) o.result = iprev_result::temperror;
        if (std::ranges::find(addresses.records, client) == addresses.records.end()) continue;
        o.result = iprev_result::pass;
        o.name = names.records[i];
        break;
    }
    co_return o;
}

}  // namespace mansio::mailauth
