#include "store/mailbox_uids.hpp"

#include <algorithm>
#include <limits>

namespace mansio::store {

void append_uid(uid_set& set, store::uid u)
{
    if (!set.empty() && set.back().second + 1 == u) {
        set.back().second = u;
    } else {
        set.emplace_back(u, u);
    }
}

bool contains(uid_set const& set, store::uid u) noexcept
{
    auto const it = std::upper_bound(set.begin(), set.end(), u, [](store::uid v, auto const& range) { return v < range.first; });
    return it != set.begin() && u <= std::prev(it)->second;
}

uid_set normalized(uid_set set)
{
    for (auto& range : set)
        if (range.first > range.second) std::swap(range.first, range.second);
    std::sort(set.begin(), set.end());
    uid_set out;
    for (auto const& range : set) {
        if (!out.empty() && (out.back().second == std::numeric_limits<store::uid>::max() || range.first <= out.back().second + 1)) {
            out.back().second = std::max(out.back().second, range.second);
        } else {
            out.push_back(range);
        }
    }
    return out;
}

std::uint64_t count(uid_set const& set) noexcept
{
    std::uint64_t n = 0;
    for (auto const& range : set) n += std::uint64_t{range.second} - range.first + 1;
    return n;
}

void encode(base::row_writer& w, uid_set const& set)
{
    w.varint(set.size());
    std::uint64_t end = 0;
    for (auto const& range : set) {
        w.varint(range.first - end).varint(range.second - range.first);
        end = range.second;
    }
}

uid_set decode_uid_set(base::row_reader& r)
{
    uid_set set;
    auto const n = r.varint();
    if (n > r.rest().size()) r.spoil();  // a range takes two octets at least
    std::uint64_t end = 0;
    for (std::uint64_t i = 0; i < n && r.ok(); ++i) {
        auto const gap = r.varint();
        auto const length = r.varint();
        constexpr std::uint64_t most = std::numeric_limits<store::uid>::max();
        if ((i > 0 && gap == 0) || gap > most - end || length > most - end - gap) {
            r.spoil();
            break;
        }
        set.emplace_back(static_cast<store::uid>(end + gap), static_cast<store::uid>(end + gap + length));
        end += gap + length;
    }
    return r.ok() ? set : uid_set{};
}

}  // namespace mansio::store
