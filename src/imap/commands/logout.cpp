// LOGOUT (RFC 9051 §6.1.3).
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> logout(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    c.s.close("see you");
    co_return reply::ok("LOGOUT completed");
}

}  // namespace mansio::imap::commands
