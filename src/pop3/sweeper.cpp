#include "pop3/sweeper.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace mansio::pop3 {
namespace {
constexpr std::size_t accounts_a_page = 200;
constexpr std::uint32_t messages_a_commit = 1000;
constexpr std::uint32_t slice = 8192;           // messages looked at between two turns of the shard
constexpr std::size_t most_noted = 1U << 20U;   // accounts whose next date is remembered
constexpr std::int64_t day = 86'400;
constexpr std::int64_t jump = 3600;             // seconds that the wall clock may differ from what has passed

std::int64_t seconds(auto duration) { return std::chrono::duration_cast<std::chrono::seconds>(duration).count(); }
}  // namespace

struct sweeper::impl : std::enable_shared_from_this<sweeper::impl> {
    impl(sweeper_parts p, base::executor& e)
        : parts(std::move(p)),
          home(e),
          running(e),
          expired(parts.metrics.get_counter("mansio_pop3_messages_expired_total", "messages removed by a POP3 policy"))
    {}
    sweeper_parts parts;
    base::executor& home;
    base::task_group running;
    base::counter& expired;
    base::executor::timer_id timer = 0;
    bool stopping = false, waiting = false;
    /// The earliest time anything of an account can be due; for the settings of `noted_at`.
    std::map<store::account_number, std::int64_t> next_due;
    std::uint64_t noted_at = 0;
    std::int64_t last_wall = 0;
    base::monotonic_time last_monotonic{};

    void plan();
    static task<void> round(std::shared_ptr<impl> self);
    task<std::uint64_t> sweep_all();
    task<std::uint64_t> sweep_account(auth::account a, auth::pop3_keep keep, std::int64_t now);
    static task<std::vector<store::uid>> look(store::mailbox_view_ptr view, store::pop3_marks const& marks, auth::pop3_keep keep, std::int64_t now,
                                              std::int64_t& earliest);
    task<result<std::uint64_t>> remove(store::account_ref ref, store::mailbox_id inbox, std::vector<store::uid> due);
    [[nodiscard]] bool clock_jumped(std::int64_t now);
};

void sweeper::impl::plan()
{
    if (stopping) return;
    waiting = true;
    timer = home.call_after(parts.every, [this] {
        waiting = false;
        running.spawn(round(shared_from_this()));
    });
}

task<void> sweeper::impl::round(std::shared_ptr<impl> self)
{
    auto const gone = co_await self->sweep_all();
    if (gone > 0) self->parts.log.info("pop3_expired", {{"messages", gone}});
    self->plan();
}

bool sweeper::impl::clock_jumped(std::int64_t now)
{
    auto const steady = home.clock().monotonic();
    auto const wall_passed = now - std::exchange(last_wall, now);
    auto const passed = seconds(steady - std::exchange(last_monotonic, steady));
    auto const off = wall_passed - passed;
    return off > jump || off < -jump;
}

task<std::uint64_t> sweeper::impl::sweep_all()
{
    auto const now = seconds(home.clock().wall().time_since_epoch());
    if (clock_jumped(now)) {
        parts.log.warning("pop3_sweep_clock", {{"detail", "the clock jumped; nothing is removed this time"}});
        co_return 0;
    }
    auto const generation = parts.policies.generation();
    if (std::exchange(noted_at, generation) != generation || next_due.size() > most_noted) next_due.clear();
    auto const domains = co_await parts.directory.domains();
    if (!domains) {
        parts.log.error("pop3_sweep", {{"fault", domains.error()}});
        co_return 0;
    }
    std::map<std::string, auth::pop3_settings> says;
    for (auto const& d : *domains) says.emplace(d.name, d.pop3);
    std::uint64_t gone = 0;
    std::string after;
    while (!stopping) {
        auto const some = co_await parts.directory.list_accounts(after, accounts_a_page);
        if (!some) {
            parts.log.error("pop3_sweep", {{"fault", some.error()}});
            break;
        }
        for (auto const& a : *some) {
            if (stopping) break;
            auto const policy = parts.policies.of(a, says[a.address.substr(a.address.rfind('@') + 1)]);
            if (!policy.keep.sweeps()) continue;
            auto const due = next_due.find(a.number);
            if (due != next_due.end() && now < due->second) continue;
            auto const removed = co_await sweep_account(a, policy.keep, now);
            gone += removed;
        }
        if (some->size() < accounts_a_page) break;
        after = some->back().address;
        co_await base::yield_now{};
    }
    co_return gone;
}

