// A maildrop: INBOX as it was at sign-in, and what this session wants gone (RFC 1939 §4, §5).
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "store/account.hpp"

namespace mansio::pop3 {

/// Which maildrops are in use; RFC 1939 §4: one session at a time. Threads: safe.
class maildrop_locks : public std::enable_shared_from_this<maildrop_locks> {
public:
    /// nullptr: another session has it. Held until the last copy of the token goes.
    [[nodiscard]] std::shared_ptr<void> take(store::account_number n);

private:
    std::mutex mutex_;
    std::set<store::account_number> held_;
};

/// Messages are numbered from 1 and keep their numbers until the session ends, whatever other sessions do meanwhile.
/// Nothing changes in the store before update(). Threads: the account's owner.
class maildrop {
public:
    /// Errors: those of account_ref.
    [[nodiscard]] static task<result<std::unique_ptr<maildrop>>> open(store::account_ref account, std::shared_ptr<void> lock);

    [[nodiscard]] std::uint32_t size() const noexcept { return view_->size(); }             ///< those marked too
    [[nodiscard]] std::uint32_t left() const noexcept { return size() - marked_; }
    [[nodiscard]] std::uint64_t octets_left() const noexcept { return octets_left_; }
    [[nodiscard]] bool has(std::uint32_t number) const noexcept { return number >= 1 && number <= size() && !deleted_[number - 1]; }
    [[nodiscard]] std::uint64_t octets(std::uint32_t number) const { return view_->at(number - 1).size; }
    /// "UIDVALIDITY.UID": the same for as long as the mailbox lives, never used again (RFC 1939 §7 UIDL; at most 70 octets).
    [[nodiscard]] std::string unique_id(std::uint32_t number) const;
    [[nodiscard]] bool may_delete() const noexcept { return may_delete_; }
    void mark(std::uint32_t number);
    void unmark_all();

    /// Errors: not_found (expunged by another session).
    [[nodiscard]] task<result<store::email_record_ptr>> email(std::uint32_t number) const;
    [[nodiscard]] task<result<std::string>> read(store::email_record_ptr email, std::uint64_t offset, std::uint64_t length) const;
    /// The UPDATE state: removes what is marked, in the store, and returns when that is durable.
    [[nodiscard]] task<result<void>> update();

private:
    store::account_ref account_;
    std::shared_ptr<void> lock_;
    store::mailbox_id mailbox_ = 0;
    store::mailbox_view_ptr view_;
    std::vector<bool> deleted_;
    std::uint32_t marked_ = 0;
    std::uint64_t octets_left_ = 0, octets_ = 0;
    bool may_delete_ = false;
};

}  // namespace mansio::pop3
