// Pages of an account: columns, tombstones, sets and lists too large for a row (docs/formats/account.md).
#include "store/account_row_parts.hpp"

namespace mansio::store::rows {
using namespace parts;

std::string encode_static_page(mailbox_id m, std::vector<message_entry> const& entries)
{
    row_writer w;
    w.u8('S').varint(m).varint(entries.size());
    store::uid uid = 0;
    email_id email = 0;
    for (auto const& e : entries) {
        w.varint(e.uid - uid).varint(e.size).signed_varint(e.internal_date.unix_seconds).signed_varint(e.internal_date.zone_minutes);
        w.signed_varint(e.save_date).signed_varint(static_cast<std::int64_t>(e.email - email)).varint(e.added);
        uid = e.uid;
        email = e.email;
    }
    return w.take_sealed();
}

result<std::vector<message_entry>> decode_static_page(std::string_view page, mailbox_id m)
{
    row_reader r{{}};
    if (!open(page, 'S', r) || narrow(r) != m) return damaged("a static page");
    std::vector<message_entry> out;
    auto const n = elements(r);
    out.reserve(n);
    store::uid uid = 0;
    email_id email = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        message_entry e;
        e.uid = uid = next_uid(r, uid);
        e.size = r.varint();
        e.internal_date.unix_seconds = r.signed_varint();
        e.internal_date.zone_minutes = read_zone(r);
        e.save_date = r.signed_varint();
        email += static_cast<std::uint64_t>(r.signed_varint());
        e.email = email;
        e.added = r.varint();
        out.push_back(std::move(e));
    }
    if (!whole(r)) return damaged("a static page");
    return out;
}

std::string encode_flag_page(mailbox_id m, std::vector<message_entry> const& entries)
{
    row_writer w;
    w.u8('F').varint(m).varint(entries.size());
    for (auto const& e : entries) {
        write_flags(w, e.flags);
        w.varint(e.modseq);
    }
    return w.take_sealed();
}

result<void> decode_flag_page(std::string_view page, mailbox_id m, std::vector<message_entry>& entries)
{
    row_reader r{{}};
    if (!open(page, 'F', r) || narrow(r) != m || elements(r) != entries.size()) return damaged("a flag page");
    for (auto& e : entries) {
        e.flags = read_flags(r);
        e.modseq = r.varint();
    }
    if (!whole(r)) return damaged("a flag page");
    return {};
}

std::string encode_entry_page(mailbox_id m, std::vector<message_entry> const& entries)
{
    row_writer w;
    w.u8('A').varint(m);
    write_entries(w, entries);
    return w.take_sealed();
}

result<std::vector<message_entry>> decode_entry_page(std::string_view page, mailbox_id m, mod_seq when)
{
    row_reader r{{}};
    if (!open(page, 'A', r) || narrow(r) != m) return damaged("an entry page");
    auto out = read_entries(r, when);
    if (!whole(r)) return damaged("an entry page");
    return out;
}

std::string encode_set_page(uid_set const& set)
{
    row_writer w;
    w.u8('U');
    store::encode(w, set);
    return w.take_sealed();
}

result<uid_set> decode_set_page(std::string_view page)
{
    row_reader r{{}};
    if (!open(page, 'U', r)) return damaged("a set page");
    auto set = decode_uid_set(r);
    if (!whole(r)) return damaged("a set page");
    return set;
}

std::string encode_tombstone_page(mailbox_id m, std::vector<tombstone> const& t)
{
    row_writer w;
    w.u8('V').varint(m).varint(t.size());
    store::uid last = 0;
    for (auto const& one : t) {
        w.signed_varint(std::int64_t{one.first} - last).varint(one.last - one.first).varint(one.when);
        last = one.last;
    }
    return w.take_sealed();
}

result<std::vector<tombstone>> decode_tombstone_page(std::string_view page, mailbox_id m)
{
    row_reader r{{}};
    if (!open(page, 'V', r) || narrow(r) != m) return damaged("a tombstone page");
    std::vector<tombstone> out;
    auto const n = elements(r);
    store::uid last = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        tombstone t;
        auto const gap = r.signed_varint();
        if (gap < -std::int64_t{last} || gap > static_cast<std::int64_t>(most32) - last) r.spoil();
        t.first = static_cast<store::uid>(std::int64_t{last} + gap);
        auto const length = r.varint();
        if (length > most32 - t.first) r.spoil();
        t.last = last = t.first + static_cast<store::uid>(length);
        t.when = r.varint();
        out.push_back(t);
    }
    if (!whole(r)) return damaged("a tombstone page");
    return out;
}

std::string encode_list_page(std::vector<email_id> const& l)
{
    row_writer w;
    w.u8('I');
    write_emails(w, l);
    return w.take_sealed();
}

result<std::vector<email_id>> decode_list_page(std::string_view page)
{
    row_reader r{{}};
    if (!open(page, 'I', r)) return damaged("a list page");
    auto out = read_emails(r);
    if (!whole(r)) return damaged("a list page");
    return out;
}

}  // namespace mansio::store::rows
