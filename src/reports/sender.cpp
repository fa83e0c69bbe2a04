#include "reports/sender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/bytes.hpp"
#include "reports/observed_rows.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

using rows::going;
using rows::subject;

constexpr std::chrono::minutes look_wait{5};
constexpr std::int64_t first_delay = 600;          // after midnight: what was seen before it is written by then
constexpr std::int64_t jitter = 4 * 3600;          // RFC 8460 §4.1
constexpr std::int64_t try_for = 24 * 3600;        // RFC 8460 §5.5
constexpr std::int64_t first_wait = 600, longest_wait = 4 * 3600;
constexpr std::uint32_t sent_kept = 40;            // days
constexpr std::size_t rows_at_once = 500;
constexpr std::size_t at_once = 8;                 // reports
constexpr std::size_t most_rows = 20'000;          // of one report, whatever many restarts left; the rest is counted as not listed

std::string_view word_of(bool is) { return is ? "yes" : "no"; }

}  // namespace

struct report_sender::impl : parts {
    base::counter& sent;
    base::counter& given_up;
    std::map<subject, std::int64_t> due;  ///< unix seconds; of what has not begun, drawn when it is first seen
    base::task_group tasks;
    base::executor::timer_id timer = 0;
    bool started = false, stopping = false;

    explicit impl(parts p)
        : parts(std::move(p)),
          sent(metrics.get_counter("mansio_reports_sent_total", "DMARC and TLS reports handed on, one for each destination")),
          given_up(metrics.get_counter("mansio_reports_given_up_total", "destinations that a report could not be handed on to")),
          tasks(home)
    {}

    [[nodiscard]] std::int64_t now() const { return std::chrono::floor<std::chrono::seconds>(home.clock().wall()).time_since_epoch().count(); }
    [[nodiscard]] std::uint32_t today() const { return static_cast<std::uint32_t>(now() / day_seconds); }
    [[nodiscard]] static std::int64_t end_of(subject const& s) { return (std::int64_t{s.day} + 1) * day_seconds; }

    void arm(std::chrono::nanoseconds wait)
    {
        timer = home.call_after(wait, [this] { tasks.spawn(look(*this)); });
    }
    static task<void> look(impl& self)
    {
        co_await self.run_due();
        co_await self.forget_sent();
        if (!self.stopping) self.arm(look_wait);
    }

    [[nodiscard]] store::change new_change(std::string note)
    {
        store::change c;
        c.where = rows::observed_partition;
        c.id = store::change_id::make(random);
        c.note = std::move(note);
        return c;
    }

