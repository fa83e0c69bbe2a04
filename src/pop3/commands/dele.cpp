// DELE marks a message, RSET takes all marks away. RFC 1939 §5. Nothing is removed before QUIT.
#include "pop3/commands/table.hpp"
#include "pop3/wire.hpp"

namespace mansio::pop3::commands {

task<reply> dele(session& s, std::string_view rest)
{
    auto const n = parse_number(rest);
    if (!n) co_return reply::bad("not a message number");
    if (!s.drop().has(*n)) co_return no_such_message();
    // Said now, not at QUIT, when a program would have forgotten its own copy's fate.
    if (!s.drop().may_delete()) co_return reply::refused("[SYS/PERM] this sign-in may only read");
    s.drop().mark(*n);
    co_return reply::ok("message " + std::to_string(*n) + " marked");
}

task<reply> rset(session& s, std::string_view)
{
    s.drop().unmark_all();
    co_return reply::ok(std::to_string(s.drop().size()) + " messages");
}

}  // namespace mansio::pop3::commands
