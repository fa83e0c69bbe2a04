// One IMAP connection: its state, and the loop that reads a command, looks it up and answers.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "imap/capability.hpp"
#include "imap/figures.hpp"
#include "imap/metadata_watch.hpp"
#include "imap/names.hpp"
#include "imap/notify.hpp"
#include "imap/reader.hpp"
#include "imap/reply.hpp"
#include "imap/selected.hpp"
#include "imap/services.hpp"
#include "net/shard.hpp"
#include "net/stream.hpp"

namespace mansio::imap {

namespace commands {
struct command;
}

enum class phase : std::uint8_t { greeted, signed_in, selected, over };

/// A session between two shards: what goes along with the connection after sign-in (docs/architecture.md, "Threads").
struct carried_session {
    auth::signed_in user;
    std::string id;   ///< for the log
    std::string tag;  ///< of the command that signed in, which is answered where the account lives
    bool rev2 = false, utf8 = false;
};

/// What a session begins with.
struct session_start {
    net::buffered_stream::parts connection;
    std::unique_ptr<net::connection_table::ticket> held;
    bool implicit_tls = false;
    std::optional<carried_session> carried;  ///< signed in on another shard: no greeting
};

/// How a session ended.
enum class session_end : std::uint8_t { closed, moves };

/// Commands work on this. At rest it holds no buffer and no command's objects: some hundred octets and the stream.
/// Threads: its shard's executor. Lifetime: longer than run().
class session {
public:
    /// `home`: where it runs.
    session(services const& srv, figures& f, base::executor& home, session_start start);
    ~session();
    session(session const&) = delete;
    session& operator=(session const&) = delete;

    /// The whole conversation. `moves`: signed in, the account's owner is another executor; take(), and go on there.
    [[nodiscard]] task<session_end> run();
    /// After run() said `moves`.
    [[nodiscard]] session_start take();
    /// Where the account lives; after sign-in.
    [[nodiscard]] base::executor& owner() const;

    /// Ends it between commands with BYE; on the session's executor.
    void ask_to_stop() noexcept;
    /// Ends it at once.
    void abort() noexcept;

    // For commands:
    [[nodiscard]] services const& srv() const noexcept { return srv_; }
    [[nodiscard]] figures& counts() const noexcept { return figures_; }
    [[nodiscard]] base::limits const& limits() const noexcept { return srv_.limits; }
    [[nodiscard]] net::buffered_stream& peer() noexcept { return peer_; }
    [[nodiscard]] phase now() const noexcept { return phase_; }
    [[nodiscard]] bool rev2() const noexcept { return rev2_; }
    [[nodiscard]] bool utf8() const noexcept { return utf8_; }
    [[nodiscard]] bool secure() const noexcept { return peer_.raw().tls() != nullptr; }
    /// W6: names and secrets are taken only under TLS, or from this machine when the demo says so.
    [[nodiscard]] bool may_sign_in() const noexcept
    {
        return secure() || (srv_.options.cleartext_sign_in && (peer_.raw().local() || peer_.raw().peer().address.is_loopback()));
    }
    [[nodiscard]] name_form names() const noexcept { return rev2_ || utf8_ ? name_form::utf8 : name_form::utf7; }
    /// The person's own account. A mailbox may be another person's: find_mailbox() and place_of() (commands/mailbox_argument.hpp) say whose, and
    /// of the one that is open selected()->account.
    [[nodiscard]] store::account_ref const& own_account() const noexcept { return account_; }
    /// Another person's, as this one may use it.
    [[nodiscard]] store::account_ref account_of(store::account_number n) const;
    [[nodiscard]] auth::source source() const;
    [[nodiscard]] std::string const& id() const noexcept { return id_; }
    [[nodiscard]] selected_mailbox* selected() const noexcept { return selected_.get(); }
    [[nodiscard]] base::monotonic_time write_by() const noexcept { return srv_.clock.monotonic() + base::limits::seconds(srv_.limits.imap_write_wait); }
    [[nodiscard]] command_timing timing() const noexcept;
    [[nodiscard]] command_bounds bounds() const noexcept;

    /// False: nobody waits for the answer any more, the client is gone or its sign-in was revoked. Long work asks between its slices.
    [[nodiscard]] bool wanted() { return !revoked_ && peer_.still_there(); }
    /// Queues octets for the client; waits only when much is queued.
    [[nodiscard]] task<result<void>> send(std::string_view octets);
    /// Queues a short line without waiting: "* " + text + CRLF.
    void untagged(std::string_view text);
    [[nodiscard]] std::string capabilities() const;
    /// What is switched on for this server and, after sign-in, for this account.
    [[nodiscard]] extension_set const& on() const noexcept { return on_; }
    [[nodiscard]] bool offers(extension e) const noexcept { return on_.has(e) && !(compressed_ && e == extension::unauthenticate); }

