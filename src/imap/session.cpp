#include "imap/session.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "imap/commands/table.hpp"

namespace mansio::imap {
namespace {

constexpr std::size_t queue_without_waiting = 64U * 1024U;
constexpr std::size_t longest_tag = 256;

/// The first line of another protocol: a browser made to speak to us, a scanner, a mail server at the wrong door (trust.md W7, T2).
bool is_foreign(std::string_view line) noexcept
{
    for (std::string_view const verb :
         {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI ", "SSH-", "EHLO ", "HELO ", "LHLO "})
        if (base::starts_with_ignoring_case(line, verb)) return true;
    return false;
}

}  // namespace

session::session(services const& srv, figures& f, base::executor& home, session_start start)
    : srv_(srv),
      figures_(f),
      home_(home),
      peer_(std::move(start.connection)),
      held_(std::move(start.held)),
      implicit_tls_(start.implicit_tls)
{
    figures_.sessions.add(1);
    on_.remove(srv.options.off);
    if (srv.people == nullptr) on_.remove(needs_people());
    if (!start.carried) {
        id_ = base::make_session_id(srv_.random);
        return;
    }
    carried_ = true;
    fresh_ = false;
    id_ = std::move(start.carried->id);
    sign_in_tag_ = std::move(start.carried->tag);
    rev2_ = start.carried->rev2;
    utf8_ = start.carried->utf8;
    user_ = std::make_unique<auth::signed_in>(std::move(start.carried->user));
}

session::~session()
{
    figures_.sessions.add(-1);
    if (counted_) figures_.signed_in.add(-1);
}

store::account_ref session::account_of(store::account_number n) const { return srv_.accounts.open(n, user_->who); }
base::executor& session::owner() const { return srv_.accounts.owner_of(user_->account); }
bool session::moving() const { return user_ != nullptr && &owner() != &home_; }

command_timing session::timing() const noexcept { return {srv_.clock, wait_until(), base::limits::seconds(srv_.limits.imap_write_wait)}; }
command_bounds session::bounds() const noexcept
{
    auto b = phase_ == phase::greeted ? command_bounds::before_login(srv_.limits) : command_bounds::after_login(srv_.limits);
    constexpr std::uint64_t small = 4096;  // RFC 7888 §5
    if (!offers(extension::literal_plus)) b.unasked = offers(extension::literal_minus) ? small : 0;
    return b;
}
base::monotonic_time session::wait_until() const noexcept
{
    auto const seconds = phase_ == phase::greeted ? srv_.limits.imap_wait_before_login : srv_.limits.imap_wait;
    return srv_.clock.monotonic() + base::limits::seconds(seconds);
}

auth::source session::source() const
{
    auto const& raw = peer_.raw();
    auth::source from;
    from.door = auth::protocol::imap;
    from.peer = raw.peer().address.text();
    from.peer_prefix = raw.peer().address.peer_prefix();
    from.session = id_;
    from.secure = secure() || raw.local();
    return from;
}

task<session_end> session::run()
{
    auto const begun = co_await begin();
    if (begun) co_await converse();
    if (phase_ != phase::over && begun && moving()) {
        auto const flushed = co_await peer_.flush(write_by());
        if (flushed) co_return session_end::moves;
    }
    co_await leave();
    co_return session_end::closed;
}

session_start session::take()
{
    session_start on;
    on.connection = std::move(peer_).take();
    on.held = std::move(held_);
    on.carried.emplace();
    on.carried->user = std::move(*user_);
    on.carried->id = id_;
    on.carried->tag = std::move(sign_in_tag_);
    on.carried->rev2 = rev2_;
    on.carried->utf8 = utf8_;
    return on;
}

task<result<void>> session::begin()
{
    if (carried_) {
        auto user = std::move(*user_);
        signed_in(std::move(user));
        finish_command(std::exchange(sign_in_tag_, {}), co_await sign_in_accepted());
        co_return result<void>{};
    }
    if (implicit_tls_) {
        if (srv_.tls == nullptr) co_return fail(fault::kind::refused, "no TLS here");
        auto const done = co_await peer_.start_tls_server(*srv_.tls, srv_.clock.monotonic() + base::limits::seconds(srv_.limits.tls_handshake_wait));
        if (!done) co_return fail(done);
    }
    untagged("OK [CAPABILITY " + capabilities() + "] " + srv_.options.hostname + " Mansio ready");
    co_return result<void>{};
}

task<void> session::converse()
{
    auto deadline = wait_until();
    while (phase_ != phase::over && !moving()) {
        if (revoked_) co_return close("this sign-in was revoked");
        if (stopping_) co_return close("the server is going down, come back soon");
        if (peer_.queued() != 0 && !peer_.has_line()) {  // answers to pipelined commands leave together
            auto const sent = co_await peer_.flush(write_by());
            if (!sent) phase_ = phase::over;
            if (!sent) co_return;
        }
        auto const ready = co_await peer_.wait_readable(deadline);
        if (!ready && ready.error().what == fault::kind::timeout) {
            figures_.timeouts.add();
            co_return close(phase_ == phase::greeted ? "too slow to sign in" : "nothing said for too long");
        }
        if (!ready) phase_ = phase::over;
        if (!ready) co_return;
        busy_ = true;
        if (*ready == net::readiness::interrupted) {
            auto const told = co_await tell_unasked();
            if (!told) phase_ = phase::over;
        } else {
            if (idle_)
                co_await end_idle();
            else
                co_await serve_one();
            deadline = wait_until();
        }
        busy_ = false;
    }
}

task<void> session::leave()
{
    idle_.reset();
    co_await peer_.finish(write_by());
    srv_.log.debug("imap_closed", {{"session", id_}});
}

task<void> session::serve_one()
{
    std::string first;
    if (fresh_) {
        // One octet tells a TLS hello, an SSH banner or noise from a tag; nothing else of it is read or answered (trust.md W7).
        auto const octet = co_await peer_.read_chunk(1, wait_until());
        if (!octet || octet->empty() || octet->front() <= ' ' || octet->front() > '~') {
            phase_ = phase::over;
            co_return;
        }
        first = *octet;
        fresh_ = false;
    }
    auto command = co_await read_command(peer_, std::move(first), bounds(), timing());
    if (!command) co_return lost_place(command.error());
    co_await answer(*command);
}

void session::lost_place(fault const& f)
{
    if (f.what == fault::kind::timeout) {
        figures_.timeouts.add();
        return close("too slow");
    }
    if (f.what != fault::kind::over_limit && f.what != fault::kind::syntax) {
        phase_ = phase::over;
        return;
    }
    (f.detail == "literal" ? figures_.literals_refused : figures_.lines_too_long).add();
    close(f.say);
}

task<void> session::answer(raw_command& c)
{
    if (phase_ == phase::greeted && is_foreign(c.text)) {
        phase_ = phase::over;  // without a word: nothing of it is echoed
        co_return;
    }
    wire::scanner in{c.text, static_cast<unsigned>(srv_.limits.imap_list_depth)};
    auto const tag = in.tag();
    if (!tag || tag->size() > longest_tag || !in.take(' ')) {
        untagged("BAD a command begins with a tag and a space");
        co_return strike();
    }
    auto name = in.atom();
    bool const by_uid = name && base::equal_ignoring_case(*name, "UID") && in.take(' ');
    std::string full;
    if (by_uid) {
        name = in.atom();
        if (name) full = "UID " + std::string{*name};
    }
    auto const* const what = name ? commands::find(by_uid ? std::string_view{full} : *name) : nullptr;
    // A switched-off command is not there.
    if (what == nullptr || !offers(what->part_of)) co_return finish_command(*tag, {reply::kind::bad, "there is no such command"});
    figures_.commands[static_cast<std::size_t>(what - commands::all().data())]->add();
    if (c.refusal) {
        figures_.literals_refused.add();
        // A value too long even to be read has the answer of one too long to be kept (RFC 5464 §4.3).
        if (what->name == "SETMETADATA" && c.refusal->say.starts_with("[TOOBIG] the literal is too long") && c.refusal->what == fault::kind::over_limit)
            c.refusal->say = "[METADATA MAXSIZE " + std::to_string(srv_.limits.metadata_value) + "] the value is too long";
        co_return finish_command(*tag, reply_to(*c.refusal));
    }
    using commands::when;
    if (what->legal == when::greeted && phase_ != phase::greeted) co_return finish_command(*tag, {reply::kind::bad, "already signed in"});
    if ((what->legal == when::signed_in || what->legal == when::selected) && phase_ == phase::greeted)
        co_return finish_command(*tag, {reply::kind::bad, "sign in first"});
    if (what->legal == when::selected && phase_ != phase::selected) co_return finish_command(*tag, {reply::kind::bad, "select a mailbox first"});
    if (selected_ && what->shift != commands::numbers::untouched && !selected_->announced->whole()) {
        auto const whole = co_await selected_->wait_whole();
        if (!whole) co_return cannot_read(*tag, *what, whole.error());
    }
    invocation call{*this, in, *tag, by_uid, c.message};
    auto done = co_await what->run(call);
    if (!done && ends_conversation(done.error())) {
        phase_ = phase::over;
        co_return;
    }
    if (!done && done.error().what == fault::kind::broken)
        srv_.log.error("imap_command_failed", {{"session", id_}, {"command", what->name}, {"fault", done.error()}});
    if (selected_ && what->shift != commands::numbers::untouched) {
        auto const told = co_await tell_after(what->shift == commands::numbers::may_shift && !(done && done->numbers_used), done && done->tells_modseq);
        if (!told) {
            phase_ = phase::over;
            co_return;
        }
    }
    if (notifier_) {
        auto const followed = co_await notifier_->follow();
        if (!followed) co_return lost_place(followed.error());
    }
    auto const heard = co_await tell_metadata();
    if (!heard) co_return lost_place(heard.error());
    if (done && done->tells_modseq && qresync_ && selected_)
        done->text = "[HIGHESTMODSEQ " + std::to_string(selected_->announced->highest_modseq()) + "] " + done->text;
    if (moving())
        sign_in_tag_ = *tag;
    else if (done)
        finish_command(*tag, *done);
    else
        finish_command(*tag, reply_to(done.error()));
}

/// The messages of a mailbox that was opened cannot be read.
void session::cannot_read(std::string_view tag, commands::command const& what, fault const& why)
{
    if (why.what == fault::kind::not_found) return close("the mailbox was deleted");
    if (why.what == fault::kind::conflict) return close(why.say);  // the client counts with a picture that cannot be had any more
    if (why.what == fault::kind::broken) srv_.log.error("imap_command_failed", {{"session", id_}, {"command", what.name}, {"fault", why}});
    finish_command(tag, reply_to(why));
}

void session::finish_command(std::string_view tag, reply const& r)
{
    if (r.what == reply::kind::none) return;
    std::string line{tag};
    line += r.what == reply::kind::ok ? " OK " : r.what == reply::kind::no ? " NO " : " BAD ";
    line += r.text;
    line += "\r\n";
    peer_.put(line);
    if (r.what == reply::kind::bad) return strike();
    strikes_ = 0;
}

void session::strike()
{
    figures_.syntax_errors.add();
    if (++strikes_ < srv_.limits.imap_strikes || phase_ == phase::over) return;
    figures_.strikes_out.add();
    close("too many bad commands");
}

task<result<void>> session::send(std::string_view octets)
{
    if (peer_.queued() + octets.size() <= queue_without_waiting) {
        peer_.put(octets);
        co_return result<void>{};
    }
    auto const sent = co_await peer_.send(octets, write_by());
    if (!sent && sent.error().what == fault::kind::timeout) figures_.timeouts.add();
    co_return sent;
}

void session::untagged(std::string_view text)
{
    peer_.put("* ");
    peer_.put(text);
    peer_.put("\r\n");
}

std::string session::capabilities() const
{
    std::string out = offers(extension::imap4rev2) ? "IMAP4rev2 IMAP4rev1" : "IMAP4rev1";
    bool const before = phase_ == phase::greeted;
    for (auto const& c : imap::capabilities()) {
        if (!offers(c.what) || c.what == extension::imap4rev2 || (before && !c.before_sign_in)) continue;
        if (c.what == extension::literal_minus && offers(extension::literal_plus)) continue;  // RFC 7888 §5: never both
        out += ' ';
        out += c.name;
        if (c.what == extension::acl) out += " RIGHTS=texk";  // RFC 4314 §2.2: the rights that RFC 2086 had not
        if (c.what == extension::appendlimit) out += "=" + std::to_string(srv_.limits.message_size);
    }
    if (!before) return out;
    if (srv_.tls != nullptr && !secure()) out += " STARTTLS";
    if (!may_sign_in()) return out + " LOGINDISABLED";  // RFC 9051 §6.2.3; trust.md W6: no AUTH= either
    for (auto const mechanism : auth::sasl_mechanisms()) out += " AUTH=" + std::string{mechanism};
    return out;
}

void session::signed_in(auth::signed_in user)
{
    user_ = std::make_unique<auth::signed_in>(std::move(user));
    if (held_) held_->signed_in();
    phase_ = phase::signed_in;
    strikes_ = 0;
    if (moving()) return;  // the rest is done where the account lives
    on_.remove(extensions_named(user_->imap_off));
    account_ = srv_.accounts.open(user_->account, user_->who);
    revocation_ = srv_.sign_in.on_revoked(user_->who, [this] { cut(); });
    srv_.accounts.expect(user_->account);
    figures_.signed_in.add(1);
    counted_ = true;
}

task<reply> session::sign_in_accepted()
{
    if (moving()) co_return reply::none();
    co_await base::yield_now{};  // what it expects of the store begins before the answer is made
    co_return reply::ok("[CAPABILITY " + capabilities() + "] signed in");
}

void session::sign_in_failed()
{
    figures_.sign_in_failures.add();
    if (++failures_ >= srv_.limits.sign_in_failures) close("too many failed sign-ins");
}

void session::enable(bool rev2, bool utf8) noexcept
{
    rev2_ = rev2_ || rev2;
    utf8_ = utf8_ || utf8;
}

void session::enable_condstore()
{
    if (std::exchange(condstore_, true) || selected_ == nullptr) return;
    untagged("OK [HIGHESTMODSEQ " + std::to_string(selected_->announced->highest_modseq()) + "] mod-sequences from now on");
}

void session::enable_qresync()
{
    qresync_ = true;
    enable_condstore();
}

void session::select(std::unique_ptr<selected_mailbox> m)
{
    selected_ = std::move(m);
    phase_ = phase::selected;
}

void session::unselect() noexcept
{
    selected_.reset();
    if (phase_ == phase::selected) phase_ = phase::signed_in;
}

void session::sign_out() noexcept
{
    unselect();
    notifier_.reset();
    metadata_watch_.reset();
    revocation_.reset();
    account_ = {};
    user_.reset();
    if (std::exchange(counted_, false)) figures_.signed_in.add(-1);
    phase_ = phase::greeted;
    rev2_ = utf8_ = condstore_ = qresync_ = metadata_ = false;
    on_ = extension_set::all();
    on_.remove(srv_.options.off);
    if (srv_.people == nullptr) on_.remove(needs_people());
}

void session::forget() noexcept
{
    rev2_ = utf8_ = false;
    strikes_ = 0;
    fresh_ = true;
}

void session::close(std::string_view bye)
{
    if (phase_ == phase::over) return;
    phase_ = phase::over;
    if (!bye.empty()) untagged("BYE " + std::string{bye});
}

void session::begin_idle(std::string tag, store::subscription watch) { idle_ = std::make_unique<idling>(std::move(tag), std::move(watch)); }
void session::woken() noexcept { peer_.raw().interrupt(); }

void session::ask_to_stop() noexcept
{
    stopping_ = true;
    peer_.raw().interrupt();
}
void session::abort() noexcept { peer_.raw().abort(); }
void session::cut() noexcept
{
    revoked_ = true;
    if (busy_)
        abort();  // it may be in the middle of a long answer: at once (trust.md §3.3, must-pass (b))
    else
        peer_.raw().interrupt();
}

// IDLE ends with a line "DONE" (RFC 9051 §6.3.13).
task<void> session::end_idle()
{
    auto const line = co_await peer_.read_line(1024, wait_until());
    if (!line) co_return lost_place(line.error());
    auto const tag = std::move(idle_->tag);
    idle_.reset();
    if (!base::equal_ignoring_case(line->text, "DONE")) co_return finish_command(tag, {reply::kind::bad, "IDLE ends with DONE"});
    auto const told = co_await tell_after(true, false);
    if (!told) {
        phase_ = phase::over;
        co_return;
    }
    finish_command(tag, reply::ok("IDLE ended"));
}

task<result<void>> session::notify(std::unique_ptr<notifier> n)
{
    notifier_ = std::move(n);
    bool const wanted = metadata_ || notifier_->wants(event::of_metadata);
    if (!wanted) metadata_watch_.reset();
    if (!wanted || metadata_watch_) co_return result<void>{};
    metadata_watch_ = std::make_unique<metadata_watch>(*this);
    co_return co_await metadata_watch_->follow();
}

task<result<void>> session::enable_metadata()
{
    metadata_ = true;
    if (!metadata_watch_) metadata_watch_ = std::make_unique<metadata_watch>(*this);
    co_return co_await metadata_watch_->follow();
}

task<result<void>> session::tell_metadata()
{
    if (!metadata_watch_ || phase_ == phase::over) co_return result<void>{};
    auto const followed = co_await metadata_watch_->follow();
    if (!followed && ends_conversation(followed.error())) co_return fail(followed);
    co_return co_await metadata_watch_->tell();
}

task<result<void>> session::tell_unasked()
{
    auto const heard = co_await tell_metadata();
    if (!heard) co_return fail(heard);
    if (notifier_) {
        auto const told = co_await notifier_->tell();
        if (!told) co_return fail(told);
        // RFC 5465 §6.1: SELECTED-DELAYED holds EXPUNGE back until a command, IDLE among them, lets it through.
        if (notifier_->selected_events() != 0) co_return co_await sync(notifier_->immediate() || idle_ != nullptr);
        co_return result<void>{};
    }
    if (idle_) co_return co_await sync(true);
    co_return result<void>{};
}

task<result<void>> session::tell_after(bool may_expunge, bool removed)
{
    // NOTIFY without SELECTED: nothing of this mailbox is told but what the command itself took away (RFC 5465 §3.1).
    if (notifier_ && notifier_->selected_events() == 0 && !removed) co_return result<void>{};
    co_return co_await sync(may_expunge);
}

task<result<void>> session::sync(bool may_expunge)
{
    if (!selected_) co_return result<void>{};
    if (auto const whole = co_await selected_->wait_whole(); !whole) {
        if (whole.error().what == fault::kind::not_found) close("the mailbox was deleted");
        co_return result<void>{};  // the next command says why
    }
    auto const latest = co_await selected_->account.view(selected_->info.id);
    if (latest) co_return co_await announce(*this, *latest, may_expunge);
    if (latest.error().what == fault::kind::not_found) close("the mailbox was deleted");
    co_return result<void>{};  // not now: the next command tells
}

}  // namespace mansio::imap
