#include "store/mailbox_columns.hpp"

#include <algorithm>
#include <ranges>

#include "store/mailbox_uids.hpp"

namespace mansio::store {

namespace {
constexpr std::uint32_t chunk_most = 1024;
constexpr std::uint32_t chunk_least = 16;
using high_words = std::shared_ptr<std::vector<std::uint64_t> const>;
}  // namespace

/// Slots at and after every reader's count may be written by the owner: no reader looks there. Never reallocated.
struct static_columns {
    struct fixed {
        std::uint64_t size = 0;
        std::int64_t date = 0;
        std::int64_t saved = 0;
        email_id email = 0;
        mod_seq added = 0;
        std::int16_t zone = 0;
    };
    std::uint32_t capacity;
    std::unique_ptr<store::uid[]> uids;
    std::unique_ptr<fixed[]> rest;
    explicit static_columns(std::uint32_t n) : capacity(n), uids(std::make_unique<store::uid[]>(n)), rest(std::make_unique<fixed[]>(n)) {}
};
struct flag_columns {
    std::uint32_t capacity;
    std::unique_ptr<std::uint64_t[]> low;
    std::unique_ptr<mod_seq[]> modseq;
    std::unique_ptr<high_words[]> high;  ///< null until an entry has a keyword beyond the 56th: decided when made
    flag_columns(std::uint32_t n, bool with_high)
        : capacity(n),
          low(std::make_unique<std::uint64_t[]>(n)),
          modseq(std::make_unique<mod_seq[]>(n)),
          high(with_high ? std::make_unique<high_words[]>(n) : nullptr)
    {}
    [[nodiscard]] std::shared_ptr<flag_columns> copy(std::uint32_t count, std::uint32_t n, bool with_high) const
    {
        auto c = std::make_shared<flag_columns>(n, with_high || high);
        std::copy_n(low.get(), count, c->low.get());
        std::copy_n(modseq.get(), count, c->modseq.get());
        if (high) std::copy_n(high.get(), count, c->high.get());
        return c;
    }
    void put(std::uint32_t slot, flag_set const& f, mod_seq when)
    {
        low[slot] = f.low();
        modseq[slot] = when;
        if (high) high[slot] = f.high();
    }
    [[nodiscard]] flag_set get(std::uint32_t slot) const { return high ? flag_set::from_words(low[slot], high[slot]) : flag_set::from_words(low[slot]); }
};

namespace {
std::uint64_t octets_of(static_columns const& fixed, flag_columns const& flags) noexcept
{
    return fixed.capacity * (sizeof(store::uid) + sizeof(static_columns::fixed)) + flags.capacity * (flags.high ? 32U : 16U);
}
}  // namespace

std::shared_ptr<mailbox_columns> mailbox_columns::branch() const
{
    auto b = std::make_shared<mailbox_columns>(*this);
    ++b->copy_;
    return b;
}

mailbox_columns::chunk& mailbox_columns::edit(std::size_t i)
{
    auto& b = blocks_[i / block_chunks];
    if (b->owner != copy_) {
        b = std::make_shared<block>(*b);
        b->owner = copy_;
    }
    return b->chunks[i % block_chunks];
}

void mailbox_columns::add_chunk(chunk c)
{
    if (chunks_ % block_chunks == 0) {
        blocks_.push_back(std::make_shared<block>());
        blocks_.back()->owner = copy_;
    }
    octets_ += octets_of(*c.fixed, *c.flags);
    starts_.push_back(size_);
    size_ += c.count;
    edit(chunks_++) = std::move(c);
}

void mailbox_columns::copy_flags(chunk& c, std::uint32_t capacity, bool with_high)
{
    octets_ -= octets_of(*c.fixed, *c.flags);
    c.flags = c.flags->copy(c.count, capacity, with_high);
    c.owner = copy_;
    octets_ += octets_of(*c.fixed, *c.flags);
}

std::size_t mailbox_columns::chunk_of(std::uint32_t position) const noexcept
{
    // Most chunks are full: the guess is nearly always right.
    std::size_t const guess = std::min<std::size_t>(position / chunk_most, starts_.size() - 1);
    if (starts_[guess] <= position && position - starts_[guess] < chunk_at(guess).count) return guess;
    return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), position) - starts_.begin()) - 1;
}

