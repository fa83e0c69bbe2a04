#include "accept/harvest.hpp"

namespace mansio::accept {

harvest_table::harvest_table(base::clock& clock, std::uint64_t limit, std::size_t most) : clock_(clock), limit_(limit), most_(most) {}

void harvest_table::count(std::string const& peer_prefix, std::uint64_t weight)
{
    std::lock_guard const lock{mutex_};
    auto const now = clock_.monotonic();
    auto it = entries_.find(peer_prefix);
    if (it == entries_.end()) {
        if (entries_.size() >= most_) {
            entries_.erase(oldest_first_.front());
            oldest_first_.pop_front();
        }
        it = entries_.emplace(peer_prefix, entry{0, now, oldest_first_.insert(oldest_first_.end(), peer_prefix)}).first;
    } else
        oldest_first_.splice(oldest_first_.end(), oldest_first_, it->second.place);
    if (now - it->second.since >= window) {
        it->second.since = now;
        it->second.seen = 0;
    }
    it->second.seen += weight;
}

bool harvest_table::blocked(std::string const& peer_prefix)
{
    std::lock_guard const lock{mutex_};
    auto const it = entries_.find(peer_prefix);
    if (it == entries_.end()) return false;
    if (clock_.monotonic() - it->second.since < window) return it->second.seen > limit_;
    oldest_first_.erase(it->second.place);
    entries_.erase(it);
    return false;
}

std::size_t harvest_table::size() const
{
    std::lock_guard const lock{mutex_};
    return entries_.size();
}

}  // namespace mansio::accept
