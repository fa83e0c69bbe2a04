// ID: who we are; who the client is goes to the log (RFC 2971).
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr unsigned most_pairs = 30;  // RFC 2971 §3.3

// id_params_list = "(" *(string SP nstring) ")" / nil
result<std::string> parse_id(wire::scanner& in)
{
    std::string said;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (in.take_word("NIL")) return said;
    if (auto open = in.expect('('); !open) return fail(open);
    for (unsigned pairs = 0; !in.take(')'); ++pairs) {
        if (pairs == most_pairs) return fail(fault::kind::syntax, "[LIMIT] ID takes at most 30 pairs");
        if (pairs != 0) {
            if (auto sp = in.space(); !sp) return fail(sp);
        }
        auto const name = in.string();
        if (!name) return fail(name);
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const value = in.nstring();
        if (!value) return fail(value);
        if (said.size() < 400) said += *name + "=" + value->value_or("NIL") + " ";
    }
    return said;
}

}  // namespace

task<result<reply>> id(invocation& c)
{
    auto const said = parse_id(c.in);
    if (!said) co_return fail(said);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    if (!said->empty()) c.s.srv().log.debug("imap_client", {{"session", c.s.id()}, {"id", *said}});
    std::string line = "ID (\"name\" \"Mansio\" \"version\" ";
    wire::append_string(line, c.s.srv().options.version);
    c.s.untagged(line + ")");
    co_return reply::ok("ID completed");
}

}  // namespace mansio::imap::commands
