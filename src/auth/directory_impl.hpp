// What directory and sign_in share behind their headers. Private to auth.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/directory.hpp"
#include "auth/rows.hpp"

namespace mansio::auth {

/// Who writes waits for his turn: one read-check-commit at a time, first come first served. Threads: the owner executor only.
class write_turn {
public:
    struct awaiter {
        write_turn& turn;
        bool await_ready() const noexcept { return !std::exchange(turn.taken_, true); }
        void await_suspend(std::coroutine_handle<> h) const { turn.waiting_.push_back(h); }
        void await_resume() const noexcept {}
    };
    awaiter take() noexcept { return awaiter{*this}; }
    void give_back()
    {
        if (waiting_.empty()) {
            taken_ = false;
            return;
        }
        auto const next = waiting_.front();
        waiting_.pop_front();
        base::executor::current().post([next] { next.resume(); });
    }

private:
    bool taken_ = false;
    std::deque<std::coroutine_handle<>> waiting_;
};

struct directory::impl {
    store::engine& storage;
    base::executor& owner;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    write_turn turn;
    std::atomic<std::uint64_t> pop3_generation{0};  ///< rises with every change of a POP3 setting
    /// Set by sign_in: an account was disabled or removed (closed), or enabled again. Called on the owner, after the commit.
    std::function<void(account_number, bool closed)> account_changed;

    impl(store::engine& e, base::executor& o, base::limits const& l, base::random& r, base::log& g) : storage(e), owner(o), limits(l), random(r), log(g) {}

    /// Runs `work` on the owner, alone among writers, and answers on the caller's executor.
    template <class T> task<result<T>> write(task<result<T>> work)
    {
        auto& home = base::executor::current();
        co_await base::hop_to{owner};
        co_await turn.take();
        auto outcome = co_await std::move(work);
        turn.give_back();
        co_await base::hop_to{home};
        co_return outcome;
    }
    /// A commit whose acknowledgement was lost is looked up instead of guessed at. Errors: conflict, try_later, over_limit, broken.
    task<result<void>> commit(std::vector<store::key_guard> guards, std::vector<store::row_change> rows, std::string note);

    task<result<std::optional<std::string>>> get(std::string key) { return storage.get(rows::partition, std::move(key)); }
    task<result<std::optional<domain>>> load_domain(std::string name);
    task<result<std::optional<rows::address_row>>> load_address(std::string key);
    /// An account and its row as stored, for guards.
    struct stored_account {
        account value;
        std::string key, row;
    };
    task<result<std::optional<stored_account>>> load_account(account_number n);
    /// The whole of a range, in slices. Errors: over_limit beyond `most` rows.
    task<result<std::vector<store::row>>> scan_all(store::key_range range, std::size_t most);
    /// The key of a user's name as typed at a sign-in. Always answers: what can be no address has a key that no row has.
    task<result<std::string>> key_of_user(std::string name);

    // The writes, run by write().
    task<result<void>> do_add_domain(domain d);
    task<result<void>> do_update_domain(domain d);
    task<result<void>> do_remove_domain(std::string name);
    task<result<std::vector<account>>> do_add_accounts(std::vector<account> wanted);
    task<result<void>> do_accounts_ready(std::vector<account_number> which);
    task<result<void>> do_update_account(account a);
    task<result<void>> do_remove_account(account_number n);
    task<result<void>> do_set_alias(alias a);
    task<result<void>> do_remove_alias(std::string address);
};

/// Reads and canonicalises an address written as text.
[[nodiscard]] result<mime::mailbox_address> canonical_address(std::string_view text);

}  // namespace mansio::auth
