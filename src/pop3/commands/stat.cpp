// STAT counts what is not marked as deleted; NOOP does nothing. RFC 1939 §5.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> stat(session& s, std::string_view) { co_return reply::ok(std::to_string(s.drop().left()) + " " + std::to_string(s.drop().octets_left())); }
task<reply> noop(session&, std::string_view) { co_return reply::ok("done"); }

}  // namespace mansio::pop3::commands
