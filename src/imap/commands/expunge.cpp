// EXPUNGE (RFC 9051 §6.4.3), UID EXPUNGE (§6.4.9). The EXPUNGE responses come from what is announced after the command.
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

task<result<reply>> remove(session& s, std::optional<store::uid_set> which)
{
    auto const& m = *s.selected();
    if (m.examined) co_return reply::no("[NOPERM] the mailbox is open read-only");
    auto const removed = co_await m.account.expunge(m.info.id, std::move(which));
    if (!removed) co_return fail(removed);
    auto done = reply::ok("EXPUNGE completed");
    done.tells_modseq = !removed->empty();
    co_return done;
}

}  // namespace

task<result<reply>> expunge(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    co_return co_await remove(c.s, std::nullopt);
}

task<result<reply>> uid_expunge(invocation& c)
{
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto const set = wire::parse_sequence_set(c.in);
    if (!set) co_return fail(set);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const positions = c.s.selected()->find(*set, true);
    if (!positions) co_return fail(positions);
    auto uids = c.s.selected()->uids(*positions);
    if (uids.empty()) co_return reply::ok("EXPUNGE completed");
    co_return co_await remove(c.s, std::move(uids));
}

}  // namespace mansio::imap::commands
