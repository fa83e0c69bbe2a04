// One POP3 conversation: a line, its command, its reply.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/shard.hpp"
#include "pop3/language.hpp"
#include "pop3/maildrop.hpp"
#include "pop3/services.hpp"

namespace mansio::pop3 {

/// The states of RFC 1939 §3; UPDATE happens inside QUIT.
enum class phase : std::uint8_t { authorization, transaction, over };

/// Counters of all sessions.
struct figures {
    explicit figures(base::metrics& m);
    base::gauge &sessions, &signed_in;
    base::counter &lines_too_long, &timeouts, &strikes_out, &moved, &retrieved, &deleted, &in_use, &too_early;
};

/// What a command answers.
struct reply {
    enum class kind : std::uint8_t {
        ok,
        refused,  ///< -ERR
        bad,      ///< -ERR, and a strike: no such command, bad arguments, the wrong state
        none,     ///< sent already, or nobody is left to hear it
    };
    kind what = kind::none;
    std::string text;
    [[nodiscard]] static reply ok(std::string text) { return make(kind::ok, std::move(text)); }
    [[nodiscard]] static reply refused(std::string text) { return make(kind::refused, std::move(text)); }
    [[nodiscard]] static reply bad(std::string text) { return make(kind::bad, std::move(text)); }

private:
    static reply make(kind k, std::string t)
    {
        reply r;
        r.what = k;
        r.text = std::move(t);
        return r;
    }
};

/// What a conversation begins with: a fresh connection, or one that came from another shard with its user.
struct session_start {
    net::buffered_stream::parts connection;
    std::unique_ptr<net::connection_table::ticket> held;
    bool implicit_tls = false;
    std::optional<auth::signed_in> user;
    std::string id;  ///< of a moved one
    bool utf8 = false;
    language speaks = language::english;
};
enum class session_end : std::uint8_t { closed, moves };

/// Threads: its executor. Lifetime: run() has returned before it goes.
class session {
public:
    session(services const& srv, maildrop_locks& locks, figures& f, base::executor& home, session_start start);
    ~session();
    session(session const&) = delete;
    session& operator=(session const&) = delete;

    [[nodiscard]] task<session_end> run();
    /// After `moves`: what the owner's shard goes on with, and where that is.
    [[nodiscard]] session_start take();
    [[nodiscard]] base::executor& owner() const;
    /// Ends it between two commands.
    void ask_to_stop();
    void abort() { peer_.raw().abort(); }

    // For commands.
    [[nodiscard]] services const& srv() const noexcept { return srv_; }
    [[nodiscard]] figures& counts() noexcept { return figures_; }
    [[nodiscard]] std::string const& id() const noexcept { return id_; }
    [[nodiscard]] pop3::phase phase() const noexcept { return phase_; }
    [[nodiscard]] net::buffered_stream& peer() noexcept { return peer_; }
    [[nodiscard]] bool secure() const noexcept { return peer_.raw().tls() != nullptr; }
    [[nodiscard]] bool may_sign_in() const noexcept
    {
        return secure() || (srv_.options.cleartext_sign_in && (peer_.raw().local() || peer_.raw().peer().address.is_loopback()));
    }
    [[nodiscard]] pop3::maildrop& drop() noexcept { return *drop_; }
    /// Writes what the maildrop still has to note, then frees it for others.
    [[nodiscard]] task<void> release_drop();
    /// UTF8 was said (RFC 6856 §2.1).
    [[nodiscard]] bool utf8() const noexcept { return utf8_; }
    void begin_utf8() noexcept { utf8_ = true; }
    [[nodiscard]] language speaks() const noexcept { return speaks_; }
    void speak(language l) noexcept { speaks_ = l; }
    [[nodiscard]] std::optional<std::string>& user_name() noexcept { return user_name_; }
    [[nodiscard]] base::monotonic_time read_by() const noexcept { return srv_.clock.monotonic() + base::limits::seconds(srv_.limits.pop3_wait); }
    [[nodiscard]] base::monotonic_time write_by() const noexcept { return srv_.clock.monotonic() + base::limits::seconds(srv_.limits.imap_write_wait); }
    /// "+OK TEXT" with its line end, in the session's language: the first line of a long reply.
    [[nodiscard]] std::string ok_line(std::string_view text) const { return "+OK " + in_language(speaks_, text) + "\r\n"; }
    /// Part of a long reply. False: nobody reads any more, and the conversation is over.
    [[nodiscard]] task<bool> send(std::string_view octets);
    /// Checks a name and a secret. On success the reply is that of the open maildrop, or, when the session moves, none yet.
    [[nodiscard]] task<reply> sign_in(std::string user, std::string secret);
    /// After STLS (RFC 2595 §4): nothing said in clear counts.
    void forget() noexcept;
    /// The command was the last one; its reply is still sent.
    void end() noexcept { phase_ = phase::over; }

private:
    [[nodiscard]] task<result<void>> begin();
    [[nodiscard]] task<void> converse();
    [[nodiscard]] task<void> serve_one(base::monotonic_time deadline);
    [[nodiscard]] task<bool> first_octet_fits(base::monotonic_time deadline);
    [[nodiscard]] task<reply> dispatch(std::string line);
    [[nodiscard]] task<reply> open_drop();
    [[nodiscard]] reply cannot_open(fault const& why);
    [[nodiscard]] bool moving() const;
    [[nodiscard]] auth::source source() const;
    void answer(reply const& r);
    void close(std::string_view why);

    services const& srv_;
    maildrop_locks& locks_;
    figures& figures_;
    base::executor& home_;
    net::buffered_stream peer_;
    std::unique_ptr<net::connection_table::ticket> held_;
    std::string id_;
    std::optional<auth::signed_in> user_;
    std::optional<std::string> user_name_;  // USER's, until PASS
    std::unique_ptr<pop3::maildrop> drop_;
    std::shared_ptr<void> revocation_;
    pop3::phase phase_ = phase::authorization;
    std::uint64_t strikes_ = 0, failures_ = 0;
    language speaks_ = language::english;
    bool utf8_ = false, implicit_tls_ = false, carried_ = false, fresh_ = true, stopping_ = false, counted_ = false;
};

}  // namespace mansio::pop3
