// One of the queue's partitions: its messages' schedule in memory, their attempts, the commits that mark them (trust.md §1.4).
#pragma once
#include <atomic>
#include <map>
#include <set>

#include "queue/destinations.hpp"
#include "queue/dsn.hpp"
#include "queue/rows.hpp"

namespace mansio::queue {

/// What all partitions share. Outlives them.
struct shared_parts {
    store::engine& engine;
    transports carry;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    mail_queue::options options;
    destinations& slots;
    std::atomic<std::int64_t>& messages;  ///< in the whole queue
    base::counter& delivered;
    base::counter& deferred;
    base::counter& bounced;
    base::counter& expired;
    base::counter& reports;
    base::counter& delay_notices;
    base::counter& double_bounces;
};

/// Threads: everything on `owner`, except the constructor.
class partition {
public:
    partition(shared_parts& parts, unsigned number, base::executor& owner);
    ~partition();
    [[nodiscard]] base::executor& owner() const noexcept { return owner_; }

    task<result<void>> load();
    /// Ends when attempts under way have ended.
    task<void> stop();
    task<result<queue_id>> enqueue(submission s);
    task<result<void>> list(std::vector<summary>& into, std::size_t most);
    task<result<std::optional<envelope>>> show(queue_id id);
    /// Empty id: all.
    std::size_t retry(queue_id const& id);
    task<result<void>> hold(queue_id id, std::string reason);
    task<result<void>> release(queue_id id);
    task<result<void>> cancel(queue_id id);

private:
    /// A queued message as memory has it: small, because there may be hundreds of thousands.
    struct record {
        queue_id id;
        schedule plan;
        base::monotonic_time due;
        base::monotonic_time since;               ///< when the plan's times were right
        std::chrono::seconds wait{0};             ///< to the next attempt, as the end of the last one found
        std::set<std::string> groups;             ///< domains still waited for, "" = local; empty: not known yet
        std::map<std::size_t, recipient> failed;  ///< never-outcomes of this attempt, committed with their DSN at its end
        std::size_t in_flight = 0;                ///< groups of the attempt under way
        bool attempting = false, cancelled = false, later = false;
    };

    void schedule_at(record& r, base::monotonic_time due);
    void unschedule(record& r);
    void arm();
    void wake();
    void begin(record& r);
    task<void> begin_unknown(queue_id id);
    void start_groups(record& r);
    task<void> run_group(queue_id id, std::string group, destinations::permit held);
    task<result<void>> attempt_group(queue_id const& id, std::string const& group);
    void group_ended(queue_id const& id);
    task<void> finish_attempt(queue_id id);
    task<result<void>> close_attempt(queue_id const& id);
    task<result<void>> remove(envelope const& e, store::change& c);
    task<result<void>> mark_outcomes(queue_id const& id, envelope& e, std::vector<std::size_t> const& which, std::vector<outcome> const& outcomes);
    /// Those of whom the sender is to be told now that it takes long (RFC 3461 §5.2.5, RFC 2852 §4.1.3); marks them.
    [[nodiscard]] std::vector<told> find_delayed(envelope& e) const;
    /// A notification and its own place in the queue join `c`: one commit with the marks it tells of (trust.md Q5). To <> nothing is sent.
    task<result<void>> add_report(envelope const& e, std::vector<told> about, bool expired, store::change& c, std::vector<record>& made);
    void log_double_bounce(envelope const& e, std::vector<told> const& about, std::string_view why);
    task<result<std::optional<envelope>>> load_envelope(queue_id id);
    task<result<std::string>> read_header(envelope const& e);
    task<result<std::string>> read_whole(envelope const& e);
    /// The plan as it is now.
    [[nodiscard]] schedule plan_now(record const& r) const;
    /// Makes it so.
    void settle(record& r);
    [[nodiscard]] std::chrono::seconds next_wait(record const& r) const;
    /// … and not past a moment at which the sender is to be told something.
    [[nodiscard]] std::chrono::seconds next_wait(record const& r, envelope const& e) const;
    [[nodiscard]] std::int64_t wall_seconds() const;
    [[nodiscard]] store::change new_change(std::string note) const;
    void put_message(envelope const& e, schedule const& s, store::change& c) const;
    void adopt(record r);
    void forget(queue_id const& id);
    record* find(queue_id const& id);

    shared_parts& parts_;
    unsigned number_;
    store::partition_id where_;
    base::executor& owner_;
    base::task_group tasks_;
    std::map<queue_id, record, std::less<>> records_;
    std::set<std::pair<base::monotonic_time, queue_id>> schedule_;
    base::executor::timer_id timer_ = 0;
    bool stopping_ = false, running_ = false;
};

/// Prefix and blob as one run of octets. What it is given outlives it.
class stored_message final : public message_source {
public:
    stored_message(store::engine& e, std::string const& prefix, store::blob_id blob, std::uint64_t size) : engine_(e), prefix_(prefix), blob_(blob), size_(size)
    {}
    std::uint64_t size() const noexcept override { return size_; }
    task<result<std::string>> read(std::uint64_t offset, std::uint64_t length) override;

private:
    store::engine& engine_;
    std::string const& prefix_;
    store::blob_id blob_;
    std::uint64_t size_;
};

/// Aliases that became several addresses: nothing is delivered, their sender is told.
inline constexpr std::string_view expansions = "*";
/// The time of BY=…;R has passed: no further attempt may be made (RFC 2852 §4.1.3).
[[nodiscard]] bool too_late(envelope const& e) noexcept;
/// The groups a message's waiting recipients fall into: "" for local ones, `expansions`, else the domain.
[[nodiscard]] std::set<std::string> groups_of(envelope const& e);
[[nodiscard]] std::string group_of(recipient const& r);

}  // namespace mansio::queue
