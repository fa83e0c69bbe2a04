// XCLIENT (Postfix's XCLIENT_README): a listed peer, a filter or a proxy before us, says for whom it speaks. To others the verb does not exist
// (trust.md R1). LOGIN is not taken: nobody is signed in on another's word.
#include "smtp/server/session.hpp"

#include <algorithm>

#include "accept/trace.hpp"
#include "base/bytes.hpp"
#include "queue/requests.hpp"

namespace mansio::smtp::commands {
namespace {

struct attributes {
    std::optional<net::ip_address> address;
    std::optional<std::string> greeting;
};

bool unavailable(std::string_view v) noexcept { return base::equal_ignoring_case(v, "[UNAVAILABLE]") || base::equal_ignoring_case(v, "[TEMPUNAVAIL]"); }

bool read_address(std::string_view v, attributes& into)
{
    if (unavailable(v)) return true;
    if (base::starts_with_ignoring_case(v, "IPV6:")) v.remove_prefix(5);
    into.address = net::ip_address::parse(v);
    return into.address.has_value();
}

/// xclient-command = XCLIENT 1*( SP attribute-name "=" attribute-value ), values in xtext
std::optional<attributes> parse(std::string_view args)
{
    attributes out;
    auto const words = base::words_of(args);
    for (auto const& word : words) {
        auto const equals = word.find('=');
        if (equals == std::string::npos) return std::nullopt;
        auto const name = base::to_upper_ascii(word.substr(0, equals));
        auto const value = queue::from_xtext(std::string_view{word}.substr(equals + 1));
        // Nothing in a value may begin a line of the log, of Received or of a report (trust.md W11).
        if (!value || value->empty() || wire::has_control(*value)) return std::nullopt;
        if (name == "ADDR") {
            if (!read_address(*value, out)) return std::nullopt;
        } else if (name == "HELO") {
            out.greeting = unavailable(*value) ? "unknown" : accept::harmless_name(*value);
        } else if (name == "PROTO") {
            if (!base::equal_ignoring_case(*value, "SMTP") && !base::equal_ignoring_case(*value, "ESMTP")) return std::nullopt;
        } else if (name == "PORT") {
            auto const port = wire::parse_number(*value);
            if (!unavailable(*value) && (!port || *port > 65535)) return std::nullopt;
        } else if (name != "NAME") {  // names are not looked at: whoever wants one asks the DNS
            return std::nullopt;
        }
    }
    if (words.empty()) return std::nullopt;
    return out;
}

}  // namespace

task<reply> xclient(session& s, std::string_view args)
{
    if (!s.may_xclient) co_return reply{500, "5.5.1", "command not recognised"};
    if (s.mail.begun) co_return reply{503, "5.5.1", "a mail transaction is open"};
    auto said = parse(args);
    if (!said) co_return reply{501, "5.5.4", "syntax: XCLIENT and attributes"};
    // As a connection just made: what was learnt of the one before is forgotten, but for TLS, which is in force.
    s.reset();
    s.greeted = false;
    s.revocation.reset();
    s.who.account = 0;
    s.who.account_address.clear();
    s.who.extended = false;
    s.who.greeting = said->greeting.value_or("unknown");
    if (said->address) {
        s.who.local = false;
        s.comes_from(*said->address);
    }
    s.house.with.log.info("xclient", {{"session", s.who.session}, {"from", s.io.raw().peer().address.text()}, {"peer", s.who.peer}, {"name", s.who.greeting}});
    auto const admitted = co_await s.house.with.acceptance.connect(s.mail);
    if (!admitted) co_return reply{admitted.say}.and_hang_up();
    co_return reply{220, {}, s.house.set.hostname + (s.lmtp() ? " LMTP Mansio" : " ESMTP Mansio")};
}

}  // namespace mansio::smtp::commands