message_entry mailbox_columns::at(std::uint32_t position) const
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    auto const& c = chunk_at(index);
    auto const slot = position - starts_[index];
    auto const& f = c.fixed->rest[slot];
    message_entry e;
    e.uid = c.fixed->uids[slot];
    e.flags = c.flags->get(slot);
    e.modseq = c.flags->modseq[slot];
    e.size = f.size;
    e.internal_date.unix_seconds = f.date;
    e.internal_date.zone_minutes = f.zone;
    e.save_date = f.saved;
    e.email = f.email;
    e.added = f.added;
    return e;
}

store::uid mailbox_columns::uid_at(std::uint32_t position) const noexcept
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    return chunk_at(index).fixed->uids[position - starts_[index]];
}

flag_set mailbox_columns::flags_at(std::uint32_t position) const
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    return chunk_at(index).flags->get(position - starts_[index]);
}

mod_seq mailbox_columns::modseq_at(std::uint32_t position) const noexcept
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    return chunk_at(index).flags->modseq[position - starts_[index]];
}

std::uint32_t mailbox_columns::lower_bound(store::uid u) const noexcept
{
    auto const indices = std::views::iota(std::size_t{0}, chunks_);
    auto const at = std::ranges::partition_point(indices, [&](std::size_t i) { return chunk_at(i).fixed->uids[chunk_at(i).count - 1] < u; });
    if (at == indices.end()) return size_;
    auto const& c = chunk_at(*at);
    auto const* const first = c.fixed->uids.get();
    return starts_[*at] + static_cast<std::uint32_t>(std::lower_bound(first, first + c.count, u) - first);
}

std::pair<std::uint32_t, std::uint32_t> mailbox_columns::positions(std::pair<store::uid, store::uid> range) const noexcept
{
    auto const from = lower_bound(range.first);
    auto const to = range.second == ~store::uid{0} ? size_ : lower_bound(range.second + 1);
    return {from, std::max(from, to)};
}

void mailbox_columns::changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const
{
    for (std::size_t i = 0; i < chunks_; ++i) {
        auto const& c = chunk_at(i);
        if (c.newest <= since) continue;
        for (std::uint32_t slot = 0; slot < c.count; ++slot)
            if (c.flags->modseq[slot] > since) each(starts_[i] + slot);
    }
}

mod_seq mailbox_columns::newest_in(std::uint32_t from, std::uint32_t to, mod_seq least) const noexcept
{
    for (auto position = from; position < to;) {
        auto const index = chunk_of(position);
        auto const& c = chunk_at(index);
        auto const end = std::min(to - starts_[index], c.count);
        if (c.newest > least)
            for (auto slot = position - starts_[index]; slot < end; ++slot) least = std::max(least, c.flags->modseq[slot]);
        position = starts_[index] + end;
    }
    return least;
}

std::uint64_t mailbox_columns::octets() const noexcept
{
    return sizeof *this + octets_ + starts_.capacity() * sizeof starts_[0] + blocks_.size() * sizeof(block);
}

/// The last chunk, with a free slot behind its count. Chunks grow by doubling, so that a small mailbox stays small.
void mailbox_columns::make_room(chunk& c)
{
    if (c.count < c.fixed->capacity && c.count < c.flags->capacity) return;
    auto const n = std::min(chunk_most, std::max(chunk_least, c.count * 2));
    auto fixed = std::make_shared<static_columns>(n);
    std::copy_n(c.fixed->uids.get(), c.count, fixed->uids.get());
    std::copy_n(c.fixed->rest.get(), c.count, fixed->rest.get());
    octets_ -= octets_of(*c.fixed, *c.flags);
    c.fixed = std::move(fixed);
    octets_ += octets_of(*c.fixed, *c.flags);
    copy_flags(c, n, false);
}

