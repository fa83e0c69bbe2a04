// GETMETADATA (RFC 5464 §4.2).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/metadata.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct shown_entries {
    std::string mailbox;
    std::vector<store::annotation> all;
};

task<result<shown_entries>> read(session& s, std::string name)
{
    shown_entries shown;
    if (name.empty()) {
        auto all = co_await read_server_entries(s);
        if (!all) co_return fail(all);
        shown.all = std::move(*all);
        co_return shown;
    }
    auto known = mailbox_from_wire(name, s.names(), name_use::existing, s.limits());
    if (!known) co_return fail(known);
    auto found = co_await find_mailbox(s, std::move(*known));
    if (!found) co_return fail(found);
    shown.mailbox = found->info.name;
    auto all = co_await read_entries(s, found->account, found->info);
    if (!all) co_return fail(all);
    shown.all = std::move(*all);
    co_return shown;
}

}  // namespace

task<result<reply>> getmetadata(invocation& c)
{
    auto const args = parse_getmetadata(c.in);
    if (!args) co_return fail(args);
    auto const shown = co_await read(c.s, args->mailbox);
    if (!shown) co_return fail(shown);
    auto const chosen = choose_entries(shown->all, args->entries, args->options);
    std::string out;
    append_metadata(out, shown->mailbox, chosen, c.s.names());
    auto const sent = co_await c.s.send(out);
    if (!sent) co_return fail(sent);
    if (chosen.longest_left_out == 0) co_return reply::ok("GETMETADATA completed");
    co_return reply::ok("[METADATA LONGENTRIES " + std::to_string(chosen.longest_left_out) + "] GETMETADATA completed");
}

}  // namespace mansio::imap::commands