    void signed_in(auth::signed_in user);
    /// Counts a failure; closes when there were too many.
    void sign_in_failed();
    /// The answer to a sign-in, made where the account lives: only there it is known what is switched off for it. Elsewhere: none.
    [[nodiscard]] task<reply> sign_in_accepted();
    void enable(bool rev2, bool utf8) noexcept;
    /// The client wants mod-sequences from now on (RFC 7162 §3.1); the mailbox it has open tells its highest.
    void enable_condstore();
    [[nodiscard]] bool condstore() const noexcept { return condstore_; }
    /// VANISHED instead of EXPUNGE from now on, and SELECT (QRESYNC …) (RFC 7162 §3.2.3); mod-sequences with it.
    void enable_qresync();
    [[nodiscard]] bool qresync() const noexcept { return qresync_; }
    void select(std::unique_ptr<selected_mailbox> m);
    void unselect() noexcept;
    /// Before sign-in again, nothing left of who was here (RFC 8437 §3).
    void sign_out() noexcept;
    /// Compression is on (RFC 4978): signing out is no longer offered, for where the client's compressed octets would end cannot be told for sure.
    void compressed() noexcept { compressed_ = true; }
    [[nodiscard]] bool is_compressed() const noexcept { return compressed_; }
    /// Everything said before TLS is forgotten (trust.md W4).
    void forget() noexcept;
    /// The conversation ends once what is queued is sent; `bye`: told so first, empty: silently.
    void close(std::string_view bye = {});
    /// IDLE: `tag` waits for DONE.
    void begin_idle(std::string tag, store::subscription watch);
    void woken() noexcept;

    /// NOTIFY: from now on told so.
    [[nodiscard]] task<result<void>> notify(std::unique_ptr<notifier> n);
    /// ENABLE METADATA: told of all entries that others change (RFC 5464 §4.1).
    [[nodiscard]] task<result<void>> enable_metadata();
    [[nodiscard]] bool hears_metadata() const noexcept { return metadata_; }
    /// What this session's own changes of entries are known by; never 0. No two sessions that live at the same time have the same.
    [[nodiscard]] std::uint64_t author() const noexcept { return reinterpret_cast<std::uintptr_t>(this); }
    [[nodiscard]] notifier const* notifying() const noexcept { return notifier_.get(); }

    /// Tells the client what happened in the selected mailbox. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> sync(bool may_expunge);

private:
    [[nodiscard]] task<result<void>> begin();
    [[nodiscard]] task<void> converse();
    [[nodiscard]] bool moving() const;
    [[nodiscard]] task<void> serve_one();
    [[nodiscard]] task<void> answer(raw_command& c);
    [[nodiscard]] task<void> end_idle();
    /// Woken while nothing was said: IDLE, NOTIFY. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> tell_unasked();
    /// After a command. `removed`: it took messages away.
    [[nodiscard]] task<result<void>> tell_after(bool may_expunge, bool removed);
    /// Entries that others changed, when the client wants to hear of them. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> tell_metadata();
    [[nodiscard]] task<void> leave();
    void finish_command(std::string_view tag, reply const& r);
    void cannot_read(std::string_view tag, commands::command const& what, fault const& why);
    void lost_place(fault const& f);
    void strike();
    void cut() noexcept;
    [[nodiscard]] base::monotonic_time wait_until() const noexcept;

    services const& srv_;
    figures& figures_;
    base::executor& home_;
    net::buffered_stream peer_;
    std::unique_ptr<net::connection_table::ticket> held_;
    std::string id_;
    std::string sign_in_tag_;  ///< between two shards: a sign-in still to be answered
    phase phase_ = phase::greeted;
    bool implicit_tls_ = false, carried_ = false, rev2_ = false, utf8_ = false, condstore_ = false, qresync_ = false, compressed_ = false, metadata_ = false;
    bool stopping_ = false, revoked_ = false, busy_ = false, counted_ = false;
    bool fresh_ = true;  // nothing was read yet, in clear or since TLS began
    unsigned strikes_ = 0, failures_ = 0;
    extension_set on_ = extension_set::all();
    std::unique_ptr<auth::signed_in> user_;
    store::account_ref account_;
    std::shared_ptr<void> revocation_;
    std::unique_ptr<selected_mailbox> selected_;
    struct idling {
        std::string tag;
        store::subscription watch;
    };
    std::unique_ptr<idling> idle_;
    std::unique_ptr<notifier> notifier_;
    std::unique_ptr<metadata_watch> metadata_watch_;
};

}  // namespace mansio::imap
