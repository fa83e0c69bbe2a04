#include "zone_resolver.hpp"

#include "net/dns_wire.hpp"

namespace mansio::mailauth::test {

using net::dns_status;

template <class Record, class Read> net::dns_answer<Record> zone_resolver::ask(std::string const& name, std::string_view type, Read read)
{
    ++questions;
    auto asked = net::askable_name(name, net::name_of::anything);
    if (!asked) return net::dns_without<Record>(dns_status::no_such_name, "not a domain name");
    for (unsigned hops = 0; hops < 8; ++hops) {
        auto const at = zone_.find(*asked);
        if (at == zone_.end()) return net::dns_without<Record>(dns_status::no_such_name);
        std::vector<Record> found;
        bool silent = false;
        std::string alias;
        for (auto const& r : at->second) {
            if (r.type == "TIMEOUT") silent = true;
            if (r.type == "CNAME") alias = r.values.at(0);
            if (r.type == type) found.push_back(read(r.values));
        }
        if (!found.empty()) return net::dns_found(std::move(found));
        if (silent) return net::dns_without<Record>(dns_status::failed, "timeout");
        if (alias.empty()) return net::dns_without<Record>(dns_status::no_data);
        asked = net::askable_name(alias);
        if (!asked) break;
    }
    return net::dns_without<Record>(dns_status::failed, "too many CNAME records");
}

namespace {
std::string text_of(std::vector<std::string> const& values) { return values.at(0); }
net::ip_address address_of(std::vector<std::string> const& values) { return net::ip_address::parse(values.at(0)).value(); }
net::mx_record mx_of(std::vector<std::string> const& values)
{
    net::mx_record r;
    r.preference = static_cast<std::uint16_t>(std::stoi(values.at(0)));
    r.host = net::askable_name(values.at(1)).value_or("");
    return r;
}
std::string name_of(std::vector<std::string> const& values) { return net::askable_name(values.at(0)).value(); }
}  // namespace

task<net::dns_answer<net::mx_record>> zone_resolver::mx(std::string name) { co_return ask<net::mx_record>(name, "MX", mx_of); }
task<net::dns_answer<net::ip_address>> zone_resolver::ipv4(std::string name) { co_return ask<net::ip_address>(name, "A", address_of); }
task<net::dns_answer<net::ip_address>> zone_resolver::ipv6(std::string name) { co_return ask<net::ip_address>(name, "AAAA", address_of); }
task<net::dns_answer<std::string>> zone_resolver::txt(std::string name) { co_return ask<std::string>(name, "TXT", text_of); }
task<net::dns_answer<std::string>> zone_resolver::ptr(net::ip_address address) { co_return ask<std::string>(net::reverse_name(address), "PTR", name_of); }
task<net::dns_answer<net::ip_address>> zone_resolver::addresses(std::string name)
{
    auto v6 = co_await ipv6(name);
    auto v4 = co_await ipv4(name);
    if (v6.status != dns_status::found) co_return v4;
    v6.records.insert(v6.records.end(), v4.records.begin(), v4.records.end());
    co_return v6;
}

}  // namespace mansio::mailauth::test
