// recipient: known, allowed, with room? Asked at RCPT, so that nothing accepted must be bounced (trust.md R4).
#include <algorithm>

#include "accept/stages.hpp"

namespace mansio::accept::stages {
namespace {
using kind = auth::resolution::kind;

reply const relaying_denied{550, "5.7.1", "relaying denied"};
reply const unknown_user{550, "5.1.1", "no such user here"};

/// "user%elsewhere@here", "elsewhere!user@here", "\"user@elsewhere\"@here": routes hidden in local parts, which some servers once followed (trust.md R1).
bool hides_a_route(mime::mailbox_address const& a) { return a.local.find_first_of("%!@:") != std::string::npos; }

/// A sole account without room is refused now; one of several is the queue's business, the others get theirs.
task<std::optional<reply>> no_quota(workshop& w, message const& m, struct mansio::accept::recipient const& r)
{
    if (r.targets.size() != 1 || r.targets.front().account == 0) co_return std::nullopt;
    auto const q = co_await w.with.local.quota(r.targets.front().account);
    if (!q) co_return reply_for(q.error(), {452, "4.2.2", "the mailbox is full"});
    if (q->limit_octets != 0 && q->used_octets + std::max<std::uint64_t>(m.declared_size, 1) > q->limit_octets)
        co_return reply{452, "4.2.2", "the mailbox is full"};
    co_return std::nullopt;
}

task<decision> unknown(workshop& w, message const& m)
{
    auto const& c = *m.from;
    if (!w.set.address_limits || c.local || c.signed_in()) co_return decision::stop(unknown_user);
    w.harvest.count(c.peer_prefix);
    if (!w.harvest.blocked(c.peer_prefix)) co_return decision::stop(unknown_user);
    co_await base::sleep_for{std::chrono::seconds{5}};  // tarpit: whoever tries addresses should need time for it
    co_return decision::stop(reply{421, "4.7.0", "too many unknown recipients"}.and_hang_up());
}

/// An address of ours that SRS made: back to whom it stands for, and only as a bounce; anything else would make us a relay.
struct rewritten {
    std::optional<reply> refused;
    bool is_one = false;
    mime::mailbox_address original;
};
task<result<rewritten>> undo_srs(workshop& w, message const& m, mime::mailbox_address const& to)
{
    rewritten out;
    if (!srs::looks_like(to.local)) co_return out;
    auto domain = to.domain;
    auto const ours = co_await w.with.people.is_local_domain(std::move(domain));
    if (!ours && ours.error().what != fault::kind::syntax) co_return fail(ours);
    if (!ours || !*ours) co_return out;
    auto original = w.rewriter.reverse(to, w.with.clock.wall());
    if (!original) co_return out;  // perhaps somebody is really called so
    out.is_one = true;
    if (m.sender) out.refused = reply{550, "5.7.1", "this address takes bounces only"};
    out.original = std::move(*original);
    co_return out;
}

}  // namespace

stage_result recipient(workshop& w, message& m)
{
    auto const& c = *m.from;
    if (m.recipients.size() >= w.with.limits.smtp_recipients) co_return decision::stop({452, "4.5.3", "too many recipients"});  // RFC 5321 §4.5.3.1.10
    struct recipient r;
    r.given = *m.asked;
    r.wanted = m.asked_notify;
    r.orcpt = m.asked_orcpt;
    auto const srs_address = co_await undo_srs(w, m, r.given);
    if (!srs_address) co_return decision::stop(reply_for(srs_address.error(), {451, "4.3.0", "try again later"}));
    if (srs_address->refused) co_return decision::stop(*srs_address->refused);
    r.bounce_only = srs_address->is_one;
    auto address = r.bounce_only ? srs_address->original : r.given;
    auto const external = address.text();
    bool const route = !r.bounce_only && c.through == door::mx && hides_a_route(address);
    auto meant = co_await w.with.people.resolve(std::move(address));
    if (!meant) {
        if (meant.error().what == fault::kind::syntax) co_return decision::stop({501, "5.1.3", "recipient address: " + meant.error().say});
        co_return decision::stop(reply_for(meant.error(), {451, "4.3.0", "try again later"}));
    }
    if (route) co_return decision::stop(relaying_denied);
    switch (meant->what) {
    case kind::unknown: {
        auto known = co_await unknown(w, m);
        co_return known;
    }
    case kind::disabled: co_return decision::stop({550, "5.2.1", "the mailbox is disabled"});
    case kind::loop: co_return decision::stop({550, "5.4.6", "the address leads in a circle"});
    case kind::elsewhere:
        // Nothing is relayed but for people signed in, on the door made for it; LMTP is for local delivery (RFC 2033 §1).
        if (!r.bounce_only && (c.through != door::submission || !c.signed_in())) co_return decision::stop(relaying_denied);
        r.targets.push_back({0, external, {}, false});
        break;
    case kind::local: r.targets = std::move(meant->recipients); break;
    }
    auto const full = co_await no_quota(w, m, r);
    if (full) co_return decision::stop(*full);
    m.recipients.push_back(std::move(r));
    co_return decision::pass({250, "2.1.5", "recipient ok"});
}

}  // namespace mansio::accept::stages
