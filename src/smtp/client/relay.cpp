#include "smtp/client/relay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "base/bytes.hpp"
#include "net/shard.hpp"

namespace mansio::smtp::client {
namespace {
using outcome = queue::outcome;

outcome ours(outcome::kind what, std::string status, std::string words)
{
    outcome o;
    o.what = what;
    o.status = std::move(status);
    o.reply = std::move(words);
    return o;
}

class shard_dialer final : public dialer {
public:
    explicit shard_dialer(net::egress_gate const& gate) : gate_(gate) {}
    task<result<std::unique_ptr<net::stream>>> connect(net::endpoint to, base::monotonic_time deadline) override
    {
        auto* here = dynamic_cast<net::shard*>(&base::executor::current());
        MANSIO_ASSERT(here != nullptr);
        auto s = co_await here->connect(to, gate_, deadline);
        co_return s;
    }

private:
    net::egress_gate const& gate_;
};

/// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3).
std::optional<net::ip_address> address_literal(std::string_view domain)
{
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return std::nullopt;
    auto inside = domain.substr(1, domain.size() - 2);
    if (base::starts_with_ignoring_case(inside, "IPv6:")) inside.remove_prefix(5);
    return net::ip_address::parse(inside);
}

struct host_port {
    std::string host;
    std::uint16_t port = 25;
};
host_port split_route(std::string const& text)
{
    auto const colon = text.rfind(':');
    host_port r{text.substr(0, colon)};
    if (colon != std::string::npos) std::from_chars(text.data() + colon + 1, text.data() + text.size(), r.port);
    return r;
}
}  // namespace

std::unique_ptr<dialer> make_shard_dialer(net::egress_gate const& gate) { return std::make_unique<shard_dialer>(gate); }

struct relay::impl {
    net::resolver& dns;
    net::egress_gate const& gate;
    dialer& dial;
    net::tls_client_context& tls;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    relay_options options;
    base::counter& connections;
    base::counter& refused_targets;

    [[nodiscard]] bool is_own(net::ip_address const& a) const
    {
        return std::find(options.own_addresses.begin(), options.own_addresses.end(), a) != options.own_addresses.end();
    }

    /// Adds a host's addresses. nullopt: the DNS answered; else why not.
    task<std::optional<std::string>> add_host(std::string name, std::uint16_t port, route& r, bool& denied, bool& own)
    {
        auto const found = co_await dns.addresses(name);
        for (auto const& a : found.records) {
            if (r.targets.size() >= limits.relay_addresses) break;
            if (is_own(a) && port == options.port) {
                own = true;
            } else if (!gate.permits(a)) {
                denied = true;
                refused_targets.add();
                log.warning("relay_target_refused", {{"host", name}, {"address", a.text()}});
            } else {
                r.targets.push_back({name, {a, port}, found.secure, found.canonical_name});
            }
        }
        if (found.status != net::dns_status::failed) co_return std::nullopt;
        co_return found.why;
    }

    task<route> fixed()
    {
        route r;
        auto const to = split_route(options.fixed_route);
        // RFC 7672 §2.2.2, RFC 8461 §3.4: a smarthost is a destination of its own, named by the operator.
        if (auto const literal = net::ip_address::parse(to.host)) {
            r.targets.push_back({to.host, {*literal, to.port}});
            co_return r;
        }
        bool denied = false, own = false;
        static_cast<void>(co_await add_host(to.host, to.port, r, denied, own));
        r.where.domain = base::to_lower_ascii(to.host);
        if (r.targets.empty()) r.instead = ours(outcome::kind::later, "4.4.3", fmt::format("the route {} has no address now", options.fixed_route));
        co_return r;
    }

    /// The names to try, best first; equal preferences in random order (RFC 5321 §5.1).
    task<std::expected<std::vector<net::mx_record>, outcome>> exchangers(std::string domain, destination& where)
    {
        auto found = co_await dns.mx(domain);
        if (found.status == net::dns_status::failed)
            co_return std::unexpected(ours(outcome::kind::later, "4.4.3", fmt::format("the DNS does not answer for {} now: {}", domain, found.why)));
        if (found.status == net::dns_status::no_such_name)
            co_return std::unexpected(ours(outcome::kind::never, "5.1.2", fmt::format("there is no domain {}", domain)));
        if (found.status == net::dns_status::no_data || found.records.empty()) co_return std::vector{net::mx_record{0, domain}};  // the implicit MX
        where.by_mx = true;
        where.secure_mx = found.secure;
        where.canonical_domain = found.canonical_name;
        // RFC 7505 §3: a single "." says that the domain takes no mail.
        if (found.records.size() == 1 && found.records.front().host.empty())
            co_return std::unexpected(ours(outcome::kind::never, "5.1.10", fmt::format("{} takes no mail (null MX)", domain)));
        auto list = std::move(found.records);
        std::erase_if(list, [](net::mx_record const& m) { return m.host.empty(); });
        for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
        std::ranges::sort(list, {}, &net::mx_record::preference);  // shuffled before: equal ones stay in random order
        // RFC 5321 §5.1: when we are among them, only those better than us are tried.
        auto const self = std::find_if(list.begin(), list.end(), [&](auto const& m) { return base::equal_ignoring_case(m.host, options.hostname); });
        if (self != list.end()) {
            auto const ours_at = self->preference;
            std::erase_if(list, [&](auto const& m) { return m.preference >= ours_at; });
            if (list.empty())
                co_return std::unexpected(
                    ours(outcome::kind::never, "5.4.6", fmt::format("mail for {} comes back to this server, which does not receive for it", domain)));
        }
        co_return list;
    }

