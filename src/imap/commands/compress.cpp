// COMPRESS DEFLATE (RFC 4978): fewer octets on the way.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

// compress = "COMPRESS" SP "DEFLATE"
task<result<reply>> compress(invocation& c)
{
    auto& s = c.s;
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    if (!c.in.take_word("DEFLATE")) co_return fail(fault::kind::syntax, "the only algorithm is DEFLATE");
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    if (s.is_compressed()) co_return fail(fault::kind::syntax, "compression is on already");
    // RFC 4978 §3: the client waits for the answer; what came behind the command cannot be read as either.
    if (s.peer().has_unread()) co_return fail(fault::kind::syntax, "wait for the answer before going on");
    s.peer().put(std::string{c.tag} + " OK DEFLATE active\r\n");
    auto const told = co_await s.peer().flush(s.write_by());
    if (!told) co_return fail(told);
    auto const begun = s.peer().start_deflate();
    if (!begun) co_return fail(fault::kind::closed, "connection closed", describe(begun.error()));
    s.compressed();
    co_return reply::none();
}

}  // namespace mansio::imap::commands
