#include "admin/service.hpp"

#include <fmt/format.h>

#include "admin/calls.hpp"
#include "base/bytes.hpp"

namespace mansio::admin {
namespace {
unsigned status_of(fault const& f)
{
    switch (f.what) {
    case fault::kind::syntax: return 400;
    case fault::kind::refused: return 422;
    case fault::kind::not_found: return 404;
    case fault::kind::conflict: return 409;
    case fault::kind::over_limit: return 429;
    case fault::kind::try_later:
    case fault::kind::timeout:
    case fault::kind::closed: return 503;
    case fault::kind::broken: return 500;
    }
    return 500;
}

http::response as_response(result<json::object> const& made)
{
    http::response r;
    r.content_type = "application/json";
    if (made) {
        r.body = json::serialize(*made) + "\n";
        return r;
    }
    r.status = status_of(made.error());
    json::object error;
    error["error"] = made.error().say.empty() ? "something went wrong; the log says what" : made.error().say;
    r.body = json::serialize(error) + "\n";
    return r;
}
}  // namespace

result<std::string> text_argument(json::object const& args, std::string_view name)
{
    auto const* v = args.if_contains(name);
    if (v == nullptr || !v->is_string()) return fail(fault::kind::syntax, fmt::format("'{}' is missing or no text", name));
    return std::string{v->as_string()};
}
std::string text_or(json::object const& args, std::string_view name, std::string otherwise)
{
    auto const* v = args.if_contains(name);
    return v != nullptr && v->is_string() ? std::string{v->as_string()} : std::move(otherwise);
}
result<std::uint64_t> number_or(json::object const& args, std::string_view name, std::uint64_t otherwise)
{
    auto const* v = args.if_contains(name);
    if (v == nullptr || v->is_null()) return otherwise;
    boost::system::error_code wrong;
    auto const n = v->to_number<std::uint64_t>(wrong);
    if (wrong) return fail(fault::kind::syntax, fmt::format("'{}' wants a whole number, 0 or more", name));
    return n;
}
bool flag_or(json::object const& args, std::string_view name, bool otherwise)
{
    auto const* v = args.if_contains(name);
    return v != nullptr && v->is_bool() ? v->as_bool() : otherwise;
}
task<result<auth::account>> account_argument(services const& s, json::object const& args)
{
    auto const address = text_argument(args, "address");
    if (!address) co_return fail(address);
    auto found = co_await s.directory.find_account(*address);
    if (!found) co_return fail(found);
    if (!*found) co_return fail(fault::kind::not_found, fmt::format("there is no account {}", base::printable(*address)));
    co_return std::move(**found);
}

struct service::impl {
    services parts;
    task<http::response> run(named_call const& c, http::request asked)
    {
        boost::system::error_code wrong;
        auto const value = json::parse(asked.body.empty() ? "{}" : asked.body, wrong);
        if (wrong || !value.is_object()) co_return as_response(fail(fault::kind::syntax, "the body is no JSON object"));
        auto made = co_await c.run(parts, value.as_object());
        if (c.changes) {
            if (made)
                parts.log.info("admin", {{"call", c.name}});
            else
                parts.log.warning("admin_refused", {{"call", c.name}, {"why", made.error()}});
        }
        co_return as_response(made);
    }
};

service::service(services s, http::server& on) : impl_(std::make_unique<impl>(impl{std::move(s)}))
{
    auto* me = impl_.get();
    for (auto const* table : {&directory_calls(), &dns_calls(), &credential_calls(), &operation_calls()})
        for (auto const& c : *table) on.route("POST", fmt::format("/v1/{}", c.name), [me, &c](http::request asked) { return me->run(c, std::move(asked)); });
}
service::~service() = default;

task<result<auth::account>> service::make_account(services const& s, std::string address, std::string display_name, std::uint64_t quota_octets,
                                                  bool administrator, std::optional<bool> folders)
{
    auto added = co_await s.directory.add_account(std::move(address), std::move(display_name), quota_octets, administrator);
    if (!added) co_return added;
    auto const made = co_await s.accounts.create(added->number, quota_octets, folders);
    if (!made) co_return fail(made);
    auto const ready = co_await s.directory.account_ready(added->number);
    if (!ready) co_return fail(ready);
    co_return added;
}

task<result<void>> service::recover(services const& s)
{
    auto const pending = co_await s.directory.pending_accounts();
    if (!pending) co_return fail(pending);
    for (auto const& a : *pending) {
        auto const made = co_await s.accounts.create(a.number, a.quota_octets);
        if (!made) co_return fail(made);
        auto const ready = co_await s.directory.account_ready(a.number);
        if (!ready) co_return fail(ready);
        s.log.info("account_recovered", {{"account", a.address}});
    }
    co_return result<void>{};
}

}  // namespace mansio::admin
