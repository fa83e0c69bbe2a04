#include "reports/observed_rows.hpp"

#include <algorithm>

#include "reports/texts.hpp"

namespace mansio::reports::rows {
namespace {

constexpr std::uint8_t format = 1;
enum class payload_kind : std::uint8_t { dmarc_record, tls_policy, tls_failure };

// Strangers write most of these: what is longer than anything sensible is cut, so that a row stays below 8 KiB.
constexpr std::size_t most_text = 255, most_lines = 20, most_signatures = 10, most_reasons = 5;

std::string_view cut(std::string_view text) { return text.substr(0, most_text); }

std::unexpected<fault> damaged() { return fail(fault::kind::broken, "", "damaged row of observed figures"); }

template <class T> std::size_t shorter(std::vector<T> const& v, std::size_t most) { return std::min(v.size(), most); }

void put(base::row_writer& w, std::vector<std::string> const& texts)
{
    w.varint(shorter(texts, most_lines));
    for (std::size_t i = 0; i < shorter(texts, most_lines); ++i) w.octets(cut(texts[i]));
}
std::vector<std::string> take_texts(base::row_reader& in)
{
    std::vector<std::string> out;
    auto const n = in.varint();
    for (std::uint64_t i = 0; i < n && in.ok(); ++i) out.emplace_back(in.octets());
    return out;
}

void put(base::row_writer& w, tls_report::policy const& p)
{
    w.octets(cut(p.type));
    put(w, p.text);
    put(w, p.mx_hosts);
}

dmarc_report::record take_record(base::row_reader& in)
{
    dmarc_report::record r;
    for (auto* text : {&r.source_ip, &r.disposition, &r.dkim, &r.spf, &r.envelope_to, &r.envelope_from, &r.header_from}) *text = in.octets();
    auto const reasons = in.varint();
    for (std::uint64_t i = 0; i < reasons && in.ok(); ++i) {
        auto& why = r.reasons.emplace_back();
        for (auto* text : {&why.type, &why.comment}) *text = in.octets();
    }
    auto const signatures = in.varint();
    for (std::uint64_t i = 0; i < signatures && in.ok(); ++i) {
        auto& d = r.dkim_results.emplace_back();
        for (auto* text : {&d.domain, &d.selector, &d.result, &d.human_result}) *text = in.octets();
    }
    auto const spf = in.varint();
    for (std::uint64_t i = 0; i < spf && in.ok(); ++i) {
        auto& s = r.spf_results.emplace_back();
        for (auto* text : {&s.domain, &s.scope, &s.result, &s.human_result}) *text = in.octets();
    }
    return r;
}

tls_report::policy take_policy(base::row_reader& in)
{
    tls_report::policy p;
    p.type = in.octets();
    p.text = take_texts(in);
    p.mx_hosts = take_texts(in);
    return p;
}

/// The policy of that kind and text, made when it is missing.
tls_report::policy& policy_like(tls_report& r, std::string_view domain, tls_report::policy const& like)
{
    auto const it = std::ranges::find_if(r.policies, [&](auto const& p) { return p.type == like.type && p.text == like.text && p.mx_hosts == like.mx_hosts; });
    if (it != r.policies.end()) return *it;
    auto& made = r.policies.emplace_back(like);
    made.domain = domain;
    return made;
}

}  // namespace

std::string day_key(char letter, std::uint32_t day) { return base::row_writer{}.u8(static_cast<std::uint8_t>(letter)).be32(day).take(); }
std::string prefix_of(char letter, subject const& s)
{
    return base::row_writer{}.u8(static_cast<std::uint8_t>(letter)).be32(s.day).u8(static_cast<std::uint8_t>(s.what)).raw(s.domain).u8(0).take();
}
std::string count_key(subject const& s, run_id const& run, hash const& h) { return prefix_of('c', s) + run + h; }
std::string policy_key(subject const& s, run_id const& run) { return prefix_of('p', s) + run; }
std::string going_key(subject const& s) { return prefix_of('g', s); }
std::string sent_key(subject const& s, std::string_view report_id) { return prefix_of('t', s) + std::string{report_id}; }

std::optional<subject> read_subject(std::string_view key, std::string_view* rest)
{
    base::row_reader in{key};
    (void)in.u8();
    subject s;
    s.day = in.be32();
    auto const what = in.u8();
    auto const nul = in.rest().find('\0');
    if (!in.ok() || what < 1 || what > 2 || nul == std::string_view::npos) return std::nullopt;
    s.what = static_cast<report_kind>(what);
    s.domain = in.rest().substr(0, nul);
    if (rest != nullptr) *rest = in.rest().substr(nul + 1);
    return s;
}

std::string encode(dmarc_report::record const& r)
{
    base::row_writer w;
    w.u8(static_cast<std::uint8_t>(payload_kind::dmarc_record));
    for (auto const* text : {&r.source_ip, &r.disposition, &r.dkim, &r.spf, &r.envelope_to, &r.envelope_from, &r.header_from}) w.octets(cut(*text));
    w.varint(shorter(r.reasons, most_reasons));
    for (std::size_t i = 0; i < shorter(r.reasons, most_reasons); ++i) w.octets(cut(r.reasons[i].type)).octets(cut(r.reasons[i].comment));
    w.varint(shorter(r.dkim_results, most_signatures));
    for (std::size_t i = 0; i < shorter(r.dkim_results, most_signatures); ++i) {
        auto const& d = r.dkim_results[i];
        w.octets(cut(d.domain)).octets(cut(d.selector)).octets(cut(d.result)).octets(cut(d.human_result));
    }
    w.varint(shorter(r.spf_results, 2));
    for (std::size_t i = 0; i < shorter(r.spf_results, 2); ++i) {
        auto const& s = r.spf_results[i];
        w.octets(cut(s.domain)).octets(cut(s.scope)).octets(cut(s.result)).octets(cut(s.human_result));
    }
    return w.take();
}

std::string encode(tls_report::policy const& p)
{
    base::row_writer w;
    put(w.u8(static_cast<std::uint8_t>(payload_kind::tls_policy)), p);
    return w.take();
}

std::string encode(tls_report::policy const& p, tls_report::failure const& f)
{
    base::row_writer w;
    put(w.u8(static_cast<std::uint8_t>(payload_kind::tls_failure)), p);
    for (auto const* text : {&f.result_type, &f.sending_ip, &f.mx_host, &f.mx_helo, &f.receiving_ip, &f.additional_information, &f.reason_code})
        w.octets(cut(*text));
    return w.take();
}

hash hash_of(std::string_view payload)
{
    auto const digest = base::sha256(payload);
    return {reinterpret_cast<char const*>(digest.data()), 16};
}

std::string encode(counted const& c) { return base::row_writer{}.u8(format).octets(c.payload).varint(c.first).varint(c.second).take_sealed(); }
result<counted> decode_counted(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged();
    base::row_reader in{*body};
    if (in.u8() != format) return damaged();
    counted c;
    c.payload = in.octets();
    c.first = in.varint();
    c.second = in.varint();
    if (!in.ok() || !in.at_end()) return damaged();
    return c;
}

std::string encode(seen_policy const& p)
{
    base::row_writer w;
    w.u8(format).varint(p.unlisted).signed_varint(p.seen);
    auto const& q = p.policy;
    for (auto const* text : {&q.adkim, &q.aspf, &q.p, &q.sp, &q.np, &q.fo, &q.testing, &q.discovery_method}) w.octets(cut(*text));
    w.varint(q.pct ? *q.pct + 1 : 0).octets(p.rua.substr(0, 4096));
    return w.take_sealed();
}
result<seen_policy> decode_seen_policy(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged();
    base::row_reader in{*body};
    if (in.u8() != format) return damaged();
    seen_policy p;
    p.unlisted = in.varint();
    p.seen = in.signed_varint();
    auto& q = p.policy;
    for (auto* text : {&q.adkim, &q.aspf, &q.p, &q.sp, &q.np, &q.fo, &q.testing, &q.discovery_method}) *text = in.octets();
    if (auto const pct = in.varint(); pct != 0) q.pct = static_cast<std::uint32_t>(pct - 1);
    p.rua = in.octets();
    if (!in.ok() || !in.at_end()) return damaged();
    return p;
}

std::string encode(going const& g)
{
    base::row_writer w;
    w.u8(format).octets(g.id).signed_varint(g.begun).signed_varint(g.next).varint(g.attempts).varint(g.runs.size());
    for (auto const& r : g.runs) w.octets(r);
    w.varint(g.destinations.size());
    for (auto const& d : g.destinations) {
        w.u8(static_cast<std::uint8_t>(d.uri.how)).octets(d.uri.target).octets(d.uri.host);
        w.u8(d.uri.most_octets ? 1 : 0).varint(d.uri.most_octets.value_or(0)).u8(static_cast<std::uint8_t>(d.now));
    }
    return w.take_sealed();
}
result<going> decode_going(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return damaged();
    base::row_reader in{*body};
    if (in.u8() != format) return damaged();
    going g;
    g.id = in.octets();
    g.begun = in.signed_varint();
    g.next = in.signed_varint();
    g.attempts = static_cast<std::uint32_t>(in.varint());
    auto const runs = in.varint();
    for (std::uint64_t i = 0; i < runs && in.ok(); ++i) g.runs.emplace_back(in.octets());
    auto const destinations = in.varint();
    for (std::uint64_t i = 0; i < destinations && in.ok(); ++i) {
        auto& d = g.destinations.emplace_back();
        d.uri.how = in.u8() == 0 ? report_uri::scheme::mailto : report_uri::scheme::https;
        d.uri.target = in.octets();
        d.uri.host = in.octets();
        bool const has_size = in.u8() != 0;
        auto const size = in.varint();
        if (has_size) d.uri.most_octets = size;
        auto const now = in.u8();
        if (now > static_cast<std::uint8_t>(going::state::given_up)) return damaged();
        d.now = static_cast<going::state>(now);
    }
    if (!in.ok() || !in.at_end()) return damaged();
    return g;
}

result<void> add_to(dmarc_report& r, counted const& c)
{
    base::row_reader in{c.payload};
    if (in.u8() != static_cast<std::uint8_t>(payload_kind::dmarc_record)) return damaged();
    auto record = take_record(in);
    if (!in.ok() || !in.at_end()) return damaged();
    record.count = c.first;
    r.records.push_back(std::move(record));
    return {};
}

result<void> add_to(tls_report& r, std::string_view domain, counted const& c)
{
    base::row_reader in{c.payload};
    auto const kind = static_cast<payload_kind>(in.u8());
    if (kind == payload_kind::dmarc_record) return damaged();
    auto const about = take_policy(in);
    if (kind == payload_kind::tls_policy) {
        if (!in.ok() || !in.at_end()) return damaged();
        auto& p = policy_like(r, domain, about);
        p.successes = add_counts(p.successes, c.first);
        p.failures = add_counts(p.failures, c.second);
        return {};
    }
    tls_report::failure f;
    for (auto* text : {&f.result_type, &f.sending_ip, &f.mx_host, &f.mx_helo, &f.receiving_ip, &f.additional_information, &f.reason_code}) *text = in.octets();
    if (!in.ok() || !in.at_end()) return damaged();
    f.sessions = c.first;
    policy_like(r, domain, about).details.push_back(std::move(f));
    return {};
}

}  // namespace mansio::reports::rows
