#include "pop3/server.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "pop3/session.hpp"

namespace mansio::pop3 {

/// The conversations of one shard. Threads: that shard, but for `home`.
struct face {
    explicit face(base::executor& e) : home(e), running(e) {}
    base::executor& home;
    base::task_group running;
    std::list<session*> sessions;
    bool stopping = false;
};

struct server::impl : std::enable_shared_from_this<server::impl> {
    impl(services s, adopt a) : srv(std::move(s)), go_on(std::move(a)), counts(srv.metrics), locks(std::make_shared<maildrop_locks>()) {}
    services srv;
    adopt go_on;
    figures counts;
    std::shared_ptr<maildrop_locks> locks;
    std::mutex mutex;  // guards `faces`, not what they hold
    std::map<base::executor*, std::unique_ptr<face>> faces;
    std::atomic<bool> stopped{false};

    face& face_of(base::executor& e);
    void start(base::executor& here, session_start s);
    void pass_on(base::executor& to, session_start s);
    static task<void> converse(impl& self, face& f, std::unique_ptr<session> s);
    static task<void> ask_to_stop(face& f);
    static task<void> wait_for(face& f, base::monotonic_time deadline);
};

face& server::impl::face_of(base::executor& e)
{
    std::lock_guard const lock{mutex};
    auto& f = faces[&e];
    if (!f) f = std::make_unique<face>(e);
    return *f;
}

void server::impl::start(base::executor& here, session_start s)
{
    auto& f = face_of(here);
    if (stopped || f.stopping) return;  // closes
    f.running.spawn(converse(*this, f, std::make_unique<session>(srv, *locks, counts, here, std::move(s))));
}

task<void> server::impl::converse(impl& self, face& f, std::unique_ptr<session> s)
{
    f.sessions.push_back(s.get());
    auto const place = std::prev(f.sessions.end());
    if (f.stopping) s->ask_to_stop();
    auto const end = co_await s->run();
    f.sessions.erase(place);
    if (end == session_end::moves) {
        auto& to = s->owner();
        self.pass_on(to, s->take());
    }
}

/// Between two commands, nothing pending: what is left of the conversation travels as values.
void server::impl::pass_on(base::executor& to, session_start s)
{
    counts.moved.add();
    auto detached = s.connection.connection->release();
    s.connection.connection.reset();
    // Work that is never run, because that shard has stopped, closes the connection when it is destroyed.
    to.post([self = shared_from_this(), &to, detached = std::move(detached), s = std::move(s)]() mutable {
        if (self->stopped) return;
        s.connection.connection = self->go_on(to, std::move(detached));
        if (s.connection.connection) self->start(to, std::move(s));
    });
}

task<void> server::impl::ask_to_stop(face& f)
{
    co_await base::hop_to(f.home);
    f.stopping = true;
    for (auto* s : f.sessions) s->ask_to_stop();
}

task<void> server::impl::wait_for(face& f, base::monotonic_time deadline)
{
    co_await base::hop_to(f.home);
    auto const timer = f.home.call_after(std::max(deadline - f.home.clock().monotonic(), std::chrono::nanoseconds{0}), [&f] {
        for (auto* s : f.sessions) s->abort();
    });
    co_await f.running.join();
    f.home.cancel(timer);
}

server::server(services s, adopt a) : impl_(std::make_shared<impl>(std::move(s), std::move(a))) {}
server::server(services s)
    : server(std::move(s), [](base::executor& on, std::unique_ptr<net::detached_stream> d) { return dynamic_cast<net::shard&>(on).adopt(std::move(d)); })
{}
server::~server() = default;

std::shared_ptr<maildrop_locks> server::locks() const { return impl_->locks; }

void server::serve(base::executor& here, net::accepted connection, bool implicit_tls)
{
    session_start s;
    s.connection.connection = std::move(connection.connection);
    s.held = std::move(connection.held);
    s.implicit_tls = implicit_tls;
    impl_->start(here, std::move(s));
}

task<void> server::stop() { return stop(impl_->srv.clock.monotonic() + base::limits::seconds(impl_->srv.limits.shutdown_wait)); }

task<void> server::stop(base::monotonic_time deadline)
{
    auto& home = base::executor::current();
    auto const self = impl_;
    self->stopped = true;
    std::vector<face*> faces;
    {
        std::lock_guard const lock{self->mutex};
        for (auto& [executor, f] : self->faces) faces.push_back(f.get());
    }
    for (auto* f : faces) co_await impl::ask_to_stop(*f);
    for (auto* f : faces) co_await impl::wait_for(*f, deadline);
    co_await base::hop_to(home);
}

}  // namespace mansio::pop3
