// What the account tests share: one store in memory, one owner, messages made by hand.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/executor.hpp"
#include "store/account.hpp"
#include "store/engines.hpp"

namespace mansio::store::test {

inline constexpr account_number anna = 1, bert = 2, cora = 3;

/// Forgets nothing but the memory of `accounts` when restart() is called.
struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random;
    base::memory_log log;
    base::limits limits;
    memory_faults faults;      ///< what the engine asks at each commit; set at any time
    std::vector<change> seen;  ///< commits, without blobs, while `record` is on
    bool record = false;
    std::unique_ptr<engine> storage;
    accounts::options options;
    std::unique_ptr<base::metrics> metrics;
    std::unique_ptr<accounts> service;
    std::vector<std::pair<std::unique_ptr<base::metrics>, std::unique_ptr<accounts>>> dead;  ///< crashed, kept only so that their frames end

    explicit world(std::uint64_t seed = 1);
    ~world();
    world(world const&) = delete;
    world& operator=(world const&) = delete;
    void restart();   ///< stop, and start again over the same rows
    void crash();     ///< start again without stopping: only rows and pages count

    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }
    [[nodiscard]] account_ref open(account_number n = anna);            ///< its owner
    [[nodiscard]] account_ref open_as(account_number n, account_number who, rights scope = all_rights);
    [[nodiscard]] account_ref open_server(account_number n = anna);
    void make(account_number n = anna, std::uint64_t quota_octets = 0, bool folders = true);
    [[nodiscard]] mailbox_id box(std::string name, account_number n = anna);
    [[nodiscard]] new_message message(std::string text, std::vector<std::string> flags = {}, std::string prefix = {});
    /// A message with that subject and id, and `octets` of body.
    [[nodiscard]] new_message letter(std::string subject, std::string id, std::string references = {}, std::size_t octets = 20);
    store::uid add(mailbox_id m, std::string subject = "hello", std::vector<std::string> flags = {}, account_number n = anna);
    void add_many(mailbox_id m, std::size_t n, account_number to = anna);
    [[nodiscard]] std::vector<store::uid> uids(mailbox_id m, account_number n = anna);
    /// "3:\Seen,$x 5:" of all messages.
    [[nodiscard]] std::string picture(mailbox_id m, account_ref const& through);
    /// Rows of the account whose keys begin so.
    [[nodiscard]] std::size_t rows_of(std::string prefix, account_number n = anna);
    void settle();    ///< lets the background end
    void start();
};

/// Every mailbox from its rows alone equals what is in memory; counts are true; no email without a membership, none too many.
void expect_sound(world& w, account_number n = anna);

}  // namespace mansio::store::test
