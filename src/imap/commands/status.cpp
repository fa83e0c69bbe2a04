// STATUS (RFC 9051 §6.3.11; SIZE RFC 8438; RECENT RFC 3501; MAILBOXID RFC 8474 §4.3; HIGHESTMODSEQ RFC 7162 §3.1.7;
// DELETED-STORAGE RFC 9208 §4.1.4).
#include "imap/commands/status.hpp"

#include <array>

#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/object_id.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

enum : status_items {
    messages = 1,
    recent = 2,
    uid_next = 4,
    uid_validity = 8,
    unseen = 16,
    deleted = 32,
    size = 64,
    mailbox_id = 128,
    highest_modseq = 256,
    deleted_storage = 512
};
constexpr struct {
    std::string_view name;
    status_items bit;
    extension part_of = extension::none;
} known[] = {{"MESSAGES", messages},
             {"RECENT", recent},
             {"UIDNEXT", uid_next},
             {"UIDVALIDITY", uid_validity},
             {"UNSEEN", unseen},
             {"DELETED", deleted},
             {"SIZE", size, extension::status_size},
             {"MAILBOXID", mailbox_id, extension::objectid},
             {"HIGHESTMODSEQ", highest_modseq, extension::condstore},
             {"DELETED-STORAGE", deleted_storage, extension::quota_storage}};

/// Messages nobody has been told of yet (RFC 3501 §6.3.10).
task<result<std::uint32_t>> count_recent(store::account_ref account, store::mailbox_id m)
{
    auto const first = co_await account.claim_recent(m, false);
    if (!first) co_return fail(first);
    auto const view = co_await account.view(m);
    if (!view) co_return fail(view);
    co_return (*view)->size() - (*view)->lower_bound(*first);
}

/// What an EXPUNGE would free: exact but for messages that other mailboxes hold too.
task<result<std::uint64_t>> deleted_octets(store::account_ref account, store::mailbox_id m)
{
    constexpr std::uint32_t at_once = 65536;
    auto const view = co_await account.view(m);
    if (!view) co_return fail(view);
    std::uint64_t octets = 0;
    for (std::uint32_t p = 0; p < (*view)->size(); ++p) {
        auto const e = (*view)->at(p);
        if (e.flags.has(store::system_flag::deleted)) octets += e.size;
        if (p % at_once == at_once - 1) co_await base::yield_now{};
    }
    co_return octets;
}

}  // namespace

result<status_items> parse_status_items(wire::scanner& in, extension_set const& on)
{
    status_items items = 0;
    if (auto open = in.expect('('); !open) return fail(open);
    do {
        auto const before = items;
        for (auto const& k : known)
            if (on.has(k.part_of) && in.take_word(k.name)) items |= k.bit;
        if (items == before && in.peek() != ')' && in.peek() != ' ') return fail(fault::kind::syntax, "there is no such status item");
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return fail(close);
    if (items == 0) return fail(fault::kind::syntax, "a status item is missing");
    return items;
}

task<result<void>> append_status(session& s, std::string& out, store::account_ref account, store::mailbox_info m, status_items items)
{
    if ((items & highest_modseq) != 0) s.enable_condstore();
    auto const c = co_await account.counts(m.id);
    if (!c) co_return fail(c);
    std::uint32_t new_ones = 0;
    if ((items & recent) != 0 && !s.rev2()) {
        auto const n = co_await count_recent(account, m.id);
        if (!n) co_return fail(n);
        new_ones = *n;
    }
    std::uint64_t freed = 0;
    if ((items & deleted_storage) != 0 && c->deleted != 0) {
        auto const octets = co_await deleted_octets(account, m.id);
        if (!octets) co_return fail(octets);
        freed = *octets;
    }
    std::uint64_t const values[] = {c->messages, new_ones, c->uid_next, c->uid_validity, c->unseen, c->deleted, c->octets, 0, c->highest_modseq, freed};
    out += "* STATUS ";
    append_mailbox(out, m.name, s.names());
    out += " (";
    for (std::size_t i = 0; i < std::size(known); ++i) {
        if ((items & known[i].bit) == 0) continue;
        if (out.back() != '(') out += ' ';
        if (known[i].bit == mailbox_id) {
            append_object_id(out, known[i].name, object_kind::mailbox, account.number(), m.id);
            continue;
        }
        out += known[i].name;
        out += ' ';
        wire::append_number(out, values[i]);
    }
    out += ")\r\n";
    co_return result<void>{};
}

// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
task<result<reply>> status(invocation& c)
{
    auto const name = parse_mailbox(c.s, c.in);
    if (!name) co_return fail(name);
    auto const sp = c.in.space();
    if (!sp) co_return fail(sp);
    auto const items = parse_status_items(c.in, c.s.on());
    if (!items) co_return fail(items);
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto found = co_await find_mailbox(c.s, *name);
    if (!found) co_return fail(found);
    std::string out;
    auto const appended = co_await append_status(c.s, out, std::move(found->account), std::move(found->info), *items);
    if (!appended) co_return fail(appended);
    auto const sent = co_await c.s.send(out);
    if (!sent) co_return fail(sent);
    co_return reply::ok("STATUS completed");
}

}  // namespace mansio::imap::commands