/// UIDs of what is over its time; lowers `earliest` to the first that will be.
task<std::vector<store::uid>> sweeper::impl::look(store::mailbox_view_ptr view, store::pop3_marks const& marks, auth::pop3_keep keep, std::int64_t now,
                                                  std::int64_t& earliest)
{
    auto const kept = static_cast<std::int64_t>(keep.days) * day;
    std::vector<store::uid> due;
    for (std::uint32_t i = 0; i < view->size(); ++i) {
        if (i % slice == slice - 1) co_await base::yield_now{};
        auto const e = view->at(i);
        // The time a message came into this mailbox counts, not the date it carries: an import of old mail is new here.
        auto from = e.save_date;
        if (keep.what == auth::pop3_keep::rule::after_fetch) {
            auto const* const mark = marks.find(e.email);
            from = mark == nullptr ? 0 : mark->fetched;
        }
        if (from == 0) continue;
        if (from <= now - kept)
            due.push_back(e.uid);
        else
            earliest = std::min(earliest, from + kept);
    }
    co_return due;
}

task<std::uint64_t> sweeper::impl::sweep_account(auth::account a, auth::pop3_keep keep, std::int64_t now)
{
    auto const ref = parts.accounts.open(a.number, store::principal::server("pop3 policy"));
    auto const kept = static_cast<std::int64_t>(keep.days) * day;
    auto const inbox = co_await ref.find_mailbox("INBOX");
    if (!inbox) co_return 0;  // being made, or removed
    auto const counts = co_await ref.counts(inbox->id);
    auto earliest = now + kept;  // of what comes from now on, or is fetched from now on
    if (counts && counts->messages == 0) {
        next_due[a.number] = earliest;
        co_return 0;
    }
    auto const marks = co_await ref.pop3_open(inbox->id);
    auto const view = co_await ref.view(inbox->id);
    if (!marks || !view) {
        parts.log.error("pop3_sweep", {{"account", a.address}, {"fault", marks ? view.error() : marks.error()}});
        co_return 0;
    }
    auto due = co_await look(*view, *marks, keep, now, earliest);
    next_due[a.number] = earliest;
    if (due.empty()) co_return 0;
    auto const lock = parts.locks->take(a.number);
    if (!lock) {
        next_due.erase(a.number);  // a session has it: RFC 1939 §4
        co_return 0;
    }
    auto const gone = co_await remove(ref, inbox->id, std::move(due));
    if (!gone) {
        next_due.erase(a.number);
        parts.log.error("pop3_sweep", {{"account", a.address}, {"fault", gone.error()}});
        co_return 0;
    }
    parts.log.info("pop3_account_expired", {{"account", a.address}, {"messages", *gone}, {"keep", keep.text()}});
    co_return *gone;
}

task<result<std::uint64_t>> sweeper::impl::remove(store::account_ref ref, store::mailbox_id inbox, std::vector<store::uid> due)
{
    std::uint64_t gone = 0;
    for (std::size_t at = 0; at < due.size() && !stopping; at += messages_a_commit) {
        store::uid_set which;
        for (auto i = at; i < std::min<std::size_t>(due.size(), at + messages_a_commit); ++i) {
            if (!which.empty() && which.back().second + 1 == due[i])
                which.back().second = due[i];
            else
                which.emplace_back(due[i], due[i]);
        }
        auto const done = co_await ref.expunge(inbox, std::move(which), true);
        if (!done) co_return fail(done);
        gone += done->size();
        expired.add(done->size());
    }
    co_return gone;
}

sweeper::sweeper(sweeper_parts p, base::executor& home) : impl_(std::make_shared<impl>(std::move(p), home))
{
    impl_->last_wall = seconds(home.clock().wall().time_since_epoch());
    impl_->last_monotonic = home.clock().monotonic();
}
sweeper::~sweeper() = default;

void sweeper::start() { impl_->plan(); }
task<std::uint64_t> sweeper::sweep() { return impl_->sweep_all(); }

task<void> sweeper::stop()
{
    auto const self = impl_;
    auto& home = base::executor::current();
    co_await base::hop_to(self->home);
    self->stopping = true;
    if (std::exchange(self->waiting, false)) self->home.cancel(self->timer);
    co_await self->running.join();
    co_await base::hop_to(home);
}

}  // namespace mansio::pop3
