#include "imap/wire/sequence_set.hpp"

#include <algorithm>
#include <utility>

namespace mansio::imap::wire {

std::uint32_t sequence_set::largest_named() const noexcept
{
    std::uint32_t largest = 0;
    for (auto const& [from, to] : ranges)
        if (from != star && to != star) largest = std::max({largest, from, to});
    return largest;
}

namespace {
result<std::uint32_t> parse_seq_number(scanner& in)
{
    if (in.take('*')) return sequence_set::star;
    return in.nz_number();
}
}  // namespace

// sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command
result<sequence_set> parse_sequence_set(scanner& in)
{
    sequence_set s;
    if (in.take('$')) {
        s.saved = true;
        return s;
    }
    do {
        auto const from = parse_seq_number(in);
        if (!from) return fail(from);
        auto to = from;
        if (in.take(':')) to = parse_seq_number(in);
        if (!to) return fail(to);
        s.ranges.emplace_back(*from, *to);
    } while (in.take(','));
    return s;
}

void normalize(number_ranges& r)
{
    std::ranges::sort(r);
    std::size_t kept = 0;
    for (auto const& one : r) {
        if (kept != 0 && (one.first <= r[kept - 1].second || one.first - 1 == r[kept - 1].second))
            r[kept - 1].second = std::max(r[kept - 1].second, one.second);
        else
            r[kept++] = one;
    }
    r.resize(kept);
}

number_ranges resolve(sequence_set const& s, std::uint32_t largest)
{
    number_ranges out;
    out.reserve(s.ranges.size());
    for (auto [from, to] : s.ranges) {
        if (from == sequence_set::star) from = largest;
        if (to == sequence_set::star) to = largest;
        out.push_back(std::minmax(from, to));
    }
    normalize(out);
    return out;
}

bool contains(number_ranges const& r, std::uint32_t n) noexcept
{
    auto const it = std::ranges::upper_bound(r, n, {}, &std::pair<std::uint32_t, std::uint32_t>::first);
    return it != r.begin() && std::prev(it)->second >= n;
}

void append_ranges(std::string& out, number_ranges const& r)
{
    bool first = true;
    for (auto const& [from, to] : r) {
        if (!std::exchange(first, false)) out += ',';
        out += std::to_string(from);
        if (to == from) continue;
        out += ':';
        out += std::to_string(to);
    }
}

number_ranges to_ranges(std::vector<std::uint32_t> const& ascending)
{
    number_ranges r;
    for (auto const n : ascending) {
        if (!r.empty() && r.back().second + 1 == n)
            r.back().second = n;
        else
            r.emplace_back(n, n);
    }
    return r;
}

void append_numbers(std::string& out, std::vector<std::uint32_t> const& ascending) { append_ranges(out, to_ranges(ascending)); }

}  // namespace mansio::imap::wire
