// A report as XML.
#include <fmt/format.h>

#include "base/bytes.hpp"
#include "reports/dmarc_report.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

/// Character data that any XML 1.0 parser reads back: markup escaped, what is no Char (§2.2) replaced.
std::string escaped(std::string_view text)
{
    auto const clean = clean_text(text);
    std::string out;
    out.reserve(clean.size());
    for (char const c : clean) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '\r': out += "&#13;"; break;  // else it would be read as a line feed (§2.11)
        default: out += c;
        }
    }
    return out;
}

class writer {
public:
    void open(std::string_view name)
    {
        out_ += fmt::format("{:{}}<{}>\n", "", level_, name);
        level_ += 2;
    }
    void close(std::string_view name)
    {
        level_ -= 2;
        out_ += fmt::format("{:{}}</{}>\n", "", level_, name);
    }
    void put(std::string_view name, std::string_view text) { out_ += fmt::format("{:{}}<{}>{}</{}>\n", "", level_, name, escaped(text), name); }
    void put(std::string_view name, std::uint64_t number) { put(name, std::to_string(number)); }
    void put_if(std::string_view name, std::string_view text)
    {
        if (!text.empty()) put(name, text);
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    int level_ = 0;
};

void put_metadata(writer& w, dmarc_report const& r)
{
    w.open("report_metadata");
    w.put("org_name", r.org_name);
    w.put("email", r.email);
    w.put_if("extra_contact_info", r.extra_contact_info);
    w.put("report_id", r.report_id);
    w.open("date_range");
    w.put("begin", std::to_string(r.begin));
    w.put("end", std::to_string(r.end));
    w.close("date_range");
    for (auto const& e : r.errors) w.put("error", e);
    w.put_if("generator", r.generator);
    w.close("report_metadata");
}

void put_policy(writer& w, dmarc_report::policy_published const& p)
{
    w.open("policy_published");
    w.put("domain", p.domain);
    w.put_if("discovery_method", p.discovery_method);
    w.put_if("adkim", p.adkim);
    w.put_if("aspf", p.aspf);
    w.put_if("p", p.p);
    w.put_if("sp", p.sp);
    w.put_if("np", p.np);
    if (p.pct) w.put("pct", *p.pct);
    w.put_if("fo", p.fo);
    w.put_if("testing", p.testing);
    w.close("policy_published");
}

void put_row(writer& w, dmarc_report::record const& r)
{
    w.open("row");
    w.put("source_ip", r.source_ip);
    w.put("count", r.count);
    w.open("policy_evaluated");
    w.put("disposition", r.disposition);
    w.put("dkim", r.dkim);
    w.put("spf", r.spf);
    for (auto const& why : r.reasons) {
        w.open("reason");
        w.put("type", why.type);
        w.put_if("comment", why.comment);
        w.close("reason");
    }
    w.close("policy_evaluated");
    w.close("row");
}

void put_record(writer& w, dmarc_report::record const& r)
{
    w.open("record");
    put_row(w, r);
    w.open("identifiers");
    w.put_if("envelope_to", r.envelope_to);
    w.put("envelope_from", r.envelope_from);  // empty for a null reverse-path
    w.put("header_from", r.header_from);
    w.close("identifiers");
    w.open("auth_results");
    for (auto const& d : r.dkim_results) {
        w.open("dkim");
        w.put("domain", d.domain);
        w.put_if("selector", d.selector);
        w.put("result", d.result);
        w.put_if("human_result", d.human_result);
        w.close("dkim");
    }
    for (auto const& s : r.spf_results) {
        w.open("spf");
        w.put("domain", s.domain);
        w.put_if("scope", s.scope);
        w.put("result", s.result);
        w.put_if("human_result", s.human_result);
        w.close("spf");
    }
    w.close("auth_results");
    w.close("record");
}

}  // namespace

std::string write_dmarc_report(dmarc_report const& report)
{
    writer w;
    w.open("feedback");
    w.put("version", "1.0");
    put_metadata(w, report);
    put_policy(w, report.policy);
    for (auto const& r : report.records) put_record(w, r);
    w.close("feedback");
    return w.take();
}

}  // namespace mansio::reports
