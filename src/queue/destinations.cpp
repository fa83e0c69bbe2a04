#include "queue/destinations.hpp"

namespace mansio::queue {

destinations::permit::~permit()
{
    if (from_ != nullptr) from_->give_back(domain_);
}

void destinations::ask(std::string const& domain, int priority, base::executor& home, std::move_only_function<void(permit)> when_free)
{
    std::unique_lock lock{mutex_};
    auto& line = by_domain_[domain].waiting;
    // From the end: nearly all have the same priority.
    auto at = line.end();
    while (at != line.begin() && std::prev(at)->priority < priority) --at;
    line.insert(at, {priority, &home, std::move(when_free)});
    serve(lock);
}

void destinations::give_back(std::string const& domain)
{
    std::unique_lock lock{mutex_};
    auto const it = by_domain_.find(domain);
    MANSIO_ASSERT(it != by_domain_.end() && it->second.used > 0 && used_ > 0);
    --it->second.used;
    --used_;
    if (it->second.used == 0 && it->second.waiting.empty()) by_domain_.erase(it);
    serve(lock);
}

bool destinations::try_serve(std::string const& name, destination& d, std::vector<std::pair<waiter, std::string>>& served)
{
    if (used_ >= most_ || d.used >= most_each_ || d.waiting.empty()) return false;
    ++d.used;
    ++used_;
    served.emplace_back(std::move(d.waiting.front()), name);
    d.waiting.pop_front();
    last_served_ = name;
    return true;
}

void destinations::serve(std::unique_lock<std::mutex>& lock)
{
    std::vector<std::pair<waiter, std::string>> served;
    bool again = true;
    while (again && used_ < most_) {
        again = false;
        // One for each domain in turn, starting behind the one served last.
        for (auto it = by_domain_.upper_bound(last_served_); it != by_domain_.end(); ++it) again = try_serve(it->first, it->second, served) || again;
        auto const end = last_served_;
        for (auto it = by_domain_.begin(); it != by_domain_.end() && it->first <= end; ++it) again = try_serve(it->first, it->second, served) || again;
    }
    lock.unlock();
    for (auto& [w, name] : served) w.home->post([go = std::move(w.go), p = permit{*this, name}]() mutable { go(std::move(p)); });
}

std::size_t destinations::waiting() const
{
    std::lock_guard const lock{mutex_};
    std::size_t n = 0;
    for (auto const& [name, d] : by_domain_) n += d.waiting.size();
    return n;
}

}  // namespace mansio::queue
