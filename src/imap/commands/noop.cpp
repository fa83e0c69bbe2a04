// NOOP, CHECK: nothing but what is announced (RFC 9051 §6.1.2; CHECK is RFC 3501 §6.4.1's).
#include "imap/commands/handlers.hpp"

namespace mansio::imap::commands {

task<result<reply>> noop(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    co_return reply::ok("NOOP completed");
}

task<result<reply>> check(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    co_return reply::ok("CHECK completed");
}

}  // namespace mansio::imap::commands
