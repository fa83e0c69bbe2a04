// STLS starts TLS. RFC 2595 §4.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> stls(session& s, std::string_view rest)
{
    if (!rest.empty()) co_return reply::bad("STLS has no arguments");
    if (s.secure()) co_return reply::bad("TLS is on already");
    if (s.utf8()) co_return reply::bad("UTF8 is on: TLS comes before it");  // RFC 6856 §2.1
    if (s.srv().tls == nullptr) co_return reply::refused("no TLS here");
    // What was sent along in clear would be taken as said under TLS: no further (trust.md W4, CVE-2011-0411).
    if (s.peer().has_unread()) {
        s.srv().log.warning("pop3_octets_before_tls", {{"session", s.id()}, {"peer", s.peer().raw().peer().address.text()}});
        s.abort();
        s.end();
        co_return reply{};
    }
    auto const said = co_await s.send(s.ok_line("begin TLS"));
    if (!said) co_return reply{};
    auto const flushed = co_await s.peer().flush(s.write_by());
    if (flushed) {
        auto const by = s.srv().clock.monotonic() + base::limits::seconds(s.srv().limits.tls_handshake_wait);
        auto const done = co_await s.peer().start_tls_server(*s.srv().tls, by);
        if (done) {
            s.forget();
            co_return reply{};
        }
    }
    s.abort();
    s.end();
    co_return reply{};
}

}  // namespace mansio::pop3::commands
