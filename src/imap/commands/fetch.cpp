// FETCH and UID FETCH (RFC 9051 §6.4.5, §7.5.2). Index items come from the mailbox's picture, summaries from stored rows, only bodies open a blob.
#include <algorithm>
#include <array>
#include <utility>

#include "imap/commands/fetch_body.hpp"
#include "imap/commands/fetch_items.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/object_id.hpp"
#include "imap/resync.hpp"
#include "imap/session.hpp"
#include "imap/uid_walk.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

// Records read together: few at first, so that the first answers come at once, then more.
constexpr std::size_t slice_first = 64;
constexpr std::size_t slice_most = 256;
constexpr std::size_t slices_ahead = 2;
// Octets of messages read together: few at first, for a client that reads nothing of what it asked for costs that much (I15), then more.
constexpr std::uint64_t together_first = 64U * 1024U;
constexpr std::uint64_t together_most = 256U * 1024U;
constexpr std::size_t slice_of_index = 512;
constexpr std::size_t piece = 64U * 1024U;  // of answers, between waits for a slow reader

struct fetch_args {
    wire::sequence_set messages;
    fetch_items items;
    std::optional<store::mod_seq> changed_since;
    bool vanished = false;  ///< those of them that are gone since are told too
    std::optional<partial_range> partial;
};

// fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range   (RFC 7162 §3.1.4.1, §3.2.6; RFC 9394 §3.3)
result<void> parse_modifier(invocation& c, fetch_args& a)
{
    auto& in = c.in;
    if (!a.changed_since && c.s.offers(extension::condstore) && in.take_word("CHANGEDSINCE")) {
        if (auto sp = in.space(); !sp) return sp;
        auto const since = in.number64();
        if (!since) return fail(since);
        a.changed_since = *since;
        a.items.modseq = true;
        return {};
    }
    if (c.by_uid && !a.partial && c.s.offers(extension::partial) && in.take_word("PARTIAL")) {
        if (auto sp = in.space(); !sp) return sp;
        auto range = parse_partial_range(in, c.s.on());
        if (!range) return fail(range);
        a.partial = std::move(*range);
        return {};
    }
    if (!c.by_uid || !c.s.qresync() || !in.take_word("VANISHED")) return fail(fault::kind::syntax, "there is no such modifier here");
    a.vanished = true;
    return {};
}

// fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"   (RFC 4466 §2.4)
result<void> parse_modifiers(invocation& c, fetch_args& a)
{
    if (!c.in.take_text(" (")) return {};
    do {
        if (auto modifier = parse_modifier(c, a); !modifier) return modifier;
    } while (c.in.take(' '));
    if (a.vanished && !a.changed_since) return fail(fault::kind::syntax, "VANISHED goes with CHANGEDSINCE");
    if (a.vanished && a.partial) return fail(fault::kind::syntax, "VANISHED and PARTIAL do not go together");
    return c.in.expect(')');
}

