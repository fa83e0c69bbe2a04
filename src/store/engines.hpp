// The engines there are.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "store/engine.hpp"

namespace rocksdb {
class FileSystem;
}

namespace mansio::store {

struct rocks_options {
    std::string directory;                      ///< holds db/, blobs/ and the header file; made when missing if `create`
    bool create = true;
    std::uint64_t memory_octets = 256ULL << 20U;  ///< memtables and block cache together
    unsigned read_threads = 2;                  ///< for reads that miss the cache, and as many for large blobs
    std::uint64_t reserve_octets = 0;  ///< with less than this free, new messages are refused (D8), so that what frees space still can; 0: twice the memtables
    std::size_t commits_waiting = 10'000;  ///< more are refused with over_limit ("store_commits_waiting")
    std::shared_ptr<rocksdb::FileSystem> file_system;  ///< tests only: nullptr is the machine's
    std::function<void()> before_sync;  ///< tests of crashes: called between the write and the sync of each group of commits (and before every other sync)
    bool break_sync_on_purpose =
        false;  ///< the soak's own test: acknowledges without syncing and must be caught; compiled in, reachable only through rocks_options
};
/// Opens, or makes, the embedded store: RocksDB, one database a server, and a committer that merges what waits into one synced write.
/// Errors: refused with a sentence for the operator that says what to do: missing directory, locked by another process, newer format, unreadable.
[[nodiscard]] result<std::unique_ptr<engine>> open_rocks_engine(rocks_options o, base::clock& clock, base::random& random, base::log& log,
                                                                base::metrics& metrics);

/// In memory, with faults on demand; the oracle of the conformance suite and what protocol tests stand on.
class memory_engine;
struct memory_faults {
    std::function<bool(change const&)> conflict;  ///< true: this commit answers conflict
    std::function<bool(change const&)> lose_ack;  ///< true: applied, but the caller gets `timeout`
    std::function<bool(change const&)> fail;  ///< true: not applied, `broken`
    std::function<std::chrono::nanoseconds(change const&)> delay;
};
[[nodiscard]] std::unique_ptr<engine> make_memory_engine(base::clock& clock, base::random& random, memory_faults faults = {});

}  // namespace mansio::store
