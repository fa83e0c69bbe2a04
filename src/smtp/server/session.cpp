// The conversation's loop: read a line, look it up, answer. What a verb does is in its own file.
#include "smtp/server/session.hpp"

#include <algorithm>

#include "base/ids.hpp"
#include "smtp/server/extensions.hpp"

namespace mansio::smtp {
namespace {

using wire::verb;

constexpr unsigned idle_commands_allowed = 100;

// Doors a verb may be said at.
constexpr unsigned smtp_doors = 1U << static_cast<unsigned>(accept::door::mx) | 1U << static_cast<unsigned>(accept::door::submission);
constexpr unsigned submission_door = 1U << static_cast<unsigned>(accept::door::submission);
constexpr unsigned lmtp_door = 1U << static_cast<unsigned>(accept::door::lmtp);
constexpr unsigned all_doors = smtp_doors | lmtp_door;

enum class phase : std::uint8_t {
    any,
    greeted,      ///< after HELO, EHLO, LHLO
    between,      ///< greeted, and no mail transaction open
    transaction,  ///< after MAIL
};

struct verb_rule {
    verb what;
    unsigned doors;
    phase legal;
    bool idle;  ///< brings no message forward: many of them are a nuisance
    task<reply> (*run)(session&, std::string_view);
};
constexpr std::array rules{
    verb_rule{verb::helo, smtp_doors, phase::any, true, &commands::hello},
    verb_rule{verb::ehlo, smtp_doors, phase::any, true, &commands::ehlo},
    verb_rule{verb::lhlo, lmtp_door, phase::any, true, &commands::ehlo},
    verb_rule{verb::mail, all_doors, phase::between, false, &commands::mail},
    verb_rule{verb::rcpt, all_doors, phase::transaction, false, &commands::rcpt},
    verb_rule{verb::data, all_doors, phase::transaction, false, &commands::data},
    verb_rule{verb::bdat, all_doors, phase::any, false, &commands::bdat},  // its octets must be read whatever the phase
    verb_rule{verb::rset, all_doors, phase::any, true, &commands::rset},
    verb_rule{verb::noop, all_doors, phase::any, true, &commands::noop},
    verb_rule{verb::quit, all_doors, phase::any, false, &commands::quit},
    verb_rule{verb::vrfy, all_doors, phase::any, true, &commands::vrfy},
    verb_rule{verb::expn, all_doors, phase::any, true, &commands::expn},
    verb_rule{verb::help, all_doors, phase::any, true, &commands::help},
    verb_rule{verb::starttls, all_doors, phase::any, false, &commands::starttls},
    verb_rule{verb::auth, submission_door, phase::between, false, &commands::auth},
    verb_rule{verb::xclient, all_doors, phase::any, false, &commands::xclient},
};
constexpr bool in_verb_order()
{
    for (std::size_t i = 0; i < rules.size(); ++i)
        if (static_cast<std::size_t>(rules[i].what) != i) return false;
    return true;
}
static_assert(in_verb_order(), "dispatch() indexes by verb");

reply foreign(session& s)
{
    s.house.with.acceptance.distrust(s.who, 5);
    return reply{521, "5.5.1", "this is a mail server"}.and_hang_up();
}

task<reply> dispatch(session& s, net::buffered_stream::line const& line)
{
    auto const c = wire::parse_command(line.text);
    s.house.commands[static_cast<std::size_t>(c.what)]->add();
    if (c.what == verb::foreign) co_return foreign(s);  // trust.md W7: another protocol's browser or scanner
    // A bare LF is no line end (RFC 5321 §2.3.8): what is taken for two commands here must not be one elsewhere.
    if (line.end == net::buffered_stream::line_end::lf && !s.who.mends_line_ends()) co_return reply{500, "5.5.2", "lines end with CRLF"};
    if (line.text.size() + 2 > s.limits().smtp_command_line && c.what != verb::auth) co_return reply{500, "5.5.2", "line too long"};
    if (wire::has_control(line.text)) co_return reply{501, "5.5.2", "the command has octets that are not allowed"};
    if (c.what == verb::unknown) co_return reply{500, "5.5.1", "command not recognised"};
    auto const& rule = rules[static_cast<std::size_t>(c.what)];
    if ((rule.doors & 1U << static_cast<unsigned>(s.how.through)) == 0) co_return reply{500, "5.5.1", "command not available here"};
    if (rule.legal != phase::any && !s.greeted) co_return reply{503, "5.5.1", s.lmtp() ? "say LHLO first" : "say EHLO first"};
    if (rule.legal == phase::between && s.mail.begun) co_return reply{503, "5.5.1", "a mail transaction is open"};
    if (rule.legal == phase::transaction && !s.mail.begun) co_return reply{503, "5.5.1", "say MAIL first"};
    if (rule.idle && ++s.idle_commands > idle_commands_allowed) ++s.struck;
    co_return co_await rule.run(s, c.args);
}

/// The next command. Replies go out when nothing more is buffered (RFC 2920 §3.2).
task<result<net::buffered_stream::line>> next_line(session& s)
{
    auto const deadline = s.in(s.limits().smtp_command_wait);
    if (!s.io.has_line()) {
        auto const flushed = co_await s.io.flush(deadline);
        if (!flushed) co_return fail(flushed);
        if (s.house.stopping) co_return fail(fault::kind::try_later, "stopping");
        auto const ready = co_await s.io.wait_readable(deadline);
        if (!ready) co_return fail(ready);
        if (*ready == net::readiness::interrupted) co_return fail(fault::kind::try_later, "stopping");
        if (std::exchange(s.first_line, false)) {
            // Binary protocols have no line that would end: the first octet tells them (trust.md W7).
            auto const peeked = co_await s.io.read_chunk(1, deadline);
            if (!peeked) co_return fail(peeked);
            if (!peeked->empty() && wire::is_foreign_octet(peeked->front())) co_return fail(fault::kind::refused, "foreign");
            s.io.put_back(peeked->size());
        }
    }
    auto const longest =
        s.how.through == accept::door::submission ? std::max(s.limits().smtp_auth_line, s.limits().smtp_command_line) : s.limits().smtp_command_line;
    co_return co_await s.io.read_line(longest, deadline);
}

task<reply> answer_next(session& s)
{
    auto const line = co_await next_line(s);
    if (line) co_return co_await dispatch(s, *line);
    switch (line.error().what) {
    case fault::kind::over_limit: s.house.lines_too_long.add(); co_return reply{500, "5.5.2", "line too long"};
    case fault::kind::try_later: co_return reply{421, "4.3.2", "the server is going down, come back soon"}.and_hang_up();
    case fault::kind::refused: co_return foreign(s);
    default: co_return read_failed(s, line.error());
    }
}

/// Too many refusals: the other side is lost, or probing.
void count_strike(session& s, reply& answer)
{
    if (answer.code >= 500 && !(s.who.local && answer.code == 550)) ++s.struck;
    if (s.struck <= s.limits().smtp_strikes || answer.hang_up) return;
    s.house.strikes.add();
    s.house.with.log.info("smtp_strikes", {{"session", s.who.session}, {"peer", s.who.peer}, {"last", accept::describe(answer)}});
    answer = reply{421, "4.7.0", "too many errors"}.and_hang_up();
}

bool listed(std::vector<net::cidr> const& networks, net::ip_address const& a)
{
    return std::ranges::any_of(networks, [&](net::cidr const& c) { return c.contains(a); });
}

/// TLS at once, the stage connect, and the greeting. False: the conversation is over.
task<bool> welcome(session& s)
{
    if (s.how.implicit_tls) {
        if (s.how.tls == nullptr) co_return false;
        auto const secured = co_await s.io.start_tls_server(*s.how.tls, s.in(s.limits().tls_handshake_wait));
        if (!secured) co_return false;
        s.note_tls();
    }
    auto const admitted = co_await s.house.with.acceptance.connect(s.mail);
    if (!admitted) {
        s.put(admitted.say);
        co_return false;
    }
    if (s.how.through == accept::door::mx && !s.who.local) {
        // A client must wait for the greeting (RFC 5321 §3.1); those that do not are no mail servers.
        auto const early = co_await s.io.wait_readable(s.here.clock().monotonic() + s.house.set.greeting_delay);
        if (early || early.error().what != fault::kind::timeout) {
            if (early && *early == net::readiness::readable) s.put(foreign(s));
            co_return false;
        }
    }
    s.put({220, {}, s.house.set.hostname + (s.lmtp() ? " LMTP Mansio" : " ESMTP Mansio")});
    co_return true;
}

}  // namespace

hall::hall(services s, server_options o)
    : with(s),
      set(std::move(o)),
      timeouts(s.metrics.get_counter("mansio_smtp_timeouts_total", "SMTP and LMTP conversations that were given up for silence")),
      strikes(s.metrics.get_counter("mansio_smtp_strikes_total", "SMTP and LMTP conversations ended for too many refused commands")),
      lines_too_long(s.metrics.get_counter("mansio_smtp_line_too_long_total", "SMTP and LMTP lines over the limit")),
      transactions_max(s.metrics.get_counter("mansio_smtp_transactions_max_total", "SMTP and LMTP connections told to come back for more messages")),
      connections(s.metrics.get_gauge("mansio_smtp_connections", "SMTP and LMTP connections open"))
{
    for (std::size_t i = 0; i < commands.size(); ++i)
        commands[i] =
            &s.metrics.get_counter("mansio_smtp_commands_total", "SMTP and LMTP commands", "verb=\"" + std::string{wire::name_of(static_cast<verb>(i))} + "\"");
}

session::session(hall& h, base::executor& e, net::accepted from, face f) : house(h), here(e), how(f), held(std::move(from.held)), io(std::move(from.connection))
{
    auto const& peer = io.raw().peer();
    who.through = f.through;
    who.session = base::make_session_id(h.with.random);
    who.local = io.raw().local();
    who.greeting = "unknown";
    comes_from(peer.address);
    may_xclient = listed(h.set.xclient_from, peer.address);
    mail.from = &who;
}

void session::comes_from(net::ip_address const& a)
{
    who.peer = a.text();
    who.peer_literal = a.literal();
    who.peer_prefix = a.peer_prefix();
    who.normalise = listed(house.set.normalise_from, a);
    may_raise_priority = listed(house.set.priority_from, a);
}

wire::extension_set session::offered() const
{
    // After HELO nothing is offered (RFC 5321 §4.1.1.1).
    if (!who.extended) return {};
    circumstances c;
    c.through = how.through;
    c.tls_possible = how.tls != nullptr;
    c.tls_in_force = !who.tls.empty();
    c.may_sign_in = secure() && !who.signed_in();
    c.may_xclient = may_xclient;
    c.off = house.set.off;
    return smtp::offered(c);
}

bool session::secure() const noexcept { return !who.tls.empty() || who.local || (house.set.cleartext_sign_in && io.raw().peer().address.is_loopback()); }

void session::note_tls()
{
    auto const* facts = io.raw().tls();
    if (facts != nullptr) who.tls = facts->version + " with " + facts->cipher;
}

void session::reset()
{
    chunks.reset();
    pace.reset();
    accept::pipeline::reset(mail);
}

slow_peer::slow_peer(session& s) : clock_(s.here.clock()), patience_(base::limits::seconds(s.limits().smtp_data_wait)), began_(clock_.monotonic()) {}

bool slow_peer::too_slow(std::uint64_t octets_so_far) const noexcept
{
    constexpr double least_octets_per_second = 50;
    auto const taken = clock_.monotonic() - began_;
    return taken > patience_ && static_cast<double>(octets_so_far) < least_octets_per_second * std::chrono::duration<double>(taken).count();
}

reply read_failed(session& s, fault const& f)
{
    if (f.what != fault::kind::timeout) return silence();
    s.house.timeouts.add();
    s.house.with.log.info("smtp_timeout", {{"session", s.who.session}, {"peer", s.who.peer}, {"message", s.mail.id}});
    return reply{421, "4.4.2", "you took too long"}.and_hang_up();
}

reply last_of(session& s, std::vector<reply> replies)
{
    MANSIO_ASSERT(!replies.empty());
    for (std::size_t i = 0; i + 1 < replies.size(); ++i) s.put(replies[i]);
    return std::move(replies.back());
}

void judge_line_ends(session& s, wire::data_decoder const& d)
{
    // Where every octet stands for itself there is no line end to be wrong (RFC 3030 §3).
    if (!s.mail.wishes.binary && !s.who.mends_line_ends() && (d.bare_cr() || d.bare_lf()))
        s.mail.incoming->refuse({550, "5.5.2", "the message has line ends that are not CRLF"});
}

task<reply> finish_message(session& s)
{
    auto const done = co_await s.house.with.acceptance.finish(s.mail);
    std::vector<reply> said;
    if (done)
        said = std::move(s.mail.outcomes);
    else
        said.assign(s.lmtp() ? s.mail.recipients.size() : 1, done.say);
    if (std::ranges::any_of(said, &reply::positive)) {
        ++s.transactions;
        s.struck = 0;
        s.idle_commands = 0;
    }
    auto last = last_of(s, std::move(said));
    s.reset();
    co_return last;
}

task<void> converse(session& s)
{
    bool open = co_await welcome(s);
    while (open) {
        auto answer = co_await answer_next(s);
        count_strike(s, answer);
        if (answer.code != 0) s.put(answer);
        open = !answer.hang_up;
        // Replies nobody reads are not piled up (trust.md I15).
        if (open && s.io.queued() > 65536U) {
            auto const flushed = co_await s.io.flush(s.in(s.limits().smtp_command_wait));
            open = flushed.has_value();
        }
    }
    s.revocation.reset();
    co_await s.io.finish(s.in(5));
}

}  // namespace mansio::smtp
