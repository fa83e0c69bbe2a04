// One conversation's state, and the commands that change it. Internal to smtp/server.
#pragma once
#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>

#include "accept/pipeline.hpp"
#include "net/stream.hpp"
#include "smtp/server/server.hpp"
#include "smtp/wire/command.hpp"
#include "smtp/wire/data_decoder.hpp"
#include "smtp/wire/reply.hpp"

namespace mansio::smtp {

using accept::reply;
using base::monotonic_time;

/// What all conversations of a server share.
struct hall {
    services with;
    server_options set;
    std::array<base::counter*, wire::verb_count> commands{};
    base::counter& timeouts;
    base::counter& strikes;
    base::counter& lines_too_long;
    base::counter& transactions_max;
    base::gauge& connections;
    std::atomic<bool> stopping{false};
    std::atomic<std::size_t> open{0};
    hall(services s, server_options o);
};

struct session;

/// A peer must not hold a message open for ever with an octet now and then (trust.md D12).
class slow_peer {
public:
    explicit slow_peer(session& s);
    [[nodiscard]] bool too_slow(std::uint64_t octets_so_far) const noexcept;

private:
    base::clock& clock_;
    std::chrono::nanoseconds patience_;
    monotonic_time began_;
};

struct session {
    hall& house;
    base::executor& here;
    face how;
    std::unique_ptr<net::connection_table::ticket> held;
    net::buffered_stream io;
    accept::client who;
    accept::message mail;
    bool greeted = false;
    bool first_line = true;
    bool may_raise_priority = false;
    bool may_xclient = false;                     // by the address that really connected
    std::optional<wire::data_decoder> chunks;     // BDAT under way
    std::optional<slow_peer> pace;                // of all its chunks together
    unsigned struck = 0, sign_in_failures = 0;
    unsigned idle_commands = 0;                   // since the last message: NOOP and the like bring nothing forward
    std::uint64_t transactions = 0;
    std::shared_ptr<void> revocation;

    session(hall& h, base::executor& e, net::accepted from, face f);
    [[nodiscard]] base::limits const& limits() const noexcept { return house.with.limits; }
    [[nodiscard]] monotonic_time in(std::uint64_t seconds) const noexcept { return here.clock().monotonic() + base::limits::seconds(seconds); }
    [[nodiscard]] bool lmtp() const noexcept { return how.through == accept::door::lmtp; }
    /// AUTH may be said: under TLS, over a unix socket, or where the demo allows it (trust.md W6).
    [[nodiscard]] bool secure() const noexcept;
    /// What EHLO offers just now; nothing after HELO.
    [[nodiscard]] wire::extension_set offered() const;
    /// Who the other side is: the address that connected, or the one a listed peer speaks for.
    void comes_from(net::ip_address const& a);
    void put(reply const& r) { io.put(wire::render(r, mail.smtputf8)); }
    void note_tls();
    /// Forgets the transaction (RSET, EHLO, the end of a message).
    void reset();
};

/// Says all the replies but the last, which it answers.
reply last_of(session& s, std::vector<reply> replies);
/// What goes out after a message's last octet: one reply, or with LMTP one for each recipient. The transaction is over.
task<reply> finish_message(session& s);
/// Refuses bare CR and LF where they are not mended (trust.md W1).
void judge_line_ends(session& s, wire::data_decoder const& d);

/// Puts decoded octets into the message.
class into_message final : public wire::octet_sink {
public:
    explicit into_message(accept::message& m) : message_(m) {}
    void put(std::string_view octets) override { message_.incoming->put(octets); }

private:
    accept::message& message_;
};

/// A read that failed: 421 when time ran out, else nothing to say to nobody; the connection closes.
reply read_failed(session& s, fault const& f);

namespace commands {
task<reply> hello(session& s, std::string_view args);      // HELO
task<reply> ehlo(session& s, std::string_view args);       // EHLO and LHLO
task<reply> mail(session& s, std::string_view args);
task<reply> rcpt(session& s, std::string_view args);
task<reply> data(session& s, std::string_view args);
task<reply> bdat(session& s, std::string_view args);
task<reply> starttls(session& s, std::string_view args);
task<reply> auth(session& s, std::string_view args);
task<reply> xclient(session& s, std::string_view args);
task<reply> rset(session& s, std::string_view args);
task<reply> noop(session& s, std::string_view args);
task<reply> quit(session& s, std::string_view args);
task<reply> vrfy(session& s, std::string_view args);
task<reply> expn(session& s, std::string_view args);
task<reply> help(session& s, std::string_view args);
}  // namespace commands

/// A reply of nothing: the connection just closes.
inline reply silence() { return reply{0, {}, {}}.and_hang_up(); }

/// The whole conversation.
task<void> converse(session& s);

}  // namespace mansio::smtp