    /// Days that are over and have rows.
    task<result<std::vector<subject>>> subjects()
    {
        std::vector<subject> out;
        store::key_range range{rows::day_key('p', 0), rows::day_key('p', today())};
        while (true) {
            auto const some = co_await engine.scan(rows::observed_partition, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
            if (!some) co_return fail(some);
            for (auto const& r : *some) {
                auto const s = rows::read_subject(r.key);
                if (s && (out.empty() || out.back() != *s)) out.push_back(*s);
            }
            if (some->size() < rows_at_once) co_return out;
            range.from = some->back().key + '\0';
        }
    }

    /// Some at a time: most of it is waiting for others' DNS.
    struct round {
        std::vector<subject> all;
        std::size_t next = 0, ended = 0;
    };
    task<std::size_t> run_due()
    {
        auto all = co_await subjects();
        if (!all) {
            log.warning("reports_not_sent", {{"why", all.error()}});
            co_return 0;
        }
        round now_due{std::move(*all)};
        base::task_group together{home};
        for (std::size_t i = 0; i < at_once; ++i) together.spawn(take_turns(*this, now_due));
        co_await together.join();
        std::erase_if(due, [&](auto const& item) { return !std::ranges::binary_search(now_due.all, item.first); });
        co_return now_due.ended;
    }
    static task<void> take_turns(impl& self, round& of)
    {
        while (of.next < of.all.size() && !self.stopping) {
            auto const s = of.all[of.next++];
            auto const did = co_await self.go_on_with(s);
            if (!did) self.log.warning("report_not_sent", {{"kind", name_of(s.what)}, {"domain", s.domain}, {"day", write_day(s.day)}, {"why", did.error()}});
            if (did && *did) ++of.ended;
        }
    }

    /// True: nothing is left of it.
    task<result<bool>> go_on_with(subject s)
    {
        auto const row = co_await engine.get(rows::observed_partition, rows::going_key(s));
        if (!row) co_return fail(row);
        if (*row) {
            auto g = rows::decode_going(**row);
            if (!g) co_return fail(g);
            if (g->next > now() && g->next - now() <= longest_wait) co_return false;  // a clock that was set back holds nothing up
            co_return co_await send(s, std::move(*g));
        }
        auto const [it, fresh] = due.try_emplace(s, end_of(s) + first_delay);
        if (fresh) it->second += static_cast<std::int64_t>(random.below(jitter));
        if (it->second > now()) co_return false;
        co_return co_await begin(s);
    }

    struct day_facts {
        std::vector<rows::run_id> runs;
        rows::seen_policy policy;  ///< the latest, unlisted ones summed up
    };
    /// `only`: of these runs; empty: of all.
    task<result<day_facts>> facts_of(subject s, std::vector<rows::run_id> only)
    {
        auto const found = co_await engine.scan(rows::observed_partition, store::key_range::prefix(rows::prefix_of('p', s)), rows_at_once);
        if (!found) co_return fail(found);
        day_facts out;
        std::uint64_t unlisted = 0;
        for (auto const& r : *found) {
            std::string_view run;
            if (!rows::read_subject(r.key, &run)) continue;
            if (!only.empty() && std::ranges::find(only, run) == only.end()) continue;
            auto p = rows::decode_seen_policy(r.value);
            if (!p) co_return fail(p);
            unlisted = add_counts(unlisted, p->unlisted);
            out.runs.emplace_back(run);
            if (out.runs.size() == 1 || p->seen > out.policy.seen) out.policy = std::move(*p);
        }
        out.policy.unlisted = unlisted;
        co_return out;
    }

    /// Fixes what is told and to whom, before anything is sent.
    task<result<bool>> begin(subject s)
    {
        auto const closed = co_await figures.close(s.day, s.what, s.domain);
        if (!closed) co_return fail(closed);
        auto facts = co_await facts_of(s, {});
        if (!facts) co_return fail(facts);
        auto const asked = s.what == report_kind::dmarc ? co_await dmarc_destinations(dns, organization, s.domain, facts->policy.rua)
                                                        : co_await tls_destinations(dns, s.domain);
        bool const too_late = now() - end_of(s) > jitter + try_for;
        if (asked.later && !too_late) {
            due[s] = now() + first_wait;
            co_return fail(fault::kind::try_later, "", asked.why);
        }
        if (!asked.why.empty())
            log.info("report_destination_left_out", {{"kind", name_of(s.what)}, {"domain", s.domain}, {"day", write_day(s.day)}, {"why", asked.why}});
        going g;
        g.id = base::to_hex(random.octets(12));
        g.begun = now();
        g.runs = std::move(facts->runs);
        for (auto const& uri : asked.uris) g.destinations.push_back({uri, going::state::waiting});
        auto const kept = co_await keep(s, g);
        if (!kept) co_return fail(kept);
        due.erase(s);
        co_return co_await send(s, std::move(g));
    }

    task<result<void>> keep(subject s, going g)
    {
        auto c = new_change("report");
        c.rows.push_back({rows::going_key(s), rows::encode(g)});
        auto const done = co_await engine.commit(std::move(c));
        if (!done) co_return fail(done);
        co_return result<void>{};
    }

    [[nodiscard]] static bool is_over(going const& g)
    {
        return std::ranges::none_of(g.destinations, [](auto const& d) { return d.now == going::state::waiting; });
    }

    task<result<bool>> send(subject s, going g)
    {
        if (!is_over(g)) {
            auto const report = co_await packed(s, g);
            if (!report) co_return fail(report);
            bool const tell_size = too_large_for_all(*report, g);
            for (std::size_t i = 0; i < g.destinations.size(); ++i) {
                if (g.destinations[i].now != going::state::waiting) continue;
                auto const done = co_await hand_on(*report, g.destinations[i].uri, g.begun, tell_size);
                g.destinations[i].now = after(done, g);
                tell(s, g, g.destinations[i], done);
                if (g.destinations[i].now == going::state::waiting) continue;
                // At once: a crash from here on repeats nothing that was handed on before.
                auto const kept = co_await keep(s, g);
                if (!kept) co_return fail(kept);
            }
        }
        if (is_over(g)) co_return co_await finish(s, std::move(g));
        g.next = now() + std::min(first_wait << std::min(g.attempts, 10U), longest_wait);
        ++g.attempts;
        auto const kept = co_await keep(s, std::move(g));
        if (!kept) co_return fail(kept);
        co_return false;
    }

    [[nodiscard]] going::state after(result<void> const& done, going const& g) const
    {
        if (done) return going::state::handed_on;
        bool const never = done.error().what == fault::kind::refused || done.error().what == fault::kind::syntax;
        return never || now() - g.begun > try_for ? going::state::given_up : going::state::waiting;
    }

    void tell(subject const& s, going const& g, going::destination const& d, result<void> const& done)
    {
        if (d.now == going::state::handed_on) {
            sent.add();
            log.info("report_sent", {{"kind", name_of(s.what)}, {"domain", s.domain}, {"day", write_day(s.day)}, {"to", d.uri.target}, {"id", g.id}});
            return;
        }
        bool const last = d.now == going::state::given_up;
        if (last) given_up.add();
        log.info("report_not_handed_on", {{"kind", name_of(s.what)},
                                          {"domain", s.domain},
                                          {"day", write_day(s.day)},
                                          {"to", d.uri.target},
                                          {"given_up", word_of(last)},
                                          {"why", done.error()}});
    }

    task<result<void>> hand_on(packed_report const& report, report_uri uri, std::int64_t date, bool tell_size)
    {
        if (uri.how == report_uri::scheme::https) co_return co_await post(report, std::move(uri.target));
        auto m = make_report_mail(report, uri.target, by, date);
        auto const size = m.message.size();
        if (!exceeds(uri, size)) co_return co_await mail.enqueue(std::move(m));
        if (tell_size) {
            auto const told = co_await mail.enqueue(make_too_large_mail(report, uri.target, size, by, date));
            if (!told) co_return fail(told);
        }
        co_return fail(fault::kind::refused, fmt::format("{} octets, more than the {} it takes", size, *uri.most_octets));
    }
    [[nodiscard]] static bool exceeds(report_uri const& uri, std::size_t octets) { return uri.most_octets && octets > *uri.most_octets; }
    /// RFC 7489 §7.2.1: when nobody can be given the report, word of it is sent instead (§7.2.2).
    [[nodiscard]] bool too_large_for_all(packed_report const& report, going const& g) const
    {
        return std::ranges::all_of(g.destinations,
                                   [&](auto const& d) { return exceeds(d.uri, make_report_mail(report, d.uri.target, by, g.begun).message.size()); });
    }

    task<result<void>> post(packed_report const& report, std::string url)
    {
        if (https == nullptr) co_return fail(fault::kind::refused, "no reports over HTTPS here");
        auto const status = co_await https->post(std::move(url), report.media_type, report.octets);
        if (!status) co_return fail(status);
        if (*status / 100 != 2) co_return fail(fault::kind::try_later, fmt::format("HTTP status {}", *status));  // RFC 8460 §5.4
        co_return result<void>{};
    }

    /// Rows of the report's runs, alike ones of several runs made one. In the order of their octets: the same rows give the same report.
    task<result<std::vector<rows::counted>>> counted_of(subject s, going const& g, std::uint64_t& unlisted)
    {
        std::map<std::string, rows::counted> alike;
        for (auto const& run : g.runs) {
            auto range = store::key_range::prefix(rows::prefix_of('c', s) + run);
            while (true) {
                auto const some = co_await engine.scan(rows::observed_partition, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
                if (!some) co_return fail(some);
                for (auto const& r : *some) {
                    auto c = rows::decode_counted(r.value);
                    if (!c) co_return fail(c);
                    auto const it = alike.find(c->payload);
                    if (it == alike.end() && alike.size() == most_rows) {
                        unlisted = add_counts(unlisted, c->first);
                        continue;
                    }
                    auto& sum = it == alike.end() ? alike[c->payload] : it->second;
                    sum.first = add_counts(sum.first, c->first);
                    sum.second = add_counts(sum.second, c->second);
                    sum.payload = std::move(c->payload);
                }
                if (some->size() < rows_at_once) break;
                range.from = some->back().key + '\0';
            }
        }
        std::vector<rows::counted> out;
        for (auto& [payload, c] : alike) out.push_back(std::move(c));
        co_return out;
    }

    task<result<packed_report>> packed(subject s, going const& g)
    {
        auto facts = co_await facts_of(s, g.runs);
        if (!facts) co_return fail(facts);
        auto unlisted = facts->policy.unlisted;
        auto const counted = co_await counted_of(s, g, unlisted);
        if (!counted) co_return fail(counted);
        auto const made = co_await pool.run([&] { return write(s, g, facts->policy.policy, *counted, unlisted); });
        if (!made) co_return fail(made);
        co_return *made;
    }

    [[nodiscard]] result<packed_report> write(subject const& s, going const& g, dmarc_report::policy_published policy,
                                              std::vector<rows::counted> const& counted, std::uint64_t unlisted) const
    {
        auto const begin = std::int64_t{s.day} * day_seconds;
        auto const note = unlisted == 0 ? std::string{}
                                        : fmt::format("{} further {} were seen that are not listed here.", unlisted,
                                                      s.what == report_kind::dmarc ? "messages" : "sessions or failures");
        if (s.what == report_kind::dmarc) {
            dmarc_report r;
            r.begin = begin;
            r.end = begin + day_seconds - 1;
            r.policy = std::move(policy);
            r.policy.domain = s.domain;
            if (!note.empty()) r.errors.push_back(note);
            for (auto const& c : counted) {
                auto const added = rows::add_to(r, c);
                if (!added) return fail(added);
            }
            return pack(std::move(r), g.id, by);
        }
        tls_report r;
        r.begin = begin;
        r.end = begin + day_seconds - 1;
        for (auto const& c : counted) {
            auto const added = rows::add_to(r, s.domain, c);
            if (!added) return fail(added);
        }
        auto out = pack(std::move(r), g.id, s.domain, by);
        out.note = note;
        return out;
    }

    /// Removes the rows, last those by which a crash would find it again.
    task<result<bool>> finish(subject s, going g)
    {
        for (auto const& run : g.runs) {
            auto const range = store::key_range::prefix(rows::prefix_of('c', s) + run);
            while (true) {
                auto const some = co_await engine.scan(rows::observed_partition, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
                if (!some) co_return fail(some);
                if (some->empty()) break;
                auto c = new_change("reported");
                c.rows.reserve(some->size());
                for (auto const& r : *some) c.rows.push_back({r.key, std::nullopt});
                auto const done = co_await engine.commit(std::move(c));
                if (!done) co_return fail(done);
            }
        }
        auto c = new_change("reported");
        for (auto const& run : g.runs) c.rows.push_back({rows::policy_key(s, run), std::nullopt});
        c.rows.push_back({rows::going_key(s), std::nullopt});
        auto const handed_on = std::ranges::count(g.destinations, going::state::handed_on, &going::destination::now);
        if (!g.destinations.empty()) {
            base::row_writer w;
            w.u8(1).signed_varint(now()).varint(static_cast<std::uint64_t>(handed_on)).varint(g.destinations.size() - static_cast<std::size_t>(handed_on));
            c.rows.push_back({rows::sent_key(s, g.id), w.take_sealed()});
        }
        auto const done = co_await engine.commit(std::move(c));
        if (!done) co_return fail(done);
        co_return true;
    }

    task<void> forget_sent()
    {
        if (today() < sent_kept) co_return;
        store::key_range const range{rows::day_key('t', 0), rows::day_key('t', today() - sent_kept)};
        auto const old = co_await engine.scan(rows::observed_partition, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
        if (!old || old->empty()) co_return;
        auto c = new_change("forget");
        for (auto const& r : *old) c.rows.push_back({r.key, std::nullopt});
        auto const done = co_await engine.commit(std::move(c));
        if (!done) log.warning("reports_not_forgotten", {{"why", done.error()}});
    }
};

report_sender::report_sender(parts p) : impl_(std::make_unique<impl>(std::move(p))) {}
report_sender::~report_sender() = default;

void report_sender::start()
{
    impl_->started = true;
    impl_->tasks.spawn(impl::look(*impl_));
}

task<void> report_sender::stop()
{
    impl_->stopping = true;
    impl_->home.cancel(impl_->timer);
    co_await impl_->tasks.join();
    impl_->home.cancel(impl_->timer);
}

task<std::size_t> report_sender::run_due() { return impl_->run_due(); }

}  // namespace mansio::reports
