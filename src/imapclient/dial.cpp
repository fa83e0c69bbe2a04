#include "imapclient/dial.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace mansio::imapclient {

task<result<std::unique_ptr<net::stream>>> dial(net::shard& here, net::resolver& dns, net::egress_gate const& gate, bounds const& l, std::string host,
                                                std::uint16_t port)
{
    constexpr std::size_t tried_at_most = 8;
    std::vector<net::ip_address> addresses;
    if (auto const literal = net::ip_address::parse(host)) {
        addresses.push_back(*literal);
    } else {
        auto const found = co_await dns.addresses(host);
        if (found.status == net::dns_status::failed)
            co_return fail(fault::kind::try_later, fmt::format("the DNS does not answer for {} now: {}", base::printable(host, 255), found.why));
        addresses = found.records;
    }
    if (addresses.empty()) co_return fail(fault::kind::refused, fmt::format("there is no host {}", base::printable(host, 255)));
    if (addresses.size() > tried_at_most) addresses.resize(tried_at_most);
    result<std::unique_ptr<net::stream>> last = fail(fault::kind::refused, "nobody answers");
    for (auto const& a : addresses) {
        net::endpoint const to{a, port};
        last = co_await here.connect(to, gate, here.clock().monotonic() + l.connect_wait);
        if (last) co_return last;
        last =
            fail(last.error().what, fmt::format("cannot connect to {} ({}): {}", base::printable(host, 255), to.text(), last.error().say), last.error().detail);
    }
    co_return last;
}

}  // namespace mansio::imapclient
