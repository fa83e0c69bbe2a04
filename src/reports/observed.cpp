#include "reports/observed.hpp"

#include <map>

#include "base/bytes.hpp"
#include "reports/observed_rows.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

constexpr std::chrono::minutes flush_wait{1};
constexpr std::size_t most_commit = std::size_t{256} << 10U;  // octets of rows in one

/// One thing that happened: which payloads to count, by how much.
struct event {
    struct part {
        std::string payload;
        std::uint64_t first = 0, second = 0;
    };
    report_kind what = report_kind::dmarc;
    std::string domain;
    std::vector<part> parts;
    dmarc_report::policy_published policy;
    std::string rua;
};

}  // namespace

struct observed_figures::impl : std::enable_shared_from_this<impl> {
    struct row {
        std::string payload;
        std::uint64_t first = 0, second = 0;
        bool fresh = true;  ///< not written as it is
    };
    struct entry {
        rows::run_id run;
        std::map<rows::hash, row> alike;
        rows::seen_policy policy;
        bool fresh = true;
    };

    store::engine& engine;
    base::executor& home;
    base::random& random;
    base::log& log;
    base::counter& unlisted;
    bounds most;
    std::map<rows::subject, entry> entries;
    std::size_t row_count = 0;
    base::executor::timer_id timer = 0;
    bool armed = false, stopped = false, writing = false;
    base::signal written;
    base::task_group tasks;

    impl(store::engine& e, base::executor& h, base::random& r, base::log& l, base::metrics& m, bounds b)
        : engine(e),
          home(h),
          random(r),
          log(l),
          unlisted(m.get_counter("mansio_reports_unlisted_total", "messages and sessions that outgoing reports count but do not list")),
          most(b),
          tasks(h)
    {}

    [[nodiscard]] std::int64_t now() const { return std::chrono::floor<std::chrono::seconds>(home.clock().wall()).time_since_epoch().count(); }

    void post(event e)
    {
        home.post([self = shared_from_this(), e = std::move(e)]() mutable { self->take(std::move(e)); });
    }

    void take(event e)
    {
        if (stopped) return;
        rows::subject const s{static_cast<std::uint32_t>(now() / day_seconds), e.what, std::move(e.domain)};
        auto it = entries.find(s);
        if (it == entries.end()) {
            // A stranger with many domains: those that came first are reported.
            if (entries.size() >= most.domains) return unlisted.add();
            it = entries.emplace(s, entry{}).first;
            it->second.run = random.octets(8);
        }
        auto& into = it->second;
        into.fresh = true;
        into.policy.seen = now();
        into.policy.policy = std::move(e.policy);
        into.policy.rua = std::move(e.rua);
        for (auto& p : e.parts) count(into, std::move(p));
        arm();
    }

    void count(entry& into, event::part p)
    {
        auto const h = rows::hash_of(p.payload);
        auto it = into.alike.find(h);
        if (it == into.alike.end()) {
            if (into.alike.size() >= most.rows_of_a_domain || row_count >= most.rows) {
                into.policy.unlisted = add_counts(into.policy.unlisted, 1);
                return unlisted.add();
            }
            it = into.alike.emplace(h, row{std::move(p.payload), 0, 0, true}).first;
            ++row_count;
        }
        it->second.first = add_counts(it->second.first, p.first);
        it->second.second = add_counts(it->second.second, p.second);
        it->second.fresh = true;
    }

    void arm()
    {
        if (armed || stopped) return;
        armed = true;
        timer = home.call_after(flush_wait, [this] {
            armed = false;
            tasks.spawn(flush_by_timer(*this));
        });
    }
    static task<void> flush_by_timer(impl& self)
    {
        auto const done = co_await self.flush();
        if (!done) {
            self.log.warning("report_figures_not_written", {{"why", done.error()}});
            self.arm();
        }
    }

    /// Everything fresh, in commits of some size; what is counted meanwhile stays fresh.
    task<result<void>> flush()
    {
        while (writing) co_await written.wait();
        writing = true;
        auto done = co_await write_fresh();
        writing = false;
        written.notify_all();
        co_return done;
    }

