// REPLACE and UID REPLACE: a message takes the place of another, in one commit (RFC 8508).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/message_intake.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct replace_args {
    wire::sequence_set old;  ///< one number
    std::string mailbox;
};

// replace = "REPLACE" SP seq-number SP mailbox append-message   (RFC 8508 §5)
result<replace_args> parse_replace(session const& s, wire::scanner& in)
{
    replace_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto set = wire::parse_sequence_set(in);
    if (!set) return fail(set);
    a.old = std::move(*set);
    auto name = parse_mailbox(s, in);
    if (!name) return fail(name);
    a.mailbox = std::move(*name);
    return a;
}

/// The UID of the one message that goes.
result<store::uid> find_old(selected_mailbox const& m, wire::sequence_set const& set, bool by_uid)
{
    auto const positions = m.find(set, by_uid);
    if (!positions) return fail(positions);
    if (set.saved || positions->count() > 1) return fail(fault::kind::syntax, "REPLACE takes one message");
    if (positions->empty()) return fail(fault::kind::not_found, "there is no such message");
    return m.announced->uid_at(positions->ranges.front().first);
}

task<result<store::appended>> run(invocation& c, result<replace_args> args, message_intake& intake)
{
    auto& s = c.s;
    auto& m = *s.selected();
    if (!args) co_return fail(args);
    auto const old = find_old(m, args->old, c.by_uid);
    if (!old) co_return fail(old);
    if (m.examined) co_return fail(fault::kind::refused, "[READ-ONLY] the mailbox was opened with EXAMINE");
    auto const to = co_await find_destination(s, std::move(args->mailbox));
    if (!to) co_return fail(to);
    // The whole answer is given by the commit, which sees rights and room as they are then; these are told before the message is sent.
    if (!m.may(store::right::expunge) || !m.may(store::right::delete_message) || !store::has(to->info.my_rights, store::right::insert))
        co_return fail(fault::kind::refused, "[NOPERM] you have no right to do that");
    auto message = co_await intake.take();
    if (!message) co_return fail(message);
    if (intake.more()) co_return fail(fault::kind::syntax, "something follows the message");  // §4.7: one at a time
    if (m.account.number() == to->account.number()) co_return co_await m.account.replace(m.info.id, *old, to->info.id, std::move(*message));
    // Two accounts share no commit: the new message is safe before the old one goes.
    std::vector<store::new_message> messages;
    messages.push_back(std::move(*message));
    auto done = co_await to->account.append(to->info.id, std::move(messages));
    if (!done) co_return done;
    auto const gone = co_await m.account.expunge(m.info.id, store::uid_set{{*old, *old}}, true);
    if (!gone) co_return fail(gone);
    co_return done;
}

}  // namespace

task<result<reply>> replace(invocation& c)
{
    auto& s = c.s;
    auto args = parse_replace(s, c.in);
    message_intake intake{s, c.in.rest(), c.message};
    auto const done = co_await run(c, std::move(args), intake);
    if (!done && ends_conversation(done.error())) co_return fail(done);
    if (!done) {
        auto const dropped = co_await intake.drop_rest();
        if (!dropped) co_return fail(dropped);
        co_return fail(done);
    }
    s.counts().appended.add(1);
    // §4.3: before the EXPUNGE, so that the client knows what came before it hears what went.
    if (s.offers(extension::uidplus)) s.untagged("OK " + append_uid(*done) + "replacement message ready");
    auto answer = reply::ok("REPLACE completed");
    answer.tells_modseq = true;  // §4.5: as UID EXPUNGE
    co_return answer;
}

}  // namespace mansio::imap::commands
