// CAPABILITY: what this server can, now (RFC 9051 §6.1.1).
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> capability(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    c.s.untagged("CAPABILITY " + c.s.capabilities());
    co_return reply::ok("CAPABILITY completed");
}

}  // namespace mansio::imap::commands
