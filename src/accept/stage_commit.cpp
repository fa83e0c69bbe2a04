// commit: the one point at which the message becomes ours (docs/architecture.md, "What acknowledged means").
#include <algorithm>

#include "accept/stages.hpp"
#include "accept/trace.hpp"
#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::accept::stages {
namespace {

using target = auth::resolution::recipient;
using one_recipient = struct mansio::accept::recipient;

reply const store_full{452, "4.3.1", "no room for the message now, try again later"};
reply const quota_full{452, "4.2.2", "the mailbox is full"};

bool same(target const& a, target const& b) { return a.account == b.account && a.detail == b.detail && (a.account != 0 || a.address == b.address); }

/// A target and the address through which it was meant.
struct chosen {
    target to;
    mime::mailbox_address given;
    queue::notify wanted;
    std::string orcpt;
    bool expansion = false;  ///< the alias itself
};

/// Each mailbox and each outside address once, however many recipients lead to it.
std::vector<chosen> all_targets(std::vector<one_recipient> const& recipients)
{
    std::vector<chosen> out;
    for (auto const& r : recipients) {
        auto wanted = r.wanted;
        // RFC 3461 §5.2.7.3 (c): the alias's sender is told that it was expanded, and not what became of each member.
        bool const expanded = r.targets.size() > 1 && wanted.wants_success();
        if (expanded) {
            target alias;
            alias.address = r.given.text();
            out.push_back({alias, r.given, wanted, r.orcpt, true});
            wanted.success = false;
        }
        for (auto const& t : r.targets)
            if (std::ranges::none_of(out, [&](chosen const& c) { return !c.expansion && same(c.to, t); })) out.push_back({t, r.given, wanted, r.orcpt});
    }
    return out;
}

/// More than a commit to one mailbox: the queue keeps the time, and reports.
bool wants_queue(message const& m, chosen const& c) { return c.to.account == 0 || m.wishes.hold.count() > 0 || (m.sender && c.wanted.wants_success()); }

/// Octets that lines cannot carry, or a part that says so (RFC 3030 §3). Large messages are taken at their word: looking would hold up the shard.
bool needs_binary(message const& m)
{
    constexpr std::size_t looked_at = 256U * 1024U, longest_line = 998;
    auto const text = m.octets.view();
    if (text.size() > looked_at || m.summary->has_nul) return true;
    if (std::ranges::any_of(m.summary->parts, [](mime::part const& p) { return p.encoding == "binary"; })) return true;
    std::size_t line = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const cr = text[i] == '\r', lf = text[i] == '\n';
        if (cr && (i + 1 == text.size() || text[i + 1] != '\n')) return true;
        if (lf && (i == 0 || text[i - 1] != '\r')) return true;
        line = cr || lf ? 0 : line + 1;
        if (line > longest_line) return true;
    }
    return false;
}

/// We delivered it to that address before, and it came back (trust.md R3).
bool was_here(message const& m, target const& t)
{
    auto const& seen = m.incoming->header().delivered_to;
    // A person's program may send on what was delivered to that person: no loop.
    return m.from->through != door::submission && t.account != 0 && std::ranges::find(seen, base::to_lower_ascii(t.address)) != seen.end();
}

local_message for_account(message const& m, target const& t, std::string const& trace)
{
    local_message l;
    l.id = m.id + "/" + std::to_string(t.account) + (t.detail.empty() ? "" : "+" + t.detail);
    l.account = t.account;
    l.address = t.address;
    l.detail = t.detail;
    l.sender = m.sender_text();
    l.trace = trace;
    l.summary = m.summary;
    l.fresh = m.from->through == door::submission;
    return l;
}

task<result<void>> stage_blob(workshop& w, message& m)
{
    auto octets = m.octets;
    auto staged = co_await w.with.storage.stage(std::move(octets));
    if (!staged) co_return fail(staged);
    m.blob = std::move(*staged);
    co_return result<void>{};
}

/// Whether a bounce goes to whoever sent it, and not to somebody whose address was taken (trust.md R4).
bool sender_proved(message const& m)
{
    if (!m.authentication || !m.sender) return false;
    auto const& found = *m.authentication;
    if (found.spf.result == mime::spf_result::pass) return true;
    auto const domain = base::to_lower_ascii(m.sender->domain);
    return std::ranges::any_of(found.dkim, [&](auto const& s) { return s.result == mime::dkim_result::pass && mailauth::is_same_or_below(domain, s.domain); });
}

/// The sender that goes out for a forwarded recipient; empty: the envelope's own.
task<result<std::string>> outgoing_sender(workshop& w, message const& m, chosen const& c)
{
    if (!m.sender || !c.to.forwarded || c.to.account != 0) co_return std::string{};
    auto domain = m.sender->domain;
    auto const ours = co_await w.with.people.is_local_domain(std::move(domain));
    if (!ours && ours.error().what != fault::kind::syntax) co_return fail(ours);
    if (ours && *ours) co_return std::string{};
    co_return w.rewriter.forward(*m.sender, c.given.domain, w.with.clock.wall()).text();
}

