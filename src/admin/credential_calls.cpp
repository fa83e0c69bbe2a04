// app-password and account/password: what opens what.
#include <fmt/format.h>

#include "admin/calls.hpp"

namespace mansio::admin {
namespace {
json::object as_json(auth::app_password_info const& i)
{
    json::array protocols;
    if ((i.scope & static_cast<unsigned>(auth::protocol::imap)) != 0) protocols.emplace_back("imap");
    if ((i.scope & static_cast<unsigned>(auth::protocol::pop3)) != 0) protocols.emplace_back("pop3");
    if ((i.scope & static_cast<unsigned>(auth::protocol::submission)) != 0) protocols.emplace_back("submission");
    return {{"id", i.id},           {"name", i.name},           {"protocols", std::move(protocols)}, {"read_only", i.read_only},        {"created", i.created},
            {"expires", i.expires}, {"last_used", i.last_used}, {"last_peer", i.last_peer},          {"last_protocol", i.last_protocol}};
}

result<auth::protocols> read_scope(json::object const& args)
{
    auto const* list = args.if_contains("protocols");
    if (list == nullptr || list->is_null() || (list->is_array() && list->as_array().empty())) return auth::all_mail_protocols;
    if (!list->is_array()) return fail(fault::kind::syntax, "'protocols' wants a list of imap, pop3, submission");
    unsigned scope = 0;
    for (auto const& v : list->as_array()) {
        std::string const name = v.is_string() ? std::string{v.as_string()} : std::string{};
        if (name == "imap")
            scope |= static_cast<unsigned>(auth::protocol::imap);
        else if (name == "pop3")
            scope |= static_cast<unsigned>(auth::protocol::pop3);
        else if (name == "submission")
            scope |= static_cast<unsigned>(auth::protocol::submission);
        else
            return fail(fault::kind::syntax, "a protocol is one of imap, pop3, submission");
    }
    return static_cast<auth::protocols>(scope);
}

task<result<json::object>> app_password_add(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const scope = read_scope(args);
    if (!scope) co_return fail(scope);
    auto const days = number_or(args, "days", 400);
    if (!days) co_return fail(days);
    if (*days == 0 || *days > 3650) co_return fail(fault::kind::refused, "an app password lives from 1 to 3650 days");
    auto const made = co_await s.sign_in.add_app_password(a->number, text_or(args, "name", "unnamed"), *scope, flag_or(args, "read_only", false),
                                                          std::chrono::days{static_cast<int>(*days)});
    if (!made) co_return fail(made);
    auto out = as_json(made->info);
    out["app_password"] = made->secret;
    co_return out;
}

task<result<json::object>> app_password_list(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const all = co_await s.sign_in.app_passwords(a->number);
    if (!all) co_return fail(all);
    json::array list;
    for (auto const& i : *all) list.emplace_back(as_json(i));
    co_return json::object{{"app_passwords", std::move(list)}};
}

task<result<json::object>> app_password_revoke(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const id = text_argument(args, "id");
    if (!id) co_return fail(id);
    auto const done = co_await s.sign_in.revoke_app_password(a->number, *id);
    if (!done) co_return fail(done);
    co_return json::object{{"revoked", *id}};
}

task<result<json::object>> account_password(services const& s, json::object args)
{
    auto const a = co_await account_argument(s, args);
    if (!a) co_return fail(a);
    auto const password = text_argument(args, "password");
    if (!password) co_return fail(password);
    auto const done = co_await s.sign_in.set_portal_password(a->number, *password);
    if (!done) co_return fail(done);
    co_return json::object{{"address", a->address}};
}
}  // namespace

std::vector<named_call> const& credential_calls()
{
    static std::vector<named_call> const calls{
        {"app-password/add", &app_password_add, true},
        {"app-password/list", &app_password_list, false},
        {"app-password/revoke", &app_password_revoke, true},
        {"account/password", &account_password, true},
    };
    return calls;
}

}  // namespace mansio::admin
