// ENABLE (RFC 9051 §6.3.1, RFC 5161): what changes how we speak.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

// enable = "ENABLE" 1*(SP capability)
task<result<reply>> enable(invocation& c)
{
    extension_set wanted;
    do {
        auto const sp = c.in.space();
        if (!sp) co_return fail(sp);
        auto const name = c.in.atom();
        if (!name) co_return fail(name);
        // Unknown ones are ignored (RFC 5161 §3.1), and those that need no enabling.
        auto const known = find_extension(*name);
        if (known && c.s.offers(*known)) wanted.add(*known);
    } while (!c.in.at_end());
    // RFC 9051 §6.3.1: before any mailbox is selected; what was said of an open one would change its meaning
    if (c.s.selected() != nullptr) co_return fail(fault::kind::syntax, "ENABLE comes before SELECT");
    c.s.enable(wanted.has(extension::imap4rev2), wanted.has(extension::utf8_accept));
    if (wanted.has(extension::condstore)) c.s.enable_condstore();
    if (wanted.has(extension::qresync)) c.s.enable_qresync();
    if (wanted.has(extension::metadata)) {
        auto const listening = co_await c.s.enable_metadata();
        if (!listening) co_return fail(listening);
    }
    std::string told = "ENABLED";
    for (auto const e : {extension::imap4rev2, extension::utf8_accept, extension::condstore, extension::qresync, extension::metadata})
        if (wanted.has(e)) told += ' ' + std::string{name_of(e)};
    c.s.untagged(told);
    co_return reply::ok("ENABLE completed");
}

}  // namespace mansio::imap::commands
