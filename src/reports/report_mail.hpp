// Reports of ours as messages and as what an HTTPS server is given (RFC 7489 §7.2.1.1, RFC 8460 §5).
#pragma once
#include <cstdint>
#include <string>

#include "reports/dmarc_report.hpp"
#include "reports/report_finder.hpp"
#include "reports/tls_report.hpp"

namespace mansio::reports {

/// Who reports.
struct reporter {
    std::string organization;  ///< for people
    std::string contact;       ///< address, domain in A-labels: From of our mails; its domain is the submitter, and signs
    std::string generator;     ///< "mansio/1.0"
    [[nodiscard]] std::string domain() const;
};

/// A message that is not yet signed.
struct report_mail {
    std::string id;           ///< of the report: the same again to the same address is a repetition
    std::string to;
    std::string message;      ///< lines end in CRLF, 7bit
    std::string sign_domain;  ///< d= of the DKIM signature it needs, without l=; RFC 8460 §5.3 wants TLS-Report-Domain and -Submitter signed
    /// RFC 8460 §3 and §5.3: delivered whatever MTA-STS and DANE say, in clear if need be, and not itself counted for the next report.
    bool despite_tls_policy = false;
};

/// A report ready to go: packed once for all destinations.
struct packed_report {
    report_kind what = report_kind::dmarc;
    std::string id;            ///< the left half of Report-ID: letters and digits
    std::string domain;        ///< it is about
    std::int64_t begin = 0, end = 0;
    std::string file_name;     ///< the same whenever it is packed
    std::string media_type;
    std::string octets;        ///< gzip
    std::string note;          ///< a sentence for people: what is not listed
};
/// The report_id of the value is made from `id` and the reporter's domain.
[[nodiscard]] packed_report pack(dmarc_report report, std::string const& id, reporter const& by);
[[nodiscard]] packed_report pack(tls_report report, std::string const& id, std::string const& domain, reporter const& by);

/// One message for one address. `date`: unix seconds; the same input gives the same octets, so that a repetition is one.
/// Auto-Submitted (RFC 3834) and a null reverse-path, which the caller uses, keep it from being answered.
[[nodiscard]] report_mail make_report_mail(packed_report const& report, std::string const& to, reporter const& by, std::int64_t date);

/// "A report of N octets could not be sent" (RFC 7489 §7.2.2), to an address whose limit it exceeds.
[[nodiscard]] report_mail make_too_large_mail(packed_report const& report, std::string const& to, std::uint64_t octets, reporter const& by, std::int64_t date);

}  // namespace mansio::reports
