// RENAME (RFC 9051 §6.3.6).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> rename(invocation& c)
{
    auto from = parse_mailbox(c.s, c.in);
    if (!from) co_return fail(from);
    auto to = parse_mailbox(c.s, c.in, name_use::fresh);
    if (!to) co_return fail(to);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const source = co_await place_of(c.s, *from);
    if (!source) co_return fail(source);
    auto const there = co_await source->account.find_mailbox(source->name);
    if (!there) co_return fail(there);  // before anything is said of the other name
    if (reserved(c.s, *to)) co_return fail(fault::kind::refused, "[CANNOT] that name is for the mailboxes of other people");
    auto const target = co_await place_of(c.s, *to);
    if (!target) co_return fail(target);
    if (target->account.number() != source->account.number())
        co_return fail(fault::kind::refused, "[CANNOT] a mailbox stays with its owner; its messages can be moved");
    auto const done = co_await source->account.rename_mailbox(source->name, target->name);
    if (!done) co_return fail(done);
    auto* const open = c.s.selected();
    if (open != nullptr && source->name != "INBOX") {  // INBOX stays; its messages move (RFC 9051 §6.3.6)
        auto& name = open->info.name;
        auto const before = source->before + source->name;
        if (name == before || name.starts_with(before + "/")) name.replace(0, before.size(), target->before + target->name);
    }
    co_return reply::ok("RENAME completed");
}

}  // namespace mansio::imap::commands
