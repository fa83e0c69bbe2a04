// A conversation's octets: plain TCP, unix socket, TLS, or an in-memory pair in tests; one narrow type for all.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.hpp"
#include "net/address.hpp"
#include "net/tlsa.hpp"

namespace mansio::net {

using base::monotonic_time;

class tls_server_context;
class tls_client_context;

/// Why a server's certificate was not verified, in the classes that reports tell apart (RFC 8460 §4.3).
enum class tls_problem : std::uint8_t {
    none,
    no_name,          ///< nobody said which name to verify
    no_certificate,
    name_mismatch,
    expired,
    not_trusted,      ///< no chain to a trust anchor, or one with a flaw
    tlsa_mismatch,    ///< none of the TLSA records fits the chain
    tlsa_unusable,    ///< OpenSSL can use none of the TLSA records: nothing was verified
};

/// Facts of the TLS session in force.
struct tls_facts {
    std::string version;        ///< "TLSv1.3"
    std::string cipher;
    std::string server_name;    ///< SNI the client sent (server side) or we sent (client side)
    std::string alpn;           ///< chosen protocol, empty: none
    bool peer_verified = false; ///< client side: chain and name verified, or a TLSA record fits
    std::string verify_error;   ///< client side: why not
    tls_problem problem = tls_problem::none;  ///< client side: the class of verify_error
    std::optional<tlsa_record> matched;       ///< client side: the TLSA record that verified the peer; none: the trusted CAs did
};

enum class readiness : std::uint8_t { readable, interrupted };

struct tls_client_options {
    std::string server_name;            ///< SNI and the name to verify
    bool require_verified = false;      ///< end the handshake when the chain or name does not verify; false: tls() tells (RFC 7435), the caller decides
    std::string alpn;
    std::vector<std::string> also_named;    ///< further names the certificate may bear instead (RFC 7672 §3.2.2)
    bool alternative_names_only = false;    ///< names in subjectAltName alone count, the subject's CN never (RFC 8461 §4.2)
    /// Not empty: the peer is verified by these (usages 2 and 3 alone; digest agility of RFC 7671 §9), the trusted CAs do not matter; usage 3 looks
    /// neither at names nor at dates (RFC 7672 §3.1.1). They come from answers that were `secure`. server_name is then the TLSA base domain.
    std::vector<tlsa_record> tlsa;
};

/// What leaves a shard when a connection moves to another: opaque, made by release(), taken by shard::adopt(). Destroyed unadopted, it closes.
class detached_stream {
public:
    detached_stream() = default;
    virtual ~detached_stream() = default;
    detached_stream(detached_stream const&) = delete;
    detached_stream& operator=(detached_stream const&) = delete;
};

/// A byte stream with deadlines. Threads: belongs to one executor (its shard's). Lifetime: operations must have ended before it is destroyed;
/// interrupt() or abort() makes them end. At most one read-side and one write-side operation at a time.
/// Errors of all: timeout (deadline passed), closed (peer or abort()), broken (system call failed; detail says which).
class stream {
public:
    virtual ~stream() = default;
    /// Waits until read_some() would not wait, or interrupt() is called. Costs no buffer: idle sessions wait here. End of stream counts as readable.
    [[nodiscard]] virtual task<result<readiness>> wait_readable(monotonic_time deadline) = 0;
    /// Reads at least one octet; 0 = the peer has ended its side.
    [[nodiscard]] virtual task<result<std::size_t>> read_some(std::span<char> into, monotonic_time deadline) = 0;
    /// What is there already, without waiting: nullopt when there is nothing (or when others of this shard should have their turn first: wait
    /// with wait_readable() or read_some() then), 0 at the end of stream.
    [[nodiscard]] virtual result<std::optional<std::size_t>> try_read(std::span<char> into) = 0;
    /// Writes all of it, or fails. `octets` must live until it returns.
    [[nodiscard]] virtual task<result<void>> write(std::string_view octets, monotonic_time deadline) = 0;
    /// TLS from here on. Any octet received before and not yet read is the caller's business: buffered_stream refuses (trust.md W4).
    /// Counted against the handshake limits of the context. `context` outlives the stream.
    [[nodiscard]] virtual task<result<void>> start_tls_server(tls_server_context& context, monotonic_time deadline) = 0;
    [[nodiscard]] virtual task<result<void>> start_tls_client(tls_client_context& context, tls_client_options options, monotonic_time deadline) = 0;
    [[nodiscard]] virtual tls_facts const* tls() const noexcept = 0;  ///< nullptr: in clear
    /// The other side's address; a unix socket or an in-memory pair: 127.0.0.1:0 and `local()` true.
    [[nodiscard]] virtual endpoint const& peer() const noexcept = 0;
    [[nodiscard]] virtual endpoint const& here() const noexcept = 0;
    [[nodiscard]] virtual bool local() const noexcept = 0;
    /// Makes a wait_readable() under way (or the next one) return `interrupted`. On the stream's executor only. Never disturbs reads or writes.
    virtual void interrupt() noexcept = 0;
    /// Ends everything at once: operations fail with `closed`.
    virtual void abort() noexcept = 0;
    /// What is written from here on may leave together with what follows it: for the last words before finish(). Never beyond a wait.
    virtual void gather() noexcept {}
    /// Tells the peer we are done (close_notify, FIN); best effort, at most two seconds. What the peer still sends is thrown away: the end of the conversation.
    [[nodiscard]] virtual task<void> finish() = 0;
    /// Takes the connection out, for another shard to adopt(); nothing may be pending. The stream is dead afterwards.
    [[nodiscard]] virtual std::unique_ptr<detached_stream> release() = 0;
};

/// Lines, counted octets and gathered writes over a stream; the shape in which SMTP, IMAP, POP3 and their clients speak.
/// Its input buffer exists only while it holds something. Threads: as the stream.
class buffered_stream {
public:
    explicit buffered_stream(std::unique_ptr<stream> s);
    ~buffered_stream();
    buffered_stream(buffered_stream&&) noexcept;
    buffered_stream& operator=(buffered_stream&&) noexcept;
    [[nodiscard]] stream& raw() noexcept { return *stream_; }
    [[nodiscard]] stream const& raw() const noexcept { return *stream_; }
    /// A line as it came: `text` without its end.
    enum class line_end : std::uint8_t { crlf, lf };
    struct line {
        std::string text;
        line_end end = line_end::crlf;
    };
    /// The next line. `max_octets` counts the line end. A CR not before LF stays inside `text`: grammars refuse it.
    /// Errors: over_limit (longer; the rest of that line is discarded as it comes, so that the caller can answer and go on),
    /// closed (end of stream; detail "mid-line" when octets were left), timeout, broken.
    [[nodiscard]] task<result<line>> read_line(std::size_t max_octets, monotonic_time deadline);
    /// Whatever is there, at least one octet, at most `max`: valid until the next read. Empty: end of stream.
    [[nodiscard]] task<result<std::string_view>> read_chunk(std::size_t max, monotonic_time deadline);
    /// Exactly `n` octets. For small n (arguments); messages use read_chunk().
    [[nodiscard]] task<result<std::string>> read_exactly(std::size_t n, monotonic_time deadline);
    /// True when octets received are waiting to be read: pipelined commands, or an injection before TLS.
    [[nodiscard]] bool has_unread() const noexcept;
    /// True when a whole line is waiting: read_line() would not wait, so replies may stay queued (RFC 2920 §3.2).
    [[nodiscard]] bool has_line() const noexcept;
    /// Takes in some of what has arrived, without waiting, to see whether the peer is still there: false once it has ended its side or the connection
    /// is broken. For long work between a command and its answer. At most 16 KiB are read ahead; then it answers true.
    [[nodiscard]] bool still_there();
    /// Gives back the last `n` octets of what the last read_chunk() returned: they are read again. Nothing was read in between.
    void put_back(std::size_t n) noexcept;
    /// Waits for input or interrupt(). Ready at once when has_unread().
    [[nodiscard]] task<result<readiness>> wait_readable(monotonic_time deadline);
    /// Queues octets; nothing is sent before flush(), or when `high_water` octets are queued (send() then flushes and waits).
    void put(std::string_view octets);
    [[nodiscard]] std::size_t queued() const noexcept;
    /// What is queued, for writers that append to it themselves instead of making a copy first. They send({}) often enough to keep the bound.
    [[nodiscard]] std::string& queue() noexcept { return out_; }
    [[nodiscard]] task<result<void>> flush(monotonic_time deadline);
    /// The last flush() and, when that went well, the stream's finish(); in one segment where possible.
    [[nodiscard]] task<void> finish(monotonic_time deadline);
    /// put() then flush() when more than 64 KiB are queued: for long replies, keeps the bound of 256 KiB a connection (trust.md I15).
    [[nodiscard]] task<result<void>> send(std::string_view octets, monotonic_time deadline);
    /// STARTTLS: refuses (fault refused, say "octets before TLS") when has_unread(), so that nothing said in clear is taken as said under TLS
    /// (RFC 3207 §4.2, CVE-2011-0411). What is queued must have been flushed.
    [[nodiscard]] task<result<void>> start_tls_server(tls_server_context& context, monotonic_time deadline);
    [[nodiscard]] task<result<void>> start_tls_client(tls_client_context& context, tls_client_options options, monotonic_time deadline);
    /// Compression from here on (RFC 4978), both ways. Refuses (fault refused) when has_unread(). What is queued must have been flushed.
    [[nodiscard]] result<void> start_deflate();
    /// Gives up the stream and what was read ahead.
    struct parts {
        std::unique_ptr<stream> connection;
        std::string unread;
    };
    [[nodiscard]] parts take() &&;
    /// Goes on from parts taken elsewhere.
    explicit buffered_stream(parts p);

private:
    struct buffers;
    /// Appends at least one octet to what is held, asking for `wanted` at a time. 0: end of stream.
    [[nodiscard]] task<result<std::size_t>> fill(std::size_t wanted, monotonic_time deadline);
    /// Finishes dropping a line that was too long.
    [[nodiscard]] task<result<void>> skip_rest_of_line(monotonic_time deadline);
    [[nodiscard]] bool ready_for_tls() const noexcept;
    std::unique_ptr<stream> stream_;
    std::unique_ptr<buffers> in_;
    std::string out_;
    bool discarding_ = false;  // in the middle of a line that was refused as too long
};

/// Two ends of an in-memory connection on one executor, for tests: what one writes the other reads, cut into pieces of at most `cut` octets.
/// start_tls_* turn a flag only; like a real handshake, it fails when the other end has sent octets in clear that were not read.
/// peer() of the server's end is `peer`. A write never waits. `certify`: what the client's handshake finds out, in place of "verified".
struct memory_pair_options {
    std::size_t cut = 1U << 20U;
    endpoint peer;
    bool local = false;
    std::function<void(tls_client_options const&, tls_facts&)> certify = {};
};
struct memory_pair {
    std::unique_ptr<stream> server, client;
};
[[nodiscard]] memory_pair make_memory_pair(base::executor& home, memory_pair_options options = {});
/// What shard::adopt() is to real connections: goes on with an end that was released, on the same executor.
[[nodiscard]] std::unique_ptr<stream> adopt_memory_stream(std::unique_ptr<detached_stream> released);

}  // namespace mansio::net
