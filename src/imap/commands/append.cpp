// APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502): messages go to the spool as they come, and into the store in one commit.
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/message_intake.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

/// What can be said before a message is sent: no such mailbox, no right, no room.
task<result<found_mailbox>> admit(session& s, std::string name, std::uint64_t octets)
{
    auto to = co_await find_destination(s, std::move(name));
    if (!to) co_return fail(to);
    if (!store::has(to->info.my_rights, store::right::insert)) co_return fail(fault::kind::refused, "[NOPERM] you have no right to do that");
    auto const quota = co_await to->account.get_quota();
    bool const full = quota && ((quota->limit_octets != 0 && quota->used_octets + octets > quota->limit_octets) ||
                                (quota->limit_messages != 0 && quota->messages >= quota->limit_messages));
    if (full) co_return fail(fault::kind::over_limit, "[OVERQUOTA] the mailbox is full");
    co_return to;
}

// append = "APPEND" SP mailbox 1*append-message
task<result<store::appended>> run(session& s, result<std::string> name, message_intake& intake)
{
    if (!name) co_return fail(name);
    auto const to = co_await admit(s, std::move(*name), intake.announced());
    if (!to) co_return fail(to);
    std::vector<store::new_message> messages;
    do {
        if (!messages.empty() && !s.offers(extension::multiappend)) co_return fail(fault::kind::syntax, "something follows the message");
        auto one = co_await intake.take();
        if (!one) co_return fail(one);
        messages.push_back(std::move(*one));
    } while (intake.more());
    auto const count = messages.size();
    auto done = co_await to->account.append(to->info.id, std::move(messages));
    if (done) s.counts().appended.add(count);
    co_return done;
}

}  // namespace

std::string append_uid(store::appended const& done)
{
    std::string code = "[APPENDUID " + std::to_string(done.uid_validity) + " ";
    wire::append_numbers(code, done.uids);
    return code + "] ";
}

task<result<reply>> append(invocation& c)
{
    auto& s = c.s;
    auto name = parse_mailbox(s, c.in);
    message_intake intake{s, c.in.rest(), c.message};
    auto const done = co_await run(s, std::move(name), intake);
    if (!done && ends_conversation(done.error())) co_return fail(done);
    if (!done) {
        auto const dropped = co_await intake.drop_rest();
        if (!dropped) co_return fail(dropped);
        co_return fail(done);
    }
    co_return reply::ok((s.offers(extension::uidplus) ? append_uid(*done) : "") + "APPEND completed");
}

}  // namespace mansio::imap::commands
