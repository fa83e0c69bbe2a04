// CAPA lists what we can. RFC 2449 §5.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> capa(session& s, std::string_view)
{
    std::string out = "+OK capabilities\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n";
    // In clear there is nothing to sign in with, so nothing is offered (trust.md W6, RFC 2595 §5).
    if (s.may_sign_in()) out += "USER\r\nSASL PLAIN\r\n";
    if (s.phase() == phase::authorization && s.srv().tls != nullptr && !s.secure()) out += "STLS\r\n";
    out += ".\r\n";
    auto const sent = co_await s.send(out);
    static_cast<void>(sent);
    co_return reply{};
}

}  // namespace mansio::pop3::commands
