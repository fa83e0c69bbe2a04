#include "queue/partition.hpp"

#include <algorithm>
#include <functional>

#include "base/bytes.hpp"

namespace mansio::queue {

std::string group_of(recipient const& r)
{
    if (r.account != 0) return {};
    if (r.expansion) return std::string{expansions};
    auto const at = r.address.rfind('@');
    return at == std::string::npos ? r.address : r.address.substr(at + 1);
}

std::set<std::string> groups_of(envelope const& e)
{
    std::set<std::string> groups;
    for (auto const& r : e.recipients)
        if (r.now == recipient::state::waiting) groups.insert(group_of(r));
    return groups;
}

partition::partition(shared_parts& parts, unsigned number, base::executor& owner)
    : parts_(parts),
      number_(number),
      where_(partition_of(number)),
      owner_(owner),
      tasks_(owner)
{}
partition::~partition() = default;

std::int64_t partition::wall_seconds() const { return std::chrono::duration_cast<std::chrono::seconds>(owner_.clock().wall().time_since_epoch()).count(); }

store::change partition::new_change(std::string note) const
{
    store::change c;
    c.where = where_;
    c.id = store::change_id::make(parts_.random);
    c.note = std::move(note);
    return c;
}

partition::record* partition::find(queue_id const& id)
{
    auto const it = records_.find(id);
    return it == records_.end() ? nullptr : &it->second;
}

schedule partition::plan_now(record const& r) const
{
    auto plan = r.plan;
    plan.pass(std::chrono::duration_cast<std::chrono::seconds>(owner_.clock().monotonic() - r.since));
    return plan;
}

void partition::settle(record& r)
{
    r.plan = plan_now(r);
    r.since = owner_.clock().monotonic();
    r.plan.written = wall_seconds();
}

std::chrono::seconds partition::next_wait(record const& r) const
{
    auto wait = parts_.limits.queue_first_retry;
    for (std::uint32_t i = 1; i < r.plan.attempts && wait < parts_.limits.queue_longest_retry; ++i) wait *= 2;
    return std::chrono::seconds{std::min(wait, parts_.limits.queue_longest_retry)};
}

void partition::schedule_at(record& r, base::monotonic_time due)
{
    unschedule(r);
    r.due = due;
    schedule_.emplace(due, r.id);
}
void partition::unschedule(record& r) { schedule_.erase({r.due, r.id}); }

void partition::arm()
{
    if (timer_ != 0) owner_.cancel(std::exchange(timer_, 0));
    if (schedule_.empty() || stopping_ || !running_) return;
    auto const wait = std::max(schedule_.begin()->first - owner_.clock().monotonic(), std::chrono::nanoseconds{0});
    timer_ = owner_.call_after(wait, [this] {
        timer_ = 0;
        wake();
    });
}

void partition::wake()
{
    auto const now = owner_.clock().monotonic();
    std::multimap<int, record*, std::greater<>> due;  // RFC 6710 §5.1: of those there are to send, the higher priority first
    while (!schedule_.empty() && schedule_.begin()->first <= now && !stopping_) {
        auto* r = find(schedule_.begin()->second);
        MANSIO_ASSERT(r != nullptr);
        unschedule(*r);
        due.emplace(r->plan.priority, r);
    }
    for (auto const& [priority, r] : due) begin(*r);
    arm();
}

void partition::adopt(record r)
{
    r.since = owner_.clock().monotonic();
    auto const id = r.id;
    auto& kept = records_.insert_or_assign(id, std::move(r)).first->second;
    ++parts_.messages;
    if (kept.plan.held.empty()) schedule_at(kept, kept.due);
}

void partition::forget(queue_id const& id)
{
    auto* r = find(id);
    if (r == nullptr) return;
    unschedule(*r);
    records_.erase(id);
    --parts_.messages;
}

// Recovery is one function of state: what has a schedule row is tried again; leases in memory were never written (Q3).
task<result<void>> partition::load()
{
    auto range = store::key_range::prefix(schedule_prefix);
    auto const now = wall_seconds();
    auto const longest = static_cast<std::int64_t>(parts_.limits.queue_longest_retry);
    while (true) {
        auto const rows = co_await parts_.engine.scan(where_, range, 1000);
        if (!rows) co_return fail(rows);
        for (auto const& row : *rows) {
            auto plan = decode_schedule(row.value);
            if (!plan) co_return fail(plan);
            record r;
            r.id = row.key.substr(schedule_prefix.size());
            if (find(r.id) != nullptr) continue;  // enqueued by this process before start()
            // A clock that jumped while we were away neither freezes nor ages a message by more than one longest wait (D10).
            // The time that a sender wished to pass does pass: it has no other clock while we are away.
            auto const away = std::max<std::int64_t>(now - plan->written, 0);
            auto const held = std::min<std::int64_t>(away, plan->hold_left.count());
            plan->pass(std::chrono::seconds{held + std::min(away - held, longest)});
            auto const wait = plan->hold_left.count() > 0 ? plan->hold_left.count() : std::clamp<std::int64_t>(plan->due - now, 0, longest);
            r.due = owner_.clock().monotonic() + std::chrono::seconds{wait};
            r.plan = std::move(*plan);
            adopt(std::move(r));
        }
        if (rows->size() < 1000) break;
        range.from = rows->back().key + '\0';
    }
    running_ = true;
    arm();
    co_return result<void>{};
}

task<void> partition::stop()
{
    stopping_ = true;
    arm();
    co_await tasks_.join();
}

void partition::put_message(envelope const& e, schedule const& s, store::change& c) const
{
    c.rows.push_back({envelope_key(e.id), encode_envelope(e)});
    c.rows.push_back({schedule_key(e.id), encode_schedule(s)});
    c.add_holders.push_back({e.blob, holder_of(where_, e.id)});
}

task<result<queue_id>> partition::enqueue(submission s)
{
    envelope e;
    e.id = make_queue_id(number_, parts_.random);
    e.sender = std::move(s.sender);
    e.recipients = std::move(s.recipients);
    e.blob = s.blob->id();
    e.size = s.prefix.size() + s.blob->size();
    e.prefix = std::move(s.prefix);
    e.session = std::move(s.session);
    e.message_id = std::move(s.message_id);
    e.body_8bit = s.body_8bit;
    e.smtputf8 = s.smtputf8;
    e.authenticated = s.authenticated;
    e.sender_unproved = s.sender_unproved;
    e.asked = std::move(s.asked);
    e.accepted = owner_.clock().wall();

    record r;
    r.id = e.id;
    r.plan.written = wall_seconds();
    r.plan.due = r.plan.written + e.asked.hold.count();
    r.plan.hold_left = e.asked.hold;
    r.plan.priority = e.asked.priority.value_or(0);
    auto c = new_change("enqueue");
    c.new_blobs.push_back(s.blob);
    put_message(e, r.plan, c);
    auto const done = co_await parts_.engine.commit(std::move(c));
    if (!done) co_return fail(done);
    r.due = owner_.clock().monotonic() + e.asked.hold;
    r.groups = groups_of(e);
    parts_.log.info("queued", {{"queue_id", e.id},
                               {"session", e.session},
                               {"message_id", e.message_id},
                               {"sender", e.sender},
                               {"recipients", e.recipients.size()},
                               {"size", e.size},
                               {"held_seconds", e.asked.hold.count()},
                               {"priority", e.asked.priority.value_or(0)}});
    auto id = e.id;
    adopt(std::move(r));
    arm();
    co_return id;
}

task<result<std::optional<envelope>>> partition::load_envelope(queue_id id)
{
    auto const row = co_await parts_.engine.get(where_, envelope_key(id));
    if (!row) co_return fail(row);
    if (!*row) co_return std::optional<envelope>{};
    auto e = decode_envelope(**row);
    if (!e) co_return fail(e);
    e->id = id;
    auto const prefix = recipient_prefix(id);
    auto const states = co_await parts_.engine.scan(where_, store::key_range::prefix(prefix), e->recipients.size() + 1);
    if (!states) co_return fail(states);
    for (auto const& s : *states) {
        base::row_reader key{std::string_view{s.key}.substr(prefix.size())};
        auto const index = key.be32();
        if (!key.ok() || index >= e->recipients.size()) co_return fail(fault::kind::broken, "", "queue recipient row without a recipient");
        auto const read = decode_recipient_state(s.value, e->recipients[index]);
        if (!read) co_return fail(read);
    }
    auto const* r = find(id);
    if (r != nullptr) {
        auto const plan = plan_now(*r);
        e->age = plan.age;
        e->since = plan.waited + plan.age;
        e->held = r->plan.held;
    }
    co_return std::optional{std::move(*e)};
}

void partition::begin(record& r)
{
    if (r.attempting) return;
    r.attempting = true;
    r.later = false;
    r.failed.clear();
    if (r.groups.empty())
        tasks_.spawn(begin_unknown(r.id));
    else
        start_groups(r);
}

task<void> partition::begin_unknown(queue_id id)
{
    auto const e = co_await load_envelope(id);
    auto* r = find(id);
    if (r == nullptr) co_return;
    if (!e || !*e) {
        parts_.log.error("queue_unreadable", {{"queue_id", id}, {"why", e ? std::string{"envelope row is missing"} : describe(e.error())}});
        r->attempting = false;
        schedule_at(*r, owner_.clock().monotonic() + std::chrono::seconds{parts_.limits.queue_longest_retry});
        arm();
        co_return;
    }
    r->groups = groups_of(**e);
    start_groups(*r);
}

void partition::start_groups(record& r)
{
    if (r.groups.empty()) {
        // A crash between the last mark and the removal: only the end is left to do.
        tasks_.spawn(finish_attempt(r.id));
        return;
    }
    r.in_flight = r.groups.size();
    for (auto const& group : r.groups) {
        if (group.empty() || group == expansions)
            tasks_.spawn(run_group(r.id, group, {}));
        else
            parts_.slots.ask(group, r.plan.priority, owner_, [this, id = r.id, group](destinations::permit p) {
                if (stopping_) return;  // its record stays scheduled on disk
                tasks_.spawn(run_group(id, group, std::move(p)));
            });
    }
}

task<void> partition::run_group(queue_id id, std::string group, destinations::permit held)
{
    auto const tried = co_await attempt_group(id, group);
    if (!tried) {
        parts_.log.error("queue_attempt_failed", {{"queue_id", id}, {"destination", group}, {"why", tried.error()}});
        if (auto* r = find(id)) r->later = true;
    }
    {
        auto const given_back = std::move(held);
    }
    group_ended(id);
}

task<result<void>> partition::attempt_group(queue_id const& id, std::string const& group)
{
    auto loaded = co_await load_envelope(id);
    if (!loaded) co_return fail(loaded);
    if (!*loaded) co_return fail(fault::kind::broken, "", "envelope row is missing");
    envelope& e = **loaded;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < e.recipients.size(); ++i)
        if (e.recipients[i].now == recipient::state::waiting && group_of(e.recipients[i]) == group) which.push_back(i);
    if (which.empty()) co_return result<void>{};

