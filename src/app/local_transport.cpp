#include "app/local_transport.hpp"

#include <fmt/format.h>

namespace mansio::app {
namespace {
constexpr std::uint64_t piece = 256 * 1024;

queue::outcome outcome_of(fault const& f)
{
    queue::outcome o;
    o.what = queue::outcome::kind::later;
    o.reply = f.say;
    switch (f.what) {
    case fault::kind::over_limit: o.status = "4.2.2"; break;
    case fault::kind::not_found:
        o.what = queue::outcome::kind::never;
        o.status = "5.1.1";
        o.reply = "there is no such account any more";
        break;
    case fault::kind::refused:
        o.what = queue::outcome::kind::never;
        o.status = f.detail.starts_with("5.") ? f.detail : "5.7.1";
        break;
    default: o.status = "4.3.0"; break;
    }
    if (o.reply.empty()) o.reply = "the mailbox cannot be written now";
    return o;
}
}  // namespace

local_transport::local_transport(deliver::local_delivery& d, store::engine& e, store::spool& s, base::worker_pool& pool, base::limits const& l)
    : delivery_(d),
      engine_(e),
      spool_(s),
      pool_(pool),
      limits_(l)
{}
local_transport::~local_transport() = default;

task<result<std::shared_ptr<mime::summary const>>> local_transport::summarize(queue::envelope const& e)
{
    // A queued blob is read back through the spool, so that a large one is mapped and never held.
    auto writer = spool_.open(store::line_ends::as_they_are, e.size);
    std::uint64_t offset = 0;
    while (true) {
        auto const octets = co_await engine_.blob_read(e.blob, offset, piece);
        if (!octets) co_return fail(octets);
        if (octets->empty()) break;
        offset += octets->size();
        auto const put = writer.append(*octets);
        if (!put) co_return fail(put);
        if (octets->size() < piece) break;
    }
    auto const whole = writer.finish();
    if (!whole) co_return fail(whole);
    if (!whole->mapped()) co_return std::make_shared<mime::summary const>(mime::summarize(*whole, limits_));
    auto made = co_await pool_.run([&] { return std::make_shared<mime::summary const>(mime::summarize(*whole, limits_)); });
    co_return made;
}

task<std::vector<queue::outcome>> local_transport::deliver(queue::envelope const& e, std::vector<std::size_t> which, queue::message_source&)
{
    std::vector<queue::outcome> outcomes;
    auto const summary = co_await summarize(e);
    for (auto const index : which) {
        if (!summary) {
            outcomes.push_back(outcome_of(summary.error()));
            continue;
        }
        auto const& to = e.recipients[index];
        deliver::delivery d;
        d.id = fmt::format("{}/{}", e.id, index);
        d.account = to.account;
        d.address = to.address;  // as a direct delivery has it: loops are looked for by the account's own address
        d.fresh = e.authenticated;
        d.detail = to.detail;
        d.sender = e.sender;
        d.trace = e.prefix;
        d.stored = e.blob;
        d.summary = *summary;
        auto const done = co_await delivery_.deliver(std::move(d));
        queue::outcome o;
        if (done) {
            o.what = queue::outcome::kind::delivered;
            o.status = "2.0.0";
            o.reply = "delivered to the mailbox";
        } else {
            o = outcome_of(done.error());
        }
        outcomes.push_back(std::move(o));
    }
    co_return outcomes;
}

}  // namespace mansio::app
