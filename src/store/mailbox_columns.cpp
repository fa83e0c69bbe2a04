#include "store/mailbox_columns.hpp"

#include <algorithm>

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

std::shared_ptr<mailbox_columns> mailbox_columns::branch() const
{
    auto b = std::make_shared<mailbox_columns>(*this);
    for (auto& c : b->chunks_) c.own = false;
    return b;
}

std::size_t mailbox_columns::chunk_of(std::uint32_t position) const noexcept
{
    // Most chunks are full: the guess is nearly always right.
    std::size_t const guess = std::min<std::size_t>(position / chunk_most, starts_.size() - 1);
    if (starts_[guess] <= position && position - starts_[guess] < chunks_[guess].count) return guess;
    return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), position) - starts_.begin()) - 1;
}

message_entry mailbox_columns::at(std::uint32_t position) const
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    auto const& c = chunks_[index];
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
    return chunks_[index].fixed->uids[position - starts_[index]];
}

flag_set mailbox_columns::flags_at(std::uint32_t position) const
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    return chunks_[index].flags->get(position - starts_[index]);
}

mod_seq mailbox_columns::modseq_at(std::uint32_t position) const noexcept
{
    MANSIO_ASSERT(position < size_);
    auto const index = chunk_of(position);
    return chunks_[index].flags->modseq[position - starts_[index]];
}

std::uint32_t mailbox_columns::lower_bound(store::uid u) const noexcept
{
    auto const c = std::partition_point(chunks_.begin(), chunks_.end(), [u](chunk const& x) { return x.fixed->uids[x.count - 1] < u; });
    if (c == chunks_.end()) return size_;
    auto const* const first = c->fixed->uids.get();
    return starts_[static_cast<std::size_t>(c - chunks_.begin())] + static_cast<std::uint32_t>(std::lower_bound(first, first + c->count, u) - first);
}

std::pair<std::uint32_t, std::uint32_t> mailbox_columns::positions(std::pair<store::uid, store::uid> range) const noexcept
{
    auto const from = lower_bound(range.first);
    auto const to = range.second == ~store::uid{0} ? size_ : lower_bound(range.second + 1);
    return {from, std::max(from, to)};
}

void mailbox_columns::changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const
{
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
        auto const& c = chunks_[i];
        if (c.newest <= since) continue;
        for (std::uint32_t slot = 0; slot < c.count; ++slot)
            if (c.flags->modseq[slot] > since) each(starts_[i] + slot);
    }
}

std::uint64_t mailbox_columns::octets() const noexcept
{
    std::uint64_t n = sizeof *this;
    for (auto const& c : chunks_)
        n += sizeof c + 4 + c.fixed->capacity * (sizeof(store::uid) + sizeof(static_columns::fixed)) + c.flags->capacity * (c.flags->high ? 32U : 16U);
    return n;
}

/// The last chunk, with a free slot behind its count. Chunks grow by doubling, so that a small mailbox stays small.
void mailbox_columns::make_room(chunk& c)
{
    if (c.count < c.fixed->capacity && c.count < c.flags->capacity) return;
    auto const n = std::min(chunk_most, std::max(chunk_least, c.count * 2));
    auto fixed = std::make_shared<static_columns>(n);
    std::copy_n(c.fixed->uids.get(), c.count, fixed->uids.get());
    std::copy_n(c.fixed->rest.get(), c.count, fixed->rest.get());
    c.fixed = std::move(fixed);
    c.flags = c.flags->copy(c.count, n, false);
    c.own = true;
}

void mailbox_columns::append(message_entry const& e)
{
    if (chunks_.empty() || chunks_.back().count == chunk_most) {
        chunk fresh;
        auto const n = chunks_.empty() ? chunk_least : chunk_most;
        fresh.fixed = std::make_shared<static_columns>(n);
        fresh.flags = std::make_shared<flag_columns>(n, e.flags.high() != nullptr);
        fresh.own = true;
        chunks_.push_back(std::move(fresh));
        starts_.push_back(size_);
    }
    auto& c = chunks_.back();
    make_room(c);
    if (e.flags.high() && !c.flags->high) {
        c.flags = c.flags->copy(c.count, c.flags->capacity, true);
        c.own = true;
    }
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
    auto& c = chunks_[index];
    bool const needs_high = f.high() && !c.flags->high;
    if (!c.own || needs_high) {
        c.flags = c.flags->copy(c.count, c.flags->capacity, needs_high);
        c.own = true;
    }
    c.flags->put(position - starts_[index], f, when);
    c.newest = std::max(c.newest, when);
}

void mailbox_columns::remove(uid_set const& which)
{
    std::vector<chunk> kept;
    kept.reserve(chunks_.size());
    auto range = which.begin();
    for (auto& c : chunks_) {
        auto const first = c.fixed->uids[0];
        auto const last = c.fixed->uids[c.count - 1];
        while (range != which.end() && range->second < first) ++range;
        if (range == which.end() || range->first > last) {
            kept.push_back(std::move(c));
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
            kept.push_back(std::move(c));
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
        fresh.own = true;
        for (auto const slot : slots) {
            fresh.fixed->uids[fresh.count] = c.fixed->uids[slot];
            fresh.fixed->rest[fresh.count] = c.fixed->rest[slot];
            fresh.flags->put(fresh.count, c.flags->get(slot), c.flags->modseq[slot]);
            ++fresh.count;
        }
        fresh.newest = std::max(fresh.newest, c.newest);
        kept.push_back(std::move(fresh));
    }
    chunks_ = std::move(kept);
    recount();
}

void mailbox_columns::recount()
{
    starts_.clear();
    size_ = 0;
    for (auto const& c : chunks_) {
        starts_.push_back(size_);
        size_ += c.count;
    }
}

}  // namespace mansio::store