    task<route> by_mx(std::string domain)
    {
        route r;
        if (auto const literal = address_literal(domain)) {
            if (is_own(*literal))
                r.instead = ours(outcome::kind::never, "5.4.6", "mail for this address literal comes back to this server");
            else if (!gate.permits(*literal))
                r.instead = ours(outcome::kind::never, "5.4.4", "mail is not sent to addresses that are not public");
            else
                r.targets.push_back({domain, {*literal, options.port}});
            co_return r;
        }
        r.where.domain = base::to_lower_ascii(domain);
        auto const hosts = co_await exchangers(domain, r.where);
        if (!hosts) {
            r.instead = hosts.error();
            co_return r;
        }
        bool denied = false, own = false;
        std::optional<std::string> silent;
        for (auto const& m : *hosts) {
            if (r.targets.size() >= limits.relay_addresses) break;
            auto why = co_await add_host(m.host, options.port, r, denied, own);
            if (why) silent = std::move(why);
        }
        if (!r.targets.empty()) co_return r;
        if (silent)
            r.instead = ours(outcome::kind::later, "4.4.3", fmt::format("the DNS does not answer for the mail servers of {} now: {}", domain, *silent));
        else if (own)
            r.instead = ours(outcome::kind::never, "5.4.6", fmt::format("mail for {} comes back to this server, which does not receive for it", domain));
        else if (denied)
            r.instead = ours(outcome::kind::never, "5.4.4", fmt::format("the mail servers of {} have no public address", domain));
        else
            r.instead = ours(outcome::kind::never, "5.4.4", fmt::format("the mail servers of {} have no address", domain));
        co_return r;
    }

    /// One address: TLS as demanded; once more in clear when the handshake failed and nothing forbids it.
    task<session_result> try_target(target const& t, tls_demand const& demand, transaction const& mail, base::clock& clock)
    {
        session_result last;
        for (int round = 0; round < 2; ++round) {
            auto dialled = co_await dial.connect(t.at, clock.monotonic() + std::chrono::seconds{limits.relay_connect_wait});
            connections.add();
            if (!dialled) {
                last = {};
                last.connection_level = true;
                auto o = ours(outcome::kind::later, "4.4.1", fmt::format("cannot connect to {} ({}): {}", t.name, t.at.text(), dialled.error().say));
                last.outcomes.assign(mail.recipients.size(), o);
                co_return last;
            }
            session_options so{options.hostname, t.name, round == 0 ? &tls : nullptr, &limits, demand, options.observer};
            last = co_await run_session(std::move(*dialled), std::move(so), mail, clock);
            if (last.tls)
                log.info("relay_tls", {{"host", t.name},
                                       {"address", t.at.text()},
                                       {"version", last.tls->version},
                                       {"cipher", last.tls->cipher},
                                       {"policy", mailauth::name_of(demand.about.policy_type)},
                                       {"verified", last.tls->matched         ? "tlsa"
                                                    : last.tls->peer_verified ? "ca"
                                                                              : "no"},
                                       {"why", last.tls->verify_error}});
            if (!last.tls_failed) co_return last;
            log.warning("relay_tls_failed",
                        {{"host", t.name}, {"address", t.at.text()}, {"why", last.outcomes.empty() ? std::string{} : last.outcomes.front().reply}});
        }
        co_return last;
    }

    /// Why a server is not dialled at all; nullopt: it is.
    static std::optional<outcome> passed_over(target const& t, tls_choice const& c, transaction const& mail, bool uncertain)
    {
        if (c.skip) {
            auto o = *c.skip;
            if (mail.insists_on_tls() && !c.for_now) o.what = outcome::kind::never;
            if (o.what == outcome::kind::never) o.status = "5.7.10";
            return o;
        }
        if (!mail.insists_on_tls() || c.demand.certain_host) return std::nullopt;
        auto const words = fmt::format("the message requires TLS, but neither DNSSEC nor an MTA-STS policy says that mail for {} goes to {}",
                                       c.demand.about.policy_domain, t.name);
        if (uncertain) return ours(outcome::kind::later, "4.7.10", words + " now");
        return ours(outcome::kind::never, "5.7.10", words);
    }

