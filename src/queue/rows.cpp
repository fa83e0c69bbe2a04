#include "queue/rows.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace mansio::queue {
namespace {
constexpr std::uint8_t format = 1;

std::unexpected<fault> damaged(std::string_view what) { return fail(fault::kind::broken, "", fmt::format("damaged queue row: {}", what)); }

void put_recipient(base::row_writer& w, recipient const& r) { w.octets(r.address).varint(r.account).octets(r.detail).octets(r.original).octets(r.sender); }
recipient take_recipient(base::row_reader& in)
{
    recipient r;
    r.address = in.octets();
    r.account = in.varint();
    r.detail = in.octets();
    r.original = in.octets();
    r.sender = in.octets();
    return r;
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
    std::uint8_t const flags = static_cast<std::uint8_t>((e.body_8bit ? 1 : 0) | (e.smtputf8 ? 2 : 0) | (e.authenticated ? 4 : 0));
    w.u8(format).u8(flags).octets(e.sender).raw(e.blob.view()).octets(e.prefix).varint(e.size).octets(e.session).octets(e.message_id);
    w.signed_varint(e.accepted.time_since_epoch().count()).varint(e.recipients.size());
    for (auto const& r : e.recipients) put_recipient(w, r);
    return w.take_sealed();
}

result<envelope> decode_envelope(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("envelope checksum");
    base::row_reader in{*body};
    if (in.u8() != format) return damaged("envelope format");
    envelope e;
    auto const flags = in.u8();
    e.body_8bit = (flags & 1U) != 0;
    e.smtputf8 = (flags & 2U) != 0;
    e.authenticated = (flags & 4U) != 0;
    e.sender = in.octets();
    auto const blob = store::blob_id::from_octets(in.raw(16));
    e.prefix = in.octets();
    e.size = in.varint();
    e.session = in.octets();
    e.message_id = in.octets();
    e.accepted = base::wall_time{std::chrono::microseconds{in.signed_varint()}};
    auto const count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) e.recipients.push_back(take_recipient(in));
    if (!in.ok() || !in.at_end() || !blob) return damaged("envelope");
    e.blob = *blob;
    return e;
}

std::string encode_recipient_state(recipient const& r)
{
    return base::row_writer{}
        .u8(format)
        .u8(static_cast<std::uint8_t>(r.now))
        .varint(r.attempts)
        .octets(r.last_status)
        .octets(r.last_reply)
        .octets(r.last_host)
        .take_sealed();
}

result<void> decode_recipient_state(std::string_view row, recipient& into)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("recipient checksum");
    base::row_reader in{*body};
    if (in.u8() != format) return damaged("recipient format");
    auto const now = in.u8();
    into.attempts = static_cast<std::uint32_t>(in.varint());
    into.last_status = in.octets();
    into.last_reply = in.octets();
    into.last_host = in.octets();
    if (!in.ok() || !in.at_end() || now > static_cast<std::uint8_t>(recipient::state::cancelled)) return damaged("recipient");
    into.now = static_cast<recipient::state>(now);
    return {};
}

std::string encode_schedule(schedule const& s)
{
    return base::row_writer{}
        .u8(format)
        .signed_varint(s.due)
        .signed_varint(s.written)
        .signed_varint(s.age.count())
        .varint(s.attempts)
        .octets(s.held)
        .take_sealed();
}

result<schedule> decode_schedule(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged("schedule checksum");
    base::row_reader in{*body};
    if (in.u8() != format) return damaged("schedule format");
    schedule s;
    s.due = in.signed_varint();
    s.written = in.signed_varint();
    s.age = std::chrono::seconds{in.signed_varint()};
    s.attempts = static_cast<std::uint32_t>(in.varint());
    s.held = in.octets();
    if (!in.ok() || !in.at_end()) return damaged("schedule");
    return s;
}

}  // namespace mansio::queue
