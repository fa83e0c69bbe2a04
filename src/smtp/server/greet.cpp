// HELO, EHLO, LHLO: names, and what we can (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
#include "auth/sign_in.hpp"
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {
namespace {

task<reply> introduce(session& s, std::string_view args, bool extended)
{
    auto name = wire::parse_greeting(args);
    if (!name) co_return name.error();
    s.reset();  // RFC 5321 §4.1.4: as RSET
    s.greeted = true;
    auto const greeted = co_await s.house.with.acceptance.greet(s.mail, std::move(*name), extended);
    if (!greeted) {
        s.greeted = false;
        co_return greeted.say;
    }
    co_return reply{250, {}, s.house.set.hostname};
}

}  // namespace

task<reply> hello(session& s, std::string_view args) { return introduce(s, args, false); }

task<reply> ehlo(session& s, std::string_view args)
{
    auto r = co_await introduce(s, args, true);
    if (!r.positive()) co_return r;
    r.text += "\nPIPELINING\nSIZE " + std::to_string(s.limits().message_size) + "\n8BITMIME\nSMTPUTF8\nCHUNKING\nENHANCEDSTATUSCODES";
    if (s.how.tls != nullptr && s.who.tls.empty()) r.text += "\nSTARTTLS";
    // Not offered in clear, so that no program sends a password before it is safe (RFC 4954 §4, trust.md W6).
    if (s.how.through == accept::door::submission && s.secure() && !s.who.signed_in()) {
        r.text += "\nAUTH";
        for (auto const mechanism : auth::sasl_mechanisms()) (r.text += ' ') += mechanism;
    }
    co_return r;
}

}  // namespace mansio::smtp::commands
