// A mailbox's index in memory: packed columns in chunks that views share.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "store/account.hpp"

namespace mansio::store {

/// Up to 1,024 neighbours of a mailbox. Static and flag columns apart, so that a change of flags copies only those.
struct static_columns;
struct flag_columns;

/// The columns of one mailbox. Copies share every chunk; the copy that the account's owner works on writes new slots behind what its
/// neighbours can see, and copies a chunk's flags before it changes them.
/// Threads: a finished copy (const) may be read on any; the next one is made from it on the owner alone, one at a time.
class mailbox_columns {
public:
    mailbox_columns() = default;
    /// To work on: shares all chunks, owns none.
    [[nodiscard]] std::shared_ptr<mailbox_columns> branch() const;

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] message_entry at(std::uint32_t position) const;
    [[nodiscard]] store::uid uid_at(std::uint32_t position) const noexcept;
    [[nodiscard]] flag_set flags_at(std::uint32_t position) const;
    [[nodiscard]] mod_seq modseq_at(std::uint32_t position) const noexcept;
    [[nodiscard]] std::uint32_t lower_bound(store::uid u) const noexcept;
    void changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const;
    /// The highest of [from, to) and `least`; chunks in which nothing is newer than `least` are not looked into.
    [[nodiscard]] mod_seq newest_in(std::uint32_t from, std::uint32_t to, mod_seq least) const noexcept;
    /// Positions [from, to) of a UID range.
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> positions(std::pair<store::uid, store::uid> range) const noexcept;
    [[nodiscard]] std::uint64_t octets() const noexcept;  ///< memory, about

    /// UIDs rise.
    void append(message_entry const& e);
    void set_flags(std::uint32_t position, flag_set const& f, mod_seq when);
    /// Removes those of the set that exist.
    void remove(uid_set const& which);

private:
    struct chunk {
        std::shared_ptr<static_columns> fixed;
        std::shared_ptr<flag_columns> flags;
        std::uint32_t count = 0;
        mod_seq newest = 0;      ///< no entry is newer
        std::uint64_t owner = 0; ///< the copy that may write its flag columns
    };
    /// Chunks are held in blocks that copies share too: a copy of a mailbox of a million messages costs thirty pointers, not a thousand chunks.
    static constexpr std::size_t block_chunks = 32;
    struct block {
        std::array<chunk, block_chunks> chunks;
        std::uint64_t owner = 0;
    };
    [[nodiscard]] chunk const& chunk_at(std::size_t i) const noexcept { return blocks_[i / block_chunks]->chunks[i % block_chunks]; }
    /// To change it: its block is this copy's alone afterwards.
    [[nodiscard]] chunk& edit(std::size_t i);
    void add_chunk(chunk c);
    [[nodiscard]] std::size_t chunk_of(std::uint32_t position) const noexcept;
    void make_room(chunk& c);
    void copy_flags(chunk& c, std::uint32_t capacity, bool with_high);

    std::vector<std::shared_ptr<block>> blocks_;
    std::size_t chunks_ = 0;
    std::vector<std::uint32_t> starts_;  ///< position of each chunk's first entry
    std::uint32_t size_ = 0;
    std::uint64_t octets_ = 0;  ///< of all chunks
    std::uint64_t copy_ = 1;    ///< which copy this is: each one's number is higher than that of the one it was made from
};

}  // namespace mansio::store
