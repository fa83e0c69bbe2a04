// A shard over one boost::asio::io_context: the only source that sees Asio's reactor.
#include "net/loop.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>
#include <pthread.h>

#include "net/socket_stream.hpp"

namespace asio = boost::asio;

namespace mansio::net {
namespace {

using io_executor = asio::io_context::executor_type;
using descriptor = asio::posix::basic_stream_descriptor<io_executor>;
using asio_timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, io_executor>;

constexpr std::chrono::milliseconds slow_slice{20};
constexpr std::chrono::milliseconds lag_probe{250};
constexpr std::chrono::hours longest_timer{24 * 365};

class loop_impl final : public loop {
public:
    loop_impl(unsigned index, base::clock& clock, base::log& log, base::metrics& metrics)
        : index_(index),
          clock_(clock),
          log_(log),
          timer_(io_.get_executor()),
          lag_(metrics.get_histogram("mansio_shard_lag_seconds", "How late a shard runs its timers.", {}, fmt::format("shard=\"{}\"", index))),
          slow_slices_(
              metrics.get_counter("mansio_slow_slices_total", "Pieces of work that kept a shard for more than 20 ms.", fmt::format("shard=\"{}\"", index))),
          proxy_headers_refused_(
              metrics.get_counter("mansio_proxy_headers_refused_total", "Connections of listed proxies without a right PROXY header in time."))
    {}

    ~loop_impl() override
    {
        // What they hold may need io_ to go, and may post while it goes.
        timers_.clear();
        while (!take_posted().empty()) {
        }
    }
    /// One piece of Asio's work takes everything that was posted meanwhile: Asio's queue costs a lock and an allocation for each.
    void post(base::work w) override
    {
        bool first = false;
        {
            std::lock_guard const lock{posted_mutex_};
            first = posted_.empty();
            posted_.push_back(std::move(w));
        }
        if (first) asio::post(io_, [this] { run_posted(); });
    }
    timer_id call_after(std::chrono::nanoseconds delay, base::work w) override;
    void cancel(timer_id id) override;
    [[nodiscard]] base::clock& clock() const noexcept override { return clock_; }
    [[nodiscard]] unsigned index() const noexcept override { return index_; }
    [[nodiscard]] base::log& log() const noexcept override { return log_; }
    base::counter& proxy_headers_refused() const noexcept override { return proxy_headers_refused_; }
    [[nodiscard]] std::unique_ptr<stream> adopt(std::unique_ptr<detached_stream> s) override { return adopt_socket(*this, std::move(s)); }
    [[nodiscard]] task<result<std::unique_ptr<stream>>> connect(endpoint to, egress_gate const& gate, monotonic_time deadline) override
    {
        return dial(*this, to, gate, deadline);
    }
    [[nodiscard]] task<result<std::unique_ptr<stream>>> connect_unix(std::string path, monotonic_time deadline) override
    {
        return dial_unix(*this, std::move(path), deadline);
    }
    [[nodiscard]] std::unique_ptr<fd_watch> watch(int fd, std::weak_ptr<fd_sink> sink) override;

    void start()
    {
        guard_.emplace(io_.get_executor());
        thread_ = std::thread{[this] { run(); }};
        pthread_setname_np(thread_.native_handle(), fmt::format("shard{}", index_).c_str());
    }
    void stop()
    {
        if (!thread_.joinable()) return;
        MANSIO_ASSERT(thread_.get_id() != std::this_thread::get_id());
        io_.stop();
        thread_.join();
        guard_.reset();
    }
    asio::io_context& io() noexcept { return io_; }

