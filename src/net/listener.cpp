#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <system_error>

#include "net/proxy_protocol.hpp"
#include "net/socket_stream.hpp"

namespace mansio::net {
namespace {
using namespace std::chrono_literals;

constexpr int accepts_in_a_row = 32;
constexpr auto rest_after_error = 100ms;

/// Where accepted connections go on one shard.
struct face {
    loop& home;
    accept_handler handler;
    face(loop& h, accept_handler a) : home(h), handler(std::move(a)) {}
};

/// What one listener's acceptors share.
struct shared_face {
    listen_options options;
    connection_table& table;
    std::vector<std::shared_ptr<face>> faces;  // one for each shard
    std::atomic<unsigned> next{0};
    shared_face(listen_options o, connection_table& t) : options(std::move(o)), table(t) {}
};

unique_fd open_spare() { return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

/// The connection of an evicted conversation, once it has been made.
struct eviction {
    loop* home = nullptr;
    abort_handle handle;
};

void receive(face& here, unique_fd fd, endpoint peer, bool local, std::unique_ptr<connection_table::ticket> held, std::shared_ptr<eviction> const& way_out)
{
    try {
        auto const at = local_of(fd.get());
        auto made = make_socket_stream(here.home, std::move(fd), peer, at, local);
        way_out->handle = made.handle;
        here.handler(here.home, accepted{std::move(made.connection), std::move(held)});
    } catch (std::system_error const& e) {
        here.home.log().error("accept_failed", {{"peer", peer.text()}, {"why", e.what()}});
    }
}

class acceptor final : public fd_sink, public std::enable_shared_from_this<acceptor> {
public:
    acceptor(loop& home, unique_fd fd, std::shared_ptr<shared_face> all, bool deals)
        : home_(home),
          fd_(std::move(fd)),
          all_(std::move(all)),
          deals_(deals),
          spare_(open_spare())
    {}
    ~acceptor() override = default;
    acceptor(acceptor const&) = delete;
    acceptor& operator=(acceptor const&) = delete;

    void begin()
    {
        if (stopped_) return;
        watch_ = home_.watch(fd_.get(), weak_from_this());
        watch_->arm(direction::read);
    }
    void stop()
    {
        stopped_ = true;
        for (auto const& w : proxied_) w->handle.abort();
        watch_.reset();
        fd_.reset();
        all_.reset();  // the handlers die on their shard's thread or with the last of them
    }
    void ready(direction) override
    {
        for (int i = 0; i < accepts_in_a_row && !stopped_; ++i) {
            socket_address from;
            from.length = sizeof from.storage;
            unique_fd fd{::accept4(fd_.get(), from.get(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC)};
            if (fd) {
                admit(std::move(fd), from);
                continue;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == EHOSTUNREACH) continue;
            if ((errno == EMFILE || errno == ENFILE) && turn_away_with_spare()) continue;
            return rest(errno);
        }
        if (!stopped_) watch_->arm(direction::read);
    }

private:
    void admit(unique_fd fd, socket_address const& from);
    [[nodiscard]] bool is_proxy(endpoint const& peer) const
    {
        return std::ranges::any_of(all_->options.proxy_from, [&](cidr const& c) { return c.contains(peer.address); });
    }
    void admit_proxied(unique_fd fd, endpoint peer);
    task<void> read_header(std::shared_ptr<acceptor> self, std::shared_ptr<shared_face> all, std::unique_ptr<stream> connection,
                           std::unique_ptr<connection_table::ticket> held, std::shared_ptr<eviction> way_out);
    bool turn_away_with_spare();
    void refuse(int fd) const
    {
        // Best effort: a peer that does not take it at once does without.
        auto const& say = all_->options.refusal;
        if (!say.empty()) (void)::send(fd, say.data(), say.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        ::shutdown(fd, SHUT_WR);
    }
    /// The listening socket stays readable: asking again at once would spin.
    void rest(int error)
    {
        home_.log().error("accept_failed", {{"listener", all_->options.at.text()}, {"why", error_text(error)}});
        home_.call_after(rest_after_error, [self = shared_from_this()] {
            if (self->stopped_) return;
            if (!self->spare_) self->spare_ = open_spare();
            self->watch_->arm(direction::read);
        });
    }

    loop& home_;
    unique_fd fd_;
    std::unique_ptr<fd_watch> watch_;
    std::shared_ptr<shared_face> all_;
    bool deals_;
    bool stopped_ = false;
    unique_fd spare_;
    std::set<std::shared_ptr<eviction>> proxied_;  // connections whose PROXY header is awaited; they end with the listener
};

void acceptor::admit(unique_fd fd, socket_address const& from)
{
    auto const peer = to_endpoint(from);
    bool const local = !all_->options.unix_path.empty();
    if (!local && is_proxy(peer)) return admit_proxied(std::move(fd), peer);
    auto const turn = deals_ ? all_->next.fetch_add(1, std::memory_order_relaxed) % all_->faces.size() : home_.index();
    auto const& here = all_->faces[turn];
    auto const way_out = std::make_shared<eviction>();
    way_out->home = &here->home;
    auto admission = all_->table.admit(peer.address, all_->options.per_address_limits && !local, [way_out] {
        auto* const home = way_out->home;
        home->post([way_out] { way_out->handle.abort(); });
    });
    if (admission.answer != connection_table::verdict::welcome) return refuse(fd.get());
    if (&here->home == &home_) return receive(*here, std::move(fd), peer, local, std::move(admission.held), way_out);
    here->home.post([here, fd = std::move(fd), peer, local, held = std::move(admission.held), way_out]() mutable {
        receive(*here, std::move(fd), peer, local, std::move(held), way_out);
    });
}

/// The proxy's own address has no limits: it stands for many.
void acceptor::admit_proxied(unique_fd fd, endpoint peer)
{
    MANSIO_ASSERT(!deals_);  // a TCP listener's connections stay on the shard that accepted them
    auto const way_out = std::make_shared<eviction>();
    way_out->home = &home_;
    auto admission = all_->table.admit(peer.address, false, [way_out] { way_out->home->post([way_out] { way_out->handle.abort(); }); });
    if (admission.answer != connection_table::verdict::welcome) return refuse(fd.get());
    try {
        auto const at = local_of(fd.get());
        auto made = make_socket_stream(home_, std::move(fd), peer, at, false);
        way_out->handle = made.handle;
        proxied_.insert(way_out);
        base::spawn_detached(home_, read_header(shared_from_this(), all_, std::move(made.connection), std::move(admission.held), way_out));
    } catch (std::system_error const& e) {
        home_.log().error("accept_failed", {{"peer", peer.text()}, {"why", e.what()}});
    }
}

task<void> acceptor::read_header(std::shared_ptr<acceptor> self, std::shared_ptr<shared_face> all, std::unique_ptr<stream> connection,
                                 std::unique_ptr<connection_table::ticket> held, std::shared_ptr<eviction> way_out)
{
    auto const source = co_await read_proxy_header(*connection, home_.clock().monotonic() + all->options.proxy_wait);
    self->proxied_.erase(way_out);
    if (!source || self->stopped_) {
        if (!source) home_.proxy_headers_refused().add();
        if (!source) home_.log().info("proxy_header_refused", {{"peer", connection->peer().text()}, {"why", source.error()}});
        connection->abort();
        co_return;
    }
    if (*source) {
        // From here on it is that address's connection, with that address's limits.
        auto admission =
            all->table.admit((*source)->address, all->options.per_address_limits, [way_out] { way_out->home->post([way_out] { way_out->handle.abort(); }); });
        if (admission.answer != connection_table::verdict::welcome) {
            if (!all->options.refusal.empty()) {
                auto const said = co_await connection->write(all->options.refusal, home_.clock().monotonic() + all->options.proxy_wait);
                if (!said) co_return;
            }
            co_await connection->finish();
            co_return;
        }
        held = std::move(admission.held);
        assume_peer(*connection, **source);
    }
    auto const& here = all->faces[home_.index()];
    here->handler(home_, accepted{std::move(connection), std::move(held)});
}

/// No descriptor is left: give up the spare one to take the connection, say so and close it, so that peers are answered and we do not spin (trust.md D14).
bool acceptor::turn_away_with_spare()
{
    if (!spare_) return false;
    spare_.reset();
    unique_fd fd{::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    bool const took = static_cast<bool>(fd);
    if (took) refuse(fd.get());
    fd.reset();
    spare_ = open_spare();
    return took && spare_;
}

std::string unix_or_port(listen_options const& o) { return o.unix_path.empty() ? o.at.text() : o.unix_path; }

fault sentence(listen_options const& o, char const* call, int error)
{
    auto const where = unix_or_port(o);
    std::string why;
    switch (error) {
    case EADDRINUSE: why = "another program uses it: stop that program or choose another port"; break;
    case EACCES:
    case EPERM:
        why = o.unix_path.empty() ? "no permission: ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; or choose a port above 1023"
                                  : "no permission to make it there: choose another path or let this user write to its directory";
        break;
    case EADDRNOTAVAIL: why = "this machine has no such address: give it one or choose another address"; break;
    case EAFNOSUPPORT: why = "this machine does not speak that address family: choose another address"; break;
    case ENOENT: why = "its directory does not exist: make it first"; break;
    default: why = error_text(error) + " (" + call + ")"; break;
    }
    return fault{fault::kind::refused, "cannot listen on " + where + ": " + why, std::string{call} + ": " + error_text(error)};
}

result<unique_fd> bind_tcp(listen_options const& o, endpoint at, bool shared)
{
    auto address = to_sockaddr(at);
    unique_fd fd{::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) return std::unexpected(sentence(o, "socket", errno));
    int const on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // a restart need not wait for old connections to be forgotten
    if (shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    set_tcp_options(fd.get());  // Linux gives them to every connection that is accepted here: five system calls less for each
    // "[::]:25" and "0.0.0.0:25" stand side by side.
    if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(fd.get(), address.get(), address.length) != 0) return std::unexpected(sentence(o, "bind", errno));
    return fd;
}

result<std::vector<unique_fd>> listen_tcp_once(listen_options& o, unsigned shards)
{
    // Alone first: with SO_REUSEPORT two servers of one user would share the port, each getting some of the connections. listen() too,
    // because with SO_REUSEADDR a second bind() succeeds as long as nobody listens.
    {
        auto probe = bind_tcp(o, o.at, false);
        if (!probe) return fail(probe);
        if (::listen(probe->get(), 1) != 0) return std::unexpected(sentence(o, "listen", errno));
        o.at = local_of(probe->get());
    }
    std::vector<unique_fd> all;
    for (unsigned i = 0; i < shards; ++i) {
        auto fd = bind_tcp(o, o.at, true);
        if (!fd) return fail(fd);
        all.push_back(std::move(*fd));
    }
    // Bound on every shard before any listens: a connection is never dealt to a half-built group.
    for (auto const& fd : all)
        if (::listen(fd.get(), o.backlog) != 0) return std::unexpected(sentence(o, "listen", errno));
    return all;
}

result<std::vector<unique_fd>> listen_tcp(listen_options& o, unsigned shards)
{
    auto const wanted = o.at;
    auto all = listen_tcp_once(o, shards);
    // "Any free port": somebody else may have taken the one found between the probe and the second bind().
    for (int again = 0; !all && wanted.port == 0 && again < 8; ++again) {
        o.at = wanted;
        all = listen_tcp_once(o, shards);
    }
    return all;
}

/// A socket left by a server that died is removed; one that answers is somebody's.
bool remove_stale_socket(listen_options const& o)
{
    struct stat there{};
    if (::lstat(o.unix_path.c_str(), &there) != 0) return true;
    if (!S_ISSOCK(there.st_mode)) return false;
    auto const address = to_sockaddr(o.unix_path);
    unique_fd const probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (::connect(probe.get(), address.get(), address.length) == 0 || errno != ECONNREFUSED) return false;
    return ::unlink(o.unix_path.c_str()) == 0;
}

result<unique_fd> listen_unix(listen_options const& o)
{
    auto const address = to_sockaddr(o.unix_path);
    if (address.length == 0)
        return fail(fault::kind::refused, "cannot listen on " + o.unix_path + ": a unix socket's path has at most 107 octets: choose a shorter one");
    if (!remove_stale_socket(o))
        return fail(fault::kind::refused,
                    "cannot listen on " + o.unix_path + ": another program uses it, or it is not a socket: stop that program or choose another path");
    unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) return std::unexpected(sentence(o, "socket", errno));
    // Before bind(): Linux makes the file with the socket's own mode, so that it is never open to more than it should be.
    ::fchmod(fd.get(), o.unix_mode);
    if (::bind(fd.get(), address.get(), address.length) != 0) return std::unexpected(sentence(o, "bind", errno));
    if (::chmod(o.unix_path.c_str(), o.unix_mode) != 0 || ::listen(fd.get(), o.backlog) != 0) {
        int const error = errno;
        ::unlink(o.unix_path.c_str());
        return std::unexpected(sentence(o, "listen", error));
    }
    return fd;
}

}  // namespace

struct listener::impl {
    endpoint at;
    std::string unix_path;
    std::vector<std::pair<loop*, std::shared_ptr<acceptor>>> acceptors;
};

listener::listener(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
listener::~listener() { close(); }
endpoint const& listener::at() const noexcept { return impl_->at; }

result<std::unique_ptr<listener>> listener::open(runtime& r, listen_options o, connection_table& table, std::function<accept_handler(shard&)> make_handler)
{
    std::vector<unique_fd> sockets;
    bool const is_unix = !o.unix_path.empty();
    if (is_unix) {
        auto fd = listen_unix(o);
        if (!fd) return fail(fd);
        sockets.push_back(std::move(*fd));
    } else {
        auto all = listen_tcp(o, r.size());
        if (!all) return fail(all);
        sockets = std::move(*all);
    }
    auto i = std::make_unique<impl>();
    i->at = o.at;
    i->unix_path = o.unix_path;
    auto const shared = std::make_shared<shared_face>(std::move(o), table);
    for (unsigned n = 0; n < r.size(); ++n) shared->faces.push_back(std::make_shared<face>(loop_of(r.at(n)), make_handler(r.at(n))));
    for (unsigned n = 0; n < sockets.size(); ++n) {
        auto& home = loop_of(r.at(n));
        auto const a = std::make_shared<acceptor>(home, std::move(sockets[n]), shared, is_unix);
        home.post([a] { a->begin(); });
        i->acceptors.emplace_back(&home, a);
    }
    return std::unique_ptr<listener>(new listener(std::move(i)));
}

void listener::close()
{
    for (auto& [home, acceptor_here] : impl_->acceptors) home->post([mine = std::move(acceptor_here)] { mine->stop(); });
    if (!impl_->acceptors.empty() && !impl_->unix_path.empty()) ::unlink(impl_->unix_path.c_str());
    impl_->acceptors.clear();
}

}  // namespace mansio::net
