#include "base/random.hpp"

#include <algorithm>
#include <array>

#include <sodium.h>

#include "base/result.hpp"

namespace mansio::base {
namespace {
// Ids are many and small: a system call for each would be most of their price. What was given out is erased, so that memory tells nothing of it.
class shelf {
public:
    static constexpr std::size_t largest = 64;
    ~shelf() { sodium_memzero(octets_.data(), octets_.size()); }
    void take(std::span<std::byte> into)
    {
        if (left_ < into.size()) {
            randombytes_buf(octets_.data(), octets_.size());
            left_ = octets_.size();
        }
        auto* const from = octets_.data() + (left_ - into.size());
        std::copy_n(from, into.size(), into.data());
        sodium_memzero(from, into.size());
        left_ -= into.size();
    }

private:
    std::array<std::byte, 1024> octets_{};
    std::size_t left_ = 0;
};

class machine_random final : public random {
public:
    machine_random() { MANSIO_ASSERT(sodium_init() >= 0); }
    void fill(std::span<std::byte> into) override
    {
        thread_local shelf here;
        if (into.size() <= shelf::largest)
            here.take(into);
        else
            randombytes_buf(into.data(), into.size());
    }
};
}  // namespace

std::uint64_t random::u64()
{
    std::uint64_t v = 0;
    fill(std::as_writable_bytes(std::span{&v, 1}));
    return v;
}

std::uint64_t random::below(std::uint64_t bound)
{
    MANSIO_ASSERT(bound >= 1);
    // Rejection keeps it uniform.
    std::uint64_t const limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t v = u64();
    while (v >= limit) v = u64();
    return v % bound;
}

std::string random::octets(std::size_t n)
{
    std::string s(n, '\0');
    fill(std::as_writable_bytes(std::span{s}));
    return s;
}

random& system_random()
{
    static machine_random the_random;
    return the_random;
}

seeded_random::seeded_random(std::uint64_t seed) : state_(seed) {}
seeded_random::~seeded_random() = default;
void seeded_random::fill(std::span<std::byte> into)
{
    std::lock_guard const lock{mutex_};
    for (std::size_t i = 0; i < into.size(); ++i) {
        // splitmix64 (Steele, Lea, Flood 2014), one step per octet: slow and simple.
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        into[i] = static_cast<std::byte>((z ^ (z >> 31U)) & 0xFFU);
    }
}

}  // namespace mansio::base
