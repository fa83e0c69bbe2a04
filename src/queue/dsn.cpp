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

bool any(dsn_input const& in, action a)
{
    return std::ranges::any_of(in.about, [a](told const& t) { return t.what == a; });
}

/// What the notification is about as a whole: the worst of it.
action gist(dsn_input const& in)
{
    for (auto const a : {action::failed, action::delayed, action::relayed, action::expanded})
        if (any(in, a)) return a;
    return action::delivered;
}

std::string_view subject(action a)
{
    switch (a) {
    case action::failed: return "Undelivered mail returned to sender";
    case action::delayed: return "Your mail is delayed";
    case action::delivered: return "Your mail was delivered";
    case action::relayed: return "Your mail was passed on";
    case action::expanded: return "Your mail was delivered to a list of addresses";
    }
    return {};
}

std::string opening(dsn_input const& in)
{
    switch (gist(in)) {
    case action::failed:
        return std::string{in.expired ? "Your message could not be delivered for too long; it is not tried any more.\r\n"
                                      : "Your message could not be delivered to the addresses below.\r\n"} +
               "It was not delivered to them and will not be. The reasons, in the words of\r\nthe server that gave them:\r\n\r\n";
    case action::delayed:
        return "Your message could not be delivered yet to the addresses below. You need not\r\nsend it again: we go on trying" +
               (in.tried_for_more.count() > 0 ? fmt::format(" for {} hours", std::chrono::ceil<std::chrono::hours>(in.tried_for_more).count())
                                              : std::string{}) +
               ". The reasons, in the words of the\r\nserver that gave them:\r\n\r\n";
    case action::delivered: return "Your message was put into the mailboxes of:\r\n\r\n";
    case action::relayed: return "Your message was passed on to a server that may not tell you what becomes of it:\r\n\r\n";
    case action::expanded: return "Your message was accepted for all members of:\r\n\r\n";
    }
    return {};
}

std::string explanation(dsn_input const& in)
{
    std::string out = fmt::format("This is the mail system at {}.\r\n\r\n", in.reporting_mta) + opening(in);
    for (auto const& t : in.about) {
        auto const& r = in.original.recipients[t.index];
        out += fmt::format("<{}>\r\n", ascii(r.original.empty() ? r.address : r.original));
        if (t.what == action::delivered || t.what == action::expanded) continue;
        if (!r.last_host.empty()) out += fmt::format("    {} said:\r\n", ascii(r.last_host));
        out += fmt::format("    {} {}\r\n\r\n", ascii(r.last_status), ascii(r.last_reply));
    }
    return out;
}

/// generic-address of ORCPT (RFC 3464 §2.3.1): decoded; other than ASCII as RFC 6533 §3 writes it in seven bits.
std::string original_recipient(std::string_view orcpt)
{
    auto const semicolon = orcpt.find(';');
    auto const address = orcpt.substr(semicolon + 1);
    auto const decoded = from_xtext(address);
    std::string out = std::string{orcpt.substr(0, semicolon)} + "; ";
    if (decoded) return out + ascii(*decoded);
    for (std::size_t i = 0; i < address.size(); ++i) {
        auto const c = static_cast<unsigned char>(address[i]);
        if (c < 0x80) {
            out += static_cast<char>(c);
            continue;
        }
        auto const length = c >= 0xF0 ? 4U : c >= 0xE0 ? 3U : 2U;
        std::uint32_t point = c & (0xFFU >> (length + 1));
        for (std::size_t k = 1; k < length && i + k < address.size(); ++k) point = point << 6U | (static_cast<unsigned char>(address[i + k]) & 0x3FU);
        out += fmt::format("\\x{{{:X}}}", point);
        i += length - 1;
    }
    return out;
}

std::string date_of(base::wall_time t) { return mime::format_date({std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(), 0}); }

/// Status of RFC 3463 that fits the action.
std::string status_of(told const& t, recipient const& r)
{
    char const first = t.what == action::failed ? '5' : t.what == action::delayed ? '4' : '2';
    auto const known = ascii(r.last_status);
    // An expired recipient keeps the 4.4.7 that says so.
    if (!known.empty() && (known.front() == first || t.what == action::failed)) return known;
    return std::string{first} + ".0.0";
}

