// What senders are told: who is due a notification, and how it joins the commit that marks what it tells of (trust.md §1.4, Q5).
#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "queue/partition.hpp"

namespace mansio::queue {

task<result<std::string>> stored_message::read(std::uint64_t offset, std::uint64_t length)
{
    if (offset < prefix_.size()) co_return prefix_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
    if (offset >= size_) co_return std::string{};
    auto octets = co_await engine_.blob_read(blob_, offset - prefix_.size(), length);
    co_return octets;
}

bool too_late(envelope const& e) noexcept { return e.asked.by.how == deliver_by::mode::give_back && e.since >= e.asked.by.within; }

std::vector<told> partition::find_delayed(envelope& e) const
{
    std::vector<told> out;
    if (e.sender.empty()) return out;
    auto const notice = std::chrono::seconds{parts_.limits.queue_delay_notice};
    auto const& by = e.asked.by;
    // A time that had passed before the message came was told by the server that had it then.
    bool const by_passed = by.how == deliver_by::mode::notify && by.within.count() > 0 && e.since >= by.within;
    bool const long_tried = notice.count() > 0 && e.age >= notice;
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        auto& to = e.recipients[i];
        bool const late = by_passed && !to.by_told, slow = long_tried && !to.delay_told;
        if (to.now != recipient::state::waiting || !to.wanted.wants_delay() || (!late && !slow)) continue;
        to.by_told = to.by_told || late;
        to.delay_told = true;
        if (late) to.last_status = "4.4.7";
        out.push_back({i, action::delayed});
    }
    return out;
}

std::chrono::seconds partition::next_wait(record const& r, envelope const& e) const
{
    auto wait = next_wait(r);
    auto const& by = e.asked.by;
    auto const plan = plan_now(r);
    auto const since = plan.waited + plan.age;
    auto const not_past = [&wait](std::chrono::seconds until) {
        if (until.count() > 0) wait = std::min(wait, until);
    };
    if (by.how == deliver_by::mode::give_back) not_past(by.within - since);
    if (e.sender.empty()) return wait;
    for (auto const& to : e.recipients) {
        if (to.now != recipient::state::waiting || !to.wanted.wants_delay()) continue;
        if (!to.delay_told && parts_.limits.queue_delay_notice > 0) not_past(std::chrono::seconds{parts_.limits.queue_delay_notice} - plan.age);
        if (!to.by_told && by.how == deliver_by::mode::notify) not_past(by.within - since);
    }
    return wait;
}

