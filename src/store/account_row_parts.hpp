// Pieces that rows and pages of an account share. Included by their codecs alone.
#pragma once
#include <limits>

#include "base/bytes.hpp"
#include "store/account_rows.hpp"
#include "store/mailbox_uids.hpp"

namespace mansio::store::rows::parts {

using base::row_reader;
using base::row_writer;

constexpr std::uint64_t most32 = std::numeric_limits<std::uint32_t>::max();

inline std::uint32_t narrow(row_reader& r)
{
    auto const v = r.varint();
    if (v > most32) r.spoil();
    return static_cast<std::uint32_t>(v);
}

/// How many elements follow: each takes an octet at least, so a count that cannot be true never allocates.
inline std::size_t elements(row_reader& r)
{
    auto const n = r.varint();
    if (n > r.rest().size()) {
        r.spoil();
        return 0;
    }
    return static_cast<std::size_t>(n);
}

template <class Tag> base::random_id<Tag> read_id(row_reader& r)
{
    auto const id = base::random_id<Tag>::from_octets(r.raw(16));
    return id ? *id : base::random_id<Tag>{};
}
inline page_id read_page_id(row_reader& r)
{
    auto const id = page_id::from_octets(r.raw(16));
    return id ? *id : page_id{};
}

/// Opens a sealed value and checks its first octet; `body` is what follows.
inline bool open(std::string_view row, std::uint8_t form, row_reader& into)
{
    auto const body = base::unseal(row);
    if (!body || body->empty() || static_cast<std::uint8_t>(body->front()) != form) return false;
    into = row_reader{body->substr(1)};
    return true;
}
inline bool whole(row_reader const& r) { return r.ok() && r.at_end(); }

inline void write_flags(row_writer& w, flag_set const& f)
{
    w.varint(f.low());
    auto const& high = f.high();
    w.varint(high ? high->size() : 0);
    if (high)
        for (auto const word : *high) w.varint(word);
}
inline flag_set read_flags(row_reader& r)
{
    auto const low = r.varint();
    auto const n = elements(r);
    if (n == 0) return flag_set::from_words(low);
    auto high = std::make_shared<std::vector<std::uint64_t>>();
    for (std::size_t i = 0; i < n && r.ok(); ++i) high->push_back(r.varint());
    return flag_set::from_words(low, std::move(high));
}

inline void write_entries(row_writer& w, std::vector<message_entry> const& entries)
{
    w.varint(entries.size());
    store::uid last = 0;
    for (auto const& e : entries) {
        w.varint(e.uid - last);
        last = e.uid;
        write_flags(w, e.flags);
        w.varint(e.size).signed_varint(e.internal_date.unix_seconds).signed_varint(e.internal_date.zone_minutes).signed_varint(e.save_date).varint(e.email);
    }
}

/// The next UID after `last`; spoils on one that does not rise.
inline store::uid next_uid(row_reader& r, store::uid last)
{
    auto const gap = r.varint();
    if (gap == 0 || gap > most32 - last) {
        r.spoil();
        return 0;
    }
    return last + static_cast<store::uid>(gap);
}

inline std::int16_t read_zone(row_reader& r)
{
    auto const v = r.signed_varint();
    if (v < std::numeric_limits<std::int16_t>::min() || v > std::numeric_limits<std::int16_t>::max()) r.spoil();
    return static_cast<std::int16_t>(v);
}

inline std::vector<message_entry> read_entries(row_reader& r, mod_seq when)
{
    std::vector<message_entry> out;
    auto const n = elements(r);
    store::uid last = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        message_entry e;
        e.uid = last = next_uid(r, last);
        e.flags = read_flags(r);
        e.size = r.varint();
        e.internal_date.unix_seconds = r.signed_varint();
        e.internal_date.zone_minutes = read_zone(r);
        e.save_date = r.signed_varint();
        e.email = r.varint();
        e.modseq = e.added = when;
        out.push_back(std::move(e));
    }
    return out;
}

inline void write_emails(row_writer& w, std::vector<email_id> const& l)
{
    w.varint(l.size());
    email_id last = 0;
    for (auto const e : l) {
        w.signed_varint(static_cast<std::int64_t>(e - last));
        last = e;
    }
}
inline std::vector<email_id> read_emails(row_reader& r)
{
    std::vector<email_id> out;
    auto const n = elements(r);
    email_id last = 0;
    for (std::size_t i = 0; i < n && r.ok(); ++i) {
        last += static_cast<std::uint64_t>(r.signed_varint());
        out.push_back(last);
    }
    return out;
}

}  // namespace mansio::store::rows::parts
