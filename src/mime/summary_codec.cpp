// The summary as a row: docs/formats/summary.md.
#include <array>

#include "base/bytes.hpp"
#include "mime/message.hpp"

namespace mansio::mime {
namespace {
constexpr std::uint8_t version = 1;

// Written as one octet, the index; 0 means spelled out. Never reorder, only append: rows hold these numbers.
constexpr std::array<std::string_view, 20> common{"",
                                                  "text/plain",
                                                  "text/html",
                                                  "multipart/mixed",
                                                  "multipart/alternative",
                                                  "multipart/related",
                                                  "multipart/signed",
                                                  "multipart/report",
                                                  "multipart/digest",
                                                  "message/rfc822",
                                                  "message/delivery-status",
                                                  "application/octet-stream",
                                                  "application/pdf",
                                                  "application/pgp-signature",
                                                  "application/pkcs7-signature",
                                                  "image/png",
                                                  "image/jpeg",
                                                  "image/gif",
                                                  "text/calendar",
                                                  "text/rfc822-headers"};
constexpr std::array<std::string_view, 6> encodings{"", "7bit", "8bit", "base64", "quoted-printable", "binary"};

template <std::size_t N> std::uint8_t index_of(std::array<std::string_view, N> const& all, std::string_view what) noexcept
{
    for (std::size_t i = 1; i < N; ++i)
        if (all[i] == what) return static_cast<std::uint8_t>(i);
    return 0;
}

enum flags : std::uint8_t { attachment = 1, degraded = 2, eight_bit = 4, nul = 8, dated = 16 };

void write_part(base::row_writer& w, part const& p, std::uint64_t& before)
{
    w.u8(static_cast<std::uint8_t>(p.what)).varint(p.subtree);
    w.varint(p.header_offset - before).varint(p.body_offset - p.header_offset).varint(p.end_offset - p.body_offset).varint(p.lines);
    before = p.header_offset;
    auto const type = index_of(common, p.type + '/' + p.subtype);
    w.u8(type);
    if (type == 0) w.octets(p.type).octets(p.subtype);
    auto const encoding = index_of(encodings, p.encoding);
    w.u8(encoding);
    if (encoding == 0) w.octets(p.encoding);
}

part read_part(base::row_reader& r, std::uint64_t& before)
{
    part p;
    auto const kind = r.u8();
    if (kind > 2) r.spoil();
    p.what = static_cast<part::kind>(kind);
    p.subtree = static_cast<std::uint32_t>(r.varint());
    p.header_offset = before + r.varint();
    p.body_offset = p.header_offset + r.varint();
    p.end_offset = p.body_offset + r.varint();
    p.lines = static_cast<std::uint32_t>(r.varint());
    before = p.header_offset;
    if (auto const type = r.u8(); type == 0) {
        p.type = r.octets();
        p.subtype = r.octets();
    } else if (type < common.size()) {
        auto const slash = common[type].find('/');
        p.type = common[type].substr(0, slash);
        p.subtype = common[type].substr(slash + 1);
    } else
        r.spoil();
    if (auto const encoding = r.u8(); encoding == 0)
        p.encoding = r.octets();
    else if (encoding < encodings.size())
        p.encoding = encodings[encoding];
    else
        r.spoil();
    return p;
}

/// Fills in parent and depth, and checks that the tree is one and that every part lies inside its parent. What locate() relies on.
bool relate(std::vector<part>& parts, std::uint64_t size)
{
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
        auto& p = parts[i];
        while (!open.empty() && i >= open.back() + parts[open.back()].subtree) open.pop_back();
        if ((i != 0 && open.empty()) || p.subtree == 0 || p.subtree > parts.size() - i) return false;
        p.parent = open.empty() ? 0 : open.back();
        p.depth = static_cast<std::uint32_t>(open.size());
        auto const& outer = parts[p.parent];
        std::uint64_t const end = i == 0 ? size : outer.end_offset;
        if (i != 0 && (i + p.subtree > p.parent + outer.subtree || p.header_offset < outer.body_offset)) return false;
        if (p.header_offset > p.body_offset || p.body_offset > p.end_offset || p.end_offset > end) return false;
        if (p.what == part::kind::leaf ? p.subtree != 1 : p.subtree < 2) return false;
        if (i != 0 && outer.what == part::kind::message && (i != p.parent + 1 || p.subtree + 1 != outer.subtree)) return false;
        open.push_back(i);
    }
    return !parts.empty() && parts.front().subtree == parts.size();
}
}  // namespace

std::string encode(summary const& s)
{
    base::row_writer w;
    w.u8(version);
    w.u8(static_cast<std::uint8_t>((s.has_attachment ? attachment : 0) | (s.degraded ? degraded : 0) | (s.has_8bit ? eight_bit : 0) | (s.has_nul ? nul : 0) |
                                   (s.date ? dated : 0)));
    w.varint(s.size).varint(s.header_size).varint(s.received_count);
    if (s.date) w.signed_varint(s.date->unix_seconds).signed_varint(s.date->zone_minutes);
    for (auto const* text :
         {&s.envelope_text, &s.body_text, &s.bodystructure_text, &s.subject, &s.from_display, &s.message_id, &s.in_reply_to, &s.preview, &s.base_subject})
        w.octets(*text);
    w.varint(s.references.size());
    for (auto const& id : s.references) w.octets(id);
    w.varint(s.fields.size());
    for (auto const& [name, body] : s.fields) w.octets(name).octets(body);
    w.varint(s.parts.size());
    std::uint64_t before = 0;
    for (auto const& p : s.parts) write_part(w, p, before);
    return w.take();
}

result<summary> decode_summary(std::string_view row)
{
    base::row_reader r{row};
    if (auto const v = r.u8(); v != version) return fail(fault::kind::broken, "message summary is damaged", "version " + std::to_string(v));
    summary s;
    auto const f = r.u8();
    s.has_attachment = (f & attachment) != 0;
    s.degraded = (f & degraded) != 0;
    s.has_8bit = (f & eight_bit) != 0;
    s.has_nul = (f & nul) != 0;
    s.size = r.varint();
    s.header_size = r.varint();
    s.received_count = static_cast<std::uint32_t>(r.varint());
    if ((f & dated) != 0) {
        auto const seconds = r.signed_varint();
        s.date = date_time{seconds, static_cast<std::int16_t>(r.signed_varint())};
    }
    for (auto* text :
         {&s.envelope_text, &s.body_text, &s.bodystructure_text, &s.subject, &s.from_display, &s.message_id, &s.in_reply_to, &s.preview, &s.base_subject})
        *text = r.octets();
    for (auto n = r.varint(); n != 0 && r.ok(); --n) s.references.emplace_back(r.octets());
    for (auto n = r.varint(); n != 0 && r.ok(); --n) {
        auto const name = r.octets();
        s.fields.emplace_back(name, r.octets());
    }
    std::uint64_t before = 0;
    for (auto n = r.varint(); n != 0 && r.ok(); --n) s.parts.push_back(read_part(r, before));
    if (!r.ok() || !r.at_end() || !relate(s.parts, s.size) || s.header_size > s.size)
        return fail(fault::kind::broken, "message summary is damaged", "fields or parts contradict each other");
    return s;
}

}  // namespace mansio::mime
