#include "store/rocks_wal.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <rocksdb/file_system.h>

#include "base/bytes.hpp"
#include "store/rocks_file_system.hpp"

namespace mansio::store {
namespace {
// RocksDB's log format (its wiki, "Write Ahead Log File Format"): blocks of 32 KiB; in them records of CRC (4), length (2), type (1), payload;
// a rest of less than a header is filled with zeros. Little-endian. The CRC covers type and payload and is masked.
constexpr std::size_t block_octets = 32768, header_octets = 7;
enum record_type : std::uint8_t { zero = 0, full = 1, first = 2, middle = 3, last = 4 };

std::uint64_t little(std::string_view v)
{
    std::uint64_t n = 0;
    for (std::size_t i = v.size(); i-- > 0;) n = n << 8U | static_cast<unsigned char>(v[i]);
    return n;
}

struct physical {
    record_type type = zero;
    std::string_view payload;
};
/// The record at `at`, when it is whole, inside its block, and its CRC is right.
bool read_physical(std::string_view log, std::size_t at, physical& into)
{
    auto const block_left = block_octets - at % block_octets;
    if (block_left < header_octets || log.size() - at < header_octets) return false;
    auto const length = static_cast<std::size_t>(little(log.substr(at + 4, 2)));
    auto const type = static_cast<std::uint8_t>(log[at + 6]);
    if (type < full || type > last || header_octets + length > block_left || log.size() - at - header_octets < length) return false;
    auto const masked = static_cast<std::uint32_t>(little(log.substr(at, 4)));
    auto const crc = base::crc32c(log.substr(at + 6, 1 + length));
    if (((crc >> 15U) | (crc << 17U)) + 0xa282ead8U != masked) return false;
    into = physical{static_cast<record_type>(type), log.substr(at + header_octets, length)};
    return true;
}

/// A write batch begins with its sequence number (8) and count (4). Octets that only look like a record, say in a message that holds a log
/// file, do not go on from where ours ended (`after`; 0: nothing is known).
bool goes_on(physical const& r, std::uint64_t after)
{
    if (r.payload.size() < 12) return r.type == first;  // a fragment at a block's end, too short to tell
    auto const sequence = little(r.payload.substr(0, 8));
    return after == 0 || (sequence > after && sequence - after < (std::uint64_t{1} << 24U));
}

bool all_zero(std::string_view v)
{
    return std::ranges::all_of(v, [](char c) { return c == '\0'; });
}

/// Where the record behind `end` begins: a rest of a block too short for a header is skipped.
std::size_t next_record(std::size_t end)
{
    auto const block_left = block_octets - end % block_octets;
    return block_left < header_octets ? end + block_left : end;
}

/// Whether a record begins, intact, anywhere behind the damage. Lengths there cannot be trusted, so every octet is tried.
bool begins_later(std::string_view log, std::size_t from, std::uint64_t last_sequence)
{
    physical r;
    for (auto at = from; at < log.size(); ++at)
        if (read_physical(log, at, r) && (r.type == full || r.type == first) && goes_on(r, last_sequence)) return true;
    return false;
}
}  // namespace

wal_state inspect_wal(std::string_view log)
{
    wal_state state;
    std::uint64_t sequence = 0;  // of the last intact batch, its rows counted
    bool inside = false;
    std::size_t at = 0;
    std::string_view head;  // the batch's own header
    while ((at = next_record(at)) < log.size()) {
        physical r;
        if (!read_physical(log, at, r) || ((r.type == middle || r.type == last) != inside)) break;
        at += header_octets + r.payload.size();
        if (r.type == full || r.type == first) head = r.payload;
        inside = r.type == first || r.type == middle;
        if (inside) continue;
        ++state.records;
        state.intact_octets = at;
        if (head.size() >= 12) sequence = little(head.substr(0, 8)) + std::max<std::uint64_t>(1, little(head.substr(8, 4))) - 1;
    }
    auto const rest = log.substr(std::min<std::size_t>(state.intact_octets, log.size()));
    state.torn = !all_zero(rest);
    // The damaged record may begin intact (its first fragment is there): only what begins behind its beginning counts.
    if (state.torn) state.damaged = begins_later(log, next_record(static_cast<std::size_t>(state.intact_octets)) + 1, sequence);
    return state;
}

namespace {
std::unexpected<fault> unreadable(std::string const& path, rocksdb::IOStatus const& s)
{
    return fail(fault::kind::broken, "The store's log " + path + " cannot be read: " + s.ToString() + ".", s.ToString());
}

result<void> cut(rocksdb::FileSystem& fs, std::string const& path, std::uint64_t at)
{
    std::unique_ptr<rocksdb::FSWritableFile> file;
    auto s = fs.ReopenWritableFile(path, {}, &file, nullptr);
    if (s.ok()) s = file->Truncate(at, {}, nullptr);
    if (s.ok()) s = file->Fsync({}, nullptr);
    if (s.ok()) s = file->Close({}, nullptr);
    if (!s.ok()) return unreadable(path, s);
    return {};
}
}  // namespace

result<void> settle_wals(rocksdb::FileSystem& fs, std::string const& directory, base::log& log)
{
    std::vector<std::string> names;
    if (auto const s = fs.GetChildren(directory, {}, &names, nullptr); !s.ok()) return unreadable(directory, s);
    std::map<std::uint64_t, std::string> logs;
    for (auto const& name : names) {
        std::uint64_t number = 0;
        auto const digits = name.size() > 4 && name.ends_with(".log") ? name.size() - 4 : 0;
        auto const [end, error] = std::from_chars(name.data(), name.data() + digits, number);
        if (digits != 0 && error == std::errc{} && end == name.data() + digits) logs.emplace(number, directory + "/" + name);
    }
    struct tear {
        std::string path;
        wal_state state;
        std::uint64_t octets = 0;
    };
    std::optional<tear> torn;
    std::vector<tear> zeros;  // what was filled ahead of writing (rocks_file_system.hpp)
    for (auto const& [number, path] : logs) {
        std::string octets;
        if (auto const s = read_whole(fs, path, octets); !s.ok()) return unreadable(path, s);
        auto const state = inspect_wal(octets);
        // A later log with a record in it was begun when all before it was synced.
        if ((state.records != 0 && torn) || state.damaged) {
            auto const& bad = state.damaged ? path : torn->path;
            auto const at = state.damaged ? state.intact_octets : torn->state.intact_octets;
            return fail(fault::kind::broken,
                        "The store is damaged: " + bad + " at octet " + std::to_string(at) + ". Restore a backup, or save what is left with mansio rescue.",
                        "damaged write-ahead log");
        }
        if (state.torn && !torn) torn = tear{path, state, octets.size()};
        if (!state.torn && state.intact_octets < octets.size()) zeros.push_back(tear{path, state, octets.size()});
    }
    for (auto const& z : zeros)
        if (auto const done = cut(fs, z.path, z.state.intact_octets); !done) return done;
    if (!torn) return {};
    log.warning("store_log_cut", {{"file", torn->path}, {"kept", torn->state.intact_octets}, {"cut", torn->octets - torn->state.intact_octets}});
    return cut(fs, torn->path, torn->state.intact_octets);
}

}  // namespace mansio::store
