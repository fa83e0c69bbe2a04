#include "store/account_rows.hpp"

#include "store/account_row_parts.hpp"

namespace mansio::store::rows {
using namespace parts;
namespace {
void write_action(row_writer& w, log_action const& a)
{
    w.u8(static_cast<std::uint8_t>(a.what));
    auto const change = [&] {
        w.u8(a.clear_all ? 1 : 0);
        write_flags(w, a.clear);
        write_flags(w, a.set);
    };
    switch (a.what) {
    case log_action::kind::append: write_entries(w, a.entries); break;
    case log_action::kind::flags:
        change();
        store::encode(w, a.which);
        break;
    case log_action::kind::expunge: store::encode(w, a.which); break;
    case log_action::kind::append_pages:
        w.varint(a.pages.size());
        for (auto const& p : a.pages) w.raw(p.first.view()).varint(p.second);
        break;
    case log_action::kind::flags_page:
        change();
        w.raw(a.pages.at(0).first.view());
        break;
    case log_action::kind::expunge_page: w.raw(a.pages.at(0).first.view()); break;
    }
}

log_action read_action(row_reader& r, mod_seq when)
{
    log_action a;
    a.what = static_cast<log_action::kind>(r.u8());
    auto const change = [&] {
        a.clear_all = r.u8() != 0;
        a.clear = read_flags(r);
        a.set = read_flags(r);
    };
    switch (a.what) {
    case log_action::kind::append: a.entries = read_entries(r, when); break;
    case log_action::kind::flags:
        change();
        a.which = decode_uid_set(r);
        break;
    case log_action::kind::expunge: a.which = decode_uid_set(r); break;
    case log_action::kind::append_pages: {
        auto const n = elements(r);
        for (std::size_t i = 0; i < n && r.ok(); ++i) {
            auto const id = read_page_id(r);
            a.pages.emplace_back(id, narrow(r));
        }
        break;
    }
    case log_action::kind::flags_page:
        change();
        a.pages.emplace_back(read_page_id(r), 0);
        break;
    case log_action::kind::expunge_page: a.pages.emplace_back(read_page_id(r), 0); break;
    default: r.spoil();
    }
    return a;
}

}  // namespace

std::unexpected<fault> damaged(std::string what)
{
    return fail(fault::kind::broken, "the server cannot read its records of that; the operator has been told", "corruption: " + std::move(what));
}

std::string encode(head const& h)
{
    row_writer w;
    // Format 1 wherever it says all: an older release reads it.
    w.u8(h.quota_emails == 0 ? 1 : 2)
        .u8(static_cast<std::uint8_t>(h.stage))
        .varint(h.incarnation)
        .varint(h.counter)
        .varint(h.next_mailbox)
        .varint(h.next_email)
        .varint(h.last_uid_validity);
    w.varint(h.quota_used).varint(h.quota_limit);
    if (h.quota_emails != 0) w.varint(h.quota_emails);
    w.varint(h.emails).varint(h.oldest_history).varint(h.last_change.size());
    for (auto const c : h.last_change) w.varint(c);
    return w.take_sealed();
}

result<head> decode_head(std::string_view row)
{
    row_reader r{{}};
    bool const limited = !open(row, 1, r);
    if (limited && !open(row, 2, r)) return damaged("H");
    head h;
    auto const stage = r.u8();
    if (stage > 1) r.spoil();
    h.stage = static_cast<account_stage>(stage);
    h.incarnation = r.varint();
    h.counter = r.varint();
    h.next_mailbox = narrow(r);
    h.next_email = r.varint();
    h.last_uid_validity = narrow(r);
    h.quota_used = r.varint();
    h.quota_limit = r.varint();
    if (limited) h.quota_emails = r.varint();
    h.emails = r.varint();
    h.oldest_history = r.varint();
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        auto const c = r.varint();
        if (i < h.last_change.size()) h.last_change[i] = c;
    }
    if (!whole(r) || h.incarnation >= 1U << 15U || h.counter >= 1ULL << 48U) return damaged("H");
    return h;
}

std::string encode(meta const& m)
{
    row_writer w;
    w.u8(1).varint(m.id).varint(m.parent).octets(m.leaf).u8(static_cast<std::uint8_t>(m.use)).varint(m.uid_validity).varint(m.made).varint(m.acl.size());
    for (auto const& a : m.acl) w.varint(a.who).varint(a.granted);
    w.varint(m.keywords.size());
    for (auto const& k : m.keywords) w.octets(k);
    return w.take_sealed();
}

result<meta> decode_meta(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("M");
    meta m;
    m.id = narrow(r);
    m.parent = narrow(r);
    m.leaf = r.octets();
    auto const use = r.u8();
    if (use > static_cast<std::uint8_t>(special_use::trash)) r.spoil();
    m.use = static_cast<special_use>(use);
    m.uid_validity = narrow(r);
    m.made = r.varint();
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        acl_entry a;
        a.who = r.varint();
        a.granted = static_cast<rights>(r.varint() & all_rights);
        m.acl.push_back(a);
    }
    auto const k = elements(r);
    for (std::size_t i = 0; i < k && r.ok(); ++i) m.keywords.emplace_back(r.octets());
    if (!whole(r)) return damaged("M");
    return m;
}

