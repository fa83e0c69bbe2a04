// domain, account and alias: who lives here.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "admin/calls.hpp"
#include "base/bytes.hpp"

namespace mansio::admin {
namespace {
/// What somebody says of POP3 of his own.
void add_pop3(json::object& o, auth::pop3_settings const& s)
{
    if (s.keep) o["pop3_keep"] = s.keep->text();
    if (s.login_delay) o["pop3_login_delay"] = *s.login_delay;
}

json::object as_json(auth::account const& a)
{
    json::object o{{"address", a.address},
                   {"number", a.number},
                   {"display_name", a.display_name},
                   {"quota_octets", a.quota_octets},
                   {"quota_messages", a.quota_messages},
                   {"enabled", a.enabled},
                   {"administrator", a.administrator},
                   {"portal_password", a.has_portal_password},
                   {"imap_off", json::value_from(a.imap_off)}};
    add_pop3(o, a.pop3);
    return o;
}

json::object as_json(auth::domain const& d)
{
    json::object o{{"name", d.name}, {"subaddress_separator", d.subaddress_separator == '\0' ? std::string{} : std::string(1, d.subaddress_separator)}};
    if (d.catch_all) o["catch_all"] = *d.catch_all;
    add_pop3(o, d.pop3);
    return o;
}

/// "SORT, NOTIFY": extensions in the letters CAPABILITY has. Empty: none.
result<void> read_imap_off(services const& s, json::object const& args, auth::account& a)
{
    if (!args.contains("imap_off")) return {};
    std::vector<std::string> off;
    for (auto const& word : base::words_of(text_or(args, "imap_off", ""), ", ")) {
        auto const known = std::ranges::find_if(s.imap_extensions, [&](auto const& e) { return base::equal_ignoring_case(e, word); });
        if (known == s.imap_extensions.end())
            return fail(fault::kind::refused,
                        fmt::format("there is no IMAP extension {}; there are {}", base::printable(word), base::joined(s.imap_extensions, " ")));
        if (std::ranges::find(off, *known) == off.end()) off.push_back(*known);
    }
    a.imap_off = std::move(off);
    return {};
}

/// "default": inherited again.
result<void> read_pop3(json::object const& args, auth::pop3_settings& s)
{
    if (args.contains("pop3_keep")) {
        auto const text = text_or(args, "pop3_keep", "");
        s.keep.reset();
        if (text != "default") {
            auto const keep = auth::pop3_keep::parse(text);
            if (!keep) return fail(fault::kind::refused, keep.error().say + ", default");
            s.keep = *keep;
        }
    }
    if (args.contains("pop3_login_delay")) {
        auto const text = text_or(args, "pop3_login_delay", "");
        s.login_delay.reset();
        if (text != "default") {
            std::uint32_t n = 0;
            auto const read = std::from_chars(text.data(), text.data() + text.size(), n);
            if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size() || n > auth::most_login_delay)
                return fail(fault::kind::refused, fmt::format("the POP3 login delay is 0 to {} seconds, or default", auth::most_login_delay));
            s.login_delay = n;
        }
    }
    return {};
}

result<void> read_domain(json::object const& args, auth::domain& d)
{
    if (args.contains("catch_all")) {
        auto const target = text_or(args, "catch_all", "");
        d.catch_all = target.empty() ? std::nullopt : std::optional{target};
    }
    if (args.contains("subaddress_separator")) {
        auto const s = text_or(args, "subaddress_separator", "");
        if (s.size() > 1) return fail(fault::kind::refused, "the subaddress separator is one character, or empty for none");
        d.subaddress_separator = s.empty() ? '\0' : s.front();
    }
    return read_pop3(args, d.pop3);
}

task<result<json::object>> domain_add(services const& s, json::object args)
{
    auto const name = text_argument(args, "name");
    if (!name) co_return fail(name);
    auth::domain d;
    d.name = *name;
    auto const good = read_domain(args, d);
    if (!good) co_return fail(good);
    auto const added = co_await s.directory.add_domain(d);
    if (!added) co_return fail(added);
    auto const stored = co_await s.directory.find_domain(d.name);
    if (!stored) co_return fail(stored);
    auto const keys = co_await make_domain_keys(s, d.name, auth::domain_key::state::active);
    if (!keys) co_return fail(keys);
    co_return as_json(stored->value_or(d));
}

task<result<json::object>> domain_set(services const& s, json::object args)
{
    auto const name = text_argument(args, "name");
    if (!name) co_return fail(name);
    auto found = co_await s.directory.find_domain(*name);
    if (!found) co_return fail(found);
    if (!*found) co_return fail(fault::kind::not_found, fmt::format("there is no domain {}", base::printable(*name)));
    auto const good = read_domain(args, **found);
    if (!good) co_return fail(good);
    auto const done = co_await s.directory.update_domain(**found);
    if (!done) co_return fail(done);
    co_return as_json(**found);
}

task<result<json::object>> domain_remove(services const& s, json::object args)
{
    auto const name = text_argument(args, "name");
    if (!name) co_return fail(name);
    auto const done = co_await s.directory.remove_domain(*name);
    if (!done) co_return fail(done);
    co_return json::object{{"removed", *name}};
}

task<result<json::object>> domain_list(services const& s, json::object)
{
    auto const all = co_await s.directory.domains();
    if (!all) co_return fail(all);
    json::array list;
    for (auto const& d : *all) list.emplace_back(as_json(d));
    co_return json::object{{"domains", std::move(list)}};
}

/// Prints a first app password, so that the first mail program works at once.
task<result<json::object>> account_add(services const& s, json::object args)
{
    auto const address = text_argument(args, "address");
    if (!address) co_return fail(address);
    auto const quota = number_or(args, "quota_octets", 0);
    if (!quota) co_return fail(quota);
    auto const made = co_await service::make_account(s, *address, text_or(args, "display_name", ""), *quota, flag_or(args, "administrator", false));
    if (!made) co_return fail(made);
    auto out = as_json(*made);
    if (flag_or(args, "app_password", true)) {
        auto const secret = co_await s.sign_in.add_app_password(made->number, "first", auth::all_mail_protocols, false, std::chrono::days{400});
        if (!secret) co_return fail(secret);
        out["app_password"] = secret->secret;
    }
    co_return out;
}

task<result<json::object>> account_show(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto out = as_json(*a);
    auto const ref = s.accounts.open(a->number, store::principal::server("admin"));
    auto const q = co_await ref.get_quota();
    if (!q) co_return fail(q);
    auto const policy = co_await s.pop3.of(a->number);
    if (!policy) co_return fail(policy);
    out["pop3_keep"] = policy->keep.text();
    out["pop3_keep_from"] = auth::origin_name(policy->keep_from);
    out["pop3_login_delay"] = policy->login_delay;
    out["pop3_login_delay_from"] = auth::origin_name(policy->login_delay_from);
    out["used_octets"] = q->used_octets;
    out["messages"] = q->messages;
    auto const boxes = co_await ref.list_mailboxes();
    if (!boxes) co_return fail(boxes);
    json::array list;
    for (auto const& m : *boxes) {
        auto const counts = co_await ref.counts(m.id);
        if (!counts) continue;
        list.emplace_back(json::object{{"name", m.name}, {"messages", counts->messages}, {"unseen", counts->unseen}, {"octets", counts->octets}});
    }
    out["mailboxes"] = std::move(list);
    co_return out;
}

task<result<json::object>> account_set(services const& s, json::object args)
{
    auto a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const quota = number_or(args, "quota_octets", a->quota_octets);
    if (!quota) co_return fail(quota);
    auto const messages = number_or(args, "quota_messages", a->quota_messages);
    if (!messages) co_return fail(messages);
    bool const new_quota = *quota != a->quota_octets || *messages != a->quota_messages;
    a->quota_octets = *quota;
    a->quota_messages = *messages;
    a->display_name = text_or(args, "display_name", a->display_name);
    a->enabled = flag_or(args, "enabled", a->enabled);
    a->administrator = flag_or(args, "administrator", a->administrator);
    auto const good = read_imap_off(s, args, *a);
    if (!good) co_return fail(good);
    auto const pop3 = read_pop3(args, a->pop3);
    if (!pop3) co_return fail(pop3);
    auto const done = co_await s.directory.update_account(*a);
    if (!done) co_return fail(done);
    if (new_quota) {
        auto const ref = s.accounts.open(a->number, store::principal::server("admin"));
        auto const set = co_await ref.set_quota(*quota, *messages);
        if (!set) co_return fail(set);
    }
    co_return as_json(*a);
}

task<result<json::object>> account_remove(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const gone = co_await s.directory.remove_account(a->number);
    if (!gone) co_return fail(gone);
    auto const mail = co_await s.accounts.remove(a->number);
    if (!mail) co_return fail(mail);
    co_return json::object{{"removed", a->address}};
}

task<result<json::object>> account_list(services const& s, json::object args)
{
    auto const limit = number_or(args, "limit", 1000);
    if (!limit) co_return fail(limit);
    auto const some = co_await s.directory.list_accounts(text_or(args, "after", ""), std::min<std::uint64_t>(*limit, 10'000));
    if (!some) co_return fail(some);
    json::array list;
    for (auto const& a : *some) list.emplace_back(as_json(a));
    co_return json::object{{"accounts", std::move(list)}};
}

task<result<json::object>> alias_add(services const& s, json::object args)
{
    auto const address = text_argument(args, "address");
    if (!address) co_return fail(address);
    auth::alias a{*address, {}};
    auto const* targets = args.if_contains("targets");
    if (targets == nullptr || !targets->is_array() || targets->as_array().empty()) co_return fail(fault::kind::syntax, "'targets' wants at least one address");
    for (auto const& t : targets->as_array()) {
        if (!t.is_string()) co_return fail(fault::kind::syntax, "'targets' wants addresses");
        a.targets.emplace_back(t.as_string());
    }
    auto const done = co_await s.directory.set_alias(a);
    if (!done) co_return fail(done);
    co_return json::object{{"address", a.address}, {"targets", json::value_from(a.targets)}};
}

task<result<json::object>> alias_remove(services const& s, json::object args)
{
    auto const address = text_argument(args, "address");
    if (!address) co_return fail(address);
    auto const done = co_await s.directory.remove_alias(*address);
    if (!done) co_return fail(done);
    co_return json::object{{"removed", *address}};
}

task<result<json::object>> alias_list(services const& s, json::object)
{
    auto const all = co_await s.directory.aliases();
    if (!all) co_return fail(all);
    json::array list;
    for (auto const& a : *all) list.emplace_back(json::object{{"address", a.address}, {"targets", json::value_from(a.targets)}});
    co_return json::object{{"aliases", std::move(list)}};
}
}  // namespace

std::vector<named_call> const& directory_calls()
{
    static std::vector<named_call> const calls{
        {"domain/add", &domain_add, true},    {"domain/set", &domain_set, true},         {"domain/remove", &domain_remove, true},
        {"domain/list", &domain_list, false}, {"account/add", &account_add, true},       {"account/show", &account_show, false},
        {"account/set", &account_set, true},  {"account/remove", &account_remove, true}, {"account/list", &account_list, false},
        {"alias/add", &alias_add, true},      {"alias/remove", &alias_remove, true},     {"alias/list", &alias_list, false},
    };
    return calls;
}

}  // namespace mansio::admin
