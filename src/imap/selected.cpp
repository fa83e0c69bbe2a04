#include "imap/selected.hpp"

#include <algorithm>

#include "imap/commands/fetch_items.hpp"
#include "imap/contexts.hpp"
#include "imap/session.hpp"
#include "imap/uid_walk.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

constexpr std::size_t piece = 16U * 1024U;  // of announcements, between waits for a slow reader

constexpr struct {
    store::system_flag flag;
    std::string_view name;
} system_names[] = {
    {store::system_flag::answered, "\\Answered"}, {store::system_flag::flagged, "\\Flagged"}, {store::system_flag::deleted, "\\Deleted"},
    {store::system_flag::seen, "\\Seen"},         {store::system_flag::draft, "\\Draft"},
};

void append_word(std::string& out, std::string_view word)
{
    if (out.back() != '(') out += ' ';
    out += word;
}

}  // namespace

std::uint64_t position_ranges::count() const noexcept
{
    std::uint64_t n = 0;
    for (auto const& [from, to] : ranges) n += to - from;
    return n;
}

void position_cursor::next(std::vector<std::uint32_t>& into, std::size_t most)
{
    into.clear();
    while (into.size() < most && range_ < from_.ranges.size()) {
        auto const [from, to] = from_.ranges[range_];
        if (from + offset_ >= to) {
            ++range_;
            offset_ = 0;
            continue;
        }
        into.push_back(from + offset_++);
    }
}

std::uint32_t selected_mailbox::recent_count() const noexcept
{
    std::uint32_t n = 0;
    for (auto const& [from, to] : recent) n += (to == UINT32_MAX ? announced->size() : announced->lower_bound(to + 1)) - announced->lower_bound(from);
    return n;
}

bool selected_mailbox::read_only() const noexcept
{
    using store::right;
    return !may(right::insert) && !may(right::expunge) && !may(right::write) && !may(right::delete_message);
}

result<position_ranges> selected_mailbox::find(wire::sequence_set const& set, bool by_uid) const
{
    auto const size = announced->size();
    // RFC 9051 §9, seq-number: a message number beyond the last is an error; a UID that is none is ignored.
    if (!by_uid && set.largest_named() > size) return fail(fault::kind::syntax, "there is no message with that number");
    position_ranges out;
    if (size == 0) return out;
    if (!by_uid && !set.saved) {
        for (auto const& [from, to] : wire::resolve(set, size))
            if (from <= size) out.ranges.emplace_back(from - 1, std::min(to, size));
        return out;
    }
    for (auto const& [from, to] : set.saved ? saved : wire::resolve(set, announced->uid_at(size - 1))) {
        auto const first = announced->lower_bound(from);
        auto const past = to == UINT32_MAX ? size : announced->lower_bound(to + 1);
        if (first < past) out.ranges.emplace_back(first, past);
    }
    return out;
}

store::uid_set selected_mailbox::uids(position_ranges const& p) const
{
    store::uid_set out;
    // Consecutive positions are one range: no UID between them can name another message of this picture; later ones are larger.
    for (auto const& [from, to] : p.ranges) out.emplace_back(announced->uid_at(from), announced->uid_at(to - 1));
    return out;
}

void selected_mailbox::note_known(std::vector<store::uid> const& changed, store::mailbox_view const& after)
{
    uid_walk walk;
    for (auto const u : changed)
        if (auto const at = walk.find(after, u)) known.emplace_back(u, after.at(*at).modseq);
    if (!std::ranges::is_sorted(known)) std::ranges::sort(known);
}

void append_flags(std::string& out, store::mailbox_view const& view, store::flag_set const& flags, bool recent)
{
    out += '(';
    for (auto const& s : system_names)
        if (flags.has(s.flag)) append_word(out, s.name);
    if (recent) append_word(out, "\\Recent");
    if (flags.low() >> store::first_keyword != 0 || flags.high()) {
        auto const& names = view.keywords();
        for (auto const index : flags.indexes())
            if (index >= store::first_keyword && index - store::first_keyword < names.size()) append_word(out, names[index - store::first_keyword]);
    }
    out += ')';
}

void append_modseq(std::string& out, store::mod_seq m)
{
    out += "MODSEQ (";
    wire::append_number(out, m);
    out += ')';
}

void append_flags_fetch(std::string& out, session const& s, selected_mailbox const& m, store::mailbox_view const& view, std::uint32_t number,
                        store::message_entry const& entry)
{
    out += "* ";
    wire::append_number(out, number);
    out += " FETCH (";
    if (s.rev2() || s.condstore()) {
        out += "UID ";
        wire::append_number(out, entry.uid);
        out += ' ';
    }
    out += "FLAGS ";
    append_flags(out, view, entry.flags, !s.rev2() && m.is_recent(entry.uid));
    if (s.condstore()) {
        out += ' ';
        append_modseq(out, entry.modseq);
    }
    out += ")\r\n";
}

void append_flag_lists(std::string& out, selected_mailbox const& m, store::mailbox_view const& view)
{
    using store::right;
    out += "* FLAGS (";
    for (auto const& s : system_names) append_word(out, s.name);
    for (auto const& k : view.keywords()) append_word(out, k);
    out += ")\r\n* OK [PERMANENTFLAGS (";
    for (auto const& s : system_names) {
        auto const needed = s.flag == store::system_flag::seen      ? right::keep_seen
                            : s.flag == store::system_flag::deleted ? right::delete_message
                                                                    : right::write;
        if (m.may(needed)) append_word(out, s.name);
    }
    if (m.may(right::write)) {
        for (auto const& k : view.keywords()) append_word(out, k);
        append_word(out, "\\*");
    }
    out += ")] Flags that last\r\n";
}