    std::vector<outcome> outcomes;
    if (too_late(e)) {
        // RFC 2852 §4.1.3
        outcomes.assign(which.size(), {outcome::kind::never, "5.4.7", "the time by which it was to be delivered has passed", ""});
    } else if (group == expansions) {
        outcomes.assign(which.size(), {outcome::kind::delivered, "2.0.0", "delivered to all its members", ""});
    } else {
        stored_message message{parts_.engine, e.prefix, e.blob, e.size};
        auto* by = group.empty() ? parts_.carry.local : parts_.carry.relay;
        MANSIO_ASSERT(by != nullptr);
        outcomes = co_await by->deliver(e, which, message);
    }
    MANSIO_ASSERT(outcomes.size() == which.size());
    auto const marked = co_await mark_outcomes(id, e, which, outcomes);
    if (!marked) co_return fail(marked);
    co_return result<void>{};
}

/// One commit: the marks, and what the sender is told of them.
task<result<void>> partition::mark_outcomes(queue_id const& id, envelope& e, std::vector<std::size_t> const& which, std::vector<outcome> const& outcomes)
{
    auto c = new_change("attempt");
    auto* r = find(id);
    if (r == nullptr) co_return result<void>{};
    std::vector<told> good;
    for (std::size_t k = 0; k < which.size(); ++k) {
        auto& to = e.recipients[which[k]];
        auto const& o = outcomes[k];
        ++to.attempts;
        to.last_status = o.status;
        to.last_reply = o.reply;
        to.last_host = o.host;
        auto const name = o.what == outcome::kind::delivered ? "delivered" : o.what == outcome::kind::later ? "deferred" : "undeliverable";
        parts_.log.info(name, {{"queue_id", id},
                               {"session", e.session},
                               {"recipient", to.address},
                               {"host", o.host},
                               {"status", o.status},
                               {"reply", o.reply},
                               {"tls", o.tls ? "yes" : "no"}});
        if (o.what == outcome::kind::never) {
            // Marked together with its DSN at the end of the attempt, in one commit (Q5).
            r->failed.insert_or_assign(which[k], to);
            continue;
        }
        if (o.what == outcome::kind::delivered) {
            to.now = recipient::state::delivered;
            parts_.delivered.add();
            auto const report = success_report(e, to, o, to.account != 0);
            if (report) good.push_back({which[k], *report});
        } else {
            r->later = true;
            parts_.deferred.add();
        }
        c.rows.push_back({recipient_key(id, which[k]), encode_recipient_state(to)});
    }
    if (c.rows.empty()) co_return result<void>{};
    std::vector<record> made;
    if (!good.empty() && !e.sender.empty()) {
        auto const told_so = co_await add_report(e, good, false, c, made);
        // It was delivered: to deliver it again for the report's sake would be worse than no report.
        if (!told_so) parts_.log.error("report_not_made", {{"queue_id", id}, {"sender", e.sender}, {"why", told_so.error()}});
    }
    auto const marked = co_await parts_.engine.commit(std::move(c));
    if (!marked) co_return fail(marked);
    for (auto& m : made) adopt(std::move(m));
    arm();
    co_return result<void>{};
}

