#include <bit>

#include "store/account.hpp"

namespace mansio::store {
namespace {
using words = std::vector<std::uint64_t>;
/// No trailing zero words, no empty vector: so that equal sets look the same.
std::shared_ptr<words const> tidy(words w)
{
    while (!w.empty() && w.back() == 0) w.pop_back();
    return w.empty() ? nullptr : std::make_shared<words const>(std::move(w));
}
void collect(std::uint64_t word, unsigned base, std::vector<unsigned>& into)
{
    for (; word != 0; word &= word - 1) into.push_back(base + static_cast<unsigned>(std::countr_zero(word)));
}
}  // namespace

bool flag_set::has(unsigned index) const noexcept
{
    if (index < 64) return (low_ >> index & 1U) != 0;
    auto const word = index / 64 - 1;
    return high_ && word < high_->size() && ((*high_)[word] >> (index % 64) & 1U) != 0;
}

void flag_set::set(unsigned index, bool on)
{
    if (index < 64) {
        auto const bit = std::uint64_t{1} << index;
        low_ = on ? low_ | bit : low_ & ~bit;
        return;
    }
    if (has(index) == on) return;
    words w = high_ ? *high_ : words{};
    auto const word = index / 64 - 1;
    if (w.size() <= word) w.resize(word + 1);
    w[word] ^= std::uint64_t{1} << (index % 64);
    high_ = tidy(std::move(w));
}

bool flag_set::empty() const noexcept { return low_ == 0 && !high_; }

std::vector<unsigned> flag_set::indexes() const
{
    std::vector<unsigned> found;
    collect(low_, 0, found);
    if (high_)
        for (std::size_t i = 0; i < high_->size(); ++i) collect((*high_)[i], static_cast<unsigned>(64 * (i + 1)), found);
    return found;
}

bool flag_set::operator==(flag_set const& o) const noexcept
{
    if (low_ != o.low_) return false;
    if (high_ == o.high_) return true;
    return high_ && o.high_ && *high_ == *o.high_;
}

void flag_set::add(flag_set const& o)
{
    low_ |= o.low_;
    if (!o.high_ || high_ == o.high_) return;
    if (!high_) {
        high_ = o.high_;
        return;
    }
    words w = *high_;
    if (w.size() < o.high_->size()) w.resize(o.high_->size());
    for (std::size_t i = 0; i < o.high_->size(); ++i) w[i] |= (*o.high_)[i];
    high_ = tidy(std::move(w));
}

void flag_set::remove(flag_set const& o)
{
    low_ &= ~o.low_;
    if (!o.high_ || !high_) return;
    words w = *high_;
    for (std::size_t i = 0; i < w.size() && i < o.high_->size(); ++i) w[i] &= ~(*o.high_)[i];
    high_ = tidy(std::move(w));
}

flag_set flag_set::from_words(std::uint64_t low, std::shared_ptr<words const> high)
{
    flag_set f;
    f.low_ = low;
    if (high && (high->empty() || high->back() == 0)) high = tidy(*high);
    f.high_ = std::move(high);
    return f;
}

}  // namespace mansio::store
