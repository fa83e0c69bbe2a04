// The records of messages that one account keeps in memory.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "store/email_record.hpp"

namespace mansio::store {

/// Keeps records for whoever asks for them again. Threads: the account's owner alone.
class record_cache {
public:
    using record = std::shared_ptr<stored_email const>;
    /// `most`: octets of records.
    explicit record_cache(std::uint64_t most) : most_(most) {}

    [[nodiscard]] record find(email_id e) const;
    /// One that was asked for by itself. The oldest go for it.
    void keep(record const& r);
    /// One of many that somebody read in going through a mailbox: kept from the second time on, and only where there is room. Most mailboxes are
    /// gone through once, and then it would be memory for nothing; and such rounds must not push out what is asked for by itself, nor each other.
    void keep_if_read_again(record const& r);
    void forget(email_id e);
    void clear();
    /// Memory that all this takes, about.
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_ + read_once_.size() / 8; }

private:
    void put(record const& r);
    std::uint64_t most_, octets_ = 0;
    std::unordered_map<email_id, record> records_;
    std::deque<email_id> order_;     ///< the oldest first; may name what was forgotten
    std::vector<bool> read_once_;    ///< by email id: they are given out one after the other
};

}  // namespace mansio::store
