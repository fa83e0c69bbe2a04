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

namespace {
/// row_reader and its varints, inlined: the columns of 100,000 messages are 900,000 of them.
class column_reader {
public:
    explicit column_reader(row_reader const& r) noexcept : at_(r.rest().data()), end_(at_ + r.rest().size()) {}
    std::uint64_t varint() noexcept
    {
        std::uint64_t v = 0;
        for (unsigned shift = 0; at_ != end_ && shift < 64; shift += 7) {
            auto const c = static_cast<unsigned char>(*at_++);
            if (shift == 63 && c > 1) break;
            v |= static_cast<std::uint64_t>(c & 0x7FU) << shift;
            if ((c & 0x80U) == 0) return v;
        }
        ok_ = false;
        at_ = end_;
        return 0;
    }
    std::int64_t signed_varint() noexcept
    {
        auto const v = varint();
        return static_cast<std::int64_t>((v >> 1U) ^ (~(v & 1U) + 1U));
    }
    void spoil() noexcept { ok_ = false; }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool whole() const noexcept { return ok_ && at_ == end_; }
    [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

private:
    char const* at_;
    char const* end_;
    bool ok_ = true;
};

flag_set read_flags(column_reader& r)
{
    auto const low = r.varint();
    auto const n = r.varint();
    if (n == 0) return flag_set::from_words(low);
    if (n > r.left()) {
        r.spoil();
        return {};
    }
    auto high = std::make_shared<std::vector<std::uint64_t>>();
    for (std::uint64_t i = 0; i < n && r.ok(); ++i) high->push_back(r.varint());
    return flag_set::from_words(low, std::move(high));
}
}  // namespace

result<std::vector<message_entry>> decode_static_page(std::string_view page, mailbox_id m)
{
    row_reader r{{}};
    if (!open(page, 'S', r) || narrow(r) != m) return damaged("a static page");
    std::vector<message_entry> out;
    auto const n = elements(r);
    out.reserve(n);
    column_reader columns{r};
    store::uid uid = 0;
    email_id email = 0;
    for (std::size_t i = 0; i < n && columns.ok(); ++i) {
        auto& e = out.emplace_back();
        auto const gap = columns.varint();
        if (gap == 0 || gap > most32 - uid) columns.spoil();  // UIDs rise
        e.uid = uid += static_cast<store::uid>(gap);
        e.size = columns.varint();
        e.internal_date.unix_seconds = columns.signed_varint();
        auto const zone = columns.signed_varint();
        if (zone < std::numeric_limits<std::int16_t>::min() || zone > std::numeric_limits<std::int16_t>::max()) columns.spoil();
        e.internal_date.zone_minutes = static_cast<std::int16_t>(zone);
        e.save_date = columns.signed_varint();
        email += static_cast<std::uint64_t>(columns.signed_varint());
        e.email = email;
        e.added = columns.varint();
    }
    if (!r.ok() || !columns.whole()) return damaged("a static page");
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
    column_reader columns{r};
    for (auto& e : entries) {
        e.flags = read_flags(columns);
        e.modseq = columns.varint();
    }
    if (!r.ok() || !columns.whole()) return damaged("a flag page");
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
