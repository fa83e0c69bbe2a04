// Remembers who asks for addresses that do not exist (trust.md W13).
#pragma once
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"

namespace mansio::accept {

/// Unknown recipients counted by the peer's network over ten minutes. Bounded: at most `most` networks, the one longest without news makes room.
/// Threads: safe, shared by all shards.
class harvest_table {
public:
    static constexpr std::chrono::minutes window{10};
    harvest_table(base::clock& clock, std::uint64_t limit, std::size_t most = 65536);
    /// One more unknown recipient (or `weight`, for worse manners).
    void count(std::string const& peer_prefix, std::uint64_t weight = 1);
    /// More than the limit within the window that began with the first of them.
    [[nodiscard]] bool blocked(std::string const& peer_prefix);
    [[nodiscard]] std::size_t size() const;

private:
    struct entry {
        std::uint64_t seen = 0;
        base::monotonic_time since;
        std::list<std::string>::iterator place;
    };
    base::clock& clock_;
    std::uint64_t limit_;
    std::size_t most_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, entry> entries_;
    std::list<std::string> oldest_first_;
};

}  // namespace mansio::accept
