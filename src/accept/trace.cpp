#include "accept/trace.hpp"

#include "mime/build.hpp"
#include "mime/date.hpp"

namespace mansio::accept {

std::string_view name_of(door d) noexcept
{
    switch (d) {
    case door::mx: return "mx";
    case door::submission: return "submission";
    case door::lmtp: return "lmtp";
    }
    return "?";
}

std::string harmless_name(std::string_view greeting)
{
    std::string out{greeting.substr(0, 255)};
    for (char& c : out) {
        bool const plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view{"-._:[]"}.find(c) != std::string_view::npos;
        if (!plain) c = '?';
    }
    return out.empty() ? "unknown" : out;
}

std::string with_protocol(client const& c, bool smtputf8)
{
    std::string out = smtputf8 ? "UTF8" : "";
    bool const lmtp = c.through == door::lmtp;
    if (!lmtp && !c.extended) return "SMTP";
    // RFC 6531 §4.3 names UTF8SMTP, not UTF8ESMTP.
    out += lmtp ? "LMTP" : smtputf8 ? "SMTP" : "ESMTP";
    if (!c.tls.empty()) out += 'S';
    if (c.signed_in()) out += 'A';
    return out;
}

std::string received_field(message const& m, std::string_view hostname, base::wall_time now)
{
    auto const& c = *m.from;
    std::string body = "from " + c.greeting + " (" + (c.local ? std::string{"local"} : c.peer_literal) + ") by " + std::string{hostname};
    if (!c.tls.empty()) body += " (" + c.tls + ")";
    body += " with " + with_protocol(c, m.smtputf8) + " id " + m.id;
    if (m.recipients.size() == 1) body += " for <" + m.recipients.front().given.text() + ">";
    if (m.wishes.priority) body += " PRIORITY " + std::to_string(*m.wishes.priority);  // RFC 6710 §4, item 2
    body += "; " + mime::format_date({std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count(), 0});
    auto field = mime::make_field("Received", body);
    // Every word of it was checked by a grammar or by harmless_name(); a quoted local part may hold blanks, never line ends.
    MANSIO_ASSERT(field.has_value());
    return std::move(*field);
}

}  // namespace mansio::accept
