// Engines to test, and short ways to speak to one.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "faulty_file_system.hpp"
#include "store/engines.hpp"

namespace mansio::store::test {

/// Everything an engine is given, and a loop to await it on.
struct engine_world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random;
    base::memory_log log;
    base::metrics metrics;
    explicit engine_world(std::uint64_t seed = 1) : random(seed) {}
};

/// A directory of its own under the system's temporary one, removed at the end.
class scratch_directory {
public:
    scratch_directory();
    ~scratch_directory();
    scratch_directory(scratch_directory const&) = delete;
    scratch_directory& operator=(scratch_directory const&) = delete;
    [[nodiscard]] std::string path() const { return path_; }

private:
    std::string path_;
};

/// Small memory, so that memtables are flushed within a test.
[[nodiscard]] rocks_options small_options(std::string directory, std::shared_ptr<rocksdb::FileSystem> fs);

[[nodiscard]] std::string text_octets(std::size_t n, std::uint64_t seed = 0);    ///< compresses
[[nodiscard]] std::string random_octets(std::size_t n, std::uint64_t seed = 0);  ///< does not

[[nodiscard]] inline partition_id account(std::uint64_t n) { return partition_id{partition_kind::account, n}; }
[[nodiscard]] inline row_change put(std::string key, std::string value) { return row_change{std::move(key), std::move(value)}; }
[[nodiscard]] inline row_change take_out(std::string key) { return row_change{std::move(key), std::nullopt}; }

}  // namespace mansio::store::test
