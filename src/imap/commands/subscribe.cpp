// SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

task<result<reply>> set(invocation& c, bool on)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const place = co_await place_of(c.s, *name);
    if (!place) co_return fail(place);
    auto const done = co_await place->account.subscribe_mailbox(place->name, on);
    if (!done) co_return fail(done);
    co_return reply::ok(on ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed");
}

}  // namespace

task<result<reply>> subscribe(invocation& c) { return set(c, true); }
task<result<reply>> unsubscribe(invocation& c) { return set(c, false); }

}  // namespace mansio::imap::commands
