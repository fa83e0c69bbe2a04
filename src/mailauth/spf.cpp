#include "mailauth/spf.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"
#include "mailauth/spf_macro.hpp"
#include "mailauth/spf_record.hpp"

namespace mansio::mailauth {
namespace {

using mime::spf_result;
using net::dns_status;

constexpr unsigned most_terms = 10;       // §4.6.4
constexpr unsigned most_in_vain = 2;
constexpr std::size_t most_hosts = 10;
constexpr std::chrono::seconds longest{20};
constexpr std::size_t longest_explanation = 400;

/// What a mechanism comes to: a match or none, or an end to everything.
struct matched {
    bool yes = false;
    std::optional<spf_result> error;
};

std::string_view without_final_dot(std::string_view name) noexcept { return name.ends_with('.') ? name.substr(0, name.size() - 1) : name; }

/// §4.3: labels of 1 to 63 octets, at least two.
bool is_plausible(std::string_view domain) noexcept
{
    domain = without_final_dot(domain);
    if (domain.size() > 253 || domain.find('.') == std::string_view::npos || domain.starts_with('[')) return false;
    for (std::size_t at = 0; at <= domain.size();) {
        auto const end = std::min(domain.find('.', at), domain.size());
        if (end == at || end - at > 63) return false;
        at = end + 1;
    }
    return true;
}

/// One evaluation, its includes and redirects too: they share the counts.
class evaluation {
public:
    evaluation(net::resolver& dns, base::clock const& clock, spf_request const& r, spf_outcome& out)
        : dns_(dns),
          clock_(clock),
          until_(clock.monotonic() + longest),
          out_(out)
    {
        auto const at = r.mail_from.rfind('@');
        values_.local = at == std::string::npos || at == 0 ? "postmaster" : r.mail_from.substr(0, at);
        values_.sender_domain = r.mail_from.empty() ? r.helo : r.mail_from.substr(at == std::string::npos ? 0 : at + 1);
        values_.helo = r.helo;
        values_.client = r.client;
        values_.now = std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count();
        if (!r.receiver.empty()) values_.receiver = r.receiver;
        out.domain = values_.sender_domain;
        out.of_helo = r.mail_from.empty();
    }
    task<spf_result> run() { co_return co_await check(values_.sender_domain, 0); }

private:
    /// check_host() for one domain; `depth`: includes around it, bounded by the count of terms.
    task<spf_result> check(std::string domain, unsigned depth);
    task<matched> match(spf_directive const& d, std::string domain, unsigned depth);
    task<matched> match_include(std::string target, unsigned depth);
    task<matched> match_address(spf_directive const& d, std::string target);
    task<matched> match_mx(spf_directive const& d, std::string target);
    task<matched> match_ptr(std::string target);
    task<matched> match_exists(std::string target);
    task<std::string> explain(std::string target_spec, std::string domain);
    /// The domain-spec expanded; empty: `domain`. nullopt: its syntax.
    task<std::optional<std::string>> target_of(std::string spec, std::string domain);
    task<void> find_validated_names();
    [[nodiscard]] std::string validated_name_for(std::string_view domain) const;

    task<net::dns_answer<net::ip_address>> addresses_of(std::string name)
    {
        if (values_.client.is_v4()) co_return co_await dns_.ipv4(std::move(name));
        co_return co_await dns_.ipv6(std::move(name));
    }
    [[nodiscard]] bool is_client(net::ip_address const& a, spf_directive const& d) const
    {
        net::cidr network;
        network.network = a;
        network.bits = a.is_v4() ? d.v4_bits : d.v6_bits;
        return network.contains(values_.client);
    }
    /// Before each term that asks the DNS. An error: one too many, or too late.
    std::optional<spf_result> charge()
    {
        if (clock_.monotonic() > until_) return error(spf_result::temperror, "the evaluation took too long");
        if (++terms_ > most_terms) return error(spf_result::permerror, "more than ten terms ask the DNS");
        return std::nullopt;
    }
    /// After each question of a term.
    std::optional<spf_result> judge(dns_status status, std::string_view name, std::string_view why)
    {
        if (status == dns_status::failed) return error(spf_result::temperror, no_answer_for(name, why));
        if (status != dns_status::found && ++in_vain_ > most_in_vain)
            return error(spf_result::permerror, "more than two terms ask the DNS for what is not there");
        return std::nullopt;
    }
    spf_result error(spf_result what, std::string why)
    {
        if (out_.problem.empty()) out_.problem = std::move(why);
        return what;
    }

