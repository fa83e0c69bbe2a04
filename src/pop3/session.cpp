#include "pop3/session.hpp"

#include <array>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "pop3/commands/table.hpp"
#include "pop3/wire.hpp"

namespace mansio::pop3 {

figures::figures(base::metrics& m)
    : sessions(m.get_gauge("mansio_pop3_sessions", "POP3 connections open")),
      signed_in(m.get_gauge("mansio_pop3_sessions_signed_in", "POP3 connections signed in")),
      lines_too_long(m.get_counter("mansio_pop3_line_too_long_total", "command lines over a limit")),
      timeouts(m.get_counter("mansio_pop3_timeouts_total", "POP3 connections closed because the client said or read nothing")),
      strikes_out(m.get_counter("mansio_pop3_strikes_total", "connections closed after too many refused commands in a row")),
      moved(m.get_counter("mansio_pop3_handovers_total", "connections handed to their account's shard after sign-in")),
      retrieved(m.get_counter("mansio_pop3_messages_retrieved_total", "messages sent whole")),
      deleted(m.get_counter("mansio_pop3_messages_deleted_total", "messages removed by QUIT")),
      in_use(m.get_counter("mansio_pop3_in_use_total", "sign-ins refused because another session had the maildrop")),
      too_early(m.get_counter("mansio_pop3_login_delay_total", "sign-ins refused because the last one was too recent"))
{}

session::session(services const& srv, maildrop_locks& locks, figures& f, base::executor& home, session_start start)
    : srv_(srv),
      locks_(locks),
      figures_(f),
      home_(home),
      peer_(std::move(start.connection)),
      held_(std::move(start.held)),
      id_(std::move(start.id)),
      user_(std::move(start.user)),
      speaks_(start.speaks),
      utf8_(start.utf8),
      implicit_tls_(start.implicit_tls)
{
    figures_.sessions.add(1);
    carried_ = user_.has_value();
    fresh_ = !carried_;
    if (id_.empty()) id_ = base::make_session_id(srv_.random);
}

session::~session()
{
    figures_.sessions.add(-1);
    if (counted_) figures_.signed_in.add(-1);
}

base::executor& session::owner() const { return srv_.accounts.owner_of(user_->account); }
bool session::moving() const { return user_ && !drop_ && &owner() != &home_; }

auth::source session::source() const
{
    auto const& raw = peer_.raw();
    auth::source from;
    from.door = auth::protocol::pop3;
    from.peer = raw.peer().address.text();
    from.peer_prefix = raw.peer().address.peer_prefix();
    from.session = id_;
    from.secure = secure() || raw.local();
    return from;
}

void session::ask_to_stop()
{
    stopping_ = true;
    peer_.raw().interrupt();
}

session_start session::take()
{
    session_start on;
    on.connection = std::move(peer_).take();
    on.held = std::move(held_);
    on.user = std::move(user_);
    on.id = id_;
    on.utf8 = utf8_;
    on.speaks = speaks_;
    return on;
}

task<session_end> session::run()
{
    auto const begun = co_await begin();
    if (begun) co_await converse();
    // Between two commands: PASS or AUTH is answered by the account's own shard.
    if (begun && phase_ == phase::authorization && moving() && !stopping_) {
        auto const flushed = co_await peer_.flush(write_by());
        if (flushed) co_return session_end::moves;
    }
    co_await release_drop();  // before the peer learns that we are done: it may come again at once
    revocation_.reset();
    co_await peer_.finish(write_by());
    srv_.log.debug("pop3_closed", {{"session", id_}});
    co_return session_end::closed;
}

task<result<void>> session::begin()
{
    if (carried_) {
        auto const r = co_await open_drop();
        answer(r);
        co_return result<void>{};
    }
    if (implicit_tls_) {
        if (srv_.tls == nullptr) co_return fail(fault::kind::refused, "no TLS here");
        auto const done = co_await peer_.start_tls_server(*srv_.tls, srv_.clock.monotonic() + base::limits::seconds(srv_.limits.tls_handshake_wait));
        if (!done) co_return fail(done);
    } else {
        // RFC 1939 §3: the server speaks first. Who talks before that is no mail program (trust.md W7).
        std::array<char, 1> octet{};
        auto const early = peer_.raw().try_read(octet);
        if (!early || *early) {
            srv_.log.info("pop3_talked_first", {{"session", id_}, {"peer", peer_.raw().peer().address.text()}});
            co_return fail(fault::kind::refused, "talked first");
        }
    }
    answer(reply::ok(srv_.options.hostname + " POP3 server ready"));
    co_return result<void>{};
}

task<void> session::converse()
{
    auto deadline = read_by();
    while (phase_ != phase::over && !moving()) {
        // Nobody may hear of it between two commands, in POP3: the connection just closes, and nothing is deleted (RFC 1939 §3).
        if (stopping_) co_return end();
        if (peer_.queued() != 0 && !peer_.has_line()) {  // replies to pipelined commands leave together (RFC 2449 §6.6)
            auto const sent = co_await peer_.flush(write_by());
            if (!sent) co_return end();
        }
        auto const ready = co_await peer_.wait_readable(deadline);
        if (!ready) {
            if (ready.error().what == fault::kind::timeout) figures_.timeouts.add();
            co_return end();
        }
        if (*ready == net::readiness::interrupted) continue;
        co_await serve_one(deadline);
        deadline = read_by();
    }
}

/// One octet tells a TLS hello, an SSH banner or noise from a command; nothing else of it is read or answered (trust.md W7).
task<bool> session::first_octet_fits(base::monotonic_time deadline)
{
    auto const octet = co_await peer_.read_chunk(1, deadline);
    if (!octet || octet->empty() || octet->front() < '!' || octet->front() > '~') co_return false;
    peer_.put_back(1);
    co_return true;
}

task<void> session::serve_one(base::monotonic_time deadline)
{
    bool const first = std::exchange(fresh_, false);
    if (first) {
        auto const fits = co_await first_octet_fits(deadline);
        if (!fits) co_return end();
    }
    // A command line may hold AUTH's initial response, which RFC 5034 §4 keeps short too; longer ones come on a line of their own.
    auto line = co_await peer_.read_line(srv_.limits.pop3_line, deadline);
    if (!line) {
        auto const what = line.error().what;
        if (what == fault::kind::timeout) figures_.timeouts.add();
        if (what != fault::kind::over_limit) co_return end();
        figures_.lines_too_long.add();
        co_return answer(reply::bad("line too long"));
    }
    if (first && is_foreign(line->text)) co_return end();  // without a word: nothing of it is echoed
    auto const r = co_await dispatch(std::move(line->text));
    answer(r);
}

task<reply> session::dispatch(std::string line)
{
    auto const parsed = parse_command(line);
    auto const* const what = parsed ? commands::find(parsed->verb) : nullptr;
    if (what == nullptr) co_return reply::bad("no such command");
    using commands::when;
    if (what->legal == when::authorization && phase_ != phase::authorization) co_return reply::bad("already signed in");
    if (what->legal == when::transaction && phase_ != phase::transaction) co_return reply::bad("sign in first");
    co_return co_await what->run(*this, parsed->rest);
}

void session::answer(reply const& r)
{
    if (r.what == reply::kind::none) return;
    peer_.put((r.what == reply::kind::ok ? "+OK " : "-ERR ") + in_language(speaks_, r.text) + "\r\n");
    if (r.what == reply::kind::ok) strikes_ = 0;
    if (r.what != reply::kind::bad || ++strikes_ < srv_.limits.pop3_strikes || phase_ == phase::over) return;
    figures_.strikes_out.add();
    close("too many bad commands");
}

void session::close(std::string_view why)
{
    srv_.log.info("pop3_cut", {{"session", id_}, {"reason", why}});
    end();
}

task<bool> session::send(std::string_view octets)
{
    auto const sent = co_await peer_.send(octets, write_by());
    if (!sent) {
        if (sent.error().what == fault::kind::timeout) figures_.timeouts.add();
        abort();
        end();
    }
    co_return sent.has_value();
}

void session::forget() noexcept
{
    user_name_.reset();
    fresh_ = true;
    utf8_ = false;
    speaks_ = language::english;  // somebody in the middle may have chosen it (RFC 6856 §7)
}

task<reply> session::sign_in(std::string user, std::string secret)
{
    auto in = co_await srv_.sign_in.check(std::move(user), std::move(secret), source());
    if (!in && in.error().what != fault::kind::refused) {
        if (in.error().what == fault::kind::broken) srv_.log.error("pop3_sign_in", {{"session", id_}, {"fault", in.error()}});
        co_return reply::refused("[SYS/TEMP] try again later");  // RFC 3206 §4: not the user's mistake
    }
    if (!in) {
        if (++failures_ >= srv_.limits.sign_in_failures) close("too many failed sign-ins");
        co_return reply::refused("[AUTH] authentication failed");  // RFC 3206 §5
    }
    user_ = std::move(*in);
    if (held_) held_->signed_in();
    if (moving()) co_return reply{};
    co_return co_await open_drop();
}

task<reply> session::open_drop()
{
    revocation_ = srv_.sign_in.on_revoked(user_->who, [this] { abort(); });
    auto lock = locks_.take(user_->account);
    if (!lock) {
        figures_.in_use.add();
        end();
        co_return reply::refused("[IN-USE] another session has this maildrop");  // RFC 2449 §8.1.2
    }
    auto const policy = co_await srv_.policies.of(user_->account);
    if (!policy) co_return cannot_open(policy.error());
    auto opened = co_await maildrop::open(srv_.accounts.open(user_->account, user_->who), std::move(lock), *policy);
    if (!opened && opened.error().what == fault::kind::refused && opened.error().detail == "login_delay") {
        figures_.too_early.add();
        end();
        co_return reply::refused("[LOGIN-DELAY] the last sign-in was less than " + std::to_string(policy->login_delay) + " seconds ago");  // RFC 2449 §8.1.1
    }
    if (!opened) co_return cannot_open(opened.error());
    drop_ = std::move(*opened);
    phase_ = phase::transaction;
    counted_ = true;
    figures_.signed_in.add(1);
    co_return reply::ok(std::to_string(drop_->size()) + " messages");
}

reply session::cannot_open(fault const& why)
{
    srv_.log.error("pop3_maildrop", {{"session", id_}, {"account", user_->address}, {"fault", why}});
    end();
    // RFC 3206 §4: damage does not go away by itself; what does is worth another try.
    if (why.what == fault::kind::broken) return reply::refused("[SYS/PERM] the maildrop cannot be opened");
    return reply::refused("[SYS/TEMP] the maildrop cannot be opened now");
}

task<void> session::release_drop()
{
    if (!drop_) co_return;
    auto const noted = co_await drop_->note_fetched();
    if (!noted) srv_.log.error("pop3_fetch_dates", {{"session", id_}, {"account", user_->address}, {"fault", noted.error()}});
    drop_.reset();
}

}  // namespace mansio::pop3
