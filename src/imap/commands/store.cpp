// STORE and UID STORE change flags in the selected mailbox (RFC 9051 §6.4.6).
#include <algorithm>

#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/session.hpp"
#include "imap/uid_walk.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

struct store_args {
    wire::sequence_set messages;
    store::flag_change change;
    bool silent = false;
};

// store-modifiers = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP   (RFC 7162 §3.1.3)
result<void> parse_modifiers(wire::scanner& in, store_args& a, extension_set const& on)
{
    if (!on.has(extension::condstore) || !in.take('(')) return {};
    if (!in.take_word("UNCHANGEDSINCE")) return fail(fault::kind::syntax, "the only modifier of STORE is UNCHANGEDSINCE");
    if (auto sp = in.space(); !sp) return sp;
    auto const since = in.number64();
    if (!since) return fail(since);
    a.change.unchanged_since = *since;
    if (auto close = in.expect(')'); !close) return close;
    return in.space();
}

// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
result<store_args> parse_store(wire::scanner& in, extension_set const& on)
{
    store_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto set = wire::parse_sequence_set(in);
    if (!set) return fail(set);
    a.messages = std::move(*set);
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto modifiers = parse_modifiers(in, a, on); !modifiers) return fail(modifiers);
    a.change.how = in.take('+') ? store::flag_operation::add : in.take('-') ? store::flag_operation::remove : store::flag_operation::replace;
    if (in.take_word("FLAGS.SILENT"))
        a.silent = true;
    else if (!in.take_word("FLAGS"))
        return fail(fault::kind::syntax, "STORE changes FLAGS");
    if (auto sp = in.space(); !sp) return fail(sp);
    if (in.peek() == '(') {
        auto flags = in.flag_list();
        if (!flags) return fail(flags);
        a.change.names = std::move(*flags);
    } else {
        do {
            auto one = in.flag();
            if (!one) return fail(one);
            a.change.names.push_back(std::move(*one));
        } while (in.take(' '));
    }
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

/// The flags of `names` that `view` has an index for.
store::flag_set known_flags(std::vector<std::string> const& names, store::mailbox_view const& view)
{
    store::flag_set set;
    for (auto const& n : names) {
        if (n == "\\Answered") set.set(store::system_flag::answered);
        if (n == "\\Flagged") set.set(store::system_flag::flagged);
        if (n == "\\Deleted") set.set(store::system_flag::deleted);
        if (n == "\\Seen") set.set(store::system_flag::seen);
        if (n == "\\Draft") set.set(store::system_flag::draft);
        for (unsigned i = 0; i < view.keywords().size(); ++i)
            if (base::equal_ignoring_case(view.keywords()[i], n)) set.set(store::first_keyword + i);
    }
    return set;
}

/// .SILENT: the client works the new flags out for itself. Where that gives what is now there, nothing is told; where another session's change came
/// between, the next announcement tells. While an EXPUNGE is held back, FETCH and STORE have told flags ahead of `announced`, so what the client works out
/// is not known here: all is announced then.
std::vector<store::uid> as_expected(selected_mailbox const& m, store::flags_changed const& done, store::flag_change const& change)
{
    auto const named = known_flags(change.names, *done.after);
    std::vector<store::uid> out;
    if (done.after->lower_bound(m.announced->uid_next()) < m.announced->size()) return out;
    out.reserve(done.changed.size());
    uid_walk announced, latest;
    for (auto const u : done.changed) {
        auto const before = announced.find(*m.announced, u);
        auto const after = latest.find(*done.after, u);
        if (!before || !after) continue;
        auto expected = m.announced->at(*before).flags;
        if (change.how == store::flag_operation::replace) expected = named;
        if (change.how == store::flag_operation::add) expected.add(named);
        if (change.how == store::flag_operation::remove) expected.remove(named);
        if (expected == done.after->at(*after).flags) out.push_back(u);
    }
    return out;
}

/// What STORE tells of each message it named.
struct telling {
    store::mailbox_view_ptr after;
    std::vector<store::uid> const& conflicts;  ///< not changed: nothing is told of them here (RFC 7162 §3.1.3)
    bool flags = true;                          ///< false: .SILENT to a client that knows mod-sequences; only those are told
    bool by_uid = false;
};

