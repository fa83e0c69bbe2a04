// GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3.3–3.5) tell who may do what. Without the right to look a mailbox up there is none, whatever else is granted:
// RFC 4314 §4 would let "r" alone open it, but then a name that is hidden could be told from one that is not there.
#include "imap/commands/acl_text.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {

void append_rights(std::string& out, store::rights r)
{
    if (r == 0) {
        out += "\"\"";
        return;
    }
    using enum store::right;
    out += store::rights_text(r);
    if (store::has(r, create) || store::has(r, remove_mailbox)) out += 'c';
    if (store::has(r, delete_message) || store::has(r, store::right::expunge)) out += 'd';
}

void append_my_rights(std::string& out, std::string_view mailbox, store::rights r, name_form form)
{
    out += "* MYRIGHTS ";
    append_mailbox(out, mailbox, form);
    out += ' ';
    append_rights(out, r);
    out += "\r\n";
}

namespace {

/// The mailbox, its list, and its owner's address.
struct shown_list {
    std::string mailbox;
    std::string owner;
    std::vector<store::acl_entry> entries;
};

task<result<shown_list>> read_list(session& s, std::string name)
{
    auto const found = co_await find_mailbox(s, std::move(name));
    if (!found) co_return fail(found);
    auto entries = co_await found->account.get_acl(found->info.id);
    if (!entries) co_return fail(entries);
    auto const owner = co_await s.srv().people->with_number(found->account.number());
    if (!owner) co_return fail(owner);
    shown_list list;
    list.mailbox = found->info.name;
    list.entries = std::move(*entries);
    if (*owner) list.owner = (*owner)->address;
    co_return list;
}

void append_identifier(std::string& out, std::string_view who, session const& s) { wire::append_astring(out, who, s.names() == name_form::utf8); }

}  // namespace

// getacl = "GETACL" SP mailbox
task<result<reply>> getacl(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const list = co_await read_list(c.s, *name);
    if (!list) co_return fail(list);
    std::string out = "* ACL ";
    append_mailbox(out, list->mailbox, c.s.names());
    out += ' ';
    append_identifier(out, list->owner, c.s);
    out += ' ';
    append_rights(out, store::all_rights);
    for (auto const& e : list->entries) {
        auto const guest = co_await c.s.srv().people->with_number(e.who);
        if (!guest) co_return fail(guest);
        if (!*guest) continue;  // an account that was removed; its number is never another's
        out += ' ';
        append_identifier(out, (*guest)->address, c.s);
        out += ' ';
        append_rights(out, e.granted);
    }
    auto const sent = co_await c.s.send(out + "\r\n");
    if (!sent) co_return fail(sent);
    co_return reply::ok("GETACL completed");
}

// listrights = "LISTRIGHTS" SP mailbox SP identifier
task<result<reply>> listrights(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto const who = c.in.astring();
    if (!who) co_return fail(who);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const list = co_await read_list(c.s, *name);
    if (!list) co_return fail(list);
    auto const person = co_await c.s.srv().people->with_address(*who);
    if (!person) co_return fail(person);
    if (!*person) co_return fail(fault::kind::refused, "[CANNOT] rights are given to people by their addresses here, and there is no such person");
    std::string out = "* LISTRIGHTS ";
    append_mailbox(out, list->mailbox, c.s.names());
    out += ' ';
    append_identifier(out, *who, c.s);  // as the client wrote it (RFC 4314 §3.4)
    if ((*person)->address == list->owner) {
        // The owner has all, always: nothing is left to grant.
        out += ' ';
        append_rights(out, store::all_rights);
    } else {
        out += " \"\" l r s w i p k x t e a c d";
    }
    auto const sent = co_await c.s.send(out + "\r\n");
    if (!sent) co_return fail(sent);
    co_return reply::ok("LISTRIGHTS completed");
}

// myrights = "MYRIGHTS" SP mailbox
task<result<reply>> myrights(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const found = co_await find_mailbox(c.s, *name);
    if (!found) co_return fail(found);
    std::string out;
    append_my_rights(out, found->info.name, found->info.my_rights, c.s.names());
    auto const sent = co_await c.s.send(out);
    if (!sent) co_return fail(sent);
    co_return reply::ok("MYRIGHTS completed");
}

}  // namespace mansio::imap::commands
