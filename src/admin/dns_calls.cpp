// dkim and dns: the keys that sign a domain's mail, and what the domain publishes.
#include <fmt/format.h>

#include <array>
#include <chrono>

#include "admin/calls.hpp"
#include "admin/dns_records.hpp"
#include "base/bytes.hpp"
#include "mailauth/dkim.hpp"

namespace mansio::admin {
namespace {

using key_state = auth::domain_key::state;

/// "202611".
std::string month_of(base::wall_time now)
{
    std::chrono::year_month_day const day{std::chrono::floor<std::chrono::days>(now)};
    return fmt::format("{:04}{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()));
}

task<result<std::string>> known_domain(services const& s, json::object const& args)
{
    auto name = text_argument(args, "name");
    if (!name) co_return fail(name);
    auto wanted = *name;
    auto const found = co_await s.directory.find_domain(std::move(wanted));
    if (!found) co_return fail(found);
    if (!*found) co_return fail(fault::kind::not_found, fmt::format("there is no domain {}", base::printable(*name)));
    co_return (*found)->name;
}

/// A selector that is not taken: "r202611", then "r202611b" and on.
std::string free_selector(std::vector<auth::domain_key> const& there, std::string const& wanted)
{
    auto const taken = [&](std::string const& s) { return std::ranges::any_of(there, [&](auto const& k) { return k.selector == s; }); };
    if (!taken(wanted)) return wanted;
    for (char letter = 'b'; letter <= 'z'; ++letter)
        if (!taken(wanted + letter)) return wanted + letter;
    return wanted + "z" + std::to_string(there.size());
}

json::object as_json(auth::domain_key const& k)
{
    return {{"selector", k.selector}, {"state", name_of(k.now)}, {"since", k.since}, {"name", k.selector + "._domainkey." + k.domain}, {"record", k.record}};
}

json::array as_json(std::vector<auth::domain_key> const& keys)
{
    json::array all;
    for (auto const& k : keys) all.push_back(as_json(k));
    return all;
}

task<result<json::object>> keys_of(services const& s, std::string domain)
{
    auto const keys = co_await s.keys.list(domain);
    if (!keys) co_return fail(keys);
    co_return json::object{{"keys", as_json(*keys)}};
}

task<result<json::object>> dkim_list(services const& s, json::object args)
{
    auto domain = co_await known_domain(s, args);
    if (!domain) co_return fail(domain);
    co_return co_await keys_of(s, std::move(*domain));
}

/// Keys that sign nothing until they are published: dkim/activate is the second step.
task<result<json::object>> dkim_rotate(services const& s, json::object args)
{
    auto const domain = co_await known_domain(s, args);
    if (!domain) co_return fail(domain);
    auto const made = co_await make_domain_keys(s, *domain, key_state::next);
    if (!made) co_return fail(made);
    co_return co_await keys_of(s, *domain);
}

/// What a key waits for before it may sign: that everybody can see it.
task<result<void>> published(services const& s, auth::domain_key const& k)
{
    dns_record wanted{k.selector + "._domainkey." + k.domain, "TXT", k.record, {}, true};
    std::vector<dns_record> only{std::move(wanted)};
    auto const found = co_await check_records(s.dns, std::move(only), s.hostname);
    if (found.front().now == dns_finding::state::right) co_return result<void>{};
    co_return fail(fault::kind::refused,
                   fmt::format("{}._domainkey.{} is not published: {}; mansio dns records {} prints it, --force activates it all the same", k.selector,
                               k.domain, found.front().say, k.domain));
}

task<result<json::object>> dkim_activate(services const& s, json::object args)
{
    auto const domain = co_await known_domain(s, args);
    if (!domain) co_return fail(domain);
    auto const keys = co_await s.keys.list(*domain);
    if (!keys) co_return fail(keys);
    if (std::ranges::none_of(*keys, [](auto const& k) { return k.now == key_state::next; }))
        co_return fail(fault::kind::refused, "no key waits: mansio dkim rotate makes new ones");
    if (!flag_or(args, "force", false))
        for (auto const& k : *keys)
            if (k.now == key_state::next)
                if (auto const there = co_await published(s, k); !there) co_return fail(there);
    // The new ones first: between two commits both sign, never none.
    for (auto const wanted : {key_state::next, key_state::active})
        for (auto const& k : *keys) {
            if (k.now != wanted) continue;
            auto const done = co_await s.keys.set_state(*domain, k.selector, wanted == key_state::next ? key_state::active : key_state::retiring);
            if (!done) co_return fail(done);
        }
    co_return co_await keys_of(s, *domain);
}

task<result<json::object>> dkim_remove(services const& s, json::object args)
{
    auto const domain = co_await known_domain(s, args);
    if (!domain) co_return fail(domain);
    auto const selector = text_argument(args, "selector");
    if (!selector) co_return fail(selector);
    auto const done = co_await s.keys.remove(*domain, *selector);
    if (!done) co_return fail(done);
    co_return json::object{{"removed", *selector + "._domainkey." + *domain}};
}

task<result<std::vector<dns_record>>> wanted_records(services const& s, json::object const& args)
{
    auto const domain = co_await known_domain(s, args);
    if (!domain) co_return fail(domain);
    auto const keys = co_await s.keys.list(*domain);
    if (!keys) co_return fail(keys);
    co_return records_for(*domain, s.hostname, *keys);
}

task<result<json::object>> dns_records(services const& s, json::object args)
{
    auto const wanted = co_await wanted_records(s, args);
    if (!wanted) co_return fail(wanted);
    json::array all;
    for (auto const& r : *wanted) all.push_back({{"name", r.name}, {"type", r.type}, {"value", r.value}, {"purpose", r.purpose}, {"zone", zone_line(r)}});
    co_return json::object{{"records", std::move(all)}};
}

task<result<json::object>> dns_check(services const& s, json::object args)
{
    auto wanted = co_await wanted_records(s, args);
    if (!wanted) co_return fail(wanted);
    auto const found = co_await check_records(s.dns, std::move(*wanted), s.hostname);
    json::array all;
    bool right = true;
    for (auto const& f : found) {
        right = right && f.now == dns_finding::state::right;
        all.push_back({{"name", f.wanted.name}, {"type", f.wanted.type}, {"state", name_of(f.now)}, {"say", f.say}, {"wanted", f.wanted.value}});
    }
    co_return json::object{{"right", right}, {"checks", std::move(all)}};
}

}  // namespace

task<result<void>> make_domain_keys(services const& s, std::string domain, key_state state)
{
    auto const there = co_await s.keys.list(domain);
    if (!there) co_return fail(there);
    for (auto const type : {mailauth::key_type::rsa, mailauth::key_type::ed25519}) {
        auto job = s.pool.run([type] { return mailauth::signing_key::generate(type); });
        auto const made = co_await std::move(job);
        if (!made) co_return fail(made);
        auth::domain_key k;
        k.domain = domain;
        k.selector = free_selector(*there, (type == mailauth::key_type::rsa ? "r" : "e") + month_of(s.clock.wall()));
        k.now = state;
        k.private_key = made->pem();
        k.record = mailauth::dkim_key_record(*made);
        auto const added = co_await s.keys.add(std::move(k));
        if (!added) co_return fail(added);
    }
    co_return result<void>{};
}

std::vector<named_call> const& dns_calls()
{
    static std::vector<named_call> const calls{
        {"dkim/list", &dkim_list, false},    {"dkim/rotate", &dkim_rotate, true},  {"dkim/activate", &dkim_activate, true},
        {"dkim/remove", &dkim_remove, true}, {"dns/records", &dns_records, false}, {"dns/check", &dns_check, false},
    };
    return calls;
}

}  // namespace mansio::admin
