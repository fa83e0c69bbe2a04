#include "mailauth/sts_policies.hpp"

#include <map>
#include <mutex>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::mailauth {
namespace {

using namespace std::chrono_literals;
constexpr auto fetch_again = 5min;       // RFC 8461 §3.3, after a failure
constexpr auto refresh_after = 24h;      // §3.3
constexpr std::size_t most_failures = 4096;
constexpr std::size_t page = 64;

bool is_valid(stored_policy const& s, sts_policy const& p, base::wall_time now) { return now < s.fetched + p.max_age; }

/// "text/plain; charset=utf-8" (§3.2).
bool is_plain_text(std::string_view media_type)
{
    return base::equal_ignoring_case(base::trim_blanks(media_type.substr(0, media_type.find(';'))), "text/plain");
}

/// A policy that was fetched, or why not.
struct fetched_policy {
    std::optional<stored_policy> got;
    std::optional<sts_policy> policy;
    tls_result failure = tls_result::success;
    std::string why;
};

class memory_policy_store final : public policy_store {
public:
    explicit memory_policy_store(std::size_t most) : most_(most) {}
    task<result<std::optional<stored_policy>>> load(std::string domain) override
    {
        std::lock_guard const lock{mutex_};
        auto const at = policies_.find(domain);
        co_return at == policies_.end() ? std::optional<stored_policy>{} : at->second;
    }
    task<result<void>> save(stored_policy p) override
    {
        std::lock_guard const lock{mutex_};
        policies_.insert_or_assign(p.domain, p);
        if (policies_.size() > most_) policies_.erase(std::ranges::min_element(policies_, {}, [](auto const& e) { return e.second.fetched; }));
        co_return result<void>{};
    }
    task<result<void>> remove(std::string domain) override
    {
        std::lock_guard const lock{mutex_};
        policies_.erase(domain);
        co_return result<void>{};
    }
    task<result<std::vector<stored_policy>>> list(std::string after, std::size_t most) override
    {
        std::lock_guard const lock{mutex_};
        std::vector<stored_policy> found;
        for (auto at = policies_.upper_bound(after); at != policies_.end() && found.size() < most; ++at) found.push_back(at->second);
        co_return found;
    }

private:
    std::size_t most_;
    std::mutex mutex_;
    std::map<std::string, stored_policy> policies_;
};

}  // namespace

std::unique_ptr<policy_store> make_memory_policy_store(std::size_t most) { return std::make_unique<memory_policy_store>(most); }

struct sts_policies::impl {
    base::executor& home;
    net::resolver& dns;
    policy_fetcher& fetcher;
    policy_store& store;
    base::log& log;

    struct flight {
        base::signal landed;
        fetched_policy what;
        bool done = false;
    };
    struct failure {
        std::string id;
        base::monotonic_time when;
        fetched_policy what;
    };
    std::map<std::string, std::shared_ptr<flight>> flights;
    std::map<std::string, failure> failures;

    task<fetched_policy> ask_host(std::string domain, std::string id)
    {
        fetched_policy f;
        auto const host = "mta-sts." + domain;
        auto answer = co_await fetcher.fetch(host);
        if (!answer) {
            f.failure = answer.error().what == fault::kind::refused ? tls_result::sts_webpki_invalid : tls_result::sts_policy_fetch_error;
            f.why = host + ": " + base::printable(answer.error().say, 200);
            co_return f;
        }
        if (answer->status != 200) {  // §3.3: nothing else is a policy, a redirect neither
            f.failure = tls_result::sts_policy_fetch_error;
            f.why = host + ": HTTP status " + std::to_string(answer->status);
            co_return f;
        }
        auto policy = is_plain_text(answer->media_type) ? read_sts_policy(answer->body) : fail(fault::kind::syntax, "its media type is not text/plain");
        if (!policy) {
            f.failure = tls_result::sts_policy_invalid;
            f.why = host + ": " + policy.error().say;
            co_return f;
        }
        f.policy = std::move(*policy);
        f.got = stored_policy{domain, std::move(id), std::move(answer->body), home.clock().wall()};
        co_return f;
    }

    void remember_failure(std::string const& domain, std::string const& id, fetched_policy const& what)
    {
        log.warning("sts_policy_failed", {{"domain", domain}, {"result", name_of(what.failure)}, {"why", what.why}});
        auto const now = home.clock().monotonic();
        if (failures.size() >= most_failures) std::erase_if(failures, [&](auto const& e) { return e.second.when + fetch_again <= now; });
        // Full of fresh ones: somebody makes them up. What is forgotten is asked again, no worse.
        if (failures.size() >= most_failures) failures.erase(failures.begin());
        failures.insert_or_assign(domain, failure{id, now, what});
    }

