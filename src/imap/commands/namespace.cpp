// NAMESPACE (RFC 9051 §6.3.10): one personal namespace, "/" between levels.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> name_space(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    c.s.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
    co_return reply::ok("NAMESPACE completed");
}

}  // namespace mansio::imap::commands
