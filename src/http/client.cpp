#include "http/client.hpp"

#include <future>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "net/shard.hpp"

namespace mansio::http {
namespace {
constexpr std::uint64_t max_answer = 256ULL << 20U;

task<result<response>> ask(net::shard& here, std::string path, std::string wire, base::monotonic_time until)
{
    auto dialled = co_await here.connect_unix(path, until);
    if (!dialled)
        co_return fail(fault::kind::closed, "cannot reach the server at " + path + ": is it running, and may you open its socket?", dialled.error().detail);
    net::buffered_stream io{std::move(*dialled)};
    io.put(wire);
    auto const sent = co_await io.flush(until);
    if (!sent) co_return fail(sent);
    message_parser parser{message_parser::side::response, 65'536, max_answer};
    std::string held;
    while (!parser.done()) {
        auto const chunk = co_await io.read_chunk(65'536, until);
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) {
            auto const ended = parser.feed_end();
            if (!ended) co_return fail(fault::kind::closed, "the server closed the connection before its answer was whole");
            break;
        }
        held.append(*chunk);
        auto const used = parser.feed(held);
        if (!used) co_return fail(used);
        held.erase(0, *used);
    }
    auto answer = parser.take_response();
    co_await io.raw().finish();
    co_return answer;
}

task<void> keep(task<result<response>> t, std::promise<result<response>>& into) { into.set_value(co_await std::move(t)); }
}  // namespace

result<response> call_unix(std::string const& socket_path, request const& r, std::chrono::seconds wait)
{
    base::metrics unused;
    net::runtime loop{1, base::system_clock(), base::null_log(), unused};
    loop.start();
    std::promise<result<response>> promise;
    auto future = promise.get_future();
    auto& shard = loop.at(0);
    base::spawn_detached(shard, keep(ask(shard, socket_path, serialize(r, "localhost"), shard.clock().monotonic() + wait), promise));
    auto answer = future.get();
    loop.stop();
    return answer;
}

}  // namespace mansio::http