    task<result<void>> write_fresh()
    {
        std::vector<rows::subject> all;
        for (auto const& [s, e] : entries)
            if (e.fresh) all.push_back(s);
        store::change c;
        std::vector<rows::subject> in_change;
        std::size_t octets = 0;
        for (auto const& s : all) {
            auto& e = entries.at(s);
            e.fresh = false;
            in_change.push_back(s);
            add_row(c, octets, rows::policy_key(s, e.run), rows::encode(e.policy));
            auto const run = e.run;
            for (auto const& h : fresh_hashes(e)) {
                auto& r = entries.at(s).alike.at(h);
                if (octets > most_commit) {
                    auto const done = co_await commit(c, octets, in_change);
                    if (!done) co_return fail(done);
                    in_change = {s};
                }
                r.fresh = false;
                add_row(c, octets, rows::count_key(s, run, h), rows::encode(rows::counted{r.payload, r.first, r.second}));
            }
        }
        if (!c.rows.empty()) {
            auto const done = co_await commit(c, octets, in_change);
            if (!done) co_return fail(done);
        }
        forget_old_days();
        co_return result<void>{};
    }

    static std::vector<rows::hash> fresh_hashes(entry const& e)
    {
        std::vector<rows::hash> out;
        for (auto const& [h, r] : e.alike)
            if (r.fresh) out.push_back(h);
        return out;
    }
    static void add_row(store::change& c, std::size_t& octets, std::string key, std::string value)
    {
        octets += key.size() + value.size();
        c.rows.push_back({std::move(key), std::move(value)});
    }

    /// Errors: all of the subjects are fresh again.
    task<result<void>> commit(store::change& c, std::size_t& octets, std::vector<rows::subject> const& in_change)
    {
        c.where = rows::observed_partition;
        c.id = store::change_id::make(random);
        c.note = "observed";
        auto const done = co_await engine.commit(std::exchange(c, {}));
        octets = 0;
        if (done) co_return result<void>{};
        for (auto const& s : in_change) {
            auto& e = entries.at(s);
            e.fresh = true;
            for (auto& [h, r] : e.alike) r.fresh = true;
        }
        co_return fail(done);
    }

    /// What was written and is over: later events of such a day begin a new run.
    void forget_old_days()
    {
        auto const today = static_cast<std::uint32_t>(now() / day_seconds);
        std::erase_if(entries, [&](auto const& item) {
            bool const gone = item.first.day != today && !item.second.fresh;
            if (gone) row_count -= item.second.alike.size();
            return gone;
        });
    }
};

observed_figures::observed_figures(store::engine& e, base::executor& home, base::random& r, base::log& log, base::metrics& m, bounds b)
    : impl_(std::make_shared<impl>(e, home, r, log, m, b))
{}
observed_figures::observed_figures(store::engine& e, base::executor& home, base::random& r, base::log& log, base::metrics& m)
    : observed_figures(e, home, r, log, m, bounds{})
{}
observed_figures::~observed_figures() = default;

void observed_figures::record(dmarc_observation o)
{
    auto domain = domain_key(o.policy.domain);
    if (o.rua.empty() || !domain) return;
    event e;
    e.domain = std::move(*domain);
    e.parts.push_back({rows::encode(o.seen), 1, 0});
    e.policy = std::move(o.policy);
    e.rua = std::move(o.rua);
    impl_->post(std::move(e));
}

void observed_figures::record(tls_observation o)
{
    auto domain = domain_key(o.domain);
    if (!domain) return;
    event e;
    e.what = report_kind::tls;
    e.domain = std::move(*domain);
    tls_report::policy const p{std::move(o.policy_type), std::move(o.policy_text), {}, std::move(o.mx_hosts), 0, 0, {}};
    e.parts.push_back({rows::encode(p), o.failure ? 0U : 1U, o.failure ? 1U : 0U});
    if (o.failure) e.parts.push_back({rows::encode(p, *o.failure), 1, 0});
    impl_->post(std::move(e));
}

task<result<void>> observed_figures::flush() { return impl_->flush(); }

task<result<void>> observed_figures::close(std::uint32_t day, report_kind what, std::string domain)
{
    rows::subject const s{day, what, std::move(domain)};
    while (true) {
        // What is being written is not fresh, and not yet there either.
        while (impl_->writing) co_await impl_->written.wait();
        auto const it = impl_->entries.find(s);
        if (it == impl_->entries.end()) co_return result<void>{};
        if (!it->second.fresh) {
            impl_->row_count -= it->second.alike.size();
            impl_->entries.erase(it);
            co_return result<void>{};
        }
        auto const done = co_await impl_->flush();
        if (!done) co_return fail(done);
    }
}

task<void> observed_figures::stop()
{
    impl_->stopped = true;
    if (impl_->armed) impl_->home.cancel(impl_->timer);
    impl_->armed = false;
    co_await impl_->tasks.join();
    auto const done = co_await impl_->flush();
    if (!done) impl_->log.warning("report_figures_not_written", {{"why", done.error()}});
}

}  // namespace mansio::reports
