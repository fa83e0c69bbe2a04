// DMARC aggregate reports as values, and as the XML they travel in (RFC 7489 §7.2 and appendix C; elements its successor, RFC 9990, adds are read too).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::reports {

/// Texts are UTF-8 as the reporter wrote them: strangers' words, to be escaped wherever they are shown. Words ("pass", "none", "quarantine") are in lower
/// case; a word we do not know stays as it is, because reporters have some of their own ("hardfail", "unknown").
struct dmarc_report {
    struct dkim_result {
        std::string domain, selector, result, human_result;
        bool operator==(dkim_result const&) const = default;
    };
    struct spf_result {
        std::string domain, scope, result, human_result;
        bool operator==(spf_result const&) const = default;
    };
    /// Why what was done is not what the domain asked for.
    struct reason {
        std::string type, comment;
        bool operator==(reason const&) const = default;
    };
    /// Messages of one source that were seen and treated alike.
    struct record {
        std::string source_ip;                ///< an address in its canonical form
        std::uint64_t count = 0;
        std::string disposition, dkim, spf;   ///< what was done; whether an aligned DKIM, SPF result was a pass
        std::vector<reason> reasons;
        std::string envelope_to, envelope_from, header_from;  ///< domains
        std::vector<dkim_result> dkim_results;
        std::vector<spf_result> spf_results;
        bool operator==(record const&) const = default;
    };
    struct policy_published {
        std::string domain;
        std::string adkim, aspf, p, sp, np, fo;   ///< empty: not told
        std::string testing, discovery_method;    ///< of RFC 9990: "y" or "n"; "psl" or "treewalk"
        std::optional<std::uint32_t> pct;
        bool operator==(policy_published const&) const = default;
    };

    std::string org_name, email, extra_contact_info, report_id, generator;
    std::int64_t begin = 0, end = 0;          ///< unix seconds; the end belongs to the span or follows it, reporters differ
    std::vector<std::string> errors;
    policy_published policy;
    std::vector<record> records;
    bool operator==(dmarc_report const&) const = default;
};

/// Reads a report from XML that comes in pieces. Expat reads it as it comes; nothing is kept but the report.
/// Refused, for what they have done to others: document type declarations, and with them every entity but XML's own five. Elements nobody defined here,
/// and all of foreign namespaces, are passed over. Owns its parser.  Threads: one at a time.
class dmarc_reader {
public:
    dmarc_reader();
    ~dmarc_reader();
    dmarc_reader(dmarc_reader const&) = delete;
    dmarc_reader& operator=(dmarc_reader const&) = delete;
    /// Errors: syntax (no XML, no report, an element that may stand once twice, a number that is none, something needed that is missing, each with its line),
    /// refused (a document type, a charset we do not read), over_limit (too deep, too many elements or records, a name or number too long).
    /// The first error is final.
    [[nodiscard]] result<void> feed(std::string_view octets);
    /// After the last octet. Errors: as feed().
    [[nodiscard]] result<dmarc_report> finish();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// All at once.
[[nodiscard]] result<dmarc_report> read_dmarc_report(std::string_view xml);

/// RFC 7489 appendix C; np, testing, discovery_method and generator only where they are set. Octets that XML cannot hold become U+FFFD.
[[nodiscard]] std::string write_dmarc_report(dmarc_report const& report);

}  // namespace mansio::reports
