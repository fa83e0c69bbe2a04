// MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3).
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {

task<reply> mail(session& s, std::string_view args)
{
    if (s.transactions >= s.limits().smtp_transactions) {
        s.house.transactions_max.add();
        co_return reply{421, "4.7.0", "enough messages on one connection"}.and_hang_up();
    }
    auto parsed = wire::parse_mail(args, s.who.extended);
    if (!parsed) co_return parsed.error();
    s.mail.sender = std::move(parsed->sender);
    s.mail.declared_size = parsed->size.value_or(0);
    s.mail.body_8bit = parsed->body_8bit;
    s.mail.smtputf8 = parsed->smtputf8;
    auto d = co_await s.house.with.acceptance.begin(s.mail);
    if (!d) s.reset();
    co_return std::move(d.say);
}

task<reply> rcpt(session& s, std::string_view args)
{
    if (s.chunks) co_return reply{503, "5.5.1", "the message has begun"};  // RFC 3030 §2: only BDAT or RSET may follow BDAT
    auto parsed = wire::parse_rcpt(args, s.mail.smtputf8);
    if (!parsed) co_return parsed.error();
    s.mail.asked = std::move(parsed->recipient);
    auto d = co_await s.house.with.acceptance.recipient(s.mail);
    co_return std::move(d.say);
}

}  // namespace mansio::smtp::commands
