#include "smtp/server/server.hpp"

#include <map>
#include <mutex>
#include <unordered_set>

#include "smtp/server/session.hpp"

namespace mansio::smtp {

/// The conversations of one executor.
struct corner {
    base::executor& home;
    base::task_group group;
    std::unordered_set<session*> sessions;
    explicit corner(base::executor& e) : home(e), group(e) {}
};

struct server::impl {
    hall house;
    std::mutex mutex;
    std::map<base::executor*, std::unique_ptr<corner>> corners;
    impl(services s, server_options o) : house(s, std::move(o)) {}
    corner& corner_of(base::executor& e)
    {
        std::lock_guard const lock{mutex};
        auto& c = corners[&e];
        if (!c) c = std::make_unique<corner>(e);
        return *c;
    }
};

namespace {

struct entered {
    corner& at;
    session& s;
    entered(corner& c, session& who) : at(c), s(who)
    {
        at.sessions.insert(&s);
        s.house.open.fetch_add(1);
        s.house.connections.add(1);
    }
    ~entered()
    {
        at.sessions.erase(&s);
        s.house.open.fetch_sub(1);
        s.house.connections.add(-1);
    }
    entered(entered const&) = delete;
    entered& operator=(entered const&) = delete;
};

task<void> host(hall& house, corner& at, net::accepted from, face how)
{
    auto const s = std::make_unique<session>(house, at.home, std::move(from), how);
    entered const here{at, *s};
    try {
        co_await converse(*s);
    } catch (std::exception const& e) {  // a bug of ours ends one conversation, not the server
        house.with.log.error("conversation_broke", {{"session", s->who.session}, {"what", e.what()}});
        s->io.raw().abort();
    }
}

task<void> empty_corner(corner& c, std::chrono::seconds patience)
{
    co_await base::hop_to{c.home};
    for (auto* s : c.sessions) s->io.raw().interrupt();
    auto const timer = c.home.call_after(patience, [&c] {
        for (auto* s : c.sessions) s->io.raw().abort();
    });
    co_await c.group.join();
    c.home.cancel(timer);
}

}  // namespace

server::server(services s, server_options o) : impl_(std::make_unique<impl>(s, std::move(o))) {}
server::~server() = default;

void server::serve(base::executor& here, net::accepted from, face how)
{
    auto& c = impl_->corner_of(here);
    if (impl_->house.stopping) return;  // closes it; asked after the corner is known to stop(), which sets it before it looks for corners
    c.group.spawn(host(impl_->house, c, std::move(from), how));
}

task<void> server::stop()
{
    auto& back = base::executor::current();
    impl_->house.stopping = true;
    std::vector<corner*> all;
    {
        std::lock_guard const lock{impl_->mutex};
        for (auto& [e, c] : impl_->corners) all.push_back(c.get());
    }
    for (auto* c : all) co_await empty_corner(*c, base::limits::seconds(impl_->house.with.limits.shutdown_wait));
    co_await base::hop_to{back};
}

std::size_t server::open_connections() const noexcept { return impl_->house.open; }

}  // namespace mansio::smtp
