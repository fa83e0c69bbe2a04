#include "acme/keeper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "acme/pause.hpp"
#include "base/bytes.hpp"

namespace mansio::acme {
namespace {
using namespace std::chrono_literals;
constexpr auto first_wait = 1min;
constexpr auto longest_wait = 12h;
constexpr auto longest_asked = 24h * 7;  // of Retry-After
constexpr auto longest_nap = 1h;         // then the wall clock is looked at again: it may have been set

std::int64_t unix_seconds(base::wall_time t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }
}  // namespace

struct keeper::impl {
    keeper_parts parts;
    std::vector<std::string> names;
    client_options options;
    std::move_only_function<result<void>()> changed;
    base::gauge& expiry;
    base::counter& issued_count;
    base::counter& failed_count;
    std::optional<account_key> key;
    std::unique_ptr<client> asks;
    std::unique_ptr<base::task_group> group;
    pause naps;
    base::wall_time due{};
    unsigned failures = 0;

    impl(keeper_parts p, std::vector<std::string> n, client_options o, std::move_only_function<result<void>()> c)
        : parts(p),
          names(std::move(n)),
          options(std::move(o)),
          changed(std::move(c)),
          expiry(parts.metrics.get_gauge("mansio_certificate_not_after_seconds", "When a certificate ends, in seconds since 1970.", "source=\"acme\"")),
          issued_count(parts.metrics.get_counter("mansio_acme_orders_total", "Certificates ordered.", "outcome=\"issued\"")),
          failed_count(parts.metrics.get_counter("mansio_acme_orders_total", "Certificates ordered.", "outcome=\"failed\""))
    {
        MANSIO_ASSERT(!names.empty());
    }

    result<void> prepare()
    {
        auto const account = parts.files.read(account_file);
        if (!account) return fail(account);
        if (*account) {
            auto read = account_key::read(**account);
            if (!read)
                return fail(fault::kind::refused, fmt::format("{} is {}; put back the one from your backup or remove it", account_file, read.error().say));
            key = std::move(*read);
        } else {
            key = account_key::make();
            auto const written = parts.files.write(account_file, key->pem());
            if (!written) return written;
        }
        return look();
    }

    /// What is there already says when to order.
    result<void> look()
    {
        auto const now = parts.clock.wall();
        auto const held = parts.files.read(certificate_file);
        if (!held) return fail(held);
        due = now;
        if (!*held) return parts.files.write(certificate_file, make_placeholder(names));
        auto const v = validity_of(**held);
        if (!v) return parts.files.write(certificate_file, make_placeholder(names));
        expiry.set(v->self_signed ? 0 : unix_seconds(v->until));
        // One that no longer fits (other names, ended) still serves until its successor comes.
        auto const good = check_chain(**held, **held, names, now);
        if (good && !good->self_signed) due = renewal(*good);
        return {};
    }

    /// Two thirds of its life, less up to a twenty-fourth of it.
    base::wall_time renewal(validity const& v) const
    {
        auto const life = v.until - v.from;
        auto const jitter = static_cast<std::uint64_t>(std::max<std::int64_t>(life.count() / 24, 1));
        return v.from + life * 2 / 3 - std::chrono::microseconds{static_cast<std::int64_t>(parts.random.below(jitter))};
    }

    std::chrono::seconds back_off() const
    {
        auto const doubled = first_wait * (1U << std::min(failures - 1, 10U));
        auto const wait = std::chrono::seconds{std::min<std::chrono::seconds>(doubled, longest_wait)};
        auto const more = static_cast<std::int64_t>(parts.random.below(static_cast<std::uint64_t>(wait.count() / 4) + 1));
        return std::max(wait + std::chrono::seconds{more}, std::min<std::chrono::seconds>(asks->asked_to_wait(), longest_asked));
    }

    task<void> keep()
    {
        while (!naps.stopped()) {
            auto const left = due - parts.clock.wall();
            if (left > 0us) {
                bool const on = co_await naps.wait(std::min<std::chrono::nanoseconds>(left, longest_nap));
                if (!on) break;
                continue;
            }
            auto got = co_await asks->order(names);
            if (naps.stopped()) break;
            auto const kept = got ? put(*got) : result<void>{fail(got)};
            if (!kept) failed(kept.error());
        }
    }

    result<void> put(issued const& got)
    {
        auto const written = parts.files.write(certificate_file, got.key_pem + got.chain_pem);
        if (!written) return written;
        due = renewal(got.valid);
        failures = 0;
        issued_count.add();
        expiry.set(unix_seconds(got.valid.until));
        parts.log.info("certificate_issued", {{"names", base::joined(names, " ")}, {"until_unix_seconds", unix_seconds(got.valid.until)}});
        auto const taken = changed();
        if (!taken) parts.log.error("certificate_not_taken", {{"why", taken.error()}});
        return {};
    }

    void failed(fault const& why)
    {
        ++failures;
        failed_count.add();
        auto const wait = back_off();
        due = parts.clock.wall() + wait;
        parts.log.error("certificate_order_failed",
                        {{"names", base::joined(names, " ")}, {"why", why}, {"next_try_seconds", static_cast<std::int64_t>(wait.count())}});
    }
};

keeper::keeper(keeper_parts p, std::vector<std::string> names, client_options o, std::move_only_function<result<void>()> changed)
    : impl_(std::make_unique<impl>(p, std::move(names), std::move(o), std::move(changed)))
{}
keeper::~keeper() = default;
result<void> keeper::prepare() { return impl_->prepare(); }
base::wall_time keeper::due() const noexcept { return impl_->due; }

void keeper::start(base::executor& home)
{
    MANSIO_ASSERT(impl_->key && !impl_->group);
    impl_->asks = std::make_unique<client>(impl_->parts.fetch, *impl_->key, impl_->parts.answers, impl_->options);
    impl_->group = std::make_unique<base::task_group>(home);
    impl_->group->spawn(impl_->keep());
}

task<void> keeper::stop()
{
    impl_->naps.stop();
    if (!impl_->group) co_return;
    impl_->asks->stop();
    co_await impl_->group->join();
}

}  // namespace mansio::acme
