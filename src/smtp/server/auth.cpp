// AUTH (RFC 4954), submission only.
#include "auth/sign_in.hpp"
#include "base/bytes.hpp"
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {
namespace {

reply const malformed{501, "5.5.2", "the response is not base64"};

/// One line of the exchange. The error is the reply to give.
task<wire::parsed<std::string>> ask(session& s, std::string challenge)
{
    s.put({334, {}, base::to_base64(challenge)});
    auto const deadline = s.in(s.limits().smtp_command_wait);
    auto const flushed = co_await s.io.flush(deadline);
    if (!flushed) co_return std::unexpected(read_failed(s, flushed.error()));
    auto line = co_await s.io.read_line(s.limits().smtp_auth_line, deadline);
    if (!line && line.error().what == fault::kind::over_limit) co_return std::unexpected(reply{500, "5.5.6", "line too long"});
    if (!line) co_return std::unexpected(read_failed(s, line.error()));
    if (line->text == "*") co_return std::unexpected(reply{501, "5.7.0", "cancelled"});  // RFC 4954 §4
    auto octets = base::from_base64(line->text);
    if (!octets) co_return std::unexpected(malformed);
    co_return std::move(*octets);
}

reply failed(session& s)
{
    // A connection for few tries: guessing must cost connections too.
    if (++s.sign_in_failures >= s.limits().sign_in_failures) return reply{421, "4.7.0", "too many failed sign-ins"}.and_hang_up();
    return reply{535, "5.7.8", "authentication failed"};
}

task<reply> sign_in(session& s, auth::sasl_exchange::step done)
{
    // Acting for somebody else is not offered (RFC 4616 §2: authzid).
    if (!done.authorization.empty() && !base::equal_ignoring_case(done.authorization, done.user)) co_return failed(s);
    auth::source from;
    from.door = auth::protocol::submission;
    from.peer = s.who.peer;
    from.peer_prefix = s.who.peer_prefix;
    from.session = s.who.session;
    from.secure = s.secure();
    auto checked = co_await s.house.with.sign_in.check(std::move(done.user), std::move(done.secret), std::move(from));
    if (!checked && checked.error().what == fault::kind::refused) co_return failed(s);
    if (!checked) co_return reply{454, "4.7.0", "authentication is not possible now, try again later"};
    s.who.account = checked->account;
    s.who.account_address = checked->address;
    s.struck = 0;
    s.revocation = s.house.with.sign_in.on_revoked(checked->who, [&s] { s.io.raw().abort(); });
    if (s.held) s.held->signed_in();
    co_return reply{235, "2.7.0", "signed in"};
}

}  // namespace

task<reply> auth(session& s, std::string_view args)
{
    if (s.who.signed_in()) co_return reply{503, "5.5.1", "you are signed in already"};
    if (!s.secure()) co_return reply{538, "5.7.11", "start TLS first"};  // trust.md W6
    auto const parsed = wire::parse_auth(args);
    if (!parsed) co_return parsed.error();
    auto const exchange = auth::sasl_exchange::start(parsed->mechanism);
    if (!exchange) co_return reply{504, "5.5.4", "mechanism not supported"};
    std::optional<std::string> initial;
    if (parsed->initial) {
        // "=" is an empty initial response (RFC 4954 §4).
        initial = *parsed->initial == "=" ? std::string{} : base::from_base64(*parsed->initial);
        if (!initial) co_return malformed;
    }
    auto step = initial ? exchange->initial(std::string_view{*initial}) : exchange->initial(std::nullopt);
    while (step.now == auth::sasl_exchange::state::challenge) {
        auto const response = co_await ask(s, std::move(step.challenge));
        if (!response) co_return response.error();
        step = exchange->next(*response);
    }
    if (step.now == auth::sasl_exchange::state::failed) co_return failed(s);
    co_return co_await sign_in(s, std::move(step));
}

}  // namespace mansio::smtp::commands