// fetch = "FETCH" SP sequence-set SP (…) [fetch-modifiers]
result<fetch_args> parse_fetch(invocation& c)
{
    auto& in = c.in;
    fetch_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto set = wire::parse_sequence_set(in);
    if (!set) return fail(set);
    a.messages = std::move(*set);
    if (auto sp = in.space(); !sp) return fail(sp);
    auto items = parse_fetch_items(in, c.s.on());
    if (!items) return fail(items);
    a.items = std::move(*items);
    if (auto modifiers = parse_modifiers(c, a); !modifiers) return fail(modifiers);
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

/// One FETCH under way.
struct fetching {
    session& s;
    selected_mailbox& m;
    fetch_items const& items;
    store::mailbox_view_ptr latest;       ///< flags come from here: our own silent changes are in it
    std::vector<store::uid> just_seen;    ///< made \Seen by this FETCH: their FLAGS are told along (RFC 9051 §6.4.5)
    bool gone = false;                    ///< a message is no more
    std::optional<fault> failed;          ///< one could not be read; the others are answered
    uid_walk in_latest{};
    std::uint64_t together = together_first;

    /// What the index knows of a message; flags and modseq as they are now.
    [[nodiscard]] store::message_entry entry(std::uint32_t position)
    {
        auto e = m.announced->at(position);
        if (latest == m.announced) return e;
        auto const now = in_latest.find(*latest, e.uid);
        if (!now) return e;
        auto current = latest->at(*now);
        e.flags = std::move(current.flags);
        e.modseq = current.modseq;
        return e;
    }
};

void append_word(std::string& line, std::string_view word)
{
    if (line.back() != '(') line += ' ';
    line += word;
}

/// Everything but the sections.
void append_plain(std::string& line, fetching const& f, std::uint32_t position, store::message_entry const& e, store::email_record const* email)
{
    auto const& items = f.items;
    line += "* ";
    wire::append_number(line, position + 1);
    line += " FETCH (";
    if (items.uid) {
        line += "UID ";
        wire::append_number(line, e.uid);
    }
    bool const flags = items.flags || std::ranges::binary_search(f.just_seen, e.uid);
    if (flags) {
        append_word(line, "FLAGS ");
        append_flags(line, *f.latest, e.flags, !f.s.rev2() && f.m.is_recent(e.uid));
    }
    if (items.modseq || (flags && f.s.condstore())) {
        append_word(line, "");
        append_modseq(line, e.modseq);
    }
    if (items.internal_date) {
        append_word(line, "INTERNALDATE \"");
        line += mime::format_imap_date_time(e.internal_date);
        line += '"';
    }
    if (items.size) {
        append_word(line, "RFC822.SIZE ");
        wire::append_number(line, e.size);
    }
    if (items.save_date) {
        append_word(line, "SAVEDATE \"");
        line += mime::format_imap_date_time({e.save_date, 0});
        line += '"';
    }
    auto const account = f.m.account.number();
    if (items.email_id) {
        append_word(line, "");
        append_object_id(line, "EMAILID", object_kind::email, account, e.email);
    }
    if (items.thread_id) {
        append_word(line, "");
        append_object_id(line, "THREADID", object_kind::thread, account, email->thread());
    }
    if (items.preview) {
        append_word(line, "PREVIEW ");
        wire::append_string(line, email->summary().preview, f.s.names() == name_form::utf8);
    }
    if (items.envelope) {
        append_word(line, "ENVELOPE ");
        line += email->envelope_text();
    }
    if (items.body) {
        append_word(line, "BODY ");
        line += email->body_text();
    }
    if (items.bodystructure) {
        append_word(line, "BODYSTRUCTURE ");
        line += email->bodystructure_text();
    }
}

/// A section that cannot be read is left as NIL, or left out, and the command ends with NO: the rest of the message is still right.
task<result<void>> fetch_sections(fetching& f, std::string& line, store::email_record_ptr email)
{
    bool first = line.ends_with('(');
    for (auto const& section : f.items.sections) {
        auto const before = line.size();
        if (!first) line += ' ';
        auto const done = co_await append_section(f.s, line, section, email);
        if (done) first = false;
        if (done) continue;
        if (ends_conversation(done.error())) co_return fail(done);
        if (section.how == fetch_section::form::as_stored) {
            line += section.label + " NIL";
            first = false;
        } else {
            line.resize(before);  // a size cannot be NIL, and NIL would say there is no such part
        }
        if (done.error().what == fault::kind::not_found)
            f.gone = true;  // expunged while we read
        else
            f.failed = done.error();
    }
    co_return result<void>{};
}

/// BODY[] and nothing else of the messages' octets.
bool only_whole_messages(fetch_items const& items)
{
    if (items.sections.size() != 1) return false;
    auto const& s = items.sections.front();
    return s.how == fetch_section::form::as_stored && s.what == mime::section_kind::body && s.path.empty() && s.choice == fetch_section::filter::none &&
           !s.partial;
}

/// Small messages that stand together, read with one trip to the disk's threads. One that is not among them is read by itself, which also says why it
/// cannot be.
class messages_together {
public:
    messages_together(fetching& f, std::vector<store::email_record_ptr> const& emails) : f_(f), emails_(emails), wanted_(only_whole_messages(f.items)) {}
    /// Empty: not read. `i` rises from call to call.
    task<std::string> take(std::size_t i)
    {
        if (!wanted_) co_return std::string{};
        if (i >= until_) co_await read(i);
        co_return i < until_ ? std::move(octets_[i - from_]) : std::string{};
    }

private:
    task<void> read(std::size_t from)
    {
        from_ = until_ = from;
        octets_.clear();
        std::vector<store::email_record_ptr> some;
        std::uint64_t total = 0;
        for (auto i = from; i < emails_.size() && emails_[i] && total + emails_[i]->size() <= f_.together; ++i) {
            total += emails_[i]->size();
            some.push_back(emails_[i]);
        }
        auto const n = some.size();
        if (n < 2) co_return;
        auto read = co_await f_.m.account.read_all(std::move(some), f_.together);
        f_.together = std::min(f_.together * 2, together_most);
        if (!read) co_return;
        octets_ = std::move(*read);
        until_ = from + n;
    }

    fetching& f_;
    std::vector<store::email_record_ptr> const& emails_;
    bool wanted_;
    std::vector<std::string> octets_;
    std::size_t from_ = 0, until_ = 0;
};

/// `octets`: the whole message.
task<result<void>> append_message(fetching& f, std::string& line, std::string_view octets)
{
    append_word(line, f.items.sections.front().label);
    line += ' ';
    wire::append_literal_head(line, octets.size(), false);
    if (octets.size() <= piece) {
        line += octets;
        co_return result<void>{};
    }
    auto sent = co_await f.s.send(line);
    if (!sent) co_return sent;
    line.clear();
    co_return co_await f.s.send(octets);
}

struct records_slice {
    std::vector<std::uint32_t> positions;
    result<std::vector<store::email_record_ptr>> emails;
};

task<void> read_slice(fetching const& f, records_slice& s)
{
    std::vector<store::email_id> ids;
    ids.reserve(s.positions.size());
    for (auto const position : s.positions) ids.push_back(f.m.announced->at(position).email);
    s.emails = co_await f.m.account.emails(f.m.info.id, std::move(ids));
}

task<result<void>> tell_slice(fetching& f, records_slice const& s)
{
    auto const& [slice, emails] = s;
    if (!emails) co_return fail(emails);
    std::string line;
    messages_together together{f, *emails};
    for (std::size_t i = 0; i < slice.size(); ++i) {
        auto const& email = (*emails)[i];
        auto const whole = co_await together.take(i);
        if (!email) {
            f.gone = true;
            continue;
        }
        append_plain(line, f, slice[i], f.entry(slice[i]), email.get());
        if (!whole.empty()) {
            auto const appended = co_await append_message(f, line, whole);
            if (!appended) co_return fail(appended);
        } else if (!f.items.sections.empty()) {
            auto const sections = co_await fetch_sections(f, line, email);
            if (!sections) co_return fail(sections);
            if (line.ends_with(" FETCH (")) {  // nothing of it could be told
                line.resize(line.rfind('\n') + 1);
                continue;
            }
        }
        line += ")\r\n";
        if (line.size() < piece) continue;
        auto const sent = co_await f.s.send(line);
        if (!sent) co_return fail(sent);
        line.clear();
    }
    co_return co_await f.s.send(line);
}

task<result<void>> fetch_index(fetching& f, std::vector<std::uint32_t> const& slice)
{
    std::string lines;
    for (auto const position : slice) {
        append_plain(lines, f, position, f.entry(position), nullptr);
        lines += ")\r\n";
    }
    co_return co_await f.s.send(lines);
}

/// One change for the whole set, before the answers, so that they can tell it. Without the right it does not happen (RFC 4314 §4).
task<result<void>> mark_seen(fetching& f, position_ranges const& positions)
{
    std::vector<store::uid> unseen;
    for (auto const& [from, to] : positions.ranges)
        for (auto p = from; p < to; ++p)
            if (auto const e = f.entry(p); !e.flags.has(store::system_flag::seen)) unseen.push_back(e.uid);
    if (unseen.empty()) co_return result<void>{};
    auto ranges = wire::to_ranges(unseen);
    store::flag_change seen{store::flag_operation::add, {"\\Seen"}, std::nullopt};
    auto done = co_await f.m.account.change_flags(f.m.info.id, std::move(ranges), std::move(seen));
    if (!done) co_return fail(done);
    f.latest = done->after;
    f.m.note_known(done->changed, *done->after);
    f.just_seen = std::move(done->changed);
    std::ranges::sort(f.just_seen);
    co_return result<void>{};
}

/// Those of `from` that changed after `since`.
position_ranges changed(fetching const& f, position_ranges const& from, store::mod_seq since)
{
    std::vector<std::uint32_t> places;  // in the picture the client knows, ascending
    f.latest->changed_since(since, [&](std::uint32_t position) {
        if (auto const at = f.m.announced->find(f.latest->uid_at(position))) places.push_back(*at);
    });
    position_ranges out;
    auto range = from.ranges.begin();
    for (auto const p : places) {
        while (range != from.ranges.end() && range->second <= p) ++range;
        if (range == from.ranges.end()) break;
        if (p >= range->first) out.ranges.emplace_back(p, p + 1);
    }
    return out;
}

/// The positions of one page of those that the set names (RFC 9394 §3.3).
position_ranges page(position_ranges const& all, partial_range const& which)
{
    auto [from, to] = which.of(static_cast<std::size_t>(all.count()));
    position_ranges out;
    std::size_t before = 0;
    for (auto const& [first, past] : all.ranges) {
        auto const here = past - first;
        auto const low = std::max(from, before), high = std::min(to, before + here);
        if (low < high) out.ranges.emplace_back(first + static_cast<std::uint32_t>(low - before), first + static_cast<std::uint32_t>(high - before));
        before += here;
    }
    return out;
}

/// A slice on its way from the store.
struct slice_ahead {
    records_slice slice;
    base::task_group reading{base::executor::current()};
};

/// Slices are read while those before them are told.
task<result<void>> fetch_all_records(fetching& f, position_ranges const& positions)
{
    position_cursor cursor{positions};
    std::array<slice_ahead, slices_ahead + 1> ring;
    auto most = slice_first;
    auto const begin = [&](slice_ahead& s) {
        cursor.next(s.slice.positions, most);
        most = std::min(most * 2, slice_most);
        if (!s.slice.positions.empty()) s.reading.spawn(read_slice(f, s.slice));
    };
    for (auto& s : ring) begin(s);
    result<void> done;
    for (std::size_t i = 0; done; ++i) {
        auto& s = ring[i % ring.size()];
        co_await s.reading.join();
        if (s.slice.positions.empty()) break;
        done = co_await tell_slice(f, s.slice);
        if (done) begin(s);
        co_await base::yield_now{};  // others get their turn, and what was begun begins
    }
    for (auto& s : ring) co_await s.reading.join();
    co_return done;
}

task<result<void>> fetch_all(fetching& f, position_ranges const& positions)
{
    if (f.items.needs_record()) co_return co_await fetch_all_records(f, positions);
    position_cursor cursor{positions};
    std::vector<std::uint32_t> slice;
    for (cursor.next(slice, slice_of_index); !slice.empty(); cursor.next(slice, slice_of_index)) {
        auto const done = co_await fetch_index(f, slice);
        if (!done) co_return done;
        if (slice.size() == slice_of_index) co_await base::yield_now{};
    }
    co_return result<void>{};
}

}  // namespace

