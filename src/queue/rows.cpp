#include "queue/rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::queue {
namespace {
// Rows that say nothing of what came with format 2 are written as format 1, so that the version before reads them.
constexpr std::uint8_t plain_format = 1, newest_format = 2;

std::unexpected<fault> damaged(std::string_view what) { return fail(fault::kind::broken, "", fmt::format("damaged queue row: {}", what)); }

void put_recipient(base::row_writer& w, recipient const& r, std::uint8_t format)
{
    w.octets(r.address).varint(r.account).octets(r.detail).octets(r.original).octets(r.sender);
    if (format < 2) return;
    auto const& n = r.wanted;
    w.u8(static_cast<std::uint8_t>((n.said ? 1 : 0) | (n.success ? 2 : 0) | (n.failure ? 4 : 0) | (n.delay ? 8 : 0) | (r.expansion ? 16 : 0)));
    w.octets(r.orcpt);
}
recipient take_recipient(base::row_reader& in, std::uint8_t format)
{
    recipient r;
    r.address = in.octets();
    r.account = in.varint();
    r.detail = in.octets();
    r.original = in.octets();
    r.sender = in.octets();
    if (format < 2) return r;
    auto const bits = in.u8();
    r.wanted = {(bits & 1U) != 0, (bits & 2U) != 0, (bits & 4U) != 0, (bits & 8U) != 0};
    r.expansion = (bits & 16U) != 0;
    r.orcpt = in.octets();
    return r;
}

void put_requests(base::row_writer& w, requests const& q)
{
    std::uint8_t const bits =
        static_cast<std::uint8_t>((q.binary ? 1 : 0) | (q.require_tls ? 2 : 0) | (q.tls_optional ? 4 : 0) | (q.priority ? 8 : 0) | (q.by.trace ? 16 : 0));
    w.u8(bits).u8(static_cast<std::uint8_t>(q.content)).octets(q.envelope_id).signed_varint(q.priority.value_or(0));
    w.u8(static_cast<std::uint8_t>(q.by.how)).signed_varint(q.by.within.count()).signed_varint(q.hold.count()).octets(q.hold_words);
}
requests take_requests(base::row_reader& in)
{
    requests q;
    auto const bits = in.u8();
    q.binary = (bits & 1U) != 0;
    q.require_tls = (bits & 2U) != 0;
    q.tls_optional = (bits & 4U) != 0;
    q.by.trace = (bits & 16U) != 0;
    auto const content = in.u8();
    q.envelope_id = in.octets();
    auto const priority = in.signed_varint();
    if ((bits & 8U) != 0) q.priority = static_cast<int>(priority);
    auto const how = in.u8();
    q.by.within = std::chrono::seconds{in.signed_varint()};
    q.hold = std::chrono::seconds{in.signed_varint()};
    q.hold_words = in.octets();
    if (content > static_cast<std::uint8_t>(returned::headers) || how > static_cast<std::uint8_t>(deliver_by::mode::give_back)) in.spoil();
    q.content = static_cast<returned>(content);
    q.by.how = static_cast<deliver_by::mode>(how);
    return q;
}

std::uint8_t format_of(envelope const& e)
{
    bool plain = e.asked == requests{};
    for (auto const& r : e.recipients) plain = plain && r.wanted == notify{} && r.orcpt.empty() && !r.expansion;
    return plain ? plain_format : newest_format;
}

/// 0: none that we know.
std::uint8_t take_format(base::row_reader& in)
{
    auto const format = in.u8();
    return format <= newest_format ? format : 0;
}
}  // namespace

store::partition_id partition_of(unsigned number) { return {store::partition_kind::queue, number}; }

std::optional<unsigned> partition_number(std::string_view id)
{
    if (id.size() != 3 + 16 || id[2] != '-') return std::nullopt;
    auto const head = base::from_hex(id.substr(0, 2));
    if (!head) return std::nullopt;
    auto const n = static_cast<unsigned char>((*head)[0]);
    if (n >= partition_count || id.substr(3).find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string_view::npos) return std::nullopt;
    return n;
}

queue_id make_queue_id(unsigned partition, base::random& r) { return fmt::format("{:02x}-{}", partition, base::to_base32(r.octets(10))); }

store::holder holder_of(store::partition_id where, queue_id const& id) { return {where, "q" + id}; }

std::string envelope_key(queue_id const& id) { return "e" + id; }
std::string recipient_prefix(queue_id const& id) { return "r" + id + "/"; }
std::string recipient_key(queue_id const& id, std::size_t index)
{
    return base::row_writer{}.raw(recipient_prefix(id)).be32(static_cast<std::uint32_t>(index)).take();
}
std::string schedule_key(queue_id const& id) { return std::string{schedule_prefix} + id; }