    /// One at a time for a domain; who comes meanwhile takes the same answer.
    task<fetched_policy> fetch(std::string domain, std::string id)
    {
        if (auto const failed = failures.find(domain); failed != failures.end()) {
            if (failed->second.id == id && home.clock().monotonic() < failed->second.when + fetch_again) co_return failed->second.what;
            failures.erase(failed);
        }
        if (auto const at = flights.find(domain); at != flights.end()) {
            auto const waited = at->second;
            while (!waited->done) co_await waited->landed.wait();
            co_return waited->what;
        }
        auto const mine = std::make_shared<flight>();
        flights.emplace(domain, mine);
        mine->what = co_await ask_host(domain, id);
        if (mine->what.got) {
            auto const saved = co_await store.save(*mine->what.got);
            if (!saved) log.error("sts_policy_not_saved", {{"domain", domain}, {"why", base::describe(saved.error())}});
            log.info("sts_policy_fetched", {{"domain", domain}, {"mode", name_of(mine->what.policy->what)}, {"id", id}});
        } else {
            remember_failure(domain, id, mine->what);
        }
        mine->done = true;
        flights.erase(domain);
        mine->landed.notify_all();
        co_return mine->what;
    }

    /// §5.1, step 1.
    task<result<sts_finding>> find(std::string domain)
    {
        sts_finding f;
        auto loaded = co_await store.load(domain);
        if (!loaded) co_return fail(loaded);
        std::optional<sts_policy> cached;
        std::string cached_id;
        if (*loaded) {
            auto read = read_sts_policy((*loaded)->text);
            if (!read) log.error("sts_policy_unreadable", {{"domain", domain}, {"why", read.error().say}});
            bool const valid = read && is_valid(**loaded, *read, home.clock().wall());
            if (valid) cached = std::move(*read);
            if (valid) cached_id = (*loaded)->id;
        }
        auto const question = "_mta-sts." + domain;
        auto const txt = co_await dns.txt(question);
        if (txt.status == net::dns_status::failed) {
            f.uncertain = !cached;
            f.why = no_answer_for(question, txt.why);
        }
        auto const id = txt.status == net::dns_status::found ? sts_id_of(txt.records) : std::nullopt;
        if (id && (!cached || *id != cached_id)) {
            auto fetched = co_await fetch(domain, *id);
            if (fetched.policy) {
                cached = std::move(fetched.policy);
            } else {
                f.uncertain = !cached;
                f.why = fetched.why;
                // §6: failures are not told of a domain whose policy says "none".
                if (!cached || cached->what != sts_policy::mode::none) f.failure = fetched.failure;
            }
        }
        if (cached && cached->what != sts_policy::mode::none && cached->max_age > 0s) f.policy = std::move(cached);
        co_return f;
    }

    task<result<void>> refresh_one(stored_policy s, refreshed& count)
    {
        ++count.seen;
        auto const now = home.clock().wall();
        auto const policy = read_sts_policy(s.text);
        if (!policy || !is_valid(s, *policy, now)) {
            ++count.removed;
            auto removed = co_await store.remove(s.domain);
            co_return removed;
        }
        if (now < s.fetched + refresh_after) co_return result<void>{};
        auto const txt = co_await dns.txt("_mta-sts." + s.domain);
        auto const id = txt.status == net::dns_status::found ? sts_id_of(txt.records) : std::nullopt;
        auto const got = co_await fetch(s.domain, id.value_or(s.id));
        if (got.policy) ++count.fetched;
        if (got.policy || policy->what == sts_policy::mode::none) co_return result<void>{};
        ++count.failed;
        auto const left = std::chrono::duration_cast<std::chrono::hours>(s.fetched + policy->max_age - now);
        log.warning("sts_policy_not_refreshed", {{"domain", s.domain}, {"why", got.why}, {"valid_hours", left.count()}});
        co_return result<void>{};
    }

    task<result<refreshed>> refresh()
    {
        refreshed count;
        std::string after;
        while (true) {
            auto some = co_await store.list(after, page);
            if (!some) co_return fail(some);
            if (some->empty()) co_return count;
            after = some->back().domain;
            for (auto& s : *some) {
                auto const done = co_await refresh_one(std::move(s), count);
                if (!done) co_return fail(done);
            }
        }
    }
};

sts_policies::sts_policies(base::executor& home, net::resolver& dns, policy_fetcher& fetcher, policy_store& store, base::log& log)
    : impl_(std::make_unique<impl>(impl{home, dns, fetcher, store, log, {}, {}}))
{}
sts_policies::~sts_policies() { MANSIO_ASSERT(impl_->flights.empty()); }

task<result<sts_finding>> sts_policies::find(std::string domain)
{
    auto& caller = base::executor::current();
    co_await base::hop_to{impl_->home};
    auto found = co_await impl_->find(base::to_lower_ascii(domain));
    co_await base::hop_to{caller};
    co_return found;
}

task<result<sts_policies::refreshed>> sts_policies::refresh()
{
    auto& caller = base::executor::current();
    co_await base::hop_to{impl_->home};
    auto count = co_await impl_->refresh();
    co_await base::hop_to{caller};
    co_return count;
}

}  // namespace mansio::mailauth
