// HELO, EHLO, LHLO: names, and what we can (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
#include <algorithm>
#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "auth/sign_in.hpp"
#include "smtp/server/extensions.hpp"
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {
namespace {

task<reply> introduce(session& s, std::string_view args, bool extended)
{
    auto name = wire::parse_greeting(args);
    if (!name) co_return name.error();
    s.reset();  // RFC 5321 §4.1.4: as RSET
    s.greeted = true;
    auto const greeted = co_await s.house.with.acceptance.greet(s.mail, std::move(*name), extended);
    if (!greeted) {
        s.greeted = false;
        co_return greeted.say;
    }
    co_return reply{250, {}, s.house.set.hostname};
}

/// What stands behind the keyword.
std::string arguments_of(session const& s, wire::extension e)
{
    using wire::extension;
    auto const& l = s.limits();
    switch (e) {
    case extension::size: return fmt::format(" {}", l.message_size);
    // RFC 4865 §3: the longest interval and the latest time.
    case extension::future_release: {
        auto const latest = std::chrono::floor<std::chrono::seconds>(s.here.clock().wall()) + std::chrono::seconds{l.queue_hold};
        return fmt::format(" {} {:%Y-%m-%dT%H:%M:%SZ}", l.queue_hold, latest);
    }
    // RFC 9422 §3; at most six digits each (§4).
    case extension::limits:
        return fmt::format(" MAILMAX={} RCPTMAX={}", std::clamp<std::uint64_t>(l.smtp_transactions, 1, 999'999),
                           std::clamp<std::uint64_t>(l.smtp_recipients, 1, 999'999));
    case extension::auth: {
        std::string out;
        for (auto const mechanism : auth::sasl_mechanisms()) (out += ' ') += mechanism;
        return out;
    }
    case extension::xclient: return " NAME ADDR PORT PROTO HELO";
    default: return {};
    }
}

}  // namespace

task<reply> hello(session& s, std::string_view args) { return introduce(s, args, false); }

task<reply> ehlo(session& s, std::string_view args)
{
    auto r = co_await introduce(s, args, true);
    if (!r.positive()) co_return r;
    auto const offers = s.offered();
    for (auto const& row : extensions())
        if (offers.has(row.what)) ((r.text += '\n') += row.keyword) += arguments_of(s, row.what);
    co_return r;
}

}  // namespace mansio::smtp::commands
