// queue, mailbox, status and reload: what is going on.
#include <fmt/format.h>

#include "admin/calls.hpp"
#include "base/bytes.hpp"

namespace mansio::admin {
namespace {
std::string_view state_name(queue::recipient::state s)
{
    switch (s) {
    case queue::recipient::state::waiting: return "waiting";
    case queue::recipient::state::delivered: return "delivered";
    case queue::recipient::state::bounced: return "bounced";
    case queue::recipient::state::cancelled: return "cancelled";
    }
    return "?";
}

task<result<json::object>> queue_list(services const& s, json::object args)
{
    auto const limit = number_or(args, "limit", 1000);
    if (!limit) co_return fail(limit);
    auto const all = co_await s.queue.list(static_cast<std::size_t>(*limit));
    if (!all) co_return fail(all);
    json::array list;
    for (auto const& m : *all)
        list.emplace_back(json::object{{"id", m.id},
                                       {"sender", m.sender},
                                       {"size", m.size},
                                       {"waiting", m.waiting},
                                       {"closed", m.closed},
                                       {"next_attempt_seconds", m.next_attempt.count()},
                                       {"age_seconds", m.age.count()},
                                       {"last_reply", m.last_reply},
                                       {"held", m.held}});
    co_return json::object{{"messages", std::move(list)}, {"total", s.queue.size()}};
}

task<result<json::object>> queue_show(services const& s, json::object args)
{
    auto const id = text_argument(args, "id");
    if (!id) co_return fail(id);
    auto const found = co_await s.queue.show(*id);
    if (!found) co_return fail(found);
    if (!*found) co_return fail(fault::kind::not_found, fmt::format("there is no message {} in the queue", base::printable(*id)));
    auto const& e = **found;
    json::array recipients;
    for (auto const& r : e.recipients)
        recipients.emplace_back(json::object{{"address", r.address},
                                             {"state", state_name(r.now)},
                                             {"attempts", r.attempts},
                                             {"last_status", r.last_status},
                                             {"last_reply", r.last_reply},
                                             {"last_host", r.last_host}});
    co_return json::object{{"id", e.id},           {"sender", e.sender},           {"size", e.size}, {"message_id", e.message_id},
                           {"session", e.session}, {"age_seconds", e.age.count()}, {"held", e.held}, {"recipients", std::move(recipients)}};
}

task<result<json::object>> queue_retry(services const& s, json::object args)
{
    auto const n = co_await s.queue.retry(text_or(args, "id", ""));
    if (!n) co_return fail(n);
    co_return json::object{{"tried", *n}};
}

task<result<json::object>> queue_hold(services const& s, json::object args)
{
    auto const id = text_argument(args, "id");
    if (!id) co_return fail(id);
    auto const done = co_await s.queue.hold(*id, text_or(args, "reason", "held by the operator"));
    if (!done) co_return fail(done);
    co_return json::object{{"held", *id}};
}

task<result<json::object>> queue_release(services const& s, json::object args)
{
    auto const id = text_argument(args, "id");
    if (!id) co_return fail(id);
    auto const done = co_await s.queue.release(*id);
    if (!done) co_return fail(done);
    co_return json::object{{"released", *id}};
}

task<result<json::object>> queue_cancel(services const& s, json::object args)
{
    auto const id = text_argument(args, "id");
    if (!id) co_return fail(id);
    auto const done = co_await s.queue.cancel(*id);
    if (!done) co_return fail(done);
    co_return json::object{{"cancelled", *id}};
}

task<result<json::object>> status(services const& s, json::object)
{
    boost::system::error_code wrong;
    auto const v = json::parse(s.status(), wrong);
    if (wrong || !v.is_object()) co_return fail(fault::kind::broken, "", "status is no JSON object");
    co_return v.as_object();
}

task<result<json::object>> reload(services const& s, json::object)
{
    auto const done = s.reload();
    if (!done) co_return fail(done);
    co_return json::object{{"reloaded", true}};
}
}  // namespace

std::vector<named_call> const& operation_calls()
{
    static std::vector<named_call> const calls{
        {"queue/list", &queue_list, false},      {"queue/show", &queue_show, false},    {"queue/retry", &queue_retry, true}, {"queue/hold", &queue_hold, true},
        {"queue/release", &queue_release, true}, {"queue/cancel", &queue_cancel, true}, {"status", &status, false},          {"reload", &reload, true},
    };
    return calls;
}

}  // namespace mansio::admin
