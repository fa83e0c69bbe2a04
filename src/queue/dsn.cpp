#include "queue/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/build.hpp"
#include "mime/date.hpp"

namespace mansio::queue {
namespace {
constexpr std::size_t most_header = 32'768;

/// One field of the report. What cannot be said in a field is said escaped.
void add_field(std::string& out, std::string_view name, std::string const& body)
{
    auto made = mime::make_field(name, body);
    if (!made) made = mime::make_field(name, base::printable(body, 900));
    MANSIO_ASSERT(made.has_value());
    out += *made;
}

/// US-ASCII for header fields of the report: other octets are escaped (message/delivery-status is 7bit without RFC 6533).
std::string ascii(std::string_view text)
{
    std::string out;
    for (unsigned char const c : base::printable(text, 900)) {
        if (c < 0x80)
            out += static_cast<char>(c);
        else
            out += fmt::format("\\x{:02x}", c);
    }
    return out;
}

std::string_view whole_fields(std::string_view header)
{
    if (header.size() <= most_header) return header;
    auto const cut = header.rfind("\r\n", most_header);
    auto kept = header.substr(0, cut == std::string_view::npos ? 0 : cut + 2);
    // A folded field must not be cut in its middle: step back to a line that starts one.
    while (!kept.empty() && kept.size() < header.size() && (header[kept.size()] == ' ' || header[kept.size()] == '\t')) {
        auto const before = kept.substr(0, kept.size() - 2).rfind("\r\n");
        kept = before == std::string_view::npos ? std::string_view{} : kept.substr(0, before + 2);
    }
    return kept;
}

std::string explanation(dsn_input const& in)
{
    std::string out = fmt::format("This is the mail system at {}.\r\n\r\n", in.reporting_mta);
    out += in.expired ? "Your message could not be delivered for too long; it is not tried any more.\r\n"
                      : "Your message could not be delivered to the addresses below.\r\n";
    out += "It was not delivered to them and will not be. The reasons, in the words of\r\nthe server that gave them:\r\n\r\n";
    for (auto const i : in.failed) {
        auto const& r = in.original.recipients[i];
        out += fmt::format("<{}>\r\n", ascii(r.original.empty() ? r.address : r.original));
        if (!r.last_host.empty()) out += fmt::format("    {} said:\r\n", ascii(r.last_host));
        out += fmt::format("    {} {}\r\n\r\n", ascii(r.last_status), ascii(r.last_reply));
    }
    return out;
}

std::string status_part(dsn_input const& in)
{
    std::string out;
    add_field(out, "Reporting-MTA", fmt::format("dns; {}", in.reporting_mta));
    add_field(out, "X-Mansio-Queue-ID", in.original.id);
    auto const arrived = std::chrono::duration_cast<std::chrono::seconds>(in.original.accepted.time_since_epoch()).count();
    add_field(out, "Arrival-Date", mime::format_date({arrived, 0}));
    for (auto const i : in.failed) {
        auto const& r = in.original.recipients[i];
        out += "\r\n";
        if (!r.original.empty() && r.original != r.address) add_field(out, "Original-Recipient", fmt::format("rfc822; {}", ascii(r.original)));
        add_field(out, "Final-Recipient", fmt::format("rfc822; {}", ascii(r.address)));
        add_field(out, "Action", "failed");
        add_field(out, "Status", r.last_status.empty() ? "5.0.0" : ascii(r.last_status));
        if (!r.last_host.empty()) add_field(out, "Remote-MTA", fmt::format("dns; {}", ascii(r.last_host)));
        if (!r.last_reply.empty()) add_field(out, "Diagnostic-Code", fmt::format("{}; {}", r.last_host.empty() ? "x-mansio" : "smtp", ascii(r.last_reply)));
    }
    return out;
}
}  // namespace

std::string make_dsn(dsn_input const& in)
{
    auto const now = std::chrono::duration_cast<std::chrono::seconds>(in.now.time_since_epoch()).count();
    std::string out;
    add_field(out, "Date", mime::format_date({now, 0}));
    add_field(out, "From", fmt::format("Mail Delivery System <{}>", in.postmaster));
    add_field(out, "To", fmt::format("<{}>", ascii(in.original.sender)));
    add_field(out, "Subject", "Undelivered mail returned to sender");
    add_field(out, "Message-ID", fmt::format("<{}@{}>", in.message_id, in.reporting_mta));
    // RFC 3834 §5: so that no vacation program answers it.
    add_field(out, "Auto-Submitted", "auto-replied");
    add_field(out, "MIME-Version", "1.0");
    add_field(out, "Content-Type", fmt::format("multipart/report; report-type=delivery-status; boundary=\"{}\"", in.boundary));
    auto const part = [&](std::string_view type, std::string const& body) {
        out += fmt::format("\r\n--{}\r\nContent-Type: {}\r\n\r\n{}", in.boundary, type, body);
    };
    part("text/plain; charset=us-ascii", explanation(in));
    part("message/delivery-status", status_part(in));
    // The header may hold octets ≥ 0x80 (SMTPUTF8 or broken mail): then it is said so, not altered.
    auto const header = whole_fields(in.original_header);
    bool const eight = std::any_of(header.begin(), header.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    part(eight ? "text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit" : "text/rfc822-headers", std::string{header});
    out += fmt::format("\r\n--{}--\r\n", in.boundary);
    return out;
}

}  // namespace mansio::queue
