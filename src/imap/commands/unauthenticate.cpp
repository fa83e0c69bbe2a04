// UNAUTHENTICATE: somebody else may sign in on this connection (RFC 8437).
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> unauthenticate(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    c.s.sign_out();
    co_return reply::ok("signed out");
}

}  // namespace mansio::imap::commands
