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
    auto const done = co_await c.s.account().rename_mailbox(*from, *to);
    if (!done) co_return fail(done);
    auto* const open = c.s.selected();
    if (open != nullptr && *from != "INBOX") {  // INBOX stays; its messages move (RFC 9051 §6.3.6)
        auto& name = open->info.name;
        if (name == *from || name.starts_with(*from + "/")) name.replace(0, from->size(), *to);
    }
    co_return reply::ok("RENAME completed");
}

}  // namespace mansio::imap::commands
