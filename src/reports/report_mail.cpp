#include "reports/report_mail.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "mime/build.hpp"
#include "mime/date.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

constexpr std::string_view crlf = "\r\n";

/// A field that holds nothing but what we made or checked.
void add_field(std::string& out, std::string_view name, std::string const& body)
{
    auto const made = mime::make_field(name, body);
    MANSIO_ASSERT(made.has_value());
    out += *made;
}

std::string base64_lines(std::string_view octets)
{
    constexpr std::size_t line = 76;  // RFC 2045 §6.8
    auto const text = base::to_base64(octets);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += line) {
        out += std::string_view{text}.substr(at, line);
        out += crlf;
    }
    return out;
}

std::string full_id(std::string const& id, reporter const& by) { return id + "@" + by.domain(); }

/// What is the same in all our mails.
std::string header_of(packed_report const& r, std::string const& to, reporter const& by, std::int64_t date, std::string_view id_mark)
{
    std::string out;
    add_field(out, "Date", mime::format_date({date, 0}));
    add_field(out, "From", mime::format_address(clean_text(by.organization), by.contact));
    add_field(out, "To", "<" + to + ">");
    // dmarc-subject of RFC 7489 §7.2.1.1, tlsrpt-subject of RFC 8460 §5.3.
    add_field(out, "Subject", fmt::format("Report Domain: {} Submitter: {} Report-ID: <{}>", r.domain, by.domain(), full_id(r.id, by)));
    add_field(out, "Message-ID", fmt::format("<{}{}@{}>", r.id, id_mark, by.domain()));
    if (r.what == report_kind::tls) {
        add_field(out, "TLS-Report-Domain", r.domain);
        add_field(out, "TLS-Report-Submitter", by.domain());
        add_field(out, "TLS-Required", "No");  // RFC 8689 §5: others on the way may pass it on in clear too
    }
    add_field(out, "Auto-Submitted", "auto-generated");
    add_field(out, "MIME-Version", "1.0");
    return out;
}

std::string file_name(std::string_view domain, std::int64_t begin, std::int64_t end, std::string_view id, reporter const& by, std::string_view extension)
{
    return fmt::format("{}!{}!{}!{}!{}.{}", by.domain(), domain, begin, end, id, extension);
}

}  // namespace

std::string reporter::domain() const { return contact.substr(contact.rfind('@') + 1); }

packed_report pack(dmarc_report report, std::string const& id, reporter const& by)
{
    report.org_name = by.organization;
    report.email = by.contact;
    report.generator = by.generator;
    report.report_id = full_id(id, by);
    packed_report out{report_kind::dmarc, id, report.policy.domain, report.begin, report.end, {}, "application/gzip", {}, {}};
    out.file_name = file_name(out.domain, out.begin, out.end, id, by, "xml.gz");
    for (auto const& e : report.errors) out.note += (out.note.empty() ? "" : " ") + e;
    out.octets = gzip(write_dmarc_report(report));
    return out;
}

packed_report pack(tls_report report, std::string const& id, std::string const& domain, reporter const& by)
{
    report.organization = by.organization;
    report.contact = by.contact;
    report.report_id = full_id(id, by);
    packed_report out{report_kind::tls, id, domain, report.begin, report.end, {}, "application/tlsrpt+gzip", {}, {}};
    out.file_name = file_name(domain, out.begin, out.end, id, by, "json.gz");
    out.octets = gzip(write_tls_report(report));
    return out;
}

report_mail make_report_mail(packed_report const& r, std::string const& to, reporter const& by, std::int64_t date)
{
    bool const tls = r.what == report_kind::tls;
    auto const boundary = "=_report_" + r.id;
    report_mail m{r.id, to, header_of(r, to, by, date, ""), by.domain(), tls};
    add_field(m.message, "Content-Type", fmt::format("{}; boundary=\"{}\"", tls ? "multipart/report; report-type=\"tlsrpt\"" : "multipart/mixed", boundary));
    m.message += fmt::format("\r\n--{}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    m.message += fmt::format("This is {} report from {} about {},\r\nfrom {} to {}.\r\n", tls ? "an aggregate TLS" : "a DMARC aggregate", by.domain(), r.domain,
                             write_moment(r.begin), write_moment(r.end));
    if (!r.note.empty()) m.message += r.note + "\r\n";
    m.message += fmt::format("\r\n--{}\r\n", boundary);
    add_field(m.message, "Content-Type", fmt::format("{}; name=\"{}\"", r.media_type, r.file_name));
    add_field(m.message, "Content-Disposition", fmt::format("attachment; filename=\"{}\"", r.file_name));
    add_field(m.message, "Content-Transfer-Encoding", "base64");
    m.message += crlf;
    m.message += base64_lines(r.octets);
    m.message += fmt::format("\r\n--{}--\r\n", boundary);
    return m;
}

report_mail make_too_large_mail(packed_report const& r, std::string const& to, std::uint64_t octets, reporter const& by, std::int64_t date)
{
    report_mail m{r.id + ".too-large", to, header_of(r, to, by, date, ".too-large"), by.domain(), r.what == report_kind::tls};
    add_field(m.message, "Content-Type", "text/plain; charset=us-ascii");
    m.message += crlf;
    add_field(m.message, "Report-Date", mime::format_date({date, 0}));
    add_field(m.message, "Report-Domain", r.domain);
    add_field(m.message, "Report-ID", full_id(r.id, by));
    add_field(m.message, "Report-Size", std::to_string(octets));
    add_field(m.message, "Submitter", by.domain());
    add_field(m.message, "Submitting-URI", "mailto:" + to);
    return m;
}

}  // namespace mansio::reports
