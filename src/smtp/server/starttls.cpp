// STARTTLS (RFC 3207).
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {

task<reply> starttls(session& s, std::string_view args)
{
    if (!args.empty()) co_return reply{501, "5.5.4", "STARTTLS stands alone"};
    if (s.how.tls == nullptr) co_return reply{502, "5.5.1", "TLS is not available here"};
    if (!s.who.tls.empty()) co_return reply{503, "5.5.1", "TLS is in force already"};
    if (s.who.signed_in()) co_return reply{503, "5.5.1", "you are signed in already"};  // what was said in clear would have to be forgotten (RFC 3207 §4.2)
    if (s.mail.begun) co_return reply{503, "5.5.1", "a mail transaction is open"};
    // Anything said in clear after STARTTLS would be taken as said under TLS (CVE-2011-0411, trust.md W4): an attacker's words, so not even a reply.
    if (s.io.has_unread()) {
        s.house.with.log.warning("starttls_injection", {{"session", s.who.session}, {"peer", s.who.peer}});
        co_return silence();
    }
    s.put({220, "2.0.0", "go ahead"});
    auto const flushed = co_await s.io.flush(s.in(s.limits().smtp_command_wait));
    if (!flushed) co_return silence();
    auto const secured = co_await s.io.start_tls_server(*s.how.tls, s.in(s.limits().tls_handshake_wait));
    if (!secured) {
        s.house.with.log.info("tls_failed", {{"session", s.who.session}, {"peer", s.who.peer}, {"fault", secured.error()}});
        s.io.raw().abort();
        co_return silence();
    }
    // RFC 3207 §4.2: what was learnt before is forgotten.
    s.reset();
    s.greeted = false;
    s.who.greeting = "unknown";
    s.who.extended = false;
    s.note_tls();
    co_return reply{0, {}, {}};  // the handshake was the answer
}

}  // namespace mansio::smtp::commands
