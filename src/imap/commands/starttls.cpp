// STARTTLS (RFC 9051 §6.2.1).
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> starttls(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto& s = c.s;
    if (s.secure()) co_return fail(fault::kind::syntax, "TLS is on already");
    if (s.srv().tls == nullptr) co_return fail(fault::kind::syntax, "there is no TLS here");
    // Commands sent in clear behind this one would be taken as said under TLS: an injection, never a client (CVE-2011-0411, trust.md W4).
    if (s.peer().has_unread()) {
        s.close();
        co_return reply::none();
    }
    s.peer().put(std::string{c.tag} + " OK begin TLS\r\n");
    auto const told = co_await s.peer().flush(s.write_by());
    if (!told) co_return fail(told);
    auto const done = co_await s.peer().start_tls_server(*s.srv().tls, s.srv().clock.monotonic() + base::limits::seconds(s.limits().tls_handshake_wait));
    if (!done) co_return fail(fault::kind::closed, "no TLS", describe(done.error()));
    s.forget();
    co_return reply::none();
}

}  // namespace mansio::imap::commands
