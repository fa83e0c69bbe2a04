// DELETE (RFC 9051 §6.3.5).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> delete_mailbox(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const place = co_await place_of(c.s, *name);
    if (!place) co_return fail(place);
    auto const* const open = c.s.selected();
    auto const was_open = open != nullptr && open->info.name == place->before + place->name;
    auto const done = co_await place->account.delete_mailbox(place->name);
    if (!done) co_return fail(done);
    if (was_open) {
        c.s.unselect();
        c.s.untagged("OK [CLOSED] the mailbox is gone");
    }
    co_return reply::ok("DELETE completed");
}

}  // namespace mansio::imap::commands
