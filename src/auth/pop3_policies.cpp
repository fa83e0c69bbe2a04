#include "auth/pop3_policies.hpp"

#include <algorithm>

#include "auth/directory_impl.hpp"

namespace mansio::auth {
namespace {

/// Takes one more voice into what could hold for anybody.
class bounds_of {
public:
    explicit bounds_of(pop3_settings const& defaults)
    {
        bounds_.least_days = defaults.keep.value_or(pop3_keep{}).expire_days();
        bounds_.longest_delay = defaults.login_delay.value_or(0);
    }
    void hear(pop3_settings const& s)
    {
        if (s.keep && s.keep->expire_days() != bounds_.least_days) {
            bounds_.keep_differs = true;
            auto const days = s.keep->expire_days();
            if (days && (!bounds_.least_days || *days < *bounds_.least_days)) bounds_.least_days = days;
        }
        if (s.login_delay && *s.login_delay != bounds_.longest_delay) {
            bounds_.delay_differs = true;
            bounds_.longest_delay = std::max(bounds_.longest_delay, *s.login_delay);
        }
    }
    [[nodiscard]] pop3_bounds const& get() const noexcept { return bounds_; }

private:
    pop3_bounds bounds_;
};

}  // namespace

pop3_policies::pop3_policies(directory& d, pop3_settings defaults) : directory_(d), defaults_(defaults) {}

std::uint64_t pop3_policies::generation() const noexcept { return directory_.get().pop3_generation.load(); }

pop3_policy pop3_policies::of(account const& a, pop3_settings const& domain_says) const
{
    using origin = pop3_policy::origin;
    pop3_policy p;
    for (auto const& [said, who] : {std::pair{defaults_, origin::server}, std::pair{domain_says, origin::domain}, std::pair{a.pop3, origin::account}}) {
        if (said.keep) {
            p.keep = *said.keep;
            p.keep_from = who;
        }
        if (said.login_delay) {
            p.login_delay = *said.login_delay;
            p.login_delay_from = who;
        }
    }
    return p;
}

task<result<pop3_policy>> pop3_policies::of(account_number n)
{
    auto const a = co_await directory_.account_by_number(n);
    if (!a) co_return fail(a);
    if (!*a) co_return fail(fault::kind::not_found, "no such account");
    auto const at = (*a)->address.rfind('@');
    auto const d = co_await directory_.find_domain((*a)->address.substr(at == std::string::npos ? 0 : at + 1));
    if (!d) co_return fail(d);
    co_return of(**a, *d ? (*d)->pop3 : pop3_settings{});
}

task<result<pop3_bounds>> pop3_policies::bounds()
{
    auto const now = generation();
    {
        std::lock_guard const lock{mutex_};
        if (known_at_ == now) co_return known_;
    }
    bounds_of all{defaults_};
    auto const domains = co_await directory_.domains();
    if (!domains) co_return fail(domains);
    for (auto const& d : *domains) all.hear(d.pop3);
    auto const own = co_await directory_.accounts_with_pop3_settings();
    if (!own) co_return fail(own);
    for (auto const& s : *own) all.hear(s);
    std::lock_guard const lock{mutex_};
    known_ = all.get();
    known_at_ = now;  // a change meanwhile has raised the generation: looked at again
    co_return known_;
}

}  // namespace mansio::auth