void partition::group_ended(queue_id const& id)
{
    auto* r = find(id);
    if (r == nullptr) return;
    MANSIO_ASSERT(r->in_flight > 0);
    if (--r->in_flight == 0) tasks_.spawn(finish_attempt(id));
}

task<void> partition::finish_attempt(queue_id id)
{
    auto const closed = co_await close_attempt(id);
    auto* r = find(id);
    if (r == nullptr) co_return;  // done and gone
    r->attempting = false;
    r->groups.clear();
    r->failed.clear();
    if (!closed) {
        parts_.log.error("queue_mark_failed", {{"queue_id", id}, {"why", closed.error()}});
        schedule_at(*r, owner_.clock().monotonic() + next_wait(*r));
    } else if (r->plan.held.empty()) {
        schedule_at(*r, owner_.clock().monotonic() + r->wait);
    }
    arm();
}

/// Ends an attempt in one commit: bounces with their DSN, removal when every recipient is closed, or the next schedule.
task<result<void>> partition::close_attempt(queue_id const& id)
{
    auto loaded = co_await load_envelope(id);
    if (!loaded) co_return fail(loaded);
    if (!*loaded) co_return fail(fault::kind::broken, "", "envelope row is missing");
    envelope& e = **loaded;
    auto* r = find(id);
    if (r == nullptr) co_return result<void>{};
    bool const expired = e.age >= std::chrono::seconds{parts_.limits.queue_lifetime};
    bool const cancelled = r->cancelled;
    std::vector<told> failed;
    bool open = false;
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        auto& to = e.recipients[i];
        auto const told = r->failed.find(i);
        if (told != r->failed.end()) to = told->second;
        if (to.now != recipient::state::waiting) continue;
        if (told != r->failed.end() || expired) {
            to.now = recipient::state::bounced;
            if (told == r->failed.end()) to.last_status = "4.4.7";  // RFC 3463 §3.5: delivery time expired
            failed.push_back({i, action::failed});
        } else {
            open = open || !cancelled;
        }
    }
    auto c = new_change("close");
    std::vector<record> made;
    if (!failed.empty() && !cancelled) {
        auto const told_so = co_await add_report(e, failed, expired, c, made);
        if (!told_so) co_return fail(told_so);
    }
    // A warning that cannot be made now is made after the next attempt.
    auto delayed = open && !cancelled ? find_delayed(e) : std::vector<told>{};
    if (!delayed.empty()) {
        auto const told_so = co_await add_report(e, delayed, false, c, made);
        if (!told_so) delayed.clear();
    }
    r = find(id);
    if (r == nullptr) co_return result<void>{};
    if (!open) {
        auto const removed = co_await remove(e, c);
        if (!removed) co_return fail(removed);
    } else {
        ++r->plan.attempts;
        settle(*r);
        r->wait = next_wait(*r, e);
        r->plan.due = r->plan.written + r->wait.count();
        c.rows.push_back({schedule_key(id), encode_schedule(r->plan)});
        for (auto const& list : {failed, delayed})
            for (auto const& t : list) c.rows.push_back({recipient_key(id, t.index), encode_recipient_state(e.recipients[t.index])});
    }
    auto const done = co_await parts_.engine.commit(std::move(c));
    if (!done) co_return fail(done);
    parts_.bounced.add(failed.size());
    parts_.delay_notices.add(delayed.size());
    if (expired) parts_.expired.add();
    for (auto& m : made) adopt(std::move(m));
    if (!open) {
        parts_.log.info("queue_done", {{"queue_id", id}, {"session", e.session}, {"bounced", failed.size()}, {"cancelled", cancelled ? "yes" : "no"}});
        forget(id);
    }
    arm();
    co_return result<void>{};
}

