// A maildrop: INBOX as it was at sign-in, and what this session wants gone (RFC 1939 §4, §5).
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "auth/pop3_policy.hpp"
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
/// No message leaves the store before update(). Threads: the account's owner.
class maildrop {
public:
    /// Notes the sign-in where the policy has a delay. Errors: refused with detail "login_delay"; those of account_ref.
    [[nodiscard]] static task<result<std::unique_ptr<maildrop>>> open(store::account_ref account, std::shared_ptr<void> lock, auth::pop3_policy policy);

    [[nodiscard]] std::uint32_t size() const noexcept { return view_->size(); }             ///< those marked too
    [[nodiscard]] std::uint32_t left() const noexcept { return size() - marked_; }
    [[nodiscard]] std::uint64_t octets_left() const noexcept { return octets_left_; }
    [[nodiscard]] bool has(std::uint32_t number) const noexcept { return number >= 1 && number <= size() && !deleted_[number - 1]; }
    [[nodiscard]] std::uint64_t octets(std::uint32_t number) const { return view_->at(number - 1).size; }
    /// store::pop3_marks::unique_id(): at most 70 octets, never of another message (RFC 1939 §7 UIDL).
    [[nodiscard]] std::string unique_id(std::uint32_t number) const { return marks_.unique_id(view_->at(number - 1)); }
    [[nodiscard]] bool may_delete() const noexcept { return may_delete_; }
    [[nodiscard]] auth::pop3_policy const& policy() const noexcept { return policy_; }
    void mark(std::uint32_t number);
    void unmark_all();
    /// How many update() will remove: those marked, and those fetched where the policy keeps nothing longer (RFC 2449 §6.7, EXPIRE 0).
    [[nodiscard]] std::uint32_t going() const noexcept;

    /// Errors: not_found (expunged by another session).
    [[nodiscard]] task<result<store::email_record_ptr>> email(std::uint32_t number);
    [[nodiscard]] task<result<std::string>> read(store::email_record_ptr email, std::uint64_t offset, std::uint64_t length) const;
    /// It was sent whole. Dates of first fetches are written now and then, and by note_fetched().
    [[nodiscard]] task<void> fetched(std::uint32_t number);
    /// Writes what fetched() still holds; at the latest when the session ends, however it ends. Errors: what is not written is kept for another try.
    [[nodiscard]] task<result<void>> note_fetched();
    /// The UPDATE state: removes what is marked, in one commit of the store, and returns when that is durable.
    [[nodiscard]] task<result<void>> update();

private:
    store::account_ref account_;
    std::shared_ptr<void> lock_;
    auth::pop3_policy policy_;
    store::mailbox_id mailbox_ = 0;
    store::mailbox_view_ptr view_;
    store::pop3_marks marks_;
    std::vector<bool> deleted_, fetched_;
    std::vector<store::email_id> to_note_;
    std::uint32_t marked_ = 0;
    std::uint64_t octets_left_ = 0, octets_ = 0;
    bool may_delete_ = false;
    // Records read ahead for those who fetch one after the other.
    std::vector<store::email_record_ptr> ahead_;
    std::uint32_t ahead_from_ = 0, ahead_most_ = 1;
};

}  // namespace mansio::pop3
