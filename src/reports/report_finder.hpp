// Finds reports in messages, whatever form their senders chose (RFC 7489 §7.2.1.1, RFC 8460 §5.3).
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "base/limits.hpp"
#include "mime/message.hpp"
#include "reports/dmarc_report.hpp"
#include "reports/packing.hpp"
#include "reports/tls_report.hpp"

namespace mansio::reports {

enum class report_kind : std::uint8_t { dmarc = 1, tls = 2 };
[[nodiscard]] char const* name_of(report_kind k) noexcept;  ///< "dmarc", "tls"

/// A part of a message that claims to be a report, its transfer encoding undone, still packed.
struct report_part {
    report_kind what = report_kind::dmarc;
    std::string file_name;
    std::string octets;
};

/// "receiver!domain!begin!end[!id].ext": whether a file is named as reports are, and of which kind.
[[nodiscard]] std::optional<report_kind> kind_of_name(std::string_view file_name);

/// In the order of the message, at most eight: RFC 7489 and 8460 send one. By media type (application/tlsrpt+json, +gzip), by file name, or, for
/// attachments of usual types, by a Subject that begins "Report Domain:". Larger ones than any report are left out.
[[nodiscard]] std::vector<report_part> find_reports(mime::octets const& message, base::limits const& limits);

using any_report = std::variant<dmarc_report, tls_report>;
/// Errors: as unpack(), dmarc_reader and read_tls_report().  Up to a second of work: call it on a pool.
[[nodiscard]] result<any_report> read_report(report_part const& part, packing_limits const& limits = {});

}  // namespace mansio::reports