task<result<reply>> fetch(invocation& c)
{
    auto args = parse_fetch(c);
    if (!args) co_return fail(args);
    if (c.by_uid) args->items.uid = true;  // RFC 9051 §6.4.9
    auto& m = *c.s.selected();
    auto positions = m.find(args->messages, c.by_uid);
    if (!positions) co_return fail(positions);
    if (args->items.modseq) c.s.enable_condstore();
    if (args->vanished) {
        auto const last = m.announced->size() == 0 ? 0 : m.announced->uid_at(m.announced->size() - 1);
        auto uids = args->messages.saved ? m.saved : wire::resolve(args->messages, last);
        auto const told = co_await tell_vanished(c.s, m, std::move(uids), *args->changed_since);
        if (!told) co_return fail(told);
    }
    if (positions->empty()) co_return reply::ok("no messages");
    auto latest = co_await m.account.view(m.info.id);
    if (!latest) co_return fail(latest);
    fetching f{c.s, m, args->items, std::move(*latest), {}, false, {}, {}};
    if (args->partial) positions = page(*positions, *args->partial);  // first the page, then what changed in it
    if (args->changed_since) {
        positions = changed(f, *positions, *args->changed_since);
        if (positions->empty()) co_return reply::ok("nothing changed since");
    }
    if (args->items.sets_seen() && m.may(store::right::keep_seen)) {
        auto const marked = co_await mark_seen(f, *positions);
        if (!marked && ends_conversation(marked.error())) co_return fail(marked);
        if (!marked) f.failed = marked.error();
    }
    auto const done = co_await fetch_all(f, *positions);
    if (!done) co_return fail(done);
    if (f.failed) co_return std::unexpected(*f.failed);
    // RFC 2180 §4.1.2, RFC 5530 §3: by number, a message the client still counts is no more
    if (f.gone && !c.by_uid) co_return reply::no("[EXPUNGEISSUED] some of the messages no longer exist");
    co_return reply::ok("FETCH completed");
}

task<result<void>> fetch_arrivals(session& s, fetch_items const& items, position_ranges const& which)
{
    auto& m = *s.selected();
    fetching f{s, m, items, m.announced, {}, false, {}, {}};
    auto const done = co_await fetch_all(f, which);
    if (!done && ends_conversation(done.error())) co_return fail(done);
    co_return result<void>{};
}

}  // namespace mansio::imap::commands
