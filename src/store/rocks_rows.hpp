// Keys and values of the embedded database (docs/formats/engine.md), and what RocksDB's statuses mean to us.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "store/engine.hpp"

namespace rocksdb {
class Status;
}

namespace mansio::store {

inline constexpr char row_table = 'r', version_table = 'v', change_table = 'c', blob_meta_table = 'm', holder_table = 'h',
                      lease_row_table = 'l';  ///< in `default`
inline constexpr char blob_table = 'b', page_table = 'p';                                                                                     ///< in `bulk`
inline constexpr std::size_t partition_key_octets = 9;

[[nodiscard]] std::string partition_key(char table, partition_id where, std::string_view rest = {});
[[nodiscard]] std::string blob_key(char table, blob_id id, std::string_view rest = {});
[[nodiscard]] std::string change_key(partition_id where, version v);
[[nodiscard]] std::string holder_key(blob_id id, holder const& who);
[[nodiscard]] std::string page_key(partition_id where, page_id id);
/// `octets`: partition_key_octets of a key.
[[nodiscard]] std::optional<partition_id> read_partition(std::string_view octets);

/// Value, then the CRC-32C of key and value.
[[nodiscard]] std::string seal(std::string_view key, std::string_view value);
/// nullopt: damaged.
[[nodiscard]] std::optional<std::string_view> unseal(std::string_view key, std::string_view stored) noexcept;

enum class blob_place : std::uint8_t { value = 0, file = 1 };
struct blob_meta {
    blob_place place = blob_place::value;
    std::uint64_t encoded = 0;  ///< octets as stored
    std::uint64_t size = 0;     ///< of the message
    std::uint64_t holders = 0;
};
[[nodiscard]] std::string write_blob_meta(blob_meta const& m);
[[nodiscard]] std::optional<blob_meta> read_blob_meta(std::string_view value);

struct change_record {
    version as = 0;
    change_id id;
};
[[nodiscard]] std::string write_change_record(version as, change_id id, std::string_view note);
[[nodiscard]] std::optional<change_record> read_change_record(std::string_view value);

[[nodiscard]] std::string write_version(version v);
[[nodiscard]] std::optional<version> read_version(std::string_view value);

/// Not of NotFound, which is an answer. Corruption becomes corrupt(); the rest broken, with the status in the detail.
[[nodiscard]] std::unexpected<fault> failed(rocksdb::Status const& s);

}  // namespace mansio::store
