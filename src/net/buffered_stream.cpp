#include <algorithm>
#include <cstring>

#include "net/deflate_stream.hpp"
#include "net/stream.hpp"

namespace mansio::net {
namespace {
constexpr std::size_t small_read = 4096;          // commands
constexpr std::size_t large_read = 64U * 1024U;   // messages
constexpr std::size_t high_water = 64U * 1024U;
}  // namespace

struct buffered_stream::buffers {
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t begin = 0;
    std::size_t end = 0;

    [[nodiscard]] std::string_view held() const noexcept { return {data.get() + begin, end - begin}; }
    [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
    void consume(std::size_t n) noexcept { begin += n; }
    void append(std::string_view octets)
    {
        auto const room = make_room(octets.size());
        std::memcpy(room.data(), octets.data(), octets.size());
        end += octets.size();
    }
    /// Space for at least `wanted` more octets after what is held.
    std::span<char> make_room(std::size_t wanted)
    {
        if (begin == end) begin = end = 0;
        if (capacity - end < wanted) {
            auto const held_now = size();
            // Doubling keeps the copying linear in what a long line brings.
            auto const larger = held_now + wanted <= capacity ? capacity : std::max(held_now + wanted, 2 * held_now);
            auto fresh = std::make_unique_for_overwrite<char[]>(larger);
            if (held_now != 0) std::memcpy(fresh.get(), data.get() + begin, held_now);
            data = std::move(fresh);
            capacity = larger;
            begin = 0;
            end = held_now;
        }
        return {data.get() + end, capacity - end};
    }
};

buffered_stream::buffered_stream(std::unique_ptr<stream> s) : stream_(std::move(s)) {}
buffered_stream::buffered_stream(parts p) : stream_(std::move(p.connection))
{
    if (p.unread.empty()) return;
    in_ = std::make_unique<buffers>();
    in_->append(p.unread);
}
buffered_stream::~buffered_stream() = default;
buffered_stream::buffered_stream(buffered_stream&&) noexcept = default;
buffered_stream& buffered_stream::operator=(buffered_stream&&) noexcept = default;

bool buffered_stream::has_unread() const noexcept { return in_ && in_->size() != 0; }

bool buffered_stream::still_there()
{
    constexpr std::size_t most_ahead = 16384;
    if (in_ && in_->size() >= most_ahead) return true;
    if (!in_) in_ = std::make_unique<buffers>();
    auto const got = stream_->try_read(in_->make_room(1));
    if (got && *got) in_->end += **got;
    bool const more = in_->size() != 0;
    if (!more) in_.reset();
    // An end with commands before it is a script that says all at once and listens (`nc -N`), not somebody gone.
    return got && (!*got || **got != 0 || more);
}

bool buffered_stream::has_line() const noexcept { return has_unread() && !discarding_ && in_->held().find('\n') != std::string_view::npos; }
void buffered_stream::put_back(std::size_t n) noexcept
{
    MANSIO_ASSERT(in_ && n <= in_->begin);
    in_->begin -= n;
}

task<result<std::size_t>> buffered_stream::fill(std::size_t wanted, monotonic_time deadline)
{
    if (!in_) in_ = std::make_unique<buffers>();
    auto const there = stream_->try_read(in_->make_room(wanted));
    if (!there) co_return fail(there);
    if (*there) {
        in_->end += **there;
        co_return **there;
    }
    // Nothing yet. A connection at rest holds no buffer: give it back before waiting (docs/architecture.md, "Streams and TLS").
    if (in_->size() == 0) in_.reset();
    auto const ready = co_await stream_->wait_readable(deadline);
    if (!ready) co_return fail(ready);
    // The interruption is for whoever calls wait_readable() next, not for this read.
    if (*ready == readiness::interrupted) stream_->interrupt();
    if (!in_) in_ = std::make_unique<buffers>();
    auto const room = in_->make_room(wanted);
    auto const got = co_await stream_->read_some(room, deadline);
    if (!got) co_return fail(got);
    in_->end += *got;
    co_return *got;
}

task<result<void>> buffered_stream::skip_rest_of_line(monotonic_time deadline)
{
    while (discarding_) {
        if (has_unread()) {
            auto const at = in_->held().find('\n');
            discarding_ = at == std::string_view::npos;
            in_->consume(discarding_ ? in_->size() : at + 1);
            continue;
        }
        auto const got = co_await fill(small_read, deadline);
        if (!got) co_return fail(got);
        if (*got == 0) co_return fail(fault::kind::closed, "connection closed", "mid-line");
    }
    co_return result<void>{};
}

task<result<buffered_stream::line>> buffered_stream::read_line(std::size_t max_octets, monotonic_time deadline)
{
    if (discarding_) {
        auto const skipped = co_await skip_rest_of_line(deadline);
        if (!skipped) co_return fail(skipped);
    }
    std::size_t scanned = 0;
    while (true) {
        if (has_unread()) {
            auto const held = in_->held();
            auto const at = held.find('\n', scanned);
            if (at != std::string_view::npos) {
                in_->consume(at + 1);
                if (at + 1 > max_octets) co_return fail(fault::kind::over_limit, "line too long");
                line found;
                found.end = at > 0 && held[at - 1] == '\r' ? line_end::crlf : line_end::lf;
                found.text = held.substr(0, found.end == line_end::crlf ? at - 1 : at);
                co_return found;
            }
            if (held.size() >= max_octets) {
                in_->consume(held.size());
                discarding_ = true;
                co_return fail(fault::kind::over_limit, "line too long");
            }
            scanned = held.size();
        }
        auto const got = co_await fill(small_read, deadline);
        if (!got) co_return fail(got);
        if (*got == 0) co_return fail(fault::kind::closed, "connection closed", scanned != 0 ? "mid-line" : "end of stream");
    }
}

task<result<std::string_view>> buffered_stream::read_chunk(std::size_t max, monotonic_time deadline)
{
    if (discarding_) {
        auto const skipped = co_await skip_rest_of_line(deadline);
        if (!skipped) co_return fail(skipped);
    }
    if (!has_unread()) {
        auto const got = co_await fill(std::clamp(max, small_read, large_read), deadline);
        if (!got) co_return fail(got);
        if (*got == 0) co_return std::string_view{};
    }
    auto const chunk = in_->held().substr(0, max);
    in_->consume(chunk.size());
    co_return chunk;
}

task<result<std::string>> buffered_stream::read_exactly(std::size_t n, monotonic_time deadline)
{
    std::string whole;
    while (whole.size() < n) {
        auto const chunk = co_await read_chunk(n - whole.size(), deadline);
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) co_return fail(fault::kind::closed, "connection closed", whole.empty() ? "end of stream" : "mid-literal");
        whole += *chunk;
    }
    co_return whole;
}

task<result<readiness>> buffered_stream::wait_readable(monotonic_time deadline)
{
    if (has_unread()) co_return readiness::readable;
    in_.reset();
    if (out_.empty()) std::string{}.swap(out_);
    co_return co_await stream_->wait_readable(deadline);
}

void buffered_stream::put(std::string_view octets) { out_ += octets; }
std::size_t buffered_stream::queued() const noexcept { return out_.size(); }

task<result<void>> buffered_stream::flush(monotonic_time deadline)
{
    if (out_.empty()) co_return result<void>{};
    auto pending = std::exchange(out_, {});
    auto const written = co_await stream_->write(pending, deadline);
    // A reply that goes on gets its room back instead of growing into it anew; a connection at rest holds none.
    if (written && out_.empty() && pending.capacity() > small_read) {
        pending.clear();
        out_ = std::move(pending);
    }
    co_return written;
}

task<void> buffered_stream::finish(monotonic_time deadline)
{
    if (!out_.empty()) stream_->gather();
    auto const sent = co_await flush(deadline);
    if (sent) co_await stream_->finish();
}

task<result<void>> buffered_stream::send(std::string_view octets, monotonic_time deadline)
{
    if (out_.size() + octets.size() <= high_water) {
        put(octets);
        co_return result<void>{};
    }
    auto const flushed = co_await flush(deadline);
    if (!flushed) co_return fail(flushed);
    if (octets.size() <= high_water / 4) {
        put(octets);
        co_return result<void>{};
    }
    co_return co_await stream_->write(octets, deadline);  // no copy of what is long already
}

bool buffered_stream::ready_for_tls() const noexcept
{
    MANSIO_ASSERT(out_.empty());
    return !has_unread() && !discarding_;
}

task<result<void>> buffered_stream::start_tls_server(tls_server_context& context, monotonic_time deadline)
{
    if (!ready_for_tls()) co_return fail(fault::kind::refused, "octets before TLS");  // RFC 3207 §4.2, CVE-2011-0411
    in_.reset();
    co_return co_await stream_->start_tls_server(context, deadline);
}

task<result<void>> buffered_stream::start_tls_client(tls_client_context& context, tls_client_options options, monotonic_time deadline)
{
    if (!ready_for_tls()) co_return fail(fault::kind::refused, "octets before TLS");  // the server's side of the same: CVE-2021-38371
    in_.reset();
    co_return co_await stream_->start_tls_client(context, std::move(options), deadline);
}

result<void> buffered_stream::start_deflate()
{
    if (!ready_for_tls()) return fail(fault::kind::refused, "octets before compression");
    in_.reset();
    stream_ = make_deflate_stream(std::move(stream_));
    return {};
}

buffered_stream::parts buffered_stream::take() &&
{
    MANSIO_ASSERT(out_.empty() && !discarding_);
    parts p;
    if (has_unread()) p.unread = in_->held();
    p.connection = std::move(stream_);
    in_.reset();
    return p;
}

}  // namespace mansio::net
