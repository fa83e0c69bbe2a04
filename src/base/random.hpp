// All randomness comes from here, so that a seed replays a test.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace mansio::base {

/// Threads: safe.
class random {
public:
    virtual ~random() = default;
    virtual void fill(std::span<std::byte> into) = 0;
    [[nodiscard]] std::uint64_t u64();
    /// Uniform in [0, bound); bound ≥ 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    [[nodiscard]] std::string octets(std::size_t n);
};

/// The operating system's generator (libsodium).
[[nodiscard]] random& system_random();

/// Replayable; for tests only, it protects nothing.
class seeded_random final : public random {
public:
    explicit seeded_random(std::uint64_t seed);
    ~seeded_random() override;
    void fill(std::span<std::byte> into) override;

private:
    std::mutex mutex_;
    std::uint64_t state_;
};

}  // namespace mansio::base
