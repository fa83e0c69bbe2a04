// How many conversations with other servers there are, in all and to one domain: a dead destination never slows another (trust.md D12).
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/executor.hpp"

namespace mansio::queue {

/// Slots shared by all partitions. Who gets none waits as a callback, not as a coroutine with its envelope in memory.
/// Threads: safe. Lifetime: outlives its permits.
class destinations {
public:
    destinations(std::uint64_t most, std::uint64_t most_each) : most_(most), most_each_(most_each) {}
    class permit {
    public:
        permit() = default;
        permit(destinations& from, std::string domain) : from_(&from), domain_(std::move(domain)) {}
        permit(permit&& o) noexcept : from_(std::exchange(o.from_, nullptr)), domain_(std::move(o.domain_)) {}
        permit& operator=(permit&& o) noexcept
        {
            std::swap(from_, o.from_);
            std::swap(domain_, o.domain_);
            return *this;
        }
        ~permit();

    private:
        destinations* from_ = nullptr;
        std::string domain_;
    };
    /// A slot now, or `when_free` is posted to `home` with one as soon as there is: first come, first served within a domain, and a domain with
    /// free slots is served whenever any slot is free.
    /// Within a domain those of higher `priority` (RFC 6710) go first.
    void ask(std::string const& domain, int priority, base::executor& home, std::move_only_function<void(permit)> when_free);
    [[nodiscard]] std::size_t waiting() const;

private:
    struct waiter {
        int priority;
        base::executor* home;
        std::move_only_function<void(permit)> go;
    };
    struct destination {
        std::uint64_t used = 0;
        std::deque<waiter> waiting;
    };
    void give_back(std::string const& domain);
    void serve(std::unique_lock<std::mutex>& lock);
    [[nodiscard]] bool try_serve(std::string const& name, destination& d, std::vector<std::pair<waiter, std::string>>& served);

    mutable std::mutex mutex_;
    std::uint64_t most_, most_each_, used_ = 0;
    std::map<std::string, destination, std::less<>> by_domain_;
    std::string last_served_;  ///< round robin over domains
};

}  // namespace mansio::queue
