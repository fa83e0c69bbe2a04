#include "smtp/client/parameters.hpp"

#include <fmt/format.h>

namespace mansio::smtp::client {
namespace {
using mode = queue::deliver_by::mode;

std::chrono::seconds time_left(passed_on const& p) { return p.asked.by.within - p.since; }

/// RFC 8689 §2, §4.2.1. A report (from <>) is sent all the same where its protection cannot be had (§5).
bool tls_requirements_met(passed_on const& p, facts const& f) { return f.verified_tls && p.name_is_sure && f.offers.require_tls; }
}  // namespace

void let_time_pass(passed_on& p, base::monotonic_time now) noexcept
{
    p.since += std::chrono::duration_cast<std::chrono::seconds>(now - p.as_of);
    p.as_of = now;
}

bool passes_by_on(passed_on const& p, facts const& f) noexcept { return p.asked.by.asked() && f.offers.deliver_by; }

std::optional<obstacle> find_obstacle(passed_on const& p, facts const& f, std::string const& server)
{
    if (p.asked.by.how == mode::give_back) {
        if (time_left(p).count() <= 0) return obstacle{"5.4.7", "the time by which it was to be delivered has passed"};
        // RFC 2852 §4.1.4.1; no other MX is looked for (§7).
        if (!f.offers.deliver_by) return obstacle{"5.3.3", fmt::format("the message must not be late, and {} does not keep times (DELIVERBY)", server)};
        if (f.offers.by_minimum > time_left(p))
            return obstacle{
                "5.3.3", fmt::format("the message must arrive in {} seconds, {} takes at least {}", time_left(p).count(), server, f.offers.by_minimum.count())};
    }
    // RFC 3030 §3: never binary octets where they are not offered; what they are is not converted here.
    if (p.asked.binary && !goes_binary(p, f)) return obstacle{"5.6.3", fmt::format("the message is binary, which {} does not take (BINARYMIME)", server)};
    return std::nullopt;
}

std::string mail_parameters(passed_on const& p, facts const& f)
{
    auto const& q = p.asked;
    std::string out;
    if (goes_binary(p, f)) out += " BODY=BINARYMIME";
    if (f.offers.dsn) {
        // RFC 3461 §5.2.1 (a), (b): as they were given, and only then; a report carries no RET (§6.1).
        if (q.content != queue::returned::unsaid && !f.null_sender) out += q.content == queue::returned::full ? " RET=FULL" : " RET=HDRS";
        if (!q.envelope_id.empty()) out += " ENVID=" + q.envelope_id;
    }
    if (passes_by_on(p, f)) out += fmt::format(" BY={};{}{}", time_left(p).count(), q.by.how == mode::give_back ? "R" : "N", q.by.trace ? "T" : "");
    if (f.offers.priority && q.priority) out += fmt::format(" MT-PRIORITY={}", *q.priority);
    if (q.require_tls && tls_requirements_met(p, f)) out += " REQUIRETLS";
    return out;
}

std::string rcpt_parameters(passed_on const& p, facts const& f, std::size_t i)
{
    if (!f.offers.dsn || i >= p.notify.size()) return {};
    auto wanted = p.notify[i];
    // RFC 2852 §4.1.4.2: to one that does not keep the time, DELAY is asked for.
    if (p.asked.by.how == mode::notify && !f.offers.deliver_by && !f.null_sender && !wanted.never()) {
        if (!wanted.said) wanted = {true, false, true, true};
        wanted.delay = true;
    }
    std::string out;
    if (wanted.said) out += " NOTIFY=" + wanted.text();
    if (!p.orcpt[i].empty()) out += " ORCPT=" + p.orcpt[i];
    return out;
}

}  // namespace mansio::smtp::client
