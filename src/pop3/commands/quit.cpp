// QUIT ends the conversation; after sign-in it first removes what is marked: the UPDATE state. RFC 1939 §6.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> quit(session& s, std::string_view)
{
    if (s.phase() != phase::transaction) {
        s.end();
        co_return reply::ok("goodbye");
    }
    auto const going = s.drop().going();
    auto const done = co_await s.drop().update();  // returns when the removal is durable
    if (!done)
        s.srv().log.error("pop3_update", {{"session", s.id()}, {"fault", done.error()}});
    else
        s.counts().deleted.add(going);
    // The lock goes before the answer: a program that signs in again at once must not meet its own shadow.
    co_await s.release_drop();
    s.end();
    if (!done) co_return reply::refused("[SYS/TEMP] some messages were not removed");
    co_return reply::ok("goodbye");
}

}  // namespace mansio::pop3::commands