    /// The targets in turn, until one of them has said something about the mail itself.
    task<std::vector<outcome>> attempt(std::vector<target> targets, tls_chooser& chooser, transaction mail)
    {
        auto& clock = base::executor::current().clock();
        std::vector<outcome> last;
        std::optional<outcome> unsafe;  // tells more than what became of the servers after it
        bool all_unsafe = true;
        int conversations = 0;
        for (auto const& t : targets) {
            auto const choice = co_await chooser.choose(t);
            if (auto over = passed_over(t, choice, mail, chooser.uncertain())) {
                log.warning("relay_tls_policy", {{"host", t.name}, {"address", t.at.text()}, {"status", over->status}, {"why", over->reply}});
                all_unsafe = all_unsafe && over->what == outcome::kind::never;
                unsafe = std::move(over);
                continue;
            }
            if (conversations == 2) {
                all_unsafe = false;
                break;
            }
            auto tried = co_await try_target(t, choice.demand, mail, clock);
            last = std::move(tried.outcomes);
            if (!tried.connection_level) co_return last;
            if (tried.unsafe) {
                unsafe = last.front();
                log.warning("relay_tls_policy", {{"host", t.name}, {"address", t.at.text()}, {"status", unsafe->status}, {"why", unsafe->reply}});
            }
            all_unsafe = all_unsafe && tried.unsafe;
            if (tried.greeted) ++conversations;
        }
        if (unsafe && !all_unsafe && unsafe->what == outcome::kind::never) {
            // RFC 8689 §4.2.1: given up only when no server is left that might do.
            unsafe->what = outcome::kind::later;
            unsafe->status = "4.7.10";
        }
        if (unsafe) last.assign(mail.recipients.size(), *unsafe);
        co_return last;
    }
};

relay::relay(net::resolver& dns, net::egress_gate const& gate, dialer& dial, net::tls_client_context& tls, base::limits const& l, base::random& r,
             base::log& log, base::metrics& m, relay_options o)
    : impl_(std::make_unique<impl>(impl{dns, gate, dial, tls, l, r, log, std::move(o),
                                        m.get_counter("mansio_relay_connections_total", "outgoing SMTP connections"),
                                        m.get_counter("mansio_relay_targets_refused_total", "mail server addresses that are not public")}))
{}
relay::~relay() = default;

task<route> relay::find_route(std::string domain)
{
    auto looking = impl_->options.fixed_route.empty() ? impl_->by_mx(std::move(domain)) : impl_->fixed();
    auto r = co_await std::move(looking);
    co_return r;
}

task<std::vector<queue::outcome>> relay::send(route along, transaction mail)
{
    MANSIO_ASSERT(!along.instead && !along.targets.empty());
    auto& clock = base::executor::current().clock();
    tls_chooser chooser{impl_->dns, impl_->options.sts, impl_->options.observer, clock, along.where, mail.further.asked.tls_optional};
    auto outcomes = co_await impl_->attempt(along.targets, chooser, std::move(mail));
    co_return outcomes;
}

task<std::vector<queue::outcome>> relay::deliver(queue::envelope const& e, std::vector<std::size_t> which, queue::message_source& message)
{
    MANSIO_ASSERT(!which.empty());
    auto const began = base::executor::current().clock().monotonic();
    auto const& first = e.recipients[which.front()].address;
    auto const at = first.rfind('@');
    auto const where = co_await find_route(at == std::string::npos ? first : first.substr(at + 1));
    std::vector<outcome> outcomes(which.size());
    if (where.instead) {
        std::fill(outcomes.begin(), outcomes.end(), *where.instead);
        co_return outcomes;
    }
    // A forwarded recipient has a reverse-path of its own: one transaction for each.
    std::map<std::string, std::vector<std::size_t>> by_sender;
    for (std::size_t k = 0; k < which.size(); ++k) {
        auto const& own = e.recipients[which[k]].sender;
        by_sender[own.empty() ? e.sender : own].push_back(k);
    }
    for (auto const& [sender, members] : by_sender) {
        transaction mail{sender, {}, e.body_8bit, e.smtputf8, &message, {}};
        mail.further.asked = e.asked;
        mail.further.since = e.since;
        mail.further.as_of = began;
        for (auto const k : members) {
            auto const& to = e.recipients[which[k]];
            mail.recipients.push_back(to.address);
            mail.further.notify.push_back(to.wanted);
            mail.further.orcpt.push_back(to.orcpt);
        }
        auto const got = co_await send(where, std::move(mail));
        MANSIO_ASSERT(got.size() == members.size());
        for (std::size_t k = 0; k < members.size(); ++k) outcomes[members[k]] = got[k];
    }
    co_return outcomes;
}

}  // namespace mansio::smtp::client
