// parse: loops, and the summary that IMAP will answer from.
#include "accept/stages.hpp"

namespace mansio::accept::stages {
namespace {
constexpr std::size_t inline_size = 256U * 1024U;  // beyond it, parsing would hold up the shard
}

stage_result parse(workshop& w, message& m)
{
    // RFC 5321 §6.3: simple counting, which no loop escapes.
    if (m.incoming->header().received > w.with.limits.received_fields)
        co_return decision::stop({554, "5.4.6", "too many Received fields: the message is in a loop"});
    if (m.octets.size() <= inline_size) {
        m.summary = std::make_shared<mime::summary const>(mime::summarize(m.octets, w.with.limits));
        co_return decision::pass();
    }
    auto const& limits = w.with.limits;
    auto job = w.with.pool.run([whole = m.octets, &limits] { return std::make_shared<mime::summary const>(mime::summarize(whole, limits)); });
    auto done = co_await std::move(job);
    if (!done) co_return decision::stop({451, "4.3.2", "the server is busy, try again later"});
    m.summary = std::move(*done);
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