    net::resolver& dns_;
    base::clock const& clock_;
    base::monotonic_time until_;
    spf_outcome& out_;
    spf_macro_values values_;
    unsigned terms_ = 0;
    unsigned in_vain_ = 0;
    std::optional<std::vector<std::string>> validated_;  // names of the client that lead back to it
};

task<spf_result> evaluation::check(std::string domain, unsigned depth)
{
    for (bool redirected = false;; redirected = true) {
        auto const missing = redirected ? spf_result::permerror : spf_result::none;  // §6.1
        if (!is_plausible(domain)) co_return redirected ? error(missing, "redirect to what is no domain name") : missing;
        auto const answer = co_await dns_.txt(domain);
        if (answer.status == dns_status::failed) co_return error(spf_result::temperror, no_answer_for(domain, answer.why));
        std::vector<std::string_view> records;
        for (auto const& r : answer.records)
            if (is_spf_record(r)) records.push_back(r);
        if (records.empty()) co_return redirected ? error(missing, "redirect to " + base::printable(domain, 253) + ", which has no SPF record") : missing;
        if (records.size() > 1) co_return error(spf_result::permerror, base::printable(domain, 253) + " has more than one SPF record");
        auto const record = parse_spf_record(records.front());
        if (!record) co_return error(spf_result::permerror, base::printable(domain, 253) + ": " + record.error().say);
        for (auto const& d : record->directives) {
            auto const m = co_await match(d, domain, depth);
            if (m.error) co_return *m.error;
            if (!m.yes) continue;
            if (depth == 0) out_.mechanism = base::printable(d.text, 200);
            if (d.when_matched == spf_result::fail && depth == 0 && record->explanation) out_.explanation = co_await explain(*record->explanation, domain);
            co_return d.when_matched;
        }
        if (!record->redirect) co_return spf_result::neutral;  // §4.7
        if (auto const e = charge()) co_return *e;
        auto target = co_await target_of(*record->redirect, domain);
        if (!target) co_return error(spf_result::permerror, "redirect with a broken macro");
        domain = std::move(*target);
    }
}

task<std::optional<std::string>> evaluation::target_of(std::string spec, std::string domain)
{
    if (spec.empty()) co_return domain;
    if (spf_macros_name_the_client(spec)) {
        co_await find_validated_names();
        values_.validated = validated_name_for(domain);
    }
    values_.domain = std::move(domain);
    auto expanded = expand_spf_macros(spec, values_, spf_text::term);
    if (!expanded) co_return std::nullopt;
    co_return spf_target_name(std::move(*expanded));
}

task<matched> evaluation::match(spf_directive const& d, std::string domain, unsigned depth)
{
    using enum spf_directive::kind;
    matched m;
    if (d.what == all) m.yes = true;
    if (d.what == ip4 || d.what == ip6) m.yes = d.network.contains(values_.client) && d.network.network.is_v4() == (d.what == ip4);
    if (d.what == all || d.what == ip4 || d.what == ip6) co_return m;
    m.error = charge();
    if (m.error) co_return m;
    auto target = co_await target_of(d.target, std::move(domain));
    if (!target) m.error = error(spf_result::permerror, "a broken macro in " + base::printable(d.text, 100));
    if (!target) co_return m;
    switch (d.what) {
    case include: co_return co_await match_include(std::move(*target), depth);
    case a: co_return co_await match_address(d, std::move(*target));
    case mx: co_return co_await match_mx(d, std::move(*target));
    case ptr: co_return co_await match_ptr(std::move(*target));
    default: co_return co_await match_exists(std::move(*target));
    }
}

/// §5.2
task<matched> evaluation::match_include(std::string target, unsigned depth)
{
    matched m;
    auto const name = target;
    auto const r = co_await check(std::move(target), depth + 1);
    m.yes = r == spf_result::pass;
    if (r == spf_result::temperror || r == spf_result::permerror) m.error = r;
    if (r == spf_result::none) m.error = error(spf_result::permerror, "include of " + base::printable(name, 253) + ", which has no SPF record");
    co_return m;
}

/// §5.3
task<matched> evaluation::match_address(spf_directive const& d, std::string target)
{
    matched m;
    auto const answer = co_await addresses_of(target);
    m.error = judge(answer.status, target, answer.why);
    m.yes = !m.error && std::ranges::any_of(answer.records, [&](auto const& a) { return is_client(a, d); });
    co_return m;
}

/// §5.4: never the implicit MX.
task<matched> evaluation::match_mx(spf_directive const& d, std::string target)
{
    matched m;
    auto const answer = co_await dns_.mx(target);
    m.error = judge(answer.status, target, answer.why);
    if (m.error) co_return m;
    if (answer.records.size() > most_hosts) m.error = error(spf_result::permerror, base::printable(target, 253) + " has more than ten MX records");
    for (auto const& mx : answer.records) {
        if (m.error || m.yes) break;
        if (mx.host.empty()) continue;
        auto const hosts = co_await addresses_of(mx.host);
        if (hosts.status == dns_status::failed) m.error = judge(hosts.status, mx.host, hosts.why);
        m.yes = std::ranges::any_of(hosts.records, [&](auto const& a) { return is_client(a, d); });
    }
    co_return m;
}

/// §5.5: errors of the DNS are no match.
task<matched> evaluation::match_ptr(std::string target)
{
    co_await find_validated_names();
    matched m;
    m.yes = std::ranges::any_of(*validated_, [&](auto const& name) { return is_same_or_below(name, without_final_dot(target)); });
    co_return m;
}

/// §5.7: an A record, whatever the client's family.
task<matched> evaluation::match_exists(std::string target)
{
    matched m;
    auto const answer = co_await dns_.ipv4(target);
    m.error = judge(answer.status, target, answer.why);
    m.yes = !m.error && answer.status == dns_status::found;
    co_return m;
}

task<void> evaluation::find_validated_names()
{
    if (validated_) co_return;
    validated_.emplace();
    auto const names = co_await dns_.ptr(values_.client);
    for (std::size_t i = 0; i < names.records.size() && i < most_hosts; ++i) {
        auto const hosts = co_await addresses_of(names.records[i]);
        if (std::ranges::find(hosts.records, values_.client) != hosts.records.end()) validated_->push_back(names.records[i]);
    }
}

/// §7.3, of "p": the domain itself, else a name below it, else any.
std::string evaluation::validated_name_for(std::string_view domain) const
{
    domain = without_final_dot(domain);
    if (validated_->empty()) return "unknown";
    auto const same = std::ranges::find_if(*validated_, [&](auto const& n) { return base::equal_ignoring_case(n, domain); });
    if (same != validated_->end()) return *same;
    auto const below = std::ranges::find_if(*validated_, [&](auto const& n) { return is_same_or_below(n, domain); });
    return below != validated_->end() ? *below : validated_->front();
}

/// §6.2: whatever goes wrong here is as if nothing was to be explained.
task<std::string> evaluation::explain(std::string target_spec, std::string domain)
{
    auto const target = co_await target_of(std::move(target_spec), domain);
    if (!target) co_return std::string{};
    auto const answer = co_await dns_.txt(*target);
    if (answer.records.size() != 1) co_return std::string{};
    auto const& text = answer.records.front();
    if (spf_macros_name_the_client(text)) {
        co_await find_validated_names();
        values_.validated = validated_name_for(domain);
    }
    auto const expanded = expand_spf_macros(text, values_, spf_text::explanation);
    if (!expanded || std::ranges::any_of(*expanded, [](char c) { return c < ' ' || c > '~'; })) co_return std::string{};
    co_return expanded->substr(0, longest_explanation);
}

}  // namespace

task<spf_outcome> check_spf(net::resolver& dns, base::clock const& clock, spf_request request)
{
    spf_outcome out;
    evaluation e{dns, clock, request, out};
    out.result = co_await e.run();
    co_return out;
}

}  // namespace mansio::mailauth