std::string encode(tally const& t)
{
    row_writer w;
    w.u8(1)
        .varint(t.mailbox)
        .varint(t.uid_next)
        .varint(t.messages)
        .varint(t.unseen)
        .varint(t.deleted)
        .varint(t.octets)
        .varint(t.highest)
        .varint(t.folded)
        .varint(t.log_rows)
        .varint(t.log_octets);
    return w.take_sealed();
}

result<tally> decode_tally(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("N");
    tally t;
    t.mailbox = narrow(r);
    t.uid_next = narrow(r);
    t.messages = narrow(r);
    t.unseen = narrow(r);
    t.deleted = narrow(r);
    t.octets = r.varint();
    t.highest = r.varint();
    t.folded = r.varint();
    t.log_rows = r.varint();
    t.log_octets = r.varint();
    if (!whole(r) || t.uid_next == 0) return damaged("N");
    return t;
}

std::string encode(page_table const& t)
{
    row_writer w;
    w.u8(1).varint(t.mailbox).varint(t.pages.size());
    for (auto const& p : t.pages) w.raw(p.statics.view()).raw(p.flags.view()).varint(p.entries).varint(p.first).varint(p.last - p.first).varint(p.newest);
    w.varint(t.tombstones.size());
    for (auto const& s : t.tombstones) w.raw(s.page.view()).varint(s.ranges).varint(s.newest).signed_varint(s.written);
    w.varint(t.lost_through);
    return w.take_sealed();
}

result<page_table> decode_page_table(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("G");
    page_table t;
    t.mailbox = narrow(r);
    auto const n = elements(r);
    store::uid last = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        page_part p;
        p.statics = read_page_id(r);
        p.flags = read_page_id(r);
        p.entries = narrow(r);
        p.first = narrow(r);
        auto const span = narrow(r);
        if (p.first <= last || span > most32 - p.first || p.entries == 0) r.spoil();
        p.last = last = p.first + span;
        p.newest = r.varint();
        t.pages.push_back(p);
    }
    auto const k = elements(r);
    for (std::size_t i = 0; i < k && r.ok(); ++i) {
        tombstone_part s;
        s.page = read_page_id(r);
        s.ranges = narrow(r);
        s.newest = r.varint();
        s.written = r.signed_varint();
        t.tombstones.push_back(s);
    }
    t.lost_through = r.varint();
    if (!whole(r)) return damaged("G");
    return t;
}

std::string encode(log_row const& l)
{
    row_writer w;
    w.u8(1).varint(l.mailbox).varint(l.when).varint(l.actions.size());
    for (auto const& a : l.actions) write_action(w, a);
    return w.take_sealed();
}

result<log_row> decode_log_row(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("L");
    log_row l;
    l.mailbox = narrow(r);
    l.when = r.varint();
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) l.actions.push_back(read_action(r, l.when));
    if (!whole(r)) return damaged("L");
    return l;
}

std::string encode(history const& h)
{
    row_writer w;
    w.u8(1).signed_varint(h.wall).u8(h.types).raw(h.id.view()).varint(h.mailboxes.size());
    for (auto const m : h.mailboxes) w.varint(m);
    return w.take_sealed();
}

result<history> decode_history(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("J");
    history h;
    h.wall = r.signed_varint();
    h.types = r.u8();
    h.id = read_id<change_tag>(r);
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) h.mailboxes.push_back(narrow(r));
    if (!whole(r)) return damaged("J");
    return h;
}

std::string encode_mark() { return row_writer{}.u8(1).take_sealed(); }
result<void> decode_mark(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r) || !whole(r)) return damaged("a mark");
    return {};
}

std::string encode_members(std::vector<membership> const& m)
{
    row_writer w;
    w.u8(1).varint(m.size());
    for (auto const& p : m) w.varint(p.mailbox).varint(p.times);
    return w.take_sealed();
}

result<std::vector<membership>> decode_members(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("W");
    std::vector<membership> m;
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        membership p;
        p.mailbox = narrow(r);
        p.times = narrow(r);
        m.push_back(p);
    }
    if (!whole(r)) return damaged("W");
    return m;
}

std::string encode(thread_link const& t) { return row_writer{}.u8(1).varint(t.thread).be64(t.subject).take_sealed(); }
result<thread_link> decode_thread_link(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("T");
    thread_link t;
    t.thread = r.varint();
    t.subject = r.be64();
    if (!whole(r)) return damaged("T");
    return t;
}

std::string encode_hashes(std::vector<std::string> const& h)
{
    row_writer w;
    w.u8(1).varint(h.size());
    for (auto const& one : h) w.raw(one);
    return w.take_sealed();
}