    /// Runs one piece of work and looks at how long it kept the shard.
    template <class F> void measured(F& f)
    {
        auto const before = std::chrono::steady_clock::now();
        f();
        auto const took = std::chrono::steady_clock::now() - before;
        if (took < slow_slice) return;
        slow_slices_.add();
        log_.warning("slow_slice", {{"shard", index_}, {"milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()}});
    }

private:
    void run()
    {
        running_scope const here{*this};
        probe_lag();
        io_.run();
    }
    void probe_lag()
    {
        auto const due = std::chrono::steady_clock::now() + lag_probe;
        call_after(lag_probe, [this, due] {
            lag_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - due).count());
            probe_lag();
        });
    }
    void arm_timer();
    void run_timers();
    std::vector<base::work> take_posted()
    {
        std::lock_guard const lock{posted_mutex_};
        return std::exchange(posted_, {});
    }
    void run_posted()
    {
        auto now = take_posted();
        for (auto& w : now) {
            measured(w);
            w = nullptr;
        }
    }

    unsigned index_;
    std::mutex posted_mutex_;
    std::vector<base::work> posted_;
    base::clock& clock_;
    base::log& log_;
    std::map<std::pair<monotonic_time, timer_id>, base::work> timers_;
    std::unordered_map<timer_id, monotonic_time> due_;
    timer_id next_timer_ = 1;
    monotonic_time armed_for_ = monotonic_time::max();
    asio::io_context io_{1};  // one thread: no locking hint; post() from others stays safe
    asio_timer timer_;
    std::optional<asio::executor_work_guard<io_executor>> guard_;
    std::thread thread_;
    base::histogram& lag_;
    base::counter& slow_slices_;
    base::counter& proxy_headers_refused_;
};

base::executor::timer_id loop_impl::call_after(std::chrono::nanoseconds delay, base::work w)
{
    MANSIO_ASSERT(running_here());
    auto const wait = std::clamp<std::chrono::nanoseconds>(delay, std::chrono::nanoseconds{0}, longest_timer);
    auto const id = next_timer_++;
    auto const at = std::chrono::steady_clock::now() + wait;
    timers_.emplace(std::pair{at, id}, std::move(w));
    due_.emplace(id, at);
    arm_timer();
    return id;
}

void loop_impl::cancel(timer_id id)
{
    auto const it = due_.find(id);
    if (it == due_.end()) return;
    timers_.erase({it->second, id});
    due_.erase(it);
    // Asio's timer may now fire for nothing, once: cheaper than setting it again for each deadline that was met.
}

void loop_impl::arm_timer()
{
    if (timers_.empty() || timers_.begin()->first.first >= armed_for_) return;
    armed_for_ = timers_.begin()->first.first;
    timer_.expires_at(armed_for_);
    timer_.async_wait([this](boost::system::error_code const& error) {
        if (error) return;  // set again for an earlier time
        armed_for_ = monotonic_time::max();
        run_timers();
        arm_timer();
    });
}

void loop_impl::run_timers()
{
    auto const now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto node = timers_.extract(timers_.begin());
        due_.erase(node.key().second);
        measured(node.mapped());
    }
}

/// Shared with the handlers that Asio holds: they may come after the watch has gone.
struct watched {
    loop_impl& home;
    descriptor fd;
    std::weak_ptr<fd_sink> sink;
    std::array<bool, 2> armed{};
    watched(loop_impl& h, int number, std::weak_ptr<fd_sink> s) : home(h), fd(h.io().get_executor(), number), sink(std::move(s)) {}
    watched(watched const&) = delete;
    watched& operator=(watched const&) = delete;
    ~watched() { release(); }
    void release() noexcept
    {
        if (fd.is_open()) (void)fd.release();  // never closes: the descriptor has an owner
    }
    static void arm(std::shared_ptr<watched> const& self, direction d)
    {
        auto& armed = self->armed[static_cast<std::size_t>(d)];
        if (std::exchange(armed, true)) return;
        auto const what = d == direction::read ? descriptor::wait_read : descriptor::wait_write;
        self->fd.async_wait(what, [self, d](boost::system::error_code const& error) {
            self->armed[static_cast<std::size_t>(d)] = false;
            if (error == asio::error::operation_aborted) return;
            // Any other error is found again by the system call that follows.
            auto tell = [&] {
                if (auto const s = self->sink.lock()) s->ready(d);
            };
            self->home.measured(tell);
        });
    }
};

class asio_watch final : public fd_watch {
public:
    explicit asio_watch(std::shared_ptr<watched> w) : watched_(std::move(w)) {}
    ~asio_watch() override { watched_->release(); }
    void arm(direction d) override { watched::arm(watched_, d); }

private:
    std::shared_ptr<watched> watched_;
};

std::unique_ptr<fd_watch> loop_impl::watch(int fd, std::weak_ptr<fd_sink> sink)
{
    return std::make_unique<asio_watch>(std::make_shared<watched>(*this, fd, std::move(sink)));
}

}  // namespace

struct runtime::impl {
    std::vector<std::unique_ptr<loop_impl>> loops;
    std::optional<asio::signal_set> signals;
    std::move_only_function<void(int)> on_signal;

    void wait_for_signal()
    {
        signals->async_wait([this](boost::system::error_code const& error, int number) {
            if (error) return;
            on_signal(number);
            wait_for_signal();
        });
    }
};

runtime::runtime(unsigned shards, base::clock& clock, base::log& log, base::metrics& metrics) : impl_(std::make_unique<impl>())
{
    MANSIO_ASSERT(shards >= 1);
    // OpenSSL writes to descriptors by itself, without MSG_NOSIGNAL: a peer that has gone must be an error, not the end of the server.
    std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c)
    for (unsigned i = 0; i < shards; ++i) impl_->loops.push_back(std::make_unique<loop_impl>(i, clock, log, metrics));
}

runtime::~runtime() { stop(); }

unsigned runtime::size() const noexcept { return static_cast<unsigned>(impl_->loops.size()); }

shard& runtime::at(unsigned i) noexcept { return *impl_->loops[i]; }

void runtime::start()
{
    for (auto& l : impl_->loops) l->start();
}

void runtime::stop()
{
    for (auto& l : impl_->loops) l->stop();
}

void runtime::on_signal(std::move_only_function<void(int)> then)
{
    MANSIO_ASSERT(!impl_->signals);
    impl_->on_signal = std::move(then);
    impl_->signals.emplace(impl_->loops.front()->io(), SIGTERM, SIGINT, SIGHUP);
    impl_->loops.front()->post([i = impl_.get()] { i->wait_for_signal(); });
}

}  // namespace mansio::net
