// COPY (RFC 9051 §6.4.7) and MOVE (§6.4.8), with COPYUID.
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct copy_args {
    store::uid_set which;
    std::string to;
};

// copy = "COPY" SP sequence-set SP mailbox
result<copy_args> parse_copy(invocation& c)
{
    if (auto sp = c.in.space(); !sp) return fail(sp);
    auto const set = wire::parse_sequence_set(c.in);
    if (!set) return fail(set);
    auto to = parse_mailbox(c.s, c.in);
    if (!to) return fail(to);
    if (auto end = c.in.end(); !end) return fail(end);
    auto const positions = c.s.selected()->find(*set, c.by_uid);
    if (!positions) return fail(positions);
    return copy_args{c.s.selected()->uids(*positions), std::move(*to)};
}

task<result<store::copied>> transfer(selected_mailbox const& from, store::uid_set which, found_mailbox to, bool moving)
{
    auto const id = from.info.id;
    if (to.account.number() == from.account.number())
        return moving ? from.account.move(id, std::move(which), to.info.id) : from.account.copy(id, std::move(which), to.info.id);
    return moving ? from.account.move_to(id, std::move(which), std::move(to.account), to.info.id)
                  : from.account.copy_to(id, std::move(which), std::move(to.account), to.info.id);
}

std::string copy_uid(session const& s, store::copied const& done)
{
    if (!s.offers(extension::uidplus)) return {};
    std::string code = "[COPYUID " + std::to_string(done.uid_validity) + " ";
    wire::append_numbers(code, done.from);
    code += ' ';
    wire::append_numbers(code, done.to);
    return code + "] ";
}

}  // namespace

task<result<reply>> copy(invocation& c)
{
    auto args = parse_copy(c);
    if (!args) co_return fail(args);
    auto const to = co_await find_destination(c.s, std::move(args->to));
    if (!to) co_return fail(to);
    if (args->which.empty()) co_return reply::ok("no messages to copy");
    auto const done = co_await transfer(*c.s.selected(), std::move(args->which), *to, false);
    if (!done) co_return fail(done);
    if (done->from.empty()) co_return reply::ok("no messages to copy");
    co_return reply::ok(copy_uid(c.s, *done) + "COPY completed");
}

task<result<reply>> move(invocation& c)
{
    auto args = parse_copy(c);
    if (!args) co_return fail(args);
    if (c.s.selected()->examined) co_return reply::no("[NOPERM] the mailbox is open read-only");
    auto const to = co_await find_destination(c.s, std::move(args->to));
    if (!to) co_return fail(to);
    if (args->which.empty()) co_return reply::ok("no messages to move");
    auto const done = co_await transfer(*c.s.selected(), std::move(args->which), *to, true);
    if (!done) co_return fail(done);
    // COPYUID comes untagged, before the EXPUNGEs (RFC 9051 §6.4.8).
    auto answer = reply::ok("MOVE completed");
    answer.tells_modseq = !done->from.empty();  // RFC 6851 §4.4
    if (!done->from.empty() && c.s.offers(extension::uidplus)) c.s.untagged("OK " + copy_uid(c.s, *done) + "moved");
    co_return answer;
}

}  // namespace mansio::imap::commands
