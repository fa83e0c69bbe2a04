// The verbs that have next to no body: RSET, NOOP, QUIT, VRFY, EXPN, HELP (RFC 5321 §4.1.1).
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {

task<reply> rset(session& s, std::string_view args)
{
    if (!args.empty()) co_return reply{501, "5.5.4", "RSET stands alone"};
    s.reset();
    co_return reply{250, "2.0.0", "ok"};
}

task<reply> noop(session&, std::string_view) { co_return reply{250, "2.0.0", "ok"}; }

task<reply> quit(session& s, std::string_view) { co_return reply{221, "2.0.0", s.house.set.hostname + " goodbye"}.and_hang_up(); }

// Whoever wants to know whether an address exists may try to send to it (RFC 5321 §7.3, trust.md W13).
task<reply> vrfy(session&, std::string_view args)
{
    if (args.empty()) co_return reply{501, "5.5.4", "VRFY whom?"};
    co_return reply{252, "2.0.0", "send mail to it and see"};
}

task<reply> expn(session&, std::string_view) { co_return reply{502, "5.5.1", "not offered"}; }

task<reply> help(session&, std::string_view) { co_return reply{214, "2.0.0", "RFC 5321 says it all"}; }

}  // namespace mansio::smtp::commands
