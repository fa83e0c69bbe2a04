// ENABLE (RFC 9051 §6.3.1, RFC 5161): IMAP4rev2, UTF8=ACCEPT and CONDSTORE change how we speak.
#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

// enable = "ENABLE" 1*(SP capability)
task<result<reply>> enable(invocation& c)
{
    bool rev2 = false;
    bool utf8 = false;
    bool condstore = false;
    do {
        auto const sp = c.in.space();
        if (!sp) co_return fail(sp);
        auto const name = c.in.atom();
        if (!name) co_return fail(name);
        rev2 = rev2 || base::equal_ignoring_case(*name, "IMAP4rev2");
        utf8 = utf8 || base::equal_ignoring_case(*name, "UTF8=ACCEPT");
        condstore = condstore || base::equal_ignoring_case(*name, "CONDSTORE");
    } while (!c.in.at_end());
    // RFC 9051 §6.3.1: before any mailbox is selected; what was said of an open one would change its meaning
    if (c.s.selected() != nullptr) co_return fail(fault::kind::syntax, "ENABLE comes before SELECT");
    // Unknown ones are ignored (RFC 5161 §3.1).
    c.s.enable(rev2, utf8);
    if (condstore) c.s.enable_condstore();
    c.s.untagged(std::string{"ENABLED"} + (rev2 ? " IMAP4rev2" : "") + (utf8 ? " UTF8=ACCEPT" : "") + (condstore ? " CONDSTORE" : ""));
    co_return reply::ok("ENABLE completed");
}

}  // namespace mansio::imap::commands