result<std::vector<std::string>> decode_hashes(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("Q");
    std::vector<std::string> h;
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) h.emplace_back(r.raw(16));
    if (!whole(r)) return damaged("Q");
    return h;
}

std::string encode(delivered const& d)
{
    row_writer w;
    w.u8(1).signed_varint(d.wall).varint(d.uid_validity).varint(d.uids.size());
    for (auto const u : d.uids) w.varint(u);
    return w.take_sealed();
}

result<delivered> decode_delivered(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("D");
    delivered d;
    d.wall = r.signed_varint();
    d.uid_validity = narrow(r);
    auto const n = elements(r);
    for (std::size_t i = 0; i < n && r.ok(); ++i) d.uids.push_back(narrow(r));
    if (!whole(r)) return damaged("D");
    return d;
}

std::string encode(intent const& i)
{
    row_writer w;
    w.u8(1).u8(static_cast<std::uint8_t>(i.what)).varint(i.mailbox).varint(i.done);
    write_emails(w, i.emails);
    w.varint(i.pages.size());
    for (auto const& p : i.pages) w.raw(p.view());
    if (i.what == intent::kind::leaving) {
        w.varint(i.other).octets(i.delivery);
        store::encode(w, i.which);
    }
    return w.take_sealed();
}

result<intent> decode_intent(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("X");
    intent i;
    auto const what = r.u8();
    if (what < 1 || what > 3) r.spoil();
    i.what = static_cast<intent::kind>(what);
    i.mailbox = narrow(r);
    i.done = r.varint();
    i.emails = read_emails(r);
    auto const n = elements(r);
    for (std::size_t k = 0; k < n && r.ok(); ++k) i.pages.push_back(read_page_id(r));
    if (i.what == intent::kind::leaving) {
        i.other = r.varint();
        i.delivery = r.octets();
        i.which = decode_uid_set(r);
    }
    if (!whole(r)) return damaged("X");
    return i;
}

std::string encode_annotation(std::string_view value) { return row_writer{}.u8(1).octets(value).take_sealed(); }
result<std::string> decode_annotation(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("A");
    std::string value{r.octets()};
    if (!whole(r)) return damaged("A");
    return value;
}

std::string encode_sharer(std::int64_t wall) { return row_writer{}.u8(1).signed_varint(wall).take_sealed(); }
result<std::int64_t> decode_sharer(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("O");
    auto const wall = r.signed_varint();
    if (!whole(r)) return damaged("O");
    return wall;
}

namespace {
void write_runs(row_writer& w, std::vector<seen_run> const& runs)
{
    w.varint(runs.size());
    store::uid last = 0;
    for (auto const& run : runs) {
        w.varint(run.first - last).varint(run.last - run.first).u8(run.seen ? 1 : 0).varint(run.when);
        last = run.last;
    }
}
std::vector<seen_run> read_runs(row_reader& r)
{
    std::vector<seen_run> runs;
    auto const n = elements(r);
    store::uid last = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        seen_run run;
        run.first = next_uid(r, last);
        auto const length = r.varint();
        if (length > most32 - run.first) r.spoil();
        run.last = last = run.first + static_cast<store::uid>(length);
        run.seen = r.u8() != 0;
        run.when = r.varint();
        runs.push_back(run);
    }
    return runs;
}
}  // namespace

std::string encode(seen_marks const& s)
{
    row_writer w;
    if (s.pages.empty()) {
        w.u8(1);
        write_runs(w, s.runs);
    } else {
        w.u8(2).varint(s.pages.size());
        for (auto const& p : s.pages) w.raw(p.view());
    }
    return w.take_sealed();
}

result<seen_marks> decode_seen_marks(std::string_view row)
{
    row_reader r{{}};
    seen_marks s;
    if (open(row, 1, r)) {
        s.runs = read_runs(r);
    } else if (open(row, 2, r)) {
        auto const n = elements(r);
        if (n == 0) r.spoil();
        for (std::size_t i = 0; i < n && r.ok(); ++i) s.pages.push_back(read_page_id(r));
    } else {
        return damaged("P");
    }
    if (!whole(r)) return damaged("P");
    return s;
}

std::string encode_run_page(std::vector<seen_run> const& runs)
{
    row_writer w;
    w.u8('R');
    write_runs(w, runs);
    return w.take_sealed();
}

result<std::vector<seen_run>> decode_run_page(std::string_view page)
{
    row_reader r{{}};
    if (!open(page, 'R', r)) return damaged("a page of P");
    auto runs = read_runs(r);
    if (!whole(r)) return damaged("a page of P");
    return runs;
}

std::string encode_seen_count(std::uint32_t seen) { return row_writer{}.u8(1).varint(seen).take_sealed(); }
result<std::uint32_t> decode_seen_count(std::string_view row)
{
    row_reader r{{}};
    if (!open(row, 1, r)) return damaged("C");
    auto const seen = narrow(r);
    if (!whole(r)) return damaged("C");
    return seen;
}

}  // namespace mansio::store::rows
