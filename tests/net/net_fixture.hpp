// A real runtime on loopback, and a way to wait for what runs on its shards.
#pragma once
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>

#include <unistd.h>

#include "net/shard.hpp"
#include "net/tls.hpp"

namespace mansio::net::test {

using namespace std::chrono_literals;
inline constexpr auto never = monotonic_time::max();

inline monotonic_time in(std::chrono::nanoseconds span) { return base::system_clock().monotonic() + span; }

template <class T> task<void> deliver(task<T> t, std::promise<T>& to)
{
    if constexpr (std::is_void_v<T>) {
        co_await std::move(t);
        to.set_value();
    } else {
        to.set_value(co_await std::move(t));
    }
}

/// Runs a task on a shard and waits for its end; a test that hangs fails after a minute.
template <class T> T on(shard& s, task<T> t)
{
    std::promise<T> promise;
    auto future = promise.get_future();
    base::spawn_detached(s, deliver(std::move(t), promise));
    MANSIO_ASSERT(future.wait_for(60s) == std::future_status::ready);
    return future.get();
}

/// A directory that goes with the test program.
struct scratch {
    std::filesystem::path path;
    scratch()
    {
        auto name = (std::filesystem::temp_directory_path() / "mansio-net-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~scratch() { std::filesystem::remove_all(path); }
    scratch(scratch const&) = delete;
    scratch& operator=(scratch const&) = delete;
};

/// Connections a listener hands over, in the order they come.
class arrivals {
public:
    void put(shard& here, accepted a)
    {
        std::lock_guard const lock{mutex_};
        here_.push_back({&here, std::move(a)});
        came_.notify_all();
    }
    struct arrival {
        shard* where = nullptr;
        accepted what;
    };
    arrival take()
    {
        std::unique_lock lock{mutex_};
        MANSIO_ASSERT(came_.wait_for(lock, 30s, [&] { return !here_.empty(); }));
        auto a = std::move(here_.front());
        here_.pop_front();
        return a;
    }

private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<arrival> here_;
};

struct network {
    base::metrics metrics;
    base::memory_log log;
    base::limits limits;
    runtime run{2, base::system_clock(), log, metrics};
    egress_gate loopback{{*cidr::parse("127.0.0.0/8"), *cidr::parse("::1")}};
    std::unique_ptr<connection_table> table;
    arrivals came;
    std::unique_ptr<listener> face;

    network() { run.start(); }
    ~network()
    {
        face.reset();
        run.stop();
    }
    network(network const&) = delete;
    network& operator=(network const&) = delete;
    endpoint listen(listen_options o = {})
    {
        if (!table) table = std::make_unique<connection_table>(limits, base::system_clock(), metrics);
        if (o.at == endpoint{}) o.at = *endpoint::parse("127.0.0.1:0");
        auto opened = listener::open(run, std::move(o), *table,
                                     [this](shard&) { return accept_handler{[this](shard& here, accepted a) { came.put(here, std::move(a)); }}; });
        EXPECT_TRUE(opened) << describe(opened.error());
        face = std::move(*opened);
        return face->at();
    }
    /// Destroys a connection where it belongs.
    static void drop(arrivals::arrival a)
    {
        std::promise<void> gone;
        a.where->post([what = std::make_unique<accepted>(std::move(a.what)), &gone]() mutable {
            what->connection->abort();
            what.reset();
            gone.set_value();
        });
        gone.get_future().get();
    }
};

struct net_fixture : ::testing::Test, network {};

/// A test of the catalogue on a network: the suite `catalogue` has no fixture of its own.
#define NET_CATALOGUE(name)                                                                                                                                    \
    struct name : network {                                                                                                                                    \
        void body();                                                                                                                                           \
    };                                                                                                                                                         \
    TEST(catalogue, name)                                                                                                                                      \
    {                                                                                                                                                          \
        name tested;                                                                                                                                           \
        tested.body();                                                                                                                                         \
    }                                                                                                                                                          \
    void name::body()

/// A server and a client context over fresh certificates for mx.example.test and 127.0.0.1.
struct tls_pair {
    scratch directory;
    std::unique_ptr<tls_server_context> server;
    std::unique_ptr<tls_client_context> client;
    explicit tls_pair(tls_profile profile = tls_profile::strict, std::vector<std::string> alpn = {}, std::shared_ptr<tls_handshakes> handshakes = {})
    {
        auto const made = make_demo_certificates(directory.path, {"mx.example.test"}, {"127.0.0.1"});
        EXPECT_TRUE(made);
        server =
            std::move(*tls_server_context::make({directory.path / "cert.pem", directory.path / "key.pem", profile, std::move(alpn), std::move(handshakes)}));
        client = std::move(*tls_client_context::make(directory.path / "ca.pem"));
    }
};

}  // namespace mansio::net::test
