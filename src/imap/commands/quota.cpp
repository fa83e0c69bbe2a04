// GETQUOTA and GETQUOTAROOT (RFC 9208 §4.1). An account is a quota root, named by its address. Limits are the operator's (`mansio account set`): SETQUOTA is
// refused and QUOTASET not advertised.
#include <algorithm>

#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::uint64_t unit = 1024;  // of STORAGE (RFC 9208 §5.1)

void append_resource(std::string& out, std::string_view name, std::uint64_t used, std::uint64_t limit)
{
    if (out.back() != '(') out += ' ';
    out += name;
    out += ' ';
    wire::append_number(out, used);
    out += ' ';
    wire::append_number(out, limit);
}

/// "* QUOTA root (STORAGE 10 512)": what has no limit is left out (RFC 9208 §4.2.1).
void append_quota(std::string& out, session const& s, std::string_view root, store::quota const& q)
{
    out += "* QUOTA ";
    wire::append_astring(out, root, s.names() == name_form::utf8);
    out += " (";
    // Usage rounded up and limit down: who is told that there is room has it.
    if (q.limit_octets != 0 && s.offers(extension::quota_storage))
        append_resource(out, "STORAGE", q.used_octets / unit + (q.used_octets % unit != 0), q.limit_octets / unit);
    if (q.limit_messages != 0 && s.offers(extension::quota_message)) append_resource(out, "MESSAGE", q.messages, q.limit_messages);
    out += ")\r\n";
}

/// A root's name, from an account's "before".
std::string root_of(session const& s, mailbox_place const& p)
{
    if (p.before.empty()) return s.own_account().who().address();
    return p.before.substr(others_prefix.size(), p.before.size() - others_prefix.size() - 1);
}

std::unexpected<fault> no_such_root() { return fail(fault::kind::not_found, "no such quota root"); }

/// How much mail somebody has is for those who may read some of it (RFC 9208 §6).
task<result<bool>> may_know(store::account_ref account)
{
    if (account.own()) co_return true;
    auto const boxes = co_await account.list_mailboxes();
    if (!boxes) co_return fail(boxes);
    co_return std::ranges::any_of(*boxes, [](auto const& m) { return store::has(m.my_rights, store::right::read); });
}

}  // namespace

// getquota = "GETQUOTA" SP quota-root-name
task<result<reply>> getquota(invocation& c)
{
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto const root = c.in.astring();
    if (!root) co_return fail(root);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto& s = c.s;
    mailbox_place place;
    place.account = s.own_account();
    if (!base::equal_ignoring_case(*root, root_of(s, place))) {
        if (!s.offers(extension::acl)) co_return no_such_root();
        auto other = co_await place_of_person(s, *root);
        if (!other) co_return other.error().what == fault::kind::not_found ? no_such_root() : fail(other);
        place = std::move(*other);
    }
    auto const may = co_await may_know(place.account);
    if (!may) co_return fail(may);
    if (!*may) co_return no_such_root();
    auto const q = co_await place.account.get_quota();
    if (!q) co_return fail(q);
    std::string out;
    append_quota(out, s, root_of(s, place), *q);
    auto const sent = co_await s.send(out);
    if (!sent) co_return fail(sent);
    co_return reply::ok("GETQUOTA completed");
}

// getquotaroot = "GETQUOTAROOT" SP mailbox
task<result<reply>> getquotaroot(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto& s = c.s;
    auto const place = co_await place_of(s, *name);
    if (!place) co_return fail(place);
    // One's own need not exist (RFC 9208 §4.1.2); another's needs to be read (§6).
    if (!place->before.empty()) {
        auto const info = co_await place->account.find_mailbox(place->name);
        if (!info) co_return fail(info);
        if (!store::has(info->my_rights, store::right::read)) co_return fail(fault::kind::refused, "[NOPERM] you have no right to do that");
    }
    auto const q = co_await place->account.get_quota();
    if (!q) co_return fail(q);
    auto const root = root_of(s, *place);
    std::string out = "* QUOTAROOT ";
    append_mailbox(out, place->before + place->name, s.names());
    out += ' ';
    wire::append_astring(out, root, s.names() == name_form::utf8);
    out += "\r\n";
    append_quota(out, s, root, *q);
    auto const sent = co_await s.send(out);
    if (!sent) co_return fail(sent);
    co_return reply::ok("GETQUOTAROOT completed");
}

task<result<reply>> setquota(invocation&) { co_return fail(fault::kind::refused, "[NOPERM] limits are set by the server's operator"); }

}  // namespace mansio::imap::commands
