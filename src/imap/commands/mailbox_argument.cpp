#include "imap/commands/mailbox_argument.hpp"

#include "imap/session.hpp"

namespace mansio::imap::commands {

result<std::string> parse_mailbox(session const& s, wire::scanner& in, name_use use)
{
    if (auto sp = in.space(); !sp) return fail(sp);
    auto name = in.astring();
    if (!name) return fail(name);
    // "foo/" announces that names below it will follow; the delimiter is not part of the name (RFC 9051 §6.3.4)
    if (use == name_use::fresh && name->size() > 1 && name->ends_with('/')) name->pop_back();
    return mailbox_from_wire(*name, s.names(), use, s.limits());
}

task<result<store::mailbox_info>> find_destination(session& s, std::string name)
{
    auto found = co_await s.account().find_mailbox(std::move(name));
    if (!found && found.error().what == fault::kind::not_found) co_return fail(fault::kind::refused, "[TRYCREATE] there is no such mailbox");
    co_return found;
}

}  // namespace mansio::imap::commands
