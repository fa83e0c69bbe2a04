// AUTH signs in by SASL. RFC 5034; PLAIN is RFC 4616.
#include "auth/sign_in.hpp"
#include "base/bytes.hpp"
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {
namespace {

/// The client's next line of the exchange, decoded. Errors: what to answer it, or nothing when the connection is gone.
task<std::expected<std::string, reply>> next_response(session& s, std::string challenge)
{
    auto const sent = co_await s.send("+ " + base::to_base64(challenge) + "\r\n");
    if (!sent) co_return std::unexpected(reply{});
    auto const flushed = co_await s.peer().flush(s.write_by());
    auto line = co_await s.peer().read_line(s.srv().limits.smtp_auth_line, s.read_by());
    if (!flushed || (!line && line.error().what != fault::kind::over_limit)) {
        if (!line && line.error().what == fault::kind::timeout) s.counts().timeouts.add();
        s.end();
        co_return std::unexpected(reply{});
    }
    if (!line) {
        s.counts().lines_too_long.add();
        co_return std::unexpected(reply::bad("response too long"));
    }
    if (line->text == "*") co_return std::unexpected(reply::refused("cancelled"));  // RFC 5034 §4
    auto decoded = base::from_base64(line->text);
    if (!decoded) co_return std::unexpected(reply::bad("not base64"));
    co_return std::move(*decoded);
}

task<reply> list_mechanisms(session& s)
{
    // Not in RFC 5034, which asks for a mechanism, but old Outlook and others send a bare AUTH to learn which there are.
    auto const sent = co_await s.send(s.ok_line("mechanisms") + "PLAIN\r\n.\r\n");
    static_cast<void>(sent);
    co_return reply{};
}

}  // namespace

// "AUTH" SP mechanism [SP initial-response]   (RFC 5034 §4)
task<reply> auth(session& s, std::string_view rest)
{
    if (auto objection = privacy_objection(s)) co_return std::move(*objection);
    if (rest.empty()) co_return co_await list_mechanisms(s);
    auto const space = rest.find(' ');
    if (!base::equal_ignoring_case(rest.substr(0, space), "PLAIN")) co_return reply::bad("no such mechanism");
    auto const exchange = auth::sasl_exchange::start("PLAIN");
    std::optional<std::string> initial;
    if (space != std::string_view::npos) {
        auto const text = rest.substr(space + 1);
        initial = text == "=" ? std::string{} : base::from_base64(text);  // "=": an empty one (RFC 5034 §4)
        if (!initial) co_return reply::bad("not base64");
    }
    auto step = exchange->initial(initial);
    while (step.now == auth::sasl_exchange::state::challenge) {
        auto const response = co_await next_response(s, step.challenge);
        if (!response) co_return response.error();
        step = exchange->next(*response);
    }
    if (step.now != auth::sasl_exchange::state::credentials) co_return reply::bad("malformed response");
    // Nobody acts as somebody else here: another identity is a failed sign-in like any other.
    if (!step.authorization.empty() && !base::equal_ignoring_case(step.authorization, step.user)) step.secret.clear();
    co_return co_await s.sign_in(std::move(step.user), std::move(step.secret));
}

}  // namespace mansio::pop3::commands