task<reply> enqueue(workshop& w, message& m, std::vector<chosen> targets, std::string trace)
{
    queue::submission s;
    s.sender = m.sender_text();
    for (auto const& c : targets) {
        queue::recipient r;
        r.address = c.to.address;
        r.account = c.to.account;
        r.detail = c.to.detail;
        r.original = c.given.text();
        r.wanted = c.wanted;
        r.orcpt = c.orcpt;
        r.expansion = c.expansion;
        auto sender = co_await outgoing_sender(w, m, c);
        if (!sender) co_return reply_for(sender.error(), store_full);
        r.sender = std::move(*sender);
        s.recipients.push_back(std::move(r));
    }
    s.blob = m.blob;
    s.prefix = std::move(trace);
    s.session = m.from->session;
    s.message_id = m.summary->message_id;
    s.body_8bit = m.body_8bit;
    s.smtputf8 = m.smtputf8;
    s.authenticated = m.from->signed_in();
    s.sender_unproved = m.authentication && !sender_proved(m);
    s.asked = m.wishes;
    auto const id = co_await w.with.queue.enqueue(std::move(s));
    if (!id) co_return reply_for(id.error(), {452, "4.3.1", "the queue is full, try again later"});
    m.queued_as = *id;
    co_return reply{250, "2.0.0", "queued as " + *id};
}

/// Commits for one account; a not_found of a blob that other recipients' copies have already lost stages it anew.
task<reply> deliver(workshop& w, message& m, target const& t, std::string const& trace, std::optional<store::blob_id>& stored)
{
    for (bool again = false;; again = true) {
        auto l = for_account(m, t, trace);
        if (stored)
            l.stored = stored;
        else
            l.blob = m.blob;
        auto const done = co_await w.with.local.commit(std::move(l));
        if (done) {
            if (!stored) stored = m.blob->id();
            co_return reply{250, "2.0.0", "delivered, " + m.id};
        }
        auto const& why = done.error();
        if (again || !stored || (why.what != fault::kind::not_found && why.what != fault::kind::conflict)) co_return reply_for(why, quota_full);
        auto const alive = co_await w.with.storage.blob_size(*stored);
        if (alive) co_return reply_for(why, quota_full);
        // The first recipient threw it away before the second had it: the octets are still in our hands.
        auto const restaged = co_await stage_blob(w, m);
        if (!restaged) co_return reply_for(restaged.error(), store_full);
        stored.reset();
    }
}

/// LMTP: a commit and a reply for each recipient, in order (RFC 2033 §4.2).
task<void> each_recipient(workshop& w, message& m, std::string const& trace)
{
    std::optional<store::blob_id> stored;
    std::vector<std::pair<target, reply>> done;
    for (auto const& r : m.recipients) {
        std::vector<one_recipient> const only{r};
        auto targets = all_targets(only);
        if (targets.size() != 1 || wants_queue(m, targets.front())) {  // an alias for several, or for somebody outside: an envelope of its own
            auto said = co_await enqueue(w, m, std::move(targets), trace);
            m.outcomes.push_back(std::move(said));
            continue;
        }
        auto const& t = r.targets.front();
        auto const before = std::ranges::find_if(done, [&](auto const& d) { return same(d.first, t); });
        if (before != done.end()) {
            m.outcomes.push_back(before->second);
            continue;
        }
        if (was_here(m, t))
            m.outcomes.push_back({554, "5.4.6", "the message was delivered here before: it is in a loop"});
        else {
            auto said = co_await deliver(w, m, t, trace, stored);
            m.outcomes.push_back(std::move(said));
        }
        done.emplace_back(t, m.outcomes.back());
    }
}

}  // namespace

stage_result commit(workshop& w, message& m)
{
    auto const targets = all_targets(m.recipients);
    bool const lmtp = m.from->through == door::lmtp;
    if (!lmtp && std::ranges::all_of(targets, [&](chosen const& c) { return c.expansion || was_here(m, c.to); }))
        co_return decision::stop({554, "5.4.6", "the message was delivered here before: it is in a loop"});
    auto const staged = co_await stage_blob(w, m);
    if (!staged) co_return decision::stop(reply_for(staged.error(), store_full));
    m.wishes.binary = m.wishes.binary && needs_binary(m);
    m.wishes.tls_optional = !m.wishes.require_tls && m.incoming->header().tls_optional;  // RFC 8689 §4.1
    auto const trace = m.results + m.signatures + received_field(m, w.set.hostname, w.with.clock.wall());
    if (lmtp) {
        co_await each_recipient(w, m, trace);
        co_return decision::pass();
    }
    reply said;
    if (targets.size() == 1 && !wants_queue(m, targets.front())) {
        std::optional<store::blob_id> stored;
        said = co_await deliver(w, m, targets.front().to, trace, stored);
    } else {
        auto all = targets;
        said = co_await enqueue(w, m, std::move(all), trace);
    }
    if (!said.positive()) co_return decision::stop(std::move(said));
    m.outcomes.push_back(std::move(said));
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
