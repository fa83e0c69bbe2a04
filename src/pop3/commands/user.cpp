// USER and PASS sign in with a name and an app password. RFC 1939 §7.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> user(session& s, std::string_view rest)
{
    if (auto objection = privacy_objection(s)) co_return std::move(*objection);
    if (rest.empty()) co_return reply::bad("USER needs a name");
    // The same words whoever is named: PASS decides (trust.md A2).
    s.user_name() = std::string{rest};
    co_return reply::ok("go on");
}

task<reply> pass(session& s, std::string_view rest)
{
    if (auto objection = privacy_objection(s)) co_return std::move(*objection);
    // RFC 1939 §7: right after a successful USER; a failed try starts again with USER.
    auto name = std::exchange(s.user_name(), std::nullopt);
    if (!name) co_return reply::bad("USER first");
    // "a POP3 server may treat spaces in the argument as part of the password" (RFC 1939 §7): all of the line.
    co_return co_await s.sign_in(std::move(*name), std::string{rest});
}

}  // namespace mansio::pop3::commands