void mailbox_columns::append(message_entry const& e)
{
    if (chunks_ == 0 || chunk_at(chunks_ - 1).count == chunk_most) {
        chunk fresh;
        auto const n = chunks_ == 0 ? chunk_least : chunk_most;
        fresh.fixed = std::make_shared<static_columns>(n);
        fresh.flags = std::make_shared<flag_columns>(n, e.flags.high() != nullptr);
        fresh.owner = copy_;
        add_chunk(std::move(fresh));
    }
    auto& c = edit(chunks_ - 1);
    make_room(c);
    if (e.flags.high() && !c.flags->high) copy_flags(c, c.flags->capacity, true);
    auto const slot = c.count;
    MANSIO_ASSERT(slot == 0 || c.fixed->uids[slot - 1] < e.uid);
    c.fixed->uids[slot] = e.uid;
    auto& f = c.fixed->rest[slot];
    f.size = e.size;
    f.date = e.internal_date.unix_seconds;
    f.zone = e.internal_date.zone_minutes;
    f.saved = e.save_date;
    f.email = e.email;
    f.added = e.added;
    c.flags->put(slot, e.flags, e.modseq);
    ++c.count;
    c.newest = std::max(c.newest, e.modseq);
    ++size_;
}

void mailbox_columns::set_flags(std::uint32_t position, flag_set const& f, mod_seq when)
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    auto& c = edit(index);
    bool const needs_high = f.high() && !c.flags->high;
    if (c.owner != copy_ || needs_high) copy_flags(c, c.flags->capacity, needs_high);
    c.flags->put(position - starts_[index], f, when);
    c.newest = std::max(c.newest, when);
}

void mailbox_columns::remove(uid_set const& which)
{
    std::vector<chunk> kept;
    kept.reserve(chunks_);
    auto range = which.begin();
    for (std::size_t i = 0; i < chunks_; ++i) {
        auto const& c = chunk_at(i);
        auto const first = c.fixed->uids[0];
        auto const last = c.fixed->uids[c.count - 1];
        while (range != which.end() && range->second < first) ++range;
        if (range == which.end() || range->first > last) {
            kept.push_back(c);
            continue;
        }
        std::vector<std::uint32_t> slots;
        auto r = range;
        for (std::uint32_t slot = 0; slot < c.count; ++slot) {
            auto const u = c.fixed->uids[slot];
            while (r != which.end() && r->second < u) ++r;
            if (r == which.end() || u < r->first) slots.push_back(slot);
        }
        if (slots.empty()) continue;
        if (slots.size() == c.count) {
            kept.push_back(c);
            continue;
        }
        // Neighbours that have become small are joined, so that a mailbox never ends as many tiny chunks.
        bool const join = !kept.empty() && kept.back().count + slots.size() <= chunk_most / 2;
        chunk fresh;
        std::uint32_t const before = join ? kept.back().count : 0;
        auto const n = std::max(chunk_least, before + static_cast<std::uint32_t>(slots.size()));
        bool const high = c.flags->high || (join && kept.back().flags->high);
        fresh.fixed = std::make_shared<static_columns>(n);
        fresh.flags = join ? kept.back().flags->copy(before, n, high) : std::make_shared<flag_columns>(n, high);
        if (join) {
            std::copy_n(kept.back().fixed->uids.get(), before, fresh.fixed->uids.get());
            std::copy_n(kept.back().fixed->rest.get(), before, fresh.fixed->rest.get());
            fresh.newest = kept.back().newest;
            kept.pop_back();
        }
        fresh.count = before;
        fresh.owner = copy_;
        for (auto const slot : slots) {
            fresh.fixed->uids[fresh.count] = c.fixed->uids[slot];
            fresh.fixed->rest[fresh.count] = c.fixed->rest[slot];
            fresh.flags->put(fresh.count, c.flags->get(slot), c.flags->modseq[slot]);
            ++fresh.count;
        }
        fresh.newest = std::max(fresh.newest, c.newest);
        kept.push_back(std::move(fresh));
    }
    blocks_.clear();
    starts_.clear();
    chunks_ = 0;
    size_ = 0;
    octets_ = 0;
    for (auto& c : kept) add_chunk(std::move(c));
}

}  // namespace mansio::store
