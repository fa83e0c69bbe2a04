// One moment of a whole store, read while it goes on: what backups are made from (docs/formats/backup.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/engine.hpp"

namespace mansio::store {

/// A partition as the picture shows it. Two pictures in which both `at` and `last` are the same show the same rows and the same named pages, even when
/// a restore lies between them (versions begin anew with a restored store, change ids never come back).
struct partition_state {
    partition_id where;
    version at = 0;
    change_id last;
    bool operator==(partition_state const&) const = default;
};

/// What a picture is read by: each a list of keys in ascending order with their values.
enum class picture_table : std::uint8_t {
    rows = 1,   ///< of a partition, as scan() gives them
    pages = 2,  ///< of a partition: id (16 octets), octets; also those that no row names
    blobs = 3,  ///< of the store: id (16 octets), see held_blob
};

/// A value of picture_table::blobs.
struct held_blob {
    std::uint64_t encoded = 0;  ///< octets of its encoding (docs/formats/blob.md)
    std::vector<holder> holders;
};
[[nodiscard]] std::string encode(held_blob const& b);
/// Errors: broken.
[[nodiscard]] result<held_blob> decode_held_blob(std::string_view value);

/// A part of such a list.
struct picture_slice {
    std::vector<row> entries;
    std::vector<std::string> damaged;  ///< keys whose value fails its checksum: left out above
    std::optional<std::string> next;   ///< where to go on; nullopt: that was all
};

struct picture_totals {
    std::uint64_t blobs = 0, octets = 0;  ///< of their encodings
};

/// Shows every commit that was durable when it was taken, in all partitions, and none that came later: as a crash at that moment would have left the store.
/// Costs nothing to take. While it lives, rows that were overwritten and files of messages that were removed stay on the disk, so it is dropped
/// when it has been read. Lifetime: ends before its engine. Threads: as engine's calls.
class picture {
public:
    virtual ~picture() = default;
    /// All of a kind that have a row, by number.
    [[nodiscard]] virtual task<result<std::vector<partition_state>>> partitions(partition_kind kind) = 0;
    /// Entries from `from` on, at least one and not many more than `octets` of them. `where` is ignored for blobs. A damaged entry is told and passed
    /// over. Errors: broken, when the disk cannot be read on.
    [[nodiscard]] virtual task<result<picture_slice>> read(picture_table what, partition_id where, std::string from, std::size_t octets) = 0;
    /// Octets [offset, offset + length) of a blob's *encoding*, cut at its end, as they lie: nothing is checked. Errors: not_found, broken.
    [[nodiscard]] virtual task<result<std::string>> blob(blob_id id, std::uint64_t offset, std::uint64_t length) = 0;
    [[nodiscard]] virtual task<result<picture_totals>> totals() = 0;
};

}  // namespace mansio::store