void append_fetch(std::string& out, session const& s, std::uint32_t position, store::message_entry const& e, telling const& t)
{
    out += "* ";
    wire::append_number(out, position + 1);
    out += " FETCH (";
    if (t.by_uid || s.rev2() || s.condstore()) {
        out += "UID ";
        wire::append_number(out, e.uid);
        out += ' ';
    }
    if (t.flags) {
        out += "FLAGS ";
        append_flags(out, *t.after, e.flags, !s.rev2() && s.selected()->is_recent(e.uid));
    }
    if (s.condstore()) {
        if (t.flags) out += ' ';
        append_modseq(out, e.modseq);
    }
    out += ")\r\n";
}

/// FETCH of every message named, changed or not (RFC 9051 §6.4.6). Answers whether one of them is gone.
task<result<bool>> tell(session& s, position_ranges const& positions, telling t)
{
    auto const announced = s.selected()->announced;
    position_cursor cursor{positions};
    std::vector<std::uint32_t> slice;
    bool gone = false;
    for (cursor.next(slice, 512); !slice.empty(); cursor.next(slice, 512)) {
        std::string out;
        auto hint = t.after->lower_bound(announced->uid_at(slice.front()));
        for (auto const position : slice) {
            auto const u = announced->uid_at(position);
            while (hint < t.after->size() && t.after->uid_at(hint) < u) ++hint;
            if (hint == t.after->size() || t.after->uid_at(hint) != u)
                gone = true;
            else if (!std::ranges::binary_search(t.conflicts, u))
                append_fetch(out, s, position, t.after->at(hint), t);
        }
        auto const sent = co_await s.send(out);
        if (!sent) co_return fail(sent);
        co_await base::yield_now{};
    }
    co_return gone;
}

/// "[MODIFIED 7,9] ", in the numbers the command used; empty when nothing stood in the way.
std::string modified(selected_mailbox const& m, std::vector<store::uid> const& conflicts, bool by_uid)
{
    if (conflicts.empty()) return {};
    std::vector<std::uint32_t> numbers;
    numbers.reserve(conflicts.size());
    for (auto const u : conflicts) {
        auto const at = m.announced->find(u);
        if (by_uid)
            numbers.push_back(u);
        else if (at)
            numbers.push_back(*at + 1);
    }
    std::string out = "[MODIFIED ";
    wire::append_numbers(out, numbers);
    return out + "] ";
}

}  // namespace

task<result<reply>> store(invocation& c)
{
    auto& s = c.s;
    auto const args = parse_store(c.in, s.on());
    if (!args) co_return fail(args);
    auto& m = *s.selected();
    auto const positions = m.find(args->messages, c.by_uid);
    if (!positions) co_return fail(positions);
    if (m.examined) co_return reply::no("[NOPERM] the mailbox is open read-only");
    if (positions->empty()) co_return reply::ok("no messages changed");
    auto const keywords_before = m.announced->keywords().size();
    if (args->change.unchanged_since) s.enable_condstore();
    auto done = co_await m.account.change_flags(m.info.id, m.uids(*positions), args->change);
    if (!done) co_return fail(done);
    std::ranges::sort(done->conflicts);
    if (args->silent)
        m.note_known(as_expected(m, *done, args->change), *done->after);
    else
        m.note_known(done->changed, *done->after);
    if (!args->silent && done->after->keywords().size() > keywords_before) {
        std::string lists;
        append_flag_lists(lists, m, *done->after);
        auto const told = co_await s.send(lists);
        if (!told) co_return fail(told);
    }
    bool gone = false;
    if (!args->silent || s.condstore()) {  // RFC 7162 §3.1.3: also .SILENT tells the new mod-sequence
        auto const told = co_await tell(s, *positions, telling{done->after, done->conflicts, !args->silent, c.by_uid});
        if (!told) co_return fail(told);
        gone = *told && !args->silent;
    }
    auto const code = modified(m, done->conflicts, c.by_uid);
    // RFC 2180 §4.2.1: by number the client means a message that is no more
    if (gone && !c.by_uid) co_return reply::no((code.empty() ? "[EXPUNGEISSUED] " : code) + "some of the messages no longer exist");
    co_return reply::ok(code + (code.empty() ? "STORE completed" : "some changed meanwhile"));
}

}  // namespace mansio::imap::commands
