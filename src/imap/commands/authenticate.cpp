// AUTHENTICATE with SASL-IR (RFC 9051 §6.2.2).
#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/sign_in.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

struct authenticate_args {
    std::string mechanism;
    std::optional<std::string> initial;  // still base64; "=": empty (RFC 4959 §3)
};

// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)
result<authenticate_args> parse_authenticate(wire::scanner& in, extension_set const& on)
{
    authenticate_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto const name = in.atom();
    if (!name) return fail(name);
    a.mechanism = base::to_upper_ascii(*name);
    if (on.has(extension::sasl_ir) && in.take(' '))
        a.initial = std::string{in.rest()};
    else if (auto end = in.end(); !end)
        return fail(end);
    return a;
}

/// What the client answers to a challenge. Errors beside the conversation's end: syntax; only this exchange fails then (trust.md A1).
task<result<std::string>> exchange(session& s, std::string challenge)
{
    s.peer().put("+ " + base::to_base64(challenge) + "\r\n");
    auto const asked = co_await s.peer().flush(s.write_by());
    if (!asked) co_return fail(asked);
    auto const line = co_await s.peer().read_line(static_cast<std::size_t>(s.limits().smtp_auth_line), s.timing().read_by);
    if (!line && line.error().what == fault::kind::over_limit) co_return fail(fault::kind::syntax, "[TOOBIG] the response is too long");
    if (!line) co_return fail(line);
    if (line->end != net::buffered_stream::line_end::crlf) co_return fail(fault::kind::syntax, "lines end in CR LF");
    if (line->text == "*") co_return fail(fault::kind::syntax, "authentication was cancelled");  // RFC 9051 §6.2.2
    co_return line->text;
}

result<std::string> decoded(std::string const& base64)
{
    auto octets = base::from_base64(base64);
    if (!octets) return fail(fault::kind::syntax, "the response is not base64");
    return std::move(*octets);
}

}  // namespace

task<result<reply>> authenticate(invocation& c)
{
    auto args = parse_authenticate(c.in, c.s.on());
    if (!args) co_return fail(args);
    if (auto no = privacy_objection(c.s)) co_return *no;
    auto const sasl = auth::sasl_exchange::start(args->mechanism);
    if (!sasl) co_return reply::no("[CANNOT] there is no such mechanism");
    std::optional<std::string> first;
    if (args->initial) {
        auto octets = decoded(*args->initial == "=" ? std::string{} : *args->initial);
        if (!octets) co_return fail(octets);
        first = std::move(*octets);
    }
    auto step = sasl->initial(first ? std::optional<std::string_view>{*first} : std::nullopt);
    while (step.now == auth::sasl_exchange::state::challenge) {
        auto const answer = co_await exchange(c.s, step.challenge);
        if (!answer) co_return fail(answer);
        auto const octets = decoded(*answer);
        if (!octets) co_return fail(octets);
        step = sasl->next(*octets);
    }
    if (step.now == auth::sasl_exchange::state::failed || (!step.authorization.empty() && step.authorization != step.user)) {
        c.s.sign_in_failed();
        co_return sign_in_refused();
    }
    co_return co_await finish_sign_in(c.s, std::move(step.user), std::move(step.secret));
}

}  // namespace mansio::imap::commands
