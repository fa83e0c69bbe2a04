#include "store/committer.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

namespace mansio::store {
namespace {
// Callers answered by the last group tend to come back together. Waiting this long for them makes one group of two halves, which is
// one sync less; a lone caller never waits.
constexpr auto gather_at_most = std::chrono::microseconds{200};
// Resumed in one piece of work; more would hold the executor's other work up.
constexpr std::size_t resumed_together = 32;
constexpr std::array group_bounds{1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0};
}  // namespace

struct committer::state {
    group_writer write;
    bounds limit;
    base::clock& clock;
    base::histogram& commit_seconds;
    base::histogram& wait_seconds;
    base::histogram& group_size;
    base::counter& refused;

    std::mutex mutex;
    std::condition_variable arrived;
    std::vector<request*> waiting;
    std::size_t waiting_octets = 0;
    std::size_t needed = 1;  ///< requests that wake the thread; SIZE_MAX while it works
    bool stopping = false;
    std::thread thread;

    state(group_writer w, bounds b, base::clock& c, base::metrics& m)
        : write(std::move(w)),
          limit(b),
          clock(c),
          commit_seconds(m.get_histogram("mansio_store_commit_seconds", "from the call of a commit to its durable answer")),
          wait_seconds(m.get_histogram("mansio_store_commit_wait_seconds", "how long a commit waited for its group to begin")),
          group_size(m.get_histogram("mansio_store_group_size", "commits that shared one sync", group_bounds)),
          refused(m.get_counter("mansio_store_commits_refused_total", "commits refused because too many were waiting"))
    {}

    void serve();
    std::vector<request*> take(std::unique_lock<std::mutex>& lock, std::size_t last_group);
    void answer(std::vector<request*>& group);
};

committer::committer(group_writer write, bounds b, base::clock& clock, base::metrics& metrics)
    : state_(std::make_unique<state>(std::move(write), b, clock, metrics))
{
    state_->thread = std::thread{[s = state_.get()] { s->serve(); }};
    pthread_setname_np(state_->thread.native_handle(), "committer");
}

committer::~committer()
{
    {
        std::lock_guard const lock{state_->mutex};
        state_->stopping = true;
        state_->arrived.notify_one();
    }
    state_->thread.join();
}

bool committer::enqueue(request& r, std::coroutine_handle<> h)
{
    auto& s = *state_;
    r.waiter_ = h;
    r.home_ = &base::executor::current();
    r.home_->left();
    r.since_ = s.clock.monotonic();
    std::unique_lock lock{s.mutex};
    // One request always fits, however large, or it could never be written.
    bool const full = s.waiting.size() >= s.limit.waiting || (s.waiting_octets + r.octets > s.limit.waiting_octets && !s.waiting.empty());
    if (full || s.stopping) {
        r.answer = fail(full ? fault::kind::over_limit : fault::kind::broken, "the server is busy, try again later",
                        full ? "store_commits_waiting" : "the store is closing");
        s.refused.add();
        return false;
    }
    s.waiting.push_back(&r);
    s.waiting_octets += r.octets;
    bool const wake = s.waiting.size() >= s.needed;
    lock.unlock();
    // The frame cannot go meanwhile: it is resumed on this very executor, after this call.
    if (wake) s.arrived.notify_one();
    return true;
}

void committer::state::serve()
{
    std::size_t last_group = 0;
    std::unique_lock lock{mutex};
    while (true) {
        auto group = take(lock, last_group);
        if (group.empty()) return;
        needed = SIZE_MAX;
        lock.unlock();
        last_group = group.size();
        auto const begun = clock.monotonic();
        for (auto const* r : group) wait_seconds.observe(std::chrono::duration<double>(begun - r->since_).count());
        group_size.observe(static_cast<double>(group.size()));
        write(group, [this, &group] { answer(group); });
        answer(group);
        lock.lock();
    }
}

/// Waits for work and takes a group of it; empty when it is time to end.
std::vector<committer::request*> committer::state::take(std::unique_lock<std::mutex>& lock, std::size_t last_group)
{
    needed = std::max<std::size_t>(1, (last_group + 1) / 2);
    if (needed > 1) arrived.wait_for(lock, gather_at_most, [this] { return stopping || waiting.size() >= needed; });
    needed = 1;
    arrived.wait(lock, [this] { return stopping || !waiting.empty(); });
    std::size_t octets = 0, n = 0;
    while (n < waiting.size() && (n == 0 || octets + waiting[n]->octets <= limit.group_octets)) octets += waiting[n++]->octets;
    std::vector<request*> group;
    if (n == waiting.size()) {
        group.swap(waiting);
        waiting.reserve(group.size());
    } else {
        auto const end = waiting.begin() + static_cast<std::ptrdiff_t>(n);
        group.assign(waiting.begin(), end);
        waiting.erase(waiting.begin(), end);
    }
    waiting_octets -= octets;
    return group;
}

/// Resumes everybody, with one post for each executor instead of one for each waiter. The requests are gone afterwards.
void committer::state::answer(std::vector<request*>& group)
{
    auto const now = clock.monotonic();
    std::vector<std::pair<base::executor*, std::vector<std::coroutine_handle<>>>> homes;
    for (auto const* r : group) {
        commit_seconds.observe(std::chrono::duration<double>(now - r->since_).count());
        auto at = std::ranges::find_if(homes, [&](auto const& home) { return home.first == r->home_ && home.second.size() < resumed_together; });
        if (at == homes.end()) {
            homes.emplace_back(r->home_, std::vector<std::coroutine_handle<>>{});
            at = std::prev(homes.end());
        }
        at->second.push_back(r->waiter_);
    }
    group.clear();
    for (auto& [home, waiters] : homes) {
        home->post([resumed = std::move(waiters)] {
            for (auto const h : resumed) h.resume();
        });
    }
}

}  // namespace mansio::store
