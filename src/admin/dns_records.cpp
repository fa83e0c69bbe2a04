#include "admin/dns_records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/dkim_signature.hpp"
#include "mailauth/dmarc.hpp"
#include "mailauth/spf_record.hpp"

namespace mansio::admin {
namespace {

using state = dns_finding::state;

dns_record make(std::string name, std::string type, std::string value, std::string purpose, bool needed = true)
{
    return {std::move(name), std::move(type), std::move(value), std::move(purpose), needed};
}

dns_finding found(dns_record const& r, state s, std::string say = {}) { return {r, s, std::move(say)}; }

std::string listed(std::vector<std::string> const& all)
{
    std::string out;
    for (auto const& one : all) out += (out.empty() ? "\"" : ", \"") + base::printable(one, 300) + "\"";
    return out;
}

task<dns_finding> check_mx(net::resolver& dns, dns_record r, std::string hostname)
{
    auto const answer = co_await dns.mx(r.name);
    if (answer.status == net::dns_status::failed) co_return found(r, state::unknown, "the DNS does not answer: " + answer.why);
    auto const ours = std::ranges::find(answer.records, hostname, &net::mx_record::host);
    if (ours != answer.records.end()) co_return found(r, state::right);
    if (answer.records.empty()) co_return found(r, state::missing, "no MX record: nobody finds this server for mail to " + r.name);
    std::vector<std::string> hosts;
    hosts.reserve(answer.records.size());
    for (auto const& mx : answer.records) hosts.push_back(mx.host);
    co_return found(r, state::wrong, "the MX records name " + listed(hosts) + " and not this server, " + hostname);
}

task<dns_finding> check_address(net::resolver& dns, dns_record r)
{
    auto const answer = co_await dns.addresses(r.name);
    if (answer.status == net::dns_status::failed) co_return found(r, state::unknown, "the DNS does not answer: " + answer.why);
    if (answer.records.empty()) co_return found(r, state::missing, r.name + " has no address: give it the public one of this server");
    for (auto const& address : answer.records) {
        auto const names = co_await dns.ptr(address);
        if (names.status == net::dns_status::failed) co_return found(r, state::unknown, "the DNS does not answer for the name of " + address.text());
        if (std::ranges::find(names.records, r.name) == names.records.end())
            co_return found(r, state::wrong,
                            address.text() + " has " + (names.records.empty() ? std::string{"no name"} : "the name " + listed(names.records)) +
                                ": ask whoever gave you the address to make its reverse name " + r.name + "; many servers refuse mail without");
    }
    co_return found(r, state::right);
}

/// The TXT records that are of the kind wanted; others of that name are none of our business.
std::vector<std::string> of_kind(std::vector<std::string> const& all, dns_record const& r)
{
    std::vector<std::string> out;
    auto const version = r.value.substr(0, r.value.find_first_of("; "));
    std::ranges::copy_if(all, std::back_inserter(out), [&](auto const& text) { return text.starts_with(version); });
    return out;
}

/// The key itself counts, not how it is written.
bool same_key(std::string const& there, std::string const& wanted)
{
    auto const squeezed = [](std::string text) {
        std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
        return text;
    };
    auto const p = [&](std::string const& text) {
        auto const s = squeezed(text);
        auto const at = s.find("p=");
        return at == std::string::npos ? std::string{} : s.substr(at, s.find(';', at) - at);
    };
    return mailauth::parse_dkim_key(there) && p(there) == p(wanted);
}

/// What is wrong with one that is there; empty: nothing.
std::string wrong_with(std::string const& there, dns_record const& r)
{
    if (r.value.starts_with("v=spf1")) {
        auto const record = mailauth::parse_spf_record(there);
        if (!record) return "the SPF record cannot be read: " + record.error().say;
        if (record->directives.empty() && !record->redirect) return "the SPF record allows nobody to send";
        return {};
    }
    if (r.value.starts_with("v=DMARC1")) {
        auto const record = mailauth::parse_dmarc_record(there);
        return record ? std::string{} : record.error().say;
    }
    if (r.value.starts_with("v=DKIM1")) return same_key(there, r.value) ? std::string{} : "the key that is published is another one: replace it by this one";
    return there == r.value ? std::string{} : "it says \"" + base::printable(there, 300) + "\"";
}

task<dns_finding> check_text(net::resolver& dns, dns_record r)
{
    auto const answer = co_await dns.txt(r.name);
    if (answer.status == net::dns_status::failed) co_return found(r, state::unknown, "the DNS does not answer: " + answer.why);
    auto const there = of_kind(answer.records, r);
    if (there.empty()) co_return found(r, state::missing, "nothing of that kind at " + r.name);
    if (there.size() > 1) co_return found(r, state::wrong, fmt::format("{} records of that kind at {}, which counts as none: leave one", there.size(), r.name));
    auto why = wrong_with(there.front(), r);
    if (why.empty()) co_return found(r, state::right);
    co_return found(r, state::wrong, std::move(why));
}

}  // namespace

std::string_view name_of(dns_finding::state s) noexcept
{
    switch (s) {
    case state::right: return "right";
    case state::missing: return "missing";
    case state::wrong: return "wrong";
    case state::unknown: return "unknown";
    }
    return "?";
}

std::vector<dns_record> records_for(std::string const& domain, std::string const& hostname, std::vector<auth::domain_key> const& keys)
{
    std::vector<dns_record> out;
    out.push_back(make(domain, "MX", "10 " + hostname + ".", "where mail for the domain goes"));
    out.push_back(make(hostname, "A", "", "the public address of this server, and AAAA when it has one; its reverse name must lead back"));
    out.push_back(make(domain, "TXT", "v=spf1 mx -all", "who may send mail of the domain: add \"include:\" terms for other services that do"));
    for (auto const& k : keys)
        out.push_back(make(k.selector + "._domainkey." + domain, "TXT", k.record,
                           k.now == auth::domain_key::state::active ? "the key that signs mail now"
                           : k.now == auth::domain_key::state::next ? "the key that signs mail once it is published and activated"
                                                                    : "a key that signed mail until lately: remove it with the key"));
    out.push_back(make("_dmarc." + domain, "TXT", "v=DMARC1; p=quarantine; rua=mailto:postmaster@" + domain,
                       "what others do with mail that is not from here: go on to p=reject once the reports show that all your mail passes"));
    return out;
}

std::string zone_line(dns_record const& r)
{
    if (r.type != "TXT") return r.name + ". IN " + r.type + " " + (r.value.empty() ? "(the address of this server)" : r.value);
    std::string text;
    for (std::size_t at = 0; at < r.value.size(); at += 255) text += (at == 0 ? "\"" : " \"") + r.value.substr(at, 255) + "\"";
    return r.name + ". IN TXT " + text;
}

task<std::vector<dns_finding>> check_records(net::resolver& dns, std::vector<dns_record> records, std::string hostname)
{
    std::vector<dns_finding> out;
    for (auto& r : records) {
        if (r.type == "MX")
            out.push_back(co_await check_mx(dns, r, hostname));
        else if (r.type == "A")
            out.push_back(co_await check_address(dns, r));
        else
            out.push_back(co_await check_text(dns, r));
    }
    co_return out;
}

}  // namespace mansio::admin
