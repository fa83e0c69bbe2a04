// LOGIN (RFC 9051 §6.2.3).
#include "imap/commands/handlers.hpp"
#include "imap/commands/sign_in.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

// login = "LOGIN" SP userid SP password
task<result<reply>> login(invocation& c)
{
    auto sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto user = c.in.astring();
    if (!user) co_return fail(user);
    sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto secret = c.in.astring();
    if (!secret) co_return fail(secret);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    if (auto no = privacy_objection(c.s)) co_return *no;
    co_return co_await finish_sign_in(c.s, std::move(*user), std::move(*secret));
}

}  // namespace mansio::imap::commands
