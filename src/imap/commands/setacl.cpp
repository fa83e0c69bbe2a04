// SETACL and DELETEACL (RFC 4314 §3.1, §3.2) give and take rights. Identifiers are addresses of accounts of this server; "anyone", groups and negative
// rights ("-bob") are refused.
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct acl_args {
    std::string mailbox, who;
    store::flag_operation how = store::flag_operation::replace;
    store::rights rights = 0;
};

result<void> parse_target(invocation& c, acl_args& a)
{
    auto name = parse_mailbox(c.s, c.in);
    if (!name) return fail(name);
    a.mailbox = std::move(*name);
    if (auto sp = c.in.space(); !sp) return sp;
    auto who = c.in.astring();
    if (!who) return fail(who);
    if (who->empty()) return fail(fault::kind::syntax, "the identifier is empty");  // RFC 4314 §3
    a.who = std::move(*who);
    return {};
}

// mod-rights = astring: "+" to add, "-" to remove, else to replace
result<void> parse_change(wire::scanner& in, acl_args& a)
{
    auto const text = in.astring();
    if (!text) return fail(text);
    std::string_view letters = *text;
    if (letters.starts_with('+')) a.how = store::flag_operation::add;
    if (letters.starts_with('-')) a.how = store::flag_operation::remove;
    if (a.how != store::flag_operation::replace) letters.remove_prefix(1);
    // RFC 4314 §3.1: an unknown right is BAD, never passed over.
    if (!store::parse_rights(letters, a.rights)) return fail(fault::kind::syntax, "there is no such right");
    return {};
}

/// The mailbox is asked for first: who may not change its list learns nothing about addresses.
task<result<void>> change(session& s, acl_args a)
{
    auto const found = co_await find_mailbox(s, std::move(a.mailbox));
    if (!found) co_return fail(found);
    if (!store::has(found->info.my_rights, store::right::administer)) co_return fail(fault::kind::refused, "[NOPERM] you have no right to do that");
    auto const person = co_await s.srv().people->with_address(std::move(a.who));
    if (!person) co_return fail(person);
    if (!*person) co_return fail(fault::kind::refused, "[CANNOT] rights are given to people by their addresses here, and there is no such person");
    auto const account = found->account;
    co_return co_await account.set_acl(found->info.id, (*person)->number, a.rights, a.how);
}

}  // namespace

// setacl = "SETACL" SP mailbox SP identifier SP mod-rights
task<result<reply>> setacl(invocation& c)
{
    acl_args a;
    auto const target = parse_target(c, a);
    if (!target) co_return fail(target);
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto const rights = parse_change(c.in, a);
    if (!rights) co_return fail(rights);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const done = co_await change(c.s, std::move(a));
    if (!done) co_return fail(done);
    co_return reply::ok("SETACL completed");
}

// deleteacl = "DELETEACL" SP mailbox SP identifier
task<result<reply>> deleteacl(invocation& c)
{
    acl_args a;
    auto const target = parse_target(c, a);
    if (!target) co_return fail(target);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const done = co_await change(c.s, std::move(a));
    if (!done) co_return fail(done);
    co_return reply::ok("DELETEACL completed");
}

}  // namespace mansio::imap::commands
