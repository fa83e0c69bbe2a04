#include "store/rocks_rows.hpp"

#include <rocksdb/status.h>

#include "store/blob_frames.hpp"
#include "store/engine_checks.hpp"

namespace mansio::store {
namespace {
std::uint32_t row_crc(std::string_view key, std::string_view value) noexcept { return base::crc32c(value, base::crc32c(key)); }
}  // namespace

std::string partition_key(char table, partition_id where, std::string_view rest)
{
    base::row_writer w;
    w.u8(static_cast<std::uint8_t>(table)).u8(static_cast<std::uint8_t>(where.kind)).be64(where.number).raw(rest);
    return w.take();
}

std::string blob_key(char table, blob_id id, std::string_view rest)
{
    std::string key{table};
    key += id.view();
    key += rest;
    return key;
}

std::string change_key(partition_id where, version v)
{
    auto const slot = static_cast<std::uint16_t>(v % remembered_changes);
    char const octets[2] = {static_cast<char>(slot >> 8U), static_cast<char>(slot & 0xFFU)};
    return partition_key(change_table, where, {octets, 2});
}

std::string holder_key(blob_id id, holder const& who) { return blob_key(holder_table, id, who.where.key() + who.name); }
std::string page_key(partition_id where, page_id id) { return partition_key(page_table, where, id.view()); }

std::optional<partition_id> read_partition(std::string_view octets)
{
    base::row_reader r{octets};
    auto const kind = r.u8();
    partition_id const id{static_cast<partition_kind>(kind), r.be64()};
    if (!r.ok() || kind < static_cast<std::uint8_t>(partition_kind::directory) || kind > static_cast<std::uint8_t>(partition_kind::report)) return std::nullopt;
    return id;
}

std::string seal(std::string_view key, std::string_view value)
{
    std::string out;
    out.reserve(value.size() + 4);
    out += value;
    auto const crc = row_crc(key, value);
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(crc >> static_cast<unsigned>(shift));
    return out;
}

std::optional<std::string_view> unseal(std::string_view key, std::string_view stored) noexcept
{
    if (stored.size() < 4) return std::nullopt;
    auto const value = stored.substr(0, stored.size() - 4);
    base::row_reader crc{stored.substr(value.size())};
    if (crc.be32() != row_crc(key, value)) return std::nullopt;
    return value;
}

std::string write_blob_meta(blob_meta const& m)
{
    base::row_writer w;
    return w.u8(static_cast<std::uint8_t>(m.place)).varint(m.encoded).varint(m.size).varint(m.holders).take();
}
std::optional<blob_meta> read_blob_meta(std::string_view value)
{
    base::row_reader r{value};
    auto const place = r.u8();
    blob_meta m;
    m.place = static_cast<blob_place>(place);
    m.encoded = r.varint();
    m.size = r.varint();
    m.holders = r.varint();
    if (!r.ok() || place > static_cast<std::uint8_t>(blob_place::file)) return std::nullopt;
    return m;
}

std::string write_change_record(version as, change_id id, std::string_view note)
{
    base::row_writer w;
    return w.be64(as).raw(id.view()).octets(note).take();
}
std::optional<change_record> read_change_record(std::string_view value)
{
    base::row_reader r{value};
    change_record c;
    c.as = r.be64();
    auto const id = change_id::from_octets(r.raw(16));
    if (!r.ok() || !id) return std::nullopt;
    c.id = *id;
    return c;
}

std::string write_version(version v)
{
    base::row_writer w;
    return w.be64(v).take();
}
std::optional<version> read_version(std::string_view value)
{
    base::row_reader r{value};
    version const v = r.be64();
    if (!r.ok() || !r.at_end()) return std::nullopt;
    return v;
}

std::unexpected<fault> failed(rocksdb::Status const& s)
{
    if (s.IsCorruption()) return corrupt(s.ToString());
    return fail(fault::kind::broken, "the server has a problem, try again later", s.ToString());
}

}  // namespace mansio::store
