// MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3), and those of their parameters that want more than a grammar.
#include <chrono>

#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {
namespace {

/// FUTURERELEASE: the time from now. RFC 4865 §4.2: more than is advertised, or a time that has passed, is 501 5.5.4.
std::optional<reply> set_hold(session& s, wire::mail_args& m)
{
    if (!m.hold_for && !m.hold_until) return std::nullopt;
    auto const now = std::chrono::duration_cast<std::chrono::seconds>(s.here.clock().wall().time_since_epoch()).count();
    auto const seconds = m.hold_for ? static_cast<std::int64_t>(*m.hold_for) : *m.hold_until - now;
    if (seconds <= 0 || seconds > static_cast<std::int64_t>(s.limits().queue_hold)) return reply{501, "5.5.4", "the message cannot be held until then"};
    m.asked.hold = std::chrono::seconds{seconds};
    // RFC 4865 §5.2.2
    if (m.asked.by.asked() && m.asked.by.within < m.asked.hold) return reply{501, "5.5.4", "the message would be held until after its time of delivery"};
    return std::nullopt;
}

/// MT-PRIORITY: anybody may lower it; above 0 it counts from people signed in, from the server before us and from listed ones (RFC 6710 §4.1).
/// True: it was changed.
bool clip_priority(session const& s, queue::requests& asked)
{
    bool const trusted = s.who.signed_in() || s.lmtp() || s.may_raise_priority;
    if (trusted || !asked.priority || *asked.priority <= 0) return false;
    asked.priority = 0;
    return true;
}

}  // namespace

task<reply> mail(session& s, std::string_view args)
{
    if (s.transactions >= s.limits().smtp_transactions) {
        s.house.transactions_max.add();
        co_return reply{421, "4.7.0", "enough messages on one connection"}.and_hang_up();
    }
    auto allowed = s.offered();
    if (s.who.extended) allowed.put(wire::extension::auth);  // AUTH= after sign-in, and from servers that send it everywhere
    auto parsed = wire::parse_mail(args, allowed);
    if (!parsed) co_return parsed.error();
    if (auto refused = set_hold(s, *parsed)) co_return std::move(*refused);
    bool const clipped = clip_priority(s, parsed->asked);
    s.mail.sender = std::move(parsed->sender);
    s.mail.declared_size = parsed->size.value_or(0);
    s.mail.body_8bit = parsed->body_8bit;
    s.mail.smtputf8 = parsed->smtputf8;
    s.mail.wishes = std::move(parsed->asked);
    auto d = co_await s.house.with.acceptance.begin(s.mail);
    if (!d) s.reset();
    // RFC 6710 §4.1: X.3.6, and the new priority first.
    if (d && clipped) co_return reply{250, "2.3.6", "0 is the priority of this message"};
    co_return std::move(d.say);
}

task<reply> rcpt(session& s, std::string_view args)
{
    if (s.chunks) co_return reply{503, "5.5.1", "the message has begun"};  // RFC 3030 §2: only BDAT or RSET may follow BDAT
    auto parsed = wire::parse_rcpt(args, s.mail.smtputf8, s.offered());
    if (!parsed) co_return parsed.error();
    s.mail.asked = std::move(parsed->recipient);
    s.mail.asked_notify = parsed->wanted;
    s.mail.asked_orcpt = std::move(parsed->orcpt);
    auto d = co_await s.house.with.acceptance.recipient(s.mail);
    co_return std::move(d.say);
}

}  // namespace mansio::smtp::commands
