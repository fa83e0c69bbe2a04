#include "store/record_cache.hpp"

namespace mansio::store {
namespace {
constexpr std::uint64_t large = 8;               ///< a record of more than this part of it all is not kept
constexpr email_id read_once_most = 16'000'000;  ///< 2 MB for an account with more than that many messages in its life
}  // namespace

record_cache::record record_cache::find(email_id e) const
{
    auto const it = records_.find(e);
    return it == records_.end() ? nullptr : it->second;
}

void record_cache::put(record const& r)
{
    if (r->octets() > most_ / large || !records_.try_emplace(r->id(), r).second) return;
    octets_ += r->octets();
    order_.push_back(r->id());
    if (order_.size() > 2 * records_.size() + 1024) std::erase_if(order_, [this](email_id e) { return !records_.contains(e); });
}

void record_cache::keep(record const& r)
{
    put(r);
    while (octets_ > most_ && !order_.empty()) {
        forget(order_.front());
        order_.pop_front();
    }
}

void record_cache::keep_if_read_again(record const& r)
{
    auto const e = r->id();
    if (e >= read_once_most) return;
    if (e >= read_once_.size()) read_once_.resize(e + 1);
    if (!read_once_[e]) {
        read_once_[e] = true;
    } else if (octets_ + r->octets() <= most_) {
        put(r);
    }
}

void record_cache::forget(email_id e)
{
    auto const it = records_.find(e);
    if (it == records_.end()) return;
    octets_ -= it->second->octets();
    records_.erase(it);
}

void record_cache::clear()
{
    records_.clear();
    order_.clear();
    octets_ = 0;
    std::vector<bool>{}.swap(read_once_);
}

}  // namespace mansio::store
