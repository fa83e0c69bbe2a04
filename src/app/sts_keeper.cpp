#include "app/sts_keeper.hpp"

#include <chrono>
#include <utility>

namespace mansio::app {
namespace {
constexpr std::chrono::hours every{1};
}

task<result<mailauth::policy_fetcher::answer>> policy_by_https::fetch(std::string host)
{
    net::fetch_request r;
    r.url = "https://" + host + "/.well-known/mta-sts.txt";
    r.redirects = 0;  // RFC 8461 §3.3
    auto got = co_await web_.fetch(std::move(r));
    if (!got) {
        auto why = got.error();
        // Of the fetcher's refusals the certificate's alone is the policy host's own word (RFC 8460 §4.3).
        if (why.what == fault::kind::refused && why.say != net::certificate_not_trusted) why.what = fault::kind::try_later;
        co_return std::unexpected(std::move(why));
    }
    co_return answer{got->status, std::string{got->field("Content-Type").value_or("")}, std::move(got->body)};
}

sts_keeper::sts_keeper(parts p)
    : home_(p.home),
      log_(p.log),
      fetcher_(p.web),
      store_(p.engine, p.random, p.log),
      policies_(p.home, p.dns, fetcher_, store_, p.log),
      running_(p.home)
{}

void sts_keeper::plan()
{
    if (stopping_) return;
    waiting_ = true;
    timer_ = home_.call_after(every, [this] {
        waiting_ = false;
        running_.spawn(round());
    });
}

task<void> sts_keeper::round()
{
    auto const done = co_await policies_.refresh();
    if (!done)
        log_.error("sts_refresh_failed", {{"fault", done.error()}});
    else if (done->seen > 0)
        log_.info("sts_refreshed", {{"policies", done->seen}, {"fetched", done->fetched}, {"failed", done->failed}, {"removed", done->removed}});
    plan();
}

void sts_keeper::start() { plan(); }

task<void> sts_keeper::stop()
{
    stopping_ = true;
    if (std::exchange(waiting_, false)) home_.cancel(timer_);
    co_await running_.join();
}

}  // namespace mansio::app