task<result<void>> partition::remove(envelope const& e, store::change& c)
{
    auto const states = co_await parts_.engine.scan(where_, store::key_range::prefix(recipient_prefix(e.id)), e.recipients.size() + 1);
    if (!states) co_return fail(states);
    for (auto const& s : *states) c.rows.push_back({s.key, std::nullopt});
    c.rows.push_back({envelope_key(e.id), std::nullopt});
    c.rows.push_back({schedule_key(e.id), std::nullopt});
    c.drop_holders.push_back({e.blob, holder_of(where_, e.id)});
    co_return result<void>{};
}

task<result<void>> partition::list(std::vector<summary>& into, std::size_t most)
{
    std::vector<queue_id> ids;
    for (auto const& [id, r] : records_) {
        if (into.size() + ids.size() >= most) break;
        ids.push_back(id);
    }
    for (auto const& id : ids) {
        auto const e = co_await load_envelope(id);
        if (!e) co_return fail(e);
        auto const* r = find(id);
        if (!*e || r == nullptr) continue;
        summary s{id, (*e)->sender, (*e)->size, 0, 0, {}, (*e)->age, {}, r->plan.held};
        if (!r->attempting)
            s.next_attempt = std::max(std::chrono::seconds{0}, std::chrono::duration_cast<std::chrono::seconds>(r->due - owner_.clock().monotonic()));
        for (auto const& to : (*e)->recipients) {
            ++(to.now == recipient::state::waiting ? s.waiting : s.closed);
            if (to.now == recipient::state::waiting && !to.last_reply.empty()) s.last_reply = to.last_reply;
        }
        into.push_back(std::move(s));
    }
    co_return result<void>{};
}

