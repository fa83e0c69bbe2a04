#include "reports/summaries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t most_reporters = 100, most_sources = 500, most_policies = 100, most_failures = 500;
constexpr std::size_t most_name = 255;  // of a reporter, an MX host, a word

void count(std::uint64_t& into, std::uint64_t n) { into = add_counts(into, n); }

void add_figures(dmarc_figures& to, dmarc_report::record const& r)
{
    count(to.messages, r.count);
    if (r.disposition == "none") count(to.none, r.count);
    if (r.disposition == "quarantine") count(to.quarantine, r.count);
    if (r.disposition == "reject") count(to.reject, r.count);
    bool const dkim = r.dkim == "pass", spf = r.spf == "pass";
    if (dkim) count(to.dkim, r.count);
    if (spf) count(to.spf, r.count);
    if (dkim || spf) count(to.either, r.count);
}

void add_reporter(std::vector<std::string>& to, std::string_view name)
{
    auto const kept = shortened(clean_text(name), most_name);
    if (to.size() < most_reporters && std::ranges::find(to, kept) == to.end()) to.push_back(kept);
}

/// The element that `is_it`, or a new one at the end, or nullptr when there are enough.
template <class T, class F> T* find_or_add(std::vector<T>& in, std::size_t most, F is_it)
{
    auto const it = std::ranges::find_if(in, is_it);
    if (it != in.end()) return &*it;
    if (in.size() >= most) return nullptr;
    return &in.emplace_back();
}

void put(base::row_writer& w, dmarc_figures const& f)
{
    w.varint(f.messages).varint(f.none).varint(f.quarantine).varint(f.reject).varint(f.dkim).varint(f.spf).varint(f.either);
}
dmarc_figures take_figures(base::row_reader& in)
{
    dmarc_figures f;
    for (auto* n : {&f.messages, &f.none, &f.quarantine, &f.reject, &f.dkim, &f.spf, &f.either}) *n = in.varint();
    return f;
}
void put(base::row_writer& w, std::vector<std::string> const& texts)
{
    w.varint(texts.size());
    for (auto const& t : texts) w.octets(t);
}
std::vector<std::string> take_texts(base::row_reader& in)
{
    std::vector<std::string> out;
    auto const n = in.varint();
    for (std::uint64_t i = 0; i < n && in.ok(); ++i) out.emplace_back(in.octets());
    return out;
}
std::unexpected<fault> damaged() { return fail(fault::kind::broken, "", "damaged row of received reports"); }

}  // namespace

void add_report(dmarc_day& to, dmarc_report const& report)
{
    count(to.reports, 1);
    add_reporter(to.reporters, report.org_name);
    to.policy = report.policy;
    to.policy.domain.clear();
    for (auto const& r : report.records) {
        add_figures(to.figures, r);
        auto const at = std::ranges::lower_bound(to.sources, r.source_ip, {}, &dmarc_day::source::address);
        if (at != to.sources.end() && at->address == r.source_ip)
            add_figures(at->figures, r);
        else if (to.sources.size() < most_sources)
            add_figures(to.sources.insert(at, {r.source_ip, {}})->figures, r);
        else
            count(to.unlisted, r.count);
    }
}

void add_report(tls_day& to, tls_report const& report, std::string_view domain)
{
    count(to.reports, 1);
    add_reporter(to.reporters, report.organization);
    for (auto const& p : report.policies) {
        if (domain_key(p.domain) != domain) continue;
        auto const type = shortened(p.type, most_name);
        if (auto* const sums = find_or_add(to.policies, most_policies, [&](auto const& s) { return s.type == type; })) {
            sums->type = type;
            count(sums->successes, p.successes);
            count(sums->failures, p.failures);
        }
        for (auto const& f : p.details) {
            auto const way = shortened(f.result_type, most_name), mx = shortened(base::to_lower_ascii(f.mx_host), most_name);
            auto* const sums = find_or_add(to.failures, most_failures, [&](auto const& s) { return s.result_type == way && s.mx_host == mx; });
            if (sums == nullptr) {
                count(to.unlisted, f.sessions);
                continue;
            }
            sums->result_type = way;
            sums->mx_host = mx;
            count(sums->sessions, f.sessions);
        }
    }
}

std::string encode(dmarc_day const& d)
{
    base::row_writer w;
    w.u8(format).varint(d.reports);
    put(w, d.figures);
    w.varint(d.unlisted).octets(d.policy.p).octets(d.policy.sp).octets(d.policy.adkim).octets(d.policy.aspf).varint(d.policy.pct ? *d.policy.pct + 1 : 0);
    w.octets(d.policy.np).octets(d.policy.fo).octets(d.policy.testing).octets(d.policy.discovery_method);
    put(w, d.reporters);
    w.varint(d.sources.size());
    for (auto const& s : d.sources) {
        w.octets(s.address);
        put(w, s.figures);
    }
    return w.take_sealed();
}

result<dmarc_day> decode_dmarc_day(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged();
    base::row_reader in{*body};
    if (in.u8() != format) return damaged();
    dmarc_day d;
    d.reports = in.varint();
    d.figures = take_figures(in);
    d.unlisted = in.varint();
    for (auto* text : {&d.policy.p, &d.policy.sp, &d.policy.adkim, &d.policy.aspf}) *text = in.octets();
    if (auto const pct = in.varint(); pct != 0) d.policy.pct = static_cast<std::uint32_t>(pct - 1);
    for (auto* text : {&d.policy.np, &d.policy.fo, &d.policy.testing, &d.policy.discovery_method}) *text = in.octets();
    d.reporters = take_texts(in);
    auto const sources = in.varint();
    for (std::uint64_t i = 0; i < sources && in.ok(); ++i) {
        auto& s = d.sources.emplace_back();
        s.address = in.octets();
        s.figures = take_figures(in);
    }
    if (!in.ok() || !in.at_end()) return damaged();
    return d;
}

std::string encode(tls_day const& d)
{
    base::row_writer w;
    w.u8(format).varint(d.reports);
    put(w, d.reporters);
    w.varint(d.policies.size());
    for (auto const& p : d.policies) w.octets(p.type).varint(p.successes).varint(p.failures);
    w.varint(d.failures.size());
    for (auto const& f : d.failures) w.octets(f.result_type).octets(f.mx_host).varint(f.sessions);
    w.varint(d.unlisted);
    return w.take_sealed();
}

result<tls_day> decode_tls_day(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged();
    base::row_reader in{*body};
    if (in.u8() != format) return damaged();
    tls_day d;
    d.reports = in.varint();
    d.reporters = take_texts(in);
    auto const policies = in.varint();
    for (std::uint64_t i = 0; i < policies && in.ok(); ++i) {
        auto& p = d.policies.emplace_back();
        p.type = in.octets();
        p.successes = in.varint();
        p.failures = in.varint();
    }
    auto const failures = in.varint();
    for (std::uint64_t i = 0; i < failures && in.ok(); ++i) {
        auto& f = d.failures.emplace_back();
        f.result_type = in.octets();
        f.mx_host = in.octets();
        f.sessions = in.varint();
    }
    d.unlisted = in.varint();
    if (!in.ok() || !in.at_end()) return damaged();
    return d;
}

}  // namespace mansio::reports
