#include "net/deflate_stream.hpp"

#include <zlib.h>

#include <array>

namespace mansio::net {
namespace {

// 2^13 octets of window and 2^(6+9) of tables: 64 KiB instead of 256, for a few parts in a hundred of size.
constexpr int window_bits = -13;  // negative: raw DEFLATE (RFC 4978 §4)
constexpr int memory_level = 6;
constexpr int effort = 3;
constexpr int any_window = -15;   // the peer may use the largest
constexpr std::size_t step = 16U * 1024U;

class deflate_stream final : public stream {
public:
    explicit deflate_stream(std::unique_ptr<stream> below) : below_(std::move(below))
    {
        // Only a lack of memory or another library than the one built against makes these fail.
        MANSIO_ASSERT(deflateInit2(&out_, effort, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
        MANSIO_ASSERT(inflateInit2(&in_, any_window) == Z_OK);
    }
    ~deflate_stream() override
    {
        deflateEnd(&out_);
        inflateEnd(&in_);
    }
    deflate_stream(deflate_stream const&) = delete;
    deflate_stream& operator=(deflate_stream const&) = delete;

    task<result<readiness>> wait_readable(monotonic_time deadline) override
    {
        if (holds_) co_return readiness::readable;
        co_return co_await below_->wait_readable(deadline);
    }

    task<result<std::size_t>> read_some(std::span<char> into, monotonic_time deadline) override
    {
        while (true) {
            auto const there = take(into);
            if (!there) co_return fail(there);
            if (*there != 0 || ended_) co_return *there;
            auto const got = co_await below_->read_some(room(), deadline);
            if (!got) co_return fail(got);
            received(*got);
        }
    }

    result<std::optional<std::size_t>> try_read(std::span<char> into) override
    {
        while (true) {
            auto const there = take(into);
            if (!there) return fail(there);
            if (*there != 0 || ended_) return std::optional{*there};
            auto const got = below_->try_read(room());
            if (!got) return fail(got);
            if (!*got) {
                compressed_.reset();  // at rest it holds no buffer
                return std::optional<std::size_t>{};
            }
            received(**got);
        }
    }

    task<result<void>> write(std::string_view octets, monotonic_time deadline) override
    {
        auto const piece = std::make_unique<std::array<char, step>>();
        out_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
        std::size_t left = octets.size();
        while (true) {
            auto const some = static_cast<uInt>(std::min<std::size_t>(left, UINT32_MAX));
            out_.avail_in = some;
            out_.next_out = reinterpret_cast<Bytef*>(piece->data());
            out_.avail_out = step;
            auto const code = deflate(&out_, some == left ? Z_SYNC_FLUSH : Z_NO_FLUSH);
            MANSIO_ASSERT(code == Z_OK || code == Z_BUF_ERROR);
            left -= some - out_.avail_in;
            auto const made = step - out_.avail_out;
            if (made != 0) {
                auto const sent = co_await below_->write({piece->data(), made}, deadline);
                if (!sent) co_return fail(sent);
            }
            if (left == 0 && out_.avail_out != 0) co_return result<void>{};
        }
    }

    // TLS comes before compression (RFC 4978 §3).
    task<result<void>> start_tls_server(tls_server_context&, monotonic_time) override { co_return fail(fault::kind::refused, "compression is on"); }
    task<result<void>> start_tls_client(tls_client_context&, tls_client_options, monotonic_time) override
    {
        co_return fail(fault::kind::refused, "compression is on");
    }
    tls_facts const* tls() const noexcept override { return below_->tls(); }
    endpoint const& peer() const noexcept override { return below_->peer(); }
    endpoint const& here() const noexcept override { return below_->here(); }
    bool local() const noexcept override { return below_->local(); }
    void interrupt() noexcept override { below_->interrupt(); }
    void abort() noexcept override { below_->abort(); }
    void gather() noexcept override { below_->gather(); }
    task<void> finish() override { co_await below_->finish(); }
    std::unique_ptr<detached_stream> release() override
    {
        MANSIO_ASSERT(!"a compressed connection stays on its shard");
        return {};
    }

private:
    std::span<char> room()
    {
        if (!compressed_) compressed_ = std::make_unique<std::array<char, step>>();
        return *compressed_;
    }
    void received(std::size_t n)
    {
        if (n == 0) ended_ = true;
        in_.next_in = reinterpret_cast<Bytef*>(compressed_->data());
        in_.avail_in = static_cast<uInt>(n);
    }
    /// What can be had of what was received. 0: nothing more, or the end.
    result<std::size_t> take(std::span<char> into)
    {
        if (ended_ || (in_.avail_in == 0 && !holds_)) return std::size_t{0};
        in_.next_out = reinterpret_cast<Bytef*>(into.data());
        auto const most = static_cast<uInt>(std::min<std::size_t>(into.size(), UINT32_MAX));
        in_.avail_out = most;
        auto const code = inflate(&in_, Z_SYNC_FLUSH);
        if (code == Z_STREAM_END) ended_ = true;
        if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) return fail(fault::kind::closed, "connection closed", "damaged DEFLATE data");
        holds_ = !ended_ && (in_.avail_out == 0 || in_.avail_in != 0);
        return static_cast<std::size_t>(most - in_.avail_out);
    }

    std::unique_ptr<stream> below_;
    z_stream out_{};
    z_stream in_{};
    std::unique_ptr<std::array<char, step>> compressed_;  // received, not yet inflated
    bool holds_ = false;  // inflate() may give more without more from below
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<stream> make_deflate_stream(std::unique_ptr<stream> below) { return std::make_unique<deflate_stream>(std::move(below)); }

}  // namespace mansio::net
