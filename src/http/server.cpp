#include "http/server.hpp"

#include <fmt/format.h>

#include <list>
#include <map>
#include <mutex>

#include "base/bytes.hpp"
#include "net/stream.hpp"

namespace mansio::http {
namespace {
struct route_entry {
    std::string method, path;
    handler call;
};

response plain(unsigned status, std::string text)
{
    response r;
    r.status = status;
    r.body = std::move(text) + "\n";
    return r;
}

unsigned status_of(fault const& f)
{
    if (f.what == fault::kind::over_limit) return f.detail == "header" ? 431 : 413;
    return f.what == fault::kind::timeout ? 408 : 400;
}
}  // namespace

/// Conversations of one shard: counted, and cut by stop().
struct shard_side {
    base::task_group group;
    std::list<net::stream*> open;
    explicit shard_side(base::executor& e) : group(e) {}
};

struct server::impl {
    base::limits const& limits;
    base::log& log;
    std::string face;
    base::counter& requests;
    std::vector<route_entry> routes;
    std::mutex mutex;
    std::map<net::shard*, std::unique_ptr<shard_side>> sides;
    std::atomic<bool> stopping{false};

    impl(base::limits const& l, base::log& lg, base::metrics& m, std::string f)
        : limits(l),
          log(lg),
          face(std::move(f)),
          requests(m.get_counter("mansio_http_requests_total", "HTTP requests answered", fmt::format("face=\"{}\"", face)))
    {}

    shard_side& side(net::shard& s)
    {
        std::lock_guard const lock{mutex};
        auto& slot = sides[&s];
        if (!slot) slot = std::make_unique<shard_side>(s);
        return *slot;
    }

    handler const* find(request const& r, bool& path_known) const
    {
        for (auto const& e : routes) {
            bool const below = e.path.ends_with('/') && r.path.starts_with(e.path);
            if (!below && e.path != r.path) continue;
            path_known = true;
            if (e.method == r.method) return &e.call;
        }
        return nullptr;
    }

    task<response> answer(request r)
    {
        bool path_known = false;
        auto const* h = find(r, path_known);
        if (h == nullptr) co_return path_known ? plain(405, "method not allowed") : plain(404, "no such resource");
        auto made = co_await (*h)(std::move(r));
        co_return made;
    }

    task<void> converse(net::shard& here, shard_side& mine, net::accepted connection, net::tls_server_context* tls)
    {
        net::buffered_stream io{std::move(connection.connection)};
        auto const place = mine.open.insert(mine.open.end(), &io.raw());
        co_await talk(here, io, tls);
        co_await io.raw().finish();
        mine.open.erase(place);
    }

    base::monotonic_time deadline(net::shard& here) const { return here.clock().monotonic() + std::chrono::seconds{limits.http_wait}; }

    task<void> talk(net::shard& here, net::buffered_stream& io, net::tls_server_context* tls)
    {
        if (tls != nullptr) {
            auto const shaken = co_await io.start_tls_server(*tls, here.clock().monotonic() + std::chrono::seconds{limits.tls_handshake_wait});
            if (!shaken) co_return;
            // Proof enough for whoever asked by another protocol (RFC 8737 §3: nothing follows the handshake).
            if (auto const& spoken = io.raw().tls()->alpn; !spoken.empty() && spoken != "http/1.1") co_return;
        }
        bool keep = true;
        while (keep && !stopping) {
            message_parser parser{message_parser::side::request, limits.http_header, limits.http_body};
            auto const got = co_await read_request(io, parser, deadline(here));
            if (!got) {
                if (got.error().what == fault::kind::closed || !parser.started()) co_return;
                co_await flush_refusal(here, io, got.error());
                co_return;
            }
            auto asked = parser.take_request();
            keep = asked.keep_alive;
            requests.add();
            auto const made = co_await answer(std::move(asked));
            io.put(serialize(made, keep));
            auto const sent = co_await io.flush(deadline(here));
            if (!sent) co_return;
        }
    }

    task<void> flush_refusal(net::shard& here, net::buffered_stream& io, fault const& why)
    {
        io.put(serialize(plain(status_of(why), why.say), false));
        auto const sent = co_await io.flush(deadline(here));
        if (!sent) log.debug("http_refusal_unsent", {{"face", face}, {"why", sent.error()}});
    }

    static task<result<void>> read_request(net::buffered_stream& io, message_parser& parser, base::monotonic_time until)
    {
        std::string held;
        while (!parser.done()) {
            auto const chunk = co_await io.read_chunk(16'384, until);
            if (!chunk) co_return fail(chunk);
            if (chunk->empty()) co_return fail(fault::kind::closed, "connection closed");
            // Beast's parser leaves an unfinished header where it is, so what it did not use is given again with what follows.
            held.append(*chunk);
            auto const used = parser.feed(held);
            if (!used) co_return fail(used);
            held.erase(0, *used);
        }
        if (!held.empty()) co_return fail(fault::kind::syntax, "octets after the request: pipelining is not offered");
        co_return result<void>{};
    }
};

server::server(base::limits const& l, base::log& log, base::metrics& m, std::string face) : impl_(std::make_unique<impl>(l, log, m, std::move(face))) {}
server::~server() = default;

void server::route(std::string method, std::string path, handler h) { impl_->routes.push_back({std::move(method), std::move(path), std::move(h)}); }

void server::serve(net::shard& here, net::accepted connection, net::tls_server_context* tls)
{
    if (impl_->stopping) return;
    auto& mine = impl_->side(here);
    mine.group.spawn(impl_->converse(here, mine, std::move(connection), tls));
}

task<void> server::stop()
{
    impl_->stopping = true;
    std::vector<std::pair<net::shard*, shard_side*>> all;
    {
        std::lock_guard const lock{impl_->mutex};
        for (auto& [shard, side] : impl_->sides) all.emplace_back(shard, side.get());
    }
    auto& home = base::executor::current();
    for (auto& [shard, side] : all) {
        co_await base::hop_to{*shard};
        for (auto* s : side->open) s->abort();
        co_await side->group.join();
    }
    co_await base::hop_to{home};
}

}  // namespace mansio::http