task<result<std::string>> partition::read_header(envelope const& e)
{
    stored_message message{parts_.engine, e.prefix, e.blob, e.size};
    std::string header = e.prefix;
    while (header.size() < 65'536 && header.find("\r\n\r\n") == std::string::npos) {
        auto const more = co_await message.read(header.size(), 16'384);
        if (!more) co_return fail(more);
        if (more->empty()) break;
        header += *more;
    }
    auto const end = header.find("\r\n\r\n");
    if (end != std::string::npos) header.resize(end + 2);
    co_return header;
}

task<result<std::string>> partition::read_whole(envelope const& e)
{
    stored_message message{parts_.engine, e.prefix, e.blob, e.size};
    std::string whole;
    while (whole.size() < e.size) {
        auto const more = co_await message.read(whole.size(), 262'144);
        if (!more) co_return fail(more);
        if (more->empty()) break;
        whole += *more;
    }
    co_return whole;
}

void partition::log_double_bounce(envelope const& e, std::vector<told> const& about, std::string_view why)
{
    // RFC 5321 §4.5.5, RFC 3461 §5.2: a notification is never answered with one. The postmaster finds it in the log and in the figures.
    for (auto const& t : about) {
        if (t.what != action::failed) continue;
        auto const& to = e.recipients[t.index];
        parts_.double_bounces.add();
        parts_.log.warning("double_bounce", {{"queue_id", e.id},
                                             {"session", e.session},
                                             {"message_id", e.message_id},
                                             {"recipient", to.address},
                                             {"status", to.last_status},
                                             {"reply", to.last_reply},
                                             {"why", why}});
    }
}

task<result<void>> partition::add_report(envelope const& e, std::vector<told> about, bool expired, store::change& c, std::vector<record>& made)
{
    if (e.sender.empty()) {
        log_double_bounce(e, about, "the sender is <>");
        co_return result<void>{};
    }
    if (e.sender_unproved) {
        log_double_bounce(e, about, "the sender is not proved: it may be somebody whose address was taken");
        co_return result<void>{};
    }
    // RFC 3461 §5.2.6 (b): no report where none is wanted; §5.2.8: nor in one that goes to others' recipients' sender.
    std::erase_if(about, [&](told const& t) {
        auto const& to = e.recipients[t.index];
        bool const unwanted = t.what == action::failed && !to.wanted.wants_failure();
        if (unwanted) parts_.log.info("bounce_unwanted", {{"queue_id", e.id}, {"recipient", to.address}, {"status", to.last_status}, {"reply", to.last_reply}});
        return unwanted;
    });
    if (about.empty()) co_return result<void>{};
    auto const header = co_await read_header(e);
    if (!header) co_return fail(header);
    std::string whole;
    bool const all_of_it = returns_whole(e, about, parts_.limits.queue_returned_size);
    if (all_of_it) {
        auto read = co_await read_whole(e);
        if (!read) co_return fail(read);
        whole = std::move(*read);
    }
    auto to = co_await parts_.carry.route(e.sender);
    if (!to) co_return fail(to);
    if (to->empty()) {
        log_double_bounce(e, about, "the sender's address leads nowhere");
        co_return result<void>{};
    }
    auto const boundary = base::to_base32(parts_.random.octets(15));
    auto const message_id = base::to_base32(parts_.random.octets(15));
    dsn_input in{e, about, *header, {}, parts_.options.hostname, parts_.options.postmaster, boundary, message_id, owner_.clock().wall(), expired, {}};
    if (all_of_it) in.whole = whole;
    in.tried_for_more = std::chrono::seconds{parts_.limits.queue_lifetime} - e.age;
    auto const text = make_dsn(in);
    auto const blob = co_await parts_.engine.stage(mime::octets{text});
    if (!blob) co_return fail(blob);
    envelope dsn;
    dsn.id = make_queue_id(number_, parts_.random);
    dsn.recipients = std::move(*to);
    dsn.blob = (*blob)->id();
    dsn.size = (*blob)->size();
    dsn.session = e.session;
    dsn.message_id = fmt::format("<{}@{}>", message_id, parts_.options.hostname);
    dsn.body_8bit = std::any_of(text.begin(), text.end(), [](char ch) { return static_cast<unsigned char>(ch) >= 0x80; });
    dsn.smtputf8 = e.smtputf8;
    dsn.asked.priority = e.asked.priority;        // RFC 6710 §4.6
    dsn.asked.require_tls = e.asked.require_tls;  // RFC 8689 §5
    dsn.accepted = owner_.clock().wall();
    record r;
    r.id = dsn.id;
    r.due = owner_.clock().monotonic();
    r.plan.due = r.plan.written = wall_seconds();
    r.plan.priority = dsn.asked.priority.value_or(0);
    r.groups = groups_of(dsn);
    c.new_blobs.push_back(*blob);
    put_message(dsn, r.plan, c);
    parts_.reports.add();
    parts_.log.info(about.front().what == action::failed ? "bounce" : "notification",
                    {{"queue_id", e.id}, {"dsn", dsn.id}, {"sender", e.sender}, {"recipients", about.size()}, {"action", name_of(about.front().what)}});
    made.push_back(std::move(r));
    co_return result<void>{};
}

}  // namespace mansio::queue
