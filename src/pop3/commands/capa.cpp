// CAPA lists what we can. RFC 2449 §5.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {
namespace {

/// EXPIRE and LOGIN-DELAY (RFC 2449 §6.5, §6.7): before sign-in what could hold for anybody, with USER where it differs; after it what holds.
task<std::string> policy_lines(session& s)
{
    auto const any = co_await s.srv().policies.bounds();
    if (!any) {
        s.srv().log.error("pop3_policy", {{"session", s.id()}, {"fault", any.error()}});
        co_return std::string{};  // no promise rather than a wrong one
    }
    bool const signed_in = s.phase() == phase::transaction;
    auto const days = signed_in ? s.drop().policy().keep.expire_days() : any->least_days;
    std::string out = "EXPIRE " + (days ? std::to_string(*days) : std::string{"NEVER"});
    if (!signed_in && any->keep_differs) out += " USER";
    out += "\r\n";
    // Announced at all when anybody has one: after sign-in 0 is the more accurate value.
    if (any->longest_delay == 0 && !(signed_in && s.drop().policy().login_delay > 0)) co_return out;
    out += "LOGIN-DELAY " + std::to_string(signed_in ? s.drop().policy().login_delay : any->longest_delay);
    if (!signed_in && any->delay_differs) out += " USER";
    out += "\r\n";
    co_return out;
}

}  // namespace

task<reply> capa(session& s, std::string_view)
{
    auto out = s.ok_line("capabilities") + "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n";
    auto const policy = co_await policy_lines(s);
    out += policy;
    out += "UTF8 USER\r\nLANG\r\n";
    // In clear there is nothing to sign in with, so nothing is offered (trust.md W6, RFC 2595 §5).
    if (s.may_sign_in()) out += "USER\r\nSASL PLAIN\r\n";
    if (s.phase() == phase::authorization && s.srv().tls != nullptr && !s.secure() && !s.utf8()) out += "STLS\r\n";
    out += ".\r\n";
    auto const sent = co_await s.send(out);
    static_cast<void>(sent);
    co_return reply{};
}

}  // namespace mansio::pop3::commands
