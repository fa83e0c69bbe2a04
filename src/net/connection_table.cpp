#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>

#include "net/shard.hpp"

namespace mansio::net {
namespace {
using namespace std::chrono_literals;
constexpr auto window = 60s;
constexpr std::size_t most_peers = 65536;  // remembered addresses: about 8 MiB at most
}  // namespace

/// Rates are counted over two windows of a minute, the older one weighed by how much of it still lies within the last minute: two numbers an
/// address, and never more than the limit in any minute by more than the unevenness of the older one.
struct connection_table::impl : std::enable_shared_from_this<connection_table::impl> {
    struct peer {
        std::uint64_t held = 0;  // connections not signed in
        monotonic_time window_start;
        std::uint64_t in_window = 0;
        std::uint64_t in_window_before = 0;

        void turn_to(monotonic_time now)
        {
            auto const age = now - window_start;
            if (age < window) return;
            in_window_before = age < 2 * window ? in_window : 0;
            in_window = 0;
            window_start += window * (age / window);
        }
        [[nodiscard]] double recent(monotonic_time now) const
        {
            auto const passed = std::chrono::duration<double>(now - window_start) / std::chrono::duration<double>(window);
            return static_cast<double>(in_window) + static_cast<double>(in_window_before) * (1.0 - passed);
        }
        [[nodiscard]] bool forgettable(monotonic_time now) const { return held == 0 && now - window_start >= 2 * window; }
    };
    struct waiting {
        std::string from;  // empty: not counted by address
        std::move_only_function<void()> evict;
        std::shared_ptr<bool> in_line;  // shared with its ticket; false once signed in or evicted
    };
    using line = std::list<waiting>;

    class held_ticket final : public ticket {
    public:
        held_ticket(std::shared_ptr<impl> of, line::iterator place) : of_(std::move(of)), place_(place), in_line_(place->in_line) {}
        ~held_ticket() override
        {
            signed_in();
            std::lock_guard const lock{of_->mutex};
            of_->open -= 1;
            of_->open_gauge.add(-1);
        }
        held_ticket(held_ticket const&) = delete;
        held_ticket& operator=(held_ticket const&) = delete;
        void signed_in() noexcept override
        {
            std::lock_guard const lock{of_->mutex};
            if (*in_line_) of_->leave(place_);
        }

    private:
        std::shared_ptr<impl> of_;
        line::iterator place_;
        std::shared_ptr<bool> in_line_;  // guarded by the table's mutex; place_ is valid while it is true
    };

    impl(base::limits const& l, base::clock& c, base::metrics& m)
        : limits(l),
          clock(c),
          open_gauge(m.get_gauge("mansio_connections", "Open connections.")),
          waiting_gauge(m.get_gauge("mansio_connections_before_login", "Open connections not signed in.")),
          refused(m.get_counter("mansio_connections_refused_total", "Connections refused by a limit.")),
          evicted(m.get_counter("mansio_connections_evicted_total", "Connections not signed in that had to make room."))
    {}

    void leave(line::iterator place)
    {
        *place->in_line = false;
        if (auto const p = peers.find(place->from); p != peers.end() && p->second.held > 0) --p->second.held;
        by_age.erase(place);
        waiting_gauge.add(-1);
    }

    peer& peer_at(std::string const& prefix, monotonic_time now)
    {
        if (peers.size() >= most_peers && !peers.contains(prefix)) {
            std::erase_if(peers, [&](auto const& p) { return p.second.forgettable(now); });
            // A flood from more networks than we remember: forget rates, never connections that are open.
            if (peers.size() >= most_peers) std::erase_if(peers, [](auto const& p) { return p.second.held == 0; });
        }
        auto const [at, fresh] = peers.try_emplace(prefix);
        if (fresh) at->second.window_start = now;
        at->second.turn_to(now);
        return at->second;
    }

    base::limits const limits;
    base::clock& clock;
    base::gauge& open_gauge;
    base::gauge& waiting_gauge;
    base::counter& refused;
    base::counter& evicted;
    mutable std::mutex mutex;
    std::unordered_map<std::string, peer> peers;
    line by_age;  // oldest first
    std::size_t open = 0;
};

connection_table::connection_table(base::limits const& l, base::clock& clock, base::metrics& metrics) : impl_(std::make_shared<impl>(l, clock, metrics)) {}
connection_table::~connection_table() = default;

connection_table::admission connection_table::admit(ip_address const& from, bool per_address_limits, std::move_only_function<void()> evict)
{
    auto& t = *impl_;
    std::move_only_function<void()> make_room;
    admission a;
    {
        std::lock_guard const lock{t.mutex};
        auto const refuse = [&](verdict v) {
            t.refused.add();
            a.answer = v;
            return std::move(a);
        };
        auto const now = t.clock.monotonic();
        if (t.open >= t.limits.connections) return refuse(verdict::full);
        std::string prefix;
        if (per_address_limits) {
            prefix = from.peer_prefix();
            auto& p = t.peer_at(prefix, now);
            if (p.recent(now) >= static_cast<double>(t.limits.connection_rate_per_address)) return refuse(verdict::too_fast);
            ++p.in_window;
            if (p.held >= t.limits.connections_per_address) return refuse(verdict::too_many_here);
            ++p.held;
        }
        if (t.by_age.size() >= t.limits.connections_before_login && !t.by_age.empty()) {
            // Whoever has sat longest without signing in makes room for a newcomer, so that sitting is no way to keep others out.
            auto const oldest = t.by_age.begin();
            make_room = std::move(oldest->evict);
            t.leave(oldest);
            t.evicted.add();
        }
        auto const place = t.by_age.insert(t.by_age.end(), impl::waiting{std::move(prefix), std::move(evict), std::make_shared<bool>(true)});
        ++t.open;
        t.open_gauge.add(1);
        t.waiting_gauge.add(1);
        a.held = std::make_unique<impl::held_ticket>(impl_, place);
    }
    if (make_room) make_room();  // outside the lock: it may do anything
    return a;
}

std::size_t connection_table::open_connections() const noexcept
{
    std::lock_guard const lock{impl_->mutex};
    return impl_->open;
}

std::size_t connection_table::not_signed_in() const noexcept
{
    std::lock_guard const lock{impl_->mutex};
    return impl_->by_age.size();
}

}  // namespace mansio::net