task<result<std::optional<envelope>>> partition::show(queue_id id)
{
    if (find(id) == nullptr) co_return std::optional<envelope>{};
    auto e = co_await load_envelope(std::move(id));
    co_return e;
}

std::size_t partition::retry(queue_id const& id)
{
    std::size_t n = 0;
    for (auto& [key, r] : records_) {
        if ((!id.empty() && key != id) || r.attempting || !r.plan.held.empty()) continue;
        // What its sender wished to be sent later is not sent earlier (RFC 4865 §4.2): release() is the way.
        if (plan_now(r).hold_left.count() > 0) continue;
        schedule_at(r, owner_.clock().monotonic());
        ++n;
    }
    arm();
    return n;
}

task<result<void>> partition::hold(queue_id id, std::string reason)
{
    auto* r = find(id);
    if (r == nullptr) co_return fail(fault::kind::not_found, "there is no such message in the queue");
    r->plan.held = reason.empty() ? "held" : std::move(reason);
    unschedule(*r);
    auto c = new_change("hold");
    c.rows.push_back({schedule_key(id), encode_schedule(r->plan)});
    auto const done = co_await parts_.engine.commit(std::move(c));
    if (!done) co_return fail(done);
    co_return result<void>{};
}

task<result<void>> partition::release(queue_id id)
{
    auto* r = find(id);
    if (r == nullptr) co_return fail(fault::kind::not_found, "there is no such message in the queue");
    settle(*r);
    r->plan.held.clear();
    r->plan.hold_left = {};
    r->plan.due = r->plan.written;
    auto c = new_change("release");
    c.rows.push_back({schedule_key(id), encode_schedule(r->plan)});
    auto const done = co_await parts_.engine.commit(std::move(c));
    if (!done) co_return fail(done);
    r = find(id);
    if (r != nullptr && !r->attempting) schedule_at(*r, owner_.clock().monotonic());
    arm();
    co_return result<void>{};
}

task<result<void>> partition::cancel(queue_id id)
{
    auto* r = find(id);
    if (r == nullptr) co_return fail(fault::kind::not_found, "there is no such message in the queue");
    r->cancelled = true;
    if (r->attempting) co_return result<void>{};  // the attempt's end removes it
    unschedule(*r);
    r->attempting = true;
    auto const closed = co_await close_attempt(id);
    if (closed) co_return result<void>{};
    r = find(id);
    if (r != nullptr) {
        r->attempting = r->cancelled = false;
        schedule_at(*r, owner_.clock().monotonic() + next_wait(*r));
        arm();
    }
    co_return fail(closed);
}

}  // namespace mansio::queue