std::string encode_envelope(envelope const& e)
{
    base::row_writer w;
    std::uint8_t const flags =
        static_cast<std::uint8_t>((e.body_8bit ? 1 : 0) | (e.smtputf8 ? 2 : 0) | (e.authenticated ? 4 : 0) | (e.sender_unproved ? 8 : 0));
    auto const format = format_of(e);
    w.u8(format).u8(flags).octets(e.sender).raw(e.blob.view()).octets(e.prefix).varint(e.size).octets(e.session).octets(e.message_id);
    w.signed_varint(e.accepted.time_since_epoch().count()).varint(e.recipients.size());
    for (auto const& r : e.recipients) put_recipient(w, r, format);
    if (format >= 2) put_requests(w, e.asked);
    return w.take_sealed();
}

result<envelope> decode_envelope(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("envelope checksum");
    base::row_reader in{*body};
    auto const format = take_format(in);
    if (format == 0) return damaged("envelope format");
    envelope e;
    auto const flags = in.u8();
    e.body_8bit = (flags & 1U) != 0;
    e.smtputf8 = (flags & 2U) != 0;
    e.authenticated = (flags & 4U) != 0;
    e.sender_unproved = (flags & 8U) != 0;
    e.sender = in.octets();
    auto const blob = store::blob_id::from_octets(in.raw(16));
    e.prefix = in.octets();
    e.size = in.varint();
    e.session = in.octets();
    e.message_id = in.octets();
    e.accepted = base::wall_time{std::chrono::microseconds{in.signed_varint()}};
    auto const count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) e.recipients.push_back(take_recipient(in, format));
    if (format >= 2) e.asked = take_requests(in);
    if (!in.ok() || !in.at_end() || !blob) return damaged("envelope");
    e.blob = *blob;
    return e;
}

std::string encode_recipient_state(recipient const& r)
{
    bool const told = r.delay_told || r.by_told;
    base::row_writer w;
    w.u8(told ? newest_format : plain_format).u8(static_cast<std::uint8_t>(r.now)).varint(r.attempts);
    w.octets(r.last_status).octets(r.last_reply).octets(r.last_host);
    if (told) w.u8(static_cast<std::uint8_t>((r.delay_told ? 1 : 0) | (r.by_told ? 2 : 0)));
    return w.take_sealed();
}

result<void> decode_recipient_state(std::string_view row, recipient& into)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("recipient checksum");
    base::row_reader in{*body};
    auto const format = take_format(in);
    if (format == 0) return damaged("recipient format");
    auto const now = in.u8();
    into.attempts = static_cast<std::uint32_t>(in.varint());
    into.last_status = in.octets();
    into.last_reply = in.octets();
    into.last_host = in.octets();
    auto const told = format >= 2 ? in.u8() : std::uint8_t{0};
    into.delay_told = (told & 1U) != 0;
    into.by_told = (told & 2U) != 0;
    if (!in.ok() || !in.at_end() || now > static_cast<std::uint8_t>(recipient::state::cancelled)) return damaged("recipient");
    into.now = static_cast<recipient::state>(now);
    return {};
}

void schedule::pass(std::chrono::seconds time) noexcept
{
    auto const consumed = std::min(time, hold_left);
    hold_left -= consumed;
    waited += consumed;
    age += time - consumed;
}

std::string encode_schedule(schedule const& s)
{
    bool const plain = s.priority == 0 && s.hold_left.count() == 0 && s.waited.count() == 0;
    base::row_writer w;
    w.u8(plain ? plain_format : newest_format).signed_varint(s.due).signed_varint(s.written).signed_varint(s.age.count()).varint(s.attempts).octets(s.held);
    if (!plain) w.signed_varint(s.priority).signed_varint(s.hold_left.count()).signed_varint(s.waited.count());
    return w.take_sealed();
}

result<schedule> decode_schedule(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("schedule checksum");
    base::row_reader in{*body};
    auto const format = take_format(in);
    if (format == 0) return damaged("schedule format");
    schedule s;
    s.due = in.signed_varint();
    s.written = in.signed_varint();
    s.age = std::chrono::seconds{in.signed_varint()};
    s.attempts = static_cast<std::uint32_t>(in.varint());
    s.held = in.octets();
    if (format >= 2) {
        s.priority = static_cast<int>(in.signed_varint());
        s.hold_left = std::chrono::seconds{in.signed_varint()};
        s.waited = std::chrono::seconds{in.signed_varint()};
    }
    if (!in.ok() || !in.at_end()) return damaged("schedule");
    return s;
}

}  // namespace mansio::queue