namespace {

/// VANISHED with the UIDs of `old` that `now` has not (RFC 7162 §3.2.10.2).
task<result<void>> announce_vanished(session& s, store::mailbox_view_ptr old, store::mailbox_view_ptr now)
{
    std::vector<std::uint32_t> gone;
    std::uint32_t place = 0;  // in now
    for (std::uint32_t p = 0; p < old->size(); ++p) {
        if (place < now->size() && now->uid_at(place) == old->uid_at(p))
            ++place;
        else
            gone.push_back(old->uid_at(p));
    }
    std::string out = "* VANISHED ";
    wire::append_numbers(out, gone);
    out += "\r\n";
    co_return co_await s.send(out);
}

/// EXPUNGE for each message of `old` that `now` has not, first to last: each number counts what was announced gone before it.
task<result<void>> announce_expunged(session& s, store::mailbox_view_ptr old, store::mailbox_view_ptr now)
{
    if (s.qresync()) co_return co_await announce_vanished(s, std::move(old), std::move(now));
    std::string out;
    std::uint32_t place = 0;  // in now
    std::uint32_t gone = 0;
    for (std::uint32_t p = 0; p < old->size(); ++p) {
        if (place < now->size() && now->uid_at(place) == old->uid_at(p)) {
            ++place;
            continue;
        }
        out += "* ";
        wire::append_number(out, p + 1 - gone++);
        out += " EXPUNGE\r\n";
        if (out.size() < piece) continue;
        auto const sent = co_await s.send(out);
        if (!sent) co_return fail(sent);
        out.clear();
    }
    co_return co_await s.send(out);
}

task<result<void>> announce_flags(session& s, store::mailbox_view_ptr old, store::mailbox_view_ptr now)
{
    auto& m = *s.selected();
    std::vector<std::uint32_t> changed;
    now->changed_since(old->highest_modseq(), [&](std::uint32_t position) {
        if (now->uid_at(position) < old->uid_next()) changed.push_back(position);
    });
    std::string out;
    auto known = m.known.begin();  // both rise
    for (auto const position : changed) {
        auto const entry = now->at(position);
        std::pair const told{entry.uid, entry.modseq};
        while (known != m.known.end() && *known < told) ++known;
        if (known != m.known.end() && *known == told) continue;
        append_flags_fetch(out, s, m, *now, position + 1, entry);
        if (out.size() < piece) continue;
        auto const sent = co_await s.send(out);
        if (!sent) co_return fail(sent);
        out.clear();
    }
    co_return co_await s.send(out);
}

task<result<void>> announce_arrivals(session& s, store::mailbox_view_ptr old, store::mailbox_view_ptr now)
{
    auto& m = *s.selected();
    std::string out = "* " + std::to_string(now->size()) + " EXISTS\r\n";
    if (!s.rev2()) {  // RFC 9051 has neither RECENT nor \Recent
        auto const first = co_await m.account.claim_recent(m.info.id, !m.examined);
        auto const from = std::max(first.value_or(now->uid_next()), old->uid_next());
        if (from < now->uid_next()) {
            m.recent.emplace_back(from, now->uid_next() - 1);
            wire::normalize(m.recent);
        }
        m.announced = now;
        out += "* " + std::to_string(m.recent_count()) + " RECENT\r\n";
    }
    co_return co_await s.send(out);
}

}  // namespace

task<result<void>> announce(session& s, store::mailbox_view_ptr now, bool may_expunge)
{
    auto& m = *s.selected();
    auto const old = m.announced;
    if (now == old || (now->highest_modseq() == old->highest_modseq() && now->size() == old->size() && now->uid_next() == old->uid_next()))
        co_return result<void>{};
    auto const remaining = now->lower_bound(old->uid_next());  // of the messages the client counts
    if (remaining < old->size()) {
        if (!may_expunge) {
            // A mod-sequence this command told must not make the client think it knows of the expunges held back (RFC 7162 §3.2).
            if (s.qresync()) s.untagged("OK [HIGHESTMODSEQ " + std::to_string(old->highest_modseq()) + "] messages are gone; told later");
            co_return result<void>{};
        }
        auto told = co_await tell_contexts_expunged(s, now);
        if (!told) co_return fail(told);
        told = co_await announce_expunged(s, old, now);
        if (!told) co_return fail(told);
    }
    if (now->keywords().size() > old->keywords().size()) {
        std::string out;
        append_flag_lists(out, m, *now);
        auto const told = co_await s.send(out);
        if (!told) co_return fail(told);
    }
    if (now->size() > remaining) {
        auto const told = co_await announce_arrivals(s, old, now);
        if (!told) co_return fail(told);
    }
    auto const* const notifying = s.notifying();
    result<void> told;
    if (notifying == nullptr || (notifying->selected_events() & event::flag_change) != 0) told = co_await announce_flags(s, old, now);
    m.announced = now;
    m.known.clear();
    if (!told) co_return fail(told);
    auto const searched = co_await tell_contexts_changed(s, old);
    if (!searched) co_return fail(searched);
    auto const* const wanted = notifying != nullptr ? notifying->arrivals() : nullptr;
    if (wanted == nullptr || now->size() <= remaining) co_return result<void>{};
    // RFC 5465 §5.2: after the EXISTS and what searches say of the new ones
    position_ranges fresh;
    fresh.ranges.emplace_back(remaining, now->size());
    co_return co_await commands::fetch_arrivals(s, *wanted, fresh);
}

}  // namespace mansio::imap
