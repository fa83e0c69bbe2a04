// CANCELUPDATE (RFC 5267 §4.3.5).
#include <algorithm>

#include "imap/commands/handlers.hpp"
#include "imap/contexts.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

// "CANCELUPDATE" 1*(SP quoted)
task<result<reply>> cancel_update(invocation& c)
{
    auto& m = *c.s.selected();
    std::vector<std::string> tags;
    do {
        auto const sp = c.in.space();
        if (!sp) co_return fail(sp);
        auto tag = c.in.string();
        if (!tag) co_return fail(tag);
        if (!has_context(m, *tag)) co_return fail(fault::kind::syntax, "no search of that tag has its changes told");
        tags.push_back(std::move(*tag));
    } while (!c.in.at_end());
    std::erase_if(m.contexts, [&tags](auto const& x) { return std::ranges::find(tags, x->tag) != tags.end(); });
    co_return reply::ok("no further updates");
}

}  // namespace mansio::imap::commands
