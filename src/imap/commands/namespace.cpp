// NAMESPACE (RFC 9051 §6.3.10): one personal namespace, "/" between levels; with access control lists one of other
// people's mailboxes, "Other Users/" and the owner's address.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> name_space(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    bool const others = c.s.offers(extension::acl);
    c.s.untagged(others ? "NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL" : "NAMESPACE ((\"\" \"/\")) NIL NIL");
    co_return reply::ok("NAMESPACE completed");
}

}  // namespace mansio::imap::commands
