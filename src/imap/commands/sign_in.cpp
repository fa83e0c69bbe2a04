#include "imap/commands/sign_in.hpp"

#include "imap/session.hpp"

namespace mansio::imap::commands {

std::optional<reply> privacy_objection(session const& s)
{
    if (s.may_sign_in()) return std::nullopt;
    return reply::no("[PRIVACYREQUIRED] use TLS first");
}

reply sign_in_refused() { return reply::no("[AUTHENTICATIONFAILED] authentication failed"); }

task<result<reply>> finish_sign_in(session& s, std::string user, std::string secret)
{
    auto user_in = co_await s.srv().sign_in.check(std::move(user), std::move(secret), s.source());
    if (!user_in) {
        auto const& f = user_in.error();
        if (f.what == fault::kind::try_later || f.what == fault::kind::over_limit || f.what == fault::kind::broken || f.what == fault::kind::timeout) {
            if (f.what == fault::kind::broken) s.srv().log.error("imap_sign_in", {{"session", s.id()}, {"fault", f}});
            co_return reply::no("[UNAVAILABLE] try again later");  // RFC 5530 §3: not the user's mistake
        }
        s.sign_in_failed();
        co_return sign_in_refused();
    }
    s.counts().sign_ins.add();
    s.signed_in(std::move(*user_in));
    co_return co_await s.sign_in_accepted();
}

}  // namespace mansio::imap::commands