std::string status_part(dsn_input const& in)
{
    auto const& e = in.original;
    std::string out;
    // RFC 3461 §6.3 (a): exactly when ENVID was given, decoded.
    if (!e.asked.envelope_id.empty()) add_field(out, "Original-Envelope-ID", ascii(from_xtext(e.asked.envelope_id).value_or("")));
    add_field(out, "Reporting-MTA", fmt::format("dns; {}", in.reporting_mta));
    add_field(out, "X-Mansio-Queue-ID", e.id);
    add_field(out, "Arrival-Date", date_of(e.accepted));
    if (e.asked.by.asked()) add_field(out, "Deliver-By-Date", date_of(e.accepted + e.asked.by.within));        // RFC 2852 §5
    if (!e.asked.hold_words.empty()) add_field(out, "Future-Release-Request", ascii(e.asked.hold_words));  // RFC 4865 §5.1.2
    for (auto const& t : in.about) {
        auto const& r = e.recipients[t.index];
        out += "\r\n";
        if (!r.orcpt.empty()) add_field(out, "Original-Recipient", original_recipient(r.orcpt));  // RFC 3461 §6.3 (d): then, and only then
        add_field(out, "Final-Recipient", fmt::format("rfc822; {}", ascii(r.address)));
        add_field(out, "Action", std::string{name_of(t.what)});
        add_field(out, "Status", status_of(t, r));
        if (t.what == action::expanded || t.what == action::delivered) continue;
        if (!r.last_host.empty()) add_field(out, "Remote-MTA", fmt::format("dns; {}", ascii(r.last_host)));
        if (!r.last_reply.empty()) add_field(out, "Diagnostic-Code", fmt::format("{}; {}", r.last_host.empty() ? "x-mansio" : "smtp", ascii(r.last_reply)));
        if (t.what == action::delayed && in.tried_for_more.count() > 0) add_field(out, "Will-Retry-Until", date_of(in.now + in.tried_for_more));
    }
    return out;
}

bool has_8bit(std::string_view s)
{
    return std::ranges::any_of(s, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}
}  // namespace

std::string_view name_of(action a) noexcept
{
    switch (a) {
    case action::failed: return "failed";
    case action::delayed: return "delayed";
    case action::delivered: return "delivered";
    case action::relayed: return "relayed";
    case action::expanded: return "expanded";
    }
    return {};
}

bool returns_whole(envelope const& e, std::vector<told> const& about, std::uint64_t most_octets) noexcept
{
    bool const failure = std::ranges::any_of(about, [](told const& t) { return t.what == action::failed; });
    return failure && e.asked.content == returned::full && !e.asked.require_tls && !e.asked.binary && e.size <= most_octets;
}

std::optional<action> success_report(envelope const& e, recipient const& r, outcome const& o, bool local) noexcept
{
    if (r.expansion) return action::expanded;
    if (local) return r.wanted.wants_success() ? std::optional{action::delivered} : std::nullopt;  // RFC 3461 §5.2.3
    if (r.wanted.wants_success() && !o.dsn_passed_on) return action::relayed;                      // RFC 3461 §5.2.2 (b)
    if (!e.asked.by.asked() || r.wanted.never()) return std::nullopt;
    // RFC 2852 §4.1.4: asked for by the trace; and in time, but to a server that will not keep the time (§4.1.4.2).
    bool const unkept = e.asked.by.how == deliver_by::mode::notify && !o.by_passed_on && e.since < e.asked.by.within;
    return e.asked.by.trace || unkept ? std::optional{action::relayed} : std::nullopt;
}

std::string make_dsn(dsn_input const& in)
{
    auto const now = std::chrono::duration_cast<std::chrono::seconds>(in.now.time_since_epoch()).count();
    std::string out;
    add_field(out, "Date", mime::format_date({now, 0}));
    add_field(out, "From", fmt::format("Mail Delivery System <{}>", in.postmaster));
    add_field(out, "To", fmt::format("<{}>", ascii(in.original.sender)));
    add_field(out, "Subject", std::string{subject(gist(in))});
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
    // What is returned may hold octets ≥ 0x80 (SMTPUTF8, 8BITMIME or broken mail): then it is said so, not altered.
    std::string_view const back = in.whole ? *in.whole : whole_fields(in.original_header);
    std::string type = in.whole ? "message/rfc822" : "text/rfc822-headers";
    if (has_8bit(back)) type += "\r\nContent-Transfer-Encoding: 8bit";
    part(type, std::string{back});
    out += fmt::format("\r\n--{}--\r\n", in.boundary);
    return out;
}

}  // namespace mansio::queue
