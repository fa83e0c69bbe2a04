#include "smtp/client/tls_policy.hpp"

#include <fmt/format.h>

namespace mansio::smtp::client {
namespace {

using mailauth::tls_policy_type;
using mailauth::tls_result;
using level = tls_demand::level;
using verdict = mailauth::dane_finding::verdict;

queue::outcome later(std::string status, std::string words)
{
    queue::outcome o;
    o.what = queue::outcome::kind::later;
    o.status = std::move(status);
    o.reply = std::move(words);
    return o;
}

}  // namespace

tls_chooser::tls_chooser(net::resolver& dns, mailauth::sts_policies* sts, mailauth::tls_observer* observer, base::clock& clock, destination where,
                         bool optional)
    : dns_(dns),
      policies_(sts),
      observer_(observer),
      clock_(clock),
      where_(std::move(where)),
      optional_(optional)
{}

mailauth::tls_observation tls_chooser::observation(target const& t) const
{
    mailauth::tls_observation o;
    o.when = clock_.wall();
    o.policy_domain = where_.domain;
    o.mx_host = t.name;
    o.to = t.at.address;
    return o;
}

void tls_chooser::observe(mailauth::tls_observation o, tls_result r, std::string why)
{
    if (observer_ == nullptr) return;
    o.result = r;
    o.reason = std::move(why);
    observer_->observed(std::move(o));
}

task<result<void>> tls_chooser::look_up_sts()
{
    if (sts_) co_return result<void>{};
    if (policies_ == nullptr) {
        sts_.emplace();
        co_return result<void>{};
    }
    auto found = co_await policies_->find(where_.domain);
    if (!found) co_return fail(found);
    sts_ = std::move(*found);
    if (sts_->failure) {
        mailauth::tls_observation o;
        o.when = clock_.wall();
        o.policy_domain = where_.domain;
        o.policy_type = tls_policy_type::sts;
        if (sts_->policy) o.policy = sts_->policy->lines;
        if (sts_->policy) o.mx_patterns = sts_->policy->mx;
        observe(std::move(o), *sts_->failure, sts_->why);
    }
    co_return result<void>{};
}

task<mailauth::dane_finding> tls_chooser::look_up_dane(target const& t)
{
    // A server's addresses share what is published for its name.
    if (auto const known = dane_.find(t.name); known != dane_.end()) co_return known->second;
    mailauth::dane_question q;
    q.host = t.name;
    q.port = t.at.port;
    q.secure_addresses = t.secure_address;
    q.canonical_host = t.canonical_name;
    q.by_mx = where_.by_mx;
    q.secure_mx = where_.secure_mx;
    q.next_hop = where_.domain;
    q.canonical_next_hop = where_.canonical_domain;
    auto found = co_await mailauth::find_dane(dns_, std::move(q));
    dane_.emplace(t.name, found);
    co_return found;
}

/// RFC 8461 §4.1, §8.4: the order of the MX stays, a server its policy does not name is passed over.
bool tls_chooser::refused_by_sts(target const& t) const { return sts_->policy && !mailauth::permits_mx(*sts_->policy, t.name); }

void tls_chooser::by_dane(target const& t, mailauth::dane_finding const& found, tls_choice& c)
{
    auto& d = c.demand;
    d.about.policy_type = tls_policy_type::tlsa;
    d.about.policy = found.published;
    if (found.what == verdict::unreachable) {
        // RFC 7672 §2.1.2: who can make this answer fail must not win a connection in clear by it.
        observe(d.about, tls_result::dnssec_invalid, found.why);
        d.reported = true;
        if (optional_) return;
        c.skip = later("4.7.5", fmt::format("nothing is sent to {} while the DNS does not say which certificate it has to show (DANE): {}", t.name, found.why));
        c.for_now = true;
        return;
    }
    d.least = found.what == verdict::verify ? level::verified : level::encrypted;
    d.tls.server_name = found.base_domain;
    d.tls.also_named = found.further_names;
    d.tls.tlsa = found.records;
    d.because = "its TLSA records ask for it (DANE)";
}

void tls_chooser::by_sts(target const& t, tls_choice& c)
{
    auto& d = c.demand;
    auto const& policy = *sts_->policy;
    d.about.policy_type = tls_policy_type::sts;
    d.about.policy = policy.lines;
    d.about.mx_patterns = policy.mx;
    bool const testing = policy.what == mailauth::sts_policy::mode::testing;
    if (refused_by_sts(t)) {
        observe(d.about, tls_result::validation_failure, "the policy does not name this MX");
        d.reported = true;
        if (testing || optional_) return;
        c.skip = later("4.7.5", fmt::format("nothing is sent to {}: it is an MX of {}, but the MTA-STS policy of {} does not name it", t.name, where_.domain,
                                            where_.domain));
        return;
    }
    d.least = level::verified;
    d.enforced = !testing && !optional_;
    d.certain_host = true;
    d.tls.alternative_names_only = true;  // RFC 8461 §4.2
    d.because = fmt::format("the MTA-STS policy of {} asks for it", where_.domain);
}

task<tls_choice> tls_chooser::choose(target const& t)
{
    tls_choice c;
    c.demand.tls.server_name = t.name;
    c.demand.about = observation(t);
    c.demand.enforced = !optional_;
    c.demand.certain_host = !where_.by_mx || where_.secure_mx;
    if (where_.domain.empty()) co_return c;
    auto const dane = co_await look_up_dane(t);
    bool const by_tlsa = dane.what != verdict::not_used;
    if (by_tlsa) by_dane(t, dane, c);
    // Signed all the way: what the domain says over HTTPS adds nothing. Where the MX is not signed TLSA records speak for the server alone, and the policy
    // for the choice of it; a failing DANE is never made good by a policy (RFC 8461 §2).
    if (c.skip || (by_tlsa && c.demand.certain_host)) co_return c;
    if (auto const known = co_await look_up_sts(); !known) {
        c.skip = later("4.3.0", "this server cannot read the TLS policies it has kept now");
        c.for_now = true;
        co_return c;
    }
    if (!sts_->policy) co_return c;
    if (!by_tlsa) {
        by_sts(t, c);
        co_return c;
    }
    c.demand.certain_host = !refused_by_sts(t);
    bool const enforced = sts_->policy->what == mailauth::sts_policy::mode::enforce && !optional_;
    if (refused_by_sts(t) && enforced) by_sts(t, c);
    co_return c;
}

}  // namespace mansio::smtp::client
