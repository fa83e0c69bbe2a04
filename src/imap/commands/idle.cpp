// IDLE (RFC 9051 §6.3.13). The session waits in its main loop, holding nothing of this command but its tag.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<reply>> idle(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto& s = c.s;
    store::subscription watch;
    if (s.selected() != nullptr) {
        auto watching = co_await s.selected()->account.watch(s.selected()->info.id, [&s] { s.woken(); });
        if (!watching) co_return fail(watching);
        watch = std::move(*watching);
    }
    s.peer().put("+ idling\r\n");
    // What changed before the watch began is told right after this, by the loop.
    s.begin_idle(std::string{c.tag}, std::move(watch));
    co_return reply::none();
}

}  // namespace mansio::imap::commands
