// SELECT and EXAMINE open a mailbox (RFC 9051 §6.3.2, §6.3.3); UNSELECT and CLOSE leave it (§6.4.1, §6.4.2).
#include "imap/commands/handlers.hpp"
#include "imap/commands/listing.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/object_id.hpp"
#include "imap/resync.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

void append_status_line(std::string& out, std::string_view code, std::uint64_t value, std::string_view words)
{
    out += "* OK [";
    out += code;
    out += ' ';
    wire::append_number(out, value);
    out += "] ";
    out += words;
    out += "\r\n";
}

/// The sequence number of the first message without \Seen; 0: none.
std::uint32_t first_unseen(store::mailbox_view const& view)
{
    for (std::uint32_t p = 0; p < view.size(); ++p)
        if (!view.at(p).flags.has(store::system_flag::seen)) return p + 1;
    return 0;
}

/// What only IMAP4rev1 has: RECENT, and UNSEEN of the first unseen message (RFC 3501 §6.3.1).
task<result<void>> append_rev1(selected_mailbox& m, std::string& out)
{
    auto const recent = co_await m.account.claim_recent(m.info.id, !m.read_only());
    if (!recent) co_return fail(recent);
    if (*recent < m.announced->uid_next()) {
        if (auto const whole = co_await m.wait_whole(); !whole) co_return fail(whole);
        m.recent.emplace_back(*recent, m.announced->uid_next() - 1);
    }
    out += "* " + std::to_string(m.recent_count()) + " RECENT\r\n";
    auto const counts = co_await m.account.counts(m.info.id);
    if (!counts) co_return fail(counts);
    std::uint32_t unseen = counts->unseen == 0 ? 0 : 1;
    if (unseen != 0 && counts->unseen < counts->messages) {  // not simply the first
        if (auto const whole = co_await m.wait_whole(); !whole) co_return fail(whole);
        unseen = first_unseen(*m.announced);
    }
    if (unseen != 0) append_status_line(out, "UNSEEN", unseen, "first unseen message");
    co_return result<void>{};
}

struct open_args {
    bool condstore = false;
    std::optional<known_state> known;
};

// select-params = SP "(" select-param *(SP select-param) ")"   (RFC 4466 §2.1); CONDSTORE: RFC 7162 §3.1.8; QRESYNC: §3.2.5
result<void> parse_params(session const& s, wire::scanner& in, open_args& a)
{
    if (in.at_end()) return {};
    if (auto sp = in.space(); !sp) return sp;
    if (auto open = in.expect('('); !open) return open;
    do {
        if (s.offers(extension::condstore) && in.take_word("CONDSTORE")) {
            a.condstore = true;
        } else if (s.offers(extension::qresync) && in.take_word("QRESYNC")) {
            if (!s.qresync()) return fail(fault::kind::syntax, "ENABLE QRESYNC comes first");
            if (auto sp = in.space(); !sp) return sp;
            auto known = parse_known_state(in);
            if (!known) return fail(known);
            a.known = std::move(*known);
        } else {
            return fail(fault::kind::syntax, "there is no such parameter");
        }
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return close;
    return in.end();
}

task<result<reply>> open(invocation& c, bool examine)
{
    auto& s = c.s;
    auto const name = parse_mailbox(s, c.in);
    open_args args;
    auto const end = name ? parse_params(s, c.in, args) : result<void>{};
    if (!end) co_return fail(end);
    // Also when this SELECT fails, the mailbox open before is closed (RFC 9051 §6.3.2).
    if (s.selected() != nullptr) {
        s.unselect();
        s.untagged("OK [CLOSED] the mailbox open before is closed");
    }
    if (!name) co_return fail(name);
    if (args.condstore) s.enable_condstore();
    auto m = std::make_unique<selected_mailbox>();
    auto found = co_await find_mailbox(s, *name);
    if (!found) co_return fail(found);
    m->account = std::move(found->account);
    m->info = std::move(found->info);
    m->examined = examine;
    auto view = co_await m->account.open(m->info.id);
    if (!view) co_return fail(view);
    m->announced = std::move(*view);

    std::string out;
    append_flag_lists(out, *m, *m->announced);
    out += "* " + std::to_string(m->announced->size()) + " EXISTS\r\n";
    if (!s.rev2()) {
        auto const more = co_await append_rev1(*m, out);
        if (!more) co_return fail(more);
    }
    append_status_line(out, "UIDVALIDITY", m->announced->uid_validity(), "UIDs are valid");
    append_status_line(out, "UIDNEXT", m->announced->uid_next(), "predicted next UID");
    if (s.offers(extension::condstore)) append_status_line(out, "HIGHESTMODSEQ", m->announced->highest_modseq(), "mod-sequences are kept");
    if (s.offers(extension::objectid)) {
        out += "* OK [";
        append_object_id(out, "MAILBOXID", object_kind::mailbox, m->account.number(), m->info.id);
        out += "] the name may change, this stays\r\n";
    }
    if (s.rev2()) append_list_line(out, "LIST", m->info, {}, s);  // RFC 9051 §6.3.2: LIST with the mailbox's name
    auto const sent = co_await s.send(out);
    if (!sent) co_return fail(sent);
    if (args.known) {
        if (auto const whole = co_await m->wait_whole(); !whole) co_return fail(whole);
        auto const told = co_await tell_missed(s, *m, *args.known);
        if (!told) co_return fail(told);
    }
    auto const read_only = m->read_only();
    s.select(std::move(m));
    if (read_only) co_return reply::ok(examine ? "[READ-ONLY] EXAMINE completed" : "[READ-ONLY] SELECT completed");
    co_return reply::ok("[READ-WRITE] SELECT completed");
}

}  // namespace

task<result<reply>> select(invocation& c) { return open(c, false); }
task<result<reply>> examine(invocation& c) { return open(c, true); }

task<result<reply>> unselect(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    c.s.unselect();
    co_return reply::ok("UNSELECT completed");
}

task<result<reply>> close(invocation& c)
{
    auto const end = c.in.end();
    if (!end) co_return fail(end);
    auto const& m = *c.s.selected();
    if (m.may(store::right::expunge)) {  // else nothing is removed and no error given (RFC 9051 §6.4.1)
        auto const removed = co_await m.account.expunge(m.info.id, std::nullopt);
        if (!removed && removed.error().what != fault::kind::not_found) co_return fail(removed);
    }
    c.s.unselect();
    co_return reply::ok("CLOSE completed");
}

}  // namespace mansio::imap::commands
