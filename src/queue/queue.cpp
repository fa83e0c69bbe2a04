#include "queue/queue.hpp"

#include "queue/partition.hpp"

namespace mansio::queue {

struct mail_queue::impl {
    std::atomic<std::int64_t> messages{0};
    std::atomic<unsigned> next{0};
    base::limits const& limits;
    destinations slots;
    shared_parts parts;
    std::vector<std::unique_ptr<partition>> partitions;

    impl(store::engine& e, transports t, base::limits const& l, base::random& r, base::log& log, base::metrics& m, options o)
        : limits(l),
          slots(l.relay_connections, l.relay_connections_per_destination),
          parts{e,
                std::move(t),
                l,
                r,
                log,
                std::move(o),
                slots,
                messages,
                m.get_counter("mansio_queue_delivered_total", "recipients delivered"),
                m.get_counter("mansio_queue_deferrals_total", "attempts to be made again later"),
                m.get_counter("mansio_queue_bounced_total", "recipients given up"),
                m.get_counter("mansio_queue_expired_total", "messages tried for too long"),
                m.get_counter("mansio_queue_reports_total", "delivery status notifications made"),
                m.get_counter("mansio_queue_delay_notices_total", "recipients whose sender was told that it takes long"),
                m.get_counter("mansio_queue_double_bounces_total", "recipients given up whose sender cannot be told: the log has them")}
    {
        m.observe("mansio_queue_messages", "messages in the queue", [this] { return static_cast<double>(messages.load()); });
        m.observe("mansio_queue_waiting_for_slot", "attempts that wait for a connection slot", [this] { return static_cast<double>(slots.waiting()); });
    }

    partition* of(queue_id const& id) const
    {
        auto const n = partition_number(id);
        return n ? partitions[*n].get() : nullptr;
    }
};

mail_queue::mail_queue(store::engine& e, std::function<base::executor&(store::partition_id)> owner_of, transports t, base::limits const& l, base::random& r,
                       base::log& log, base::metrics& m, options o)
    : impl_(std::make_unique<impl>(e, std::move(t), l, r, log, m, std::move(o)))
{
    impl_->next = static_cast<unsigned>(r.below(partition_count));
    for (unsigned i = 0; i < partition_count; ++i) impl_->partitions.push_back(std::make_unique<partition>(impl_->parts, i, owner_of(partition_of(i))));
}
mail_queue::~mail_queue() = default;

std::size_t mail_queue::size() const noexcept { return static_cast<std::size_t>(std::max<std::int64_t>(0, impl_->messages.load())); }

task<result<void>> mail_queue::start()
{
    auto& home = base::executor::current();
    result<void> outcome;
    for (auto& p : impl_->partitions) {
        co_await base::hop_to{p->owner()};
        auto loaded = co_await p->load();
        if (!loaded && outcome) outcome = fail(loaded);
    }
    co_await base::hop_to{home};
    co_return outcome;
}

task<void> mail_queue::stop()
{
    auto& home = base::executor::current();
    for (auto& p : impl_->partitions) {
        co_await base::hop_to{p->owner()};
        co_await p->stop();
    }
    co_await base::hop_to{home};
}

task<result<queue_id>> mail_queue::enqueue(submission s)
{
    if (size() >= impl_->limits.queue_messages) co_return fail(fault::kind::over_limit, "the queue is full, try again later");
    auto& home = base::executor::current();
    // Chosen here and part of the id: any partition will do, so they are taken in turn.
    auto& p = *impl_->partitions[impl_->next.fetch_add(1) % partition_count];
    co_await base::hop_to{p.owner()};
    auto id = co_await p.enqueue(std::move(s));
    co_await base::hop_to{home};
    co_return id;
}

task<result<std::vector<summary>>> mail_queue::list(std::size_t limit)
{
    auto& home = base::executor::current();
    std::vector<summary> all;
    result<void> outcome;
    for (auto& p : impl_->partitions) {
        if (all.size() >= limit || !outcome) break;
        co_await base::hop_to{p->owner()};
        outcome = co_await p->list(all, limit);
    }
    co_await base::hop_to{home};
    if (!outcome) co_return fail(outcome);
    co_return all;
}

task<result<std::optional<envelope>>> mail_queue::show(queue_id id)
{
    auto* p = impl_->of(id);
    if (p == nullptr) co_return std::optional<envelope>{};
    auto& home = base::executor::current();
    co_await base::hop_to{p->owner()};
    auto e = co_await p->show(std::move(id));
    co_await base::hop_to{home};
    co_return e;
}

task<result<std::size_t>> mail_queue::retry(queue_id id)
{
    auto& home = base::executor::current();
    std::size_t n = 0;
    for (auto& p : impl_->partitions) {
        if (!id.empty() && p.get() != impl_->of(id)) continue;
        co_await base::hop_to{p->owner()};
        n += p->retry(id);
    }
    co_await base::hop_to{home};
    if (!id.empty() && n == 0) {
        auto const known = co_await show(id);
        if (known && !*known) co_return fail(fault::kind::not_found, "there is no such message in the queue");
    }
    co_return n;
}

namespace {
std::unexpected<fault> no_such() { return fail(fault::kind::not_found, "there is no such message in the queue"); }
}  // namespace

task<result<void>> mail_queue::hold(queue_id id, std::string reason)
{
    auto* p = impl_->of(id);
    if (p == nullptr) co_return no_such();
    auto& home = base::executor::current();
    co_await base::hop_to{p->owner()};
    auto done = co_await p->hold(std::move(id), std::move(reason));
    co_await base::hop_to{home};
    co_return done;
}

task<result<void>> mail_queue::release(queue_id id)
{
    auto* p = impl_->of(id);
    if (p == nullptr) co_return no_such();
    auto& home = base::executor::current();
    co_await base::hop_to{p->owner()};
    auto done = co_await p->release(std::move(id));
    co_await base::hop_to{home};
    co_return done;
}

task<result<void>> mail_queue::cancel(queue_id id)
{
    auto* p = impl_->of(id);
    if (p == nullptr) co_return no_such();
    auto& home = base::executor::current();
    co_await base::hop_to{p->owner()};
    auto done = co_await p->cancel(std::move(id));
    co_await base::hop_to{home};
    co_return done;
}

}  // namespace mansio::queue
