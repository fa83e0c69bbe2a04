// CREATE, with USE (RFC 9051 §6.3.4, RFC 6154 §3).
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/object_id.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct create_args {
    std::string name;
    store::special_use use = store::special_use::none;
};

// create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"
result<store::special_use> parse_use(wire::scanner& in)
{
    auto use = store::special_use::none;
    if (auto open = in.expect('('); !open) return fail(open);
    if (!in.take_word("USE")) return fail(fault::kind::syntax, "the only parameter of CREATE is USE");
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto open = in.expect('('); !open) return fail(open);
    while (!in.take(')')) {
        if (use != store::special_use::none) return fail(fault::kind::refused, "[USEATTR] a mailbox has one special use");
        if (auto slash = in.expect('\\'); !slash) return fail(slash);
        auto const name = in.atom();
        if (!name) return fail(name);
        auto const known = settable_use(*name);
        if (!known) return fail(fault::kind::refused, "[USEATTR] that special use is not possible here");
        use = *known;
        if (in.peek() != ')')
            if (auto sp = in.space(); !sp) return fail(sp);
    }
    if (auto close = in.expect(')'); !close) return fail(close);
    return use;
}

// create = "CREATE" SP mailbox [SP "(" create-param ")"]
result<create_args> parse_create(session const& s, wire::scanner& in)
{
    create_args a;
    auto name = parse_mailbox(s, in, name_use::fresh);
    if (!name) return fail(name);
    a.name = std::move(*name);
    if (s.offers(extension::create_special_use) && in.take(' ')) {
        auto const use = parse_use(in);
        if (!use) return fail(use);
        a.use = *use;
    }
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

}  // namespace

task<result<reply>> create(invocation& c)
{
    auto args = parse_create(c.s, c.in);
    if (!args) co_return fail(args);
    if (reserved(c.s, args->name)) co_return fail(fault::kind::refused, "[CANNOT] that name is for the mailboxes of other people");
    auto place = co_await place_of(c.s, std::move(args->name));
    if (!place) co_return fail(place);
    auto const made = co_await place->account.create_mailbox(std::move(place->name), args->use);
    if (!made) co_return fail(made);
    if (!c.s.offers(extension::objectid)) co_return reply::ok("CREATE completed");
    std::string words = "[";
    append_object_id(words, "MAILBOXID", object_kind::mailbox, place->account.number(), made->id);
    co_return reply::ok(words + "] CREATE completed");
}

}  // namespace mansio::imap::commands
