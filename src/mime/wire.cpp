// ENVELOPE, BODY and BODYSTRUCTURE as FETCH sends them, RFC 9051 §7.5.2 (the same order and rules as RFC 3501 §7.4.2).
#include "mime/wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/lexer.hpp"
#include "mime/message.hpp"
#include "mime/tree.hpp"

namespace mansio::mime {
namespace {
void append_number(std::string& out, std::uint64_t n)
{
    std::array<char, 20> digits{};
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
    out.append(digits.data(), end);
}

/// string = quoted / literal. NUL is in neither (CHAR8 = %x01-ff), so it becomes '?'.
void append_string(std::string& out, std::string_view s)
{
    bool plain = s.size() <= 1000;  // long lines trouble clients; a literal never does
    bool escapes = false;
    bool nul = false;
    for (char const c : s) {
        plain = plain && static_cast<unsigned char>(c) < 0x80 && c != '\r' && c != '\n';
        escapes = escapes || c == '"' || c == '\\';
        nul = nul || c == '\0';
    }
    std::string clean;
    if (nul) {
        clean = s;
        std::ranges::replace(clean, '\0', '?');
        s = clean;
    }
    if (!plain) {
        out += '{';
        append_number(out, s.size());
        (out += "}\r\n") += s;
        return;
    }
    out += '"';
    if (!escapes)
        out += s;
    else
        for (char const c : s) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
    out += '"';
}
void append_nstring(std::string& out, std::string_view s)
{
    if (s.empty())
        out += "NIL";
    else
        append_string(out, s);
}

/// address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
void append_address(std::string& out, address const& a)
{
    out += '(';
    append_nstring(out, a.name);
    out += ' ';
    append_nstring(out, a.route);
    switch (a.what) {
    case address::kind::group_end: out += " NIL NIL"; break;
    case address::kind::group_start:
        out += ' ';
        append_string(out, a.mailbox);
        out += " NIL";
        break;
    case address::kind::mailbox:
            // A host of NIL would make this a group: a missing one is the empty string.
        out += ' ';
        append_string(out, a.mailbox);
        out += ' ';
        append_string(out, a.host);
        break;
    }
    out += ')';
}

void append_addresses(std::string& out, std::string_view body, base::budget& most)
{
    for (auto const& a : parse_address_list(body, most)) {
        if (out.empty()) out += '(';
        append_address(out, a);
    }
}

std::string text_of(std::string_view body)
{
    body = detail::trim_white(body);
    return body.find('\n') == std::string_view::npos ? std::string{body} : unfold(body);
}

enum field : std::size_t { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, fields };
constexpr std::array<std::string_view, fields> names{"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"};
}  // namespace

std::string imap_string(std::string_view s)
{
    std::string out;
    append_string(out, s);
    return out;
}
std::string imap_nstring(std::string_view s)
{
    std::string out;
    append_nstring(out, s);
    return out;
}

envelope read_envelope(header_block const& h, base::limits const& limits, bool* degraded)
{
    std::array<std::string_view, fields> first{};
    std::array<bool, fields> seen{};
    std::array<std::string, fields> lists;
    base::budget const each{limits.addresses_per_field};
    std::array<base::budget, fields> left{each, each, each, each, each, each, each, each, each, each};
    for (auto const& f : h.fields) {
        std::size_t i = 0;
        while (i < fields && (f.name.size() != names[i].size() || !base::equal_ignoring_case(f.name, names[i]))) ++i;
        if (i == fields) continue;
        // RFC 5322 §4.5.3: several To (Cc, Bcc) fields are one list; §4.5: what several of the others mean is unspecified, so the first counts.
        if (seen[i] && i != to && i != cc && i != bcc) continue;
        if (!seen[i]) first[i] = f.body;
        seen[i] = true;
        if (i >= from && i <= bcc) append_addresses(lists[i], f.body, left[i]);
    }
    auto const list = [&](field i) {
        if (degraded != nullptr && left[i].left() == 0) *degraded = true;
        return lists[i].empty() ? std::string{"NIL"} : std::move(lists[i] += ')');
    };
    envelope e;
    e.date = text_of(first[date]);
    e.subject = text_of(first[subject]);
    e.from = list(from);
    e.sender = list(sender);
    e.reply_to = list(reply_to);
    if (e.sender == "NIL") e.sender = e.from;  // RFC 9051 §7.5.2: the server does it for the client
    if (e.reply_to == "NIL") e.reply_to = e.from;
    e.to = list(to);
    e.cc = list(cc);
    e.bcc = list(bcc);
    e.in_reply_to = text_of(first[in_reply_to]);
    e.message_id = text_of(first[message_id]);
    return e;
}

std::string envelope_text(envelope const& e)
{
    std::string out;
    out.reserve(e.subject.size() + e.from.size() * 3 + e.to.size() + e.cc.size() + 256);
    out += '(';
    append_nstring(out, e.date);
    out += ' ';
    append_nstring(out, e.subject);
    for (auto const* list : {&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc}) (out += ' ') += *list;
    out += ' ';
    append_nstring(out, e.in_reply_to);
    out += ' ';
    append_nstring(out, e.message_id);
    out += ')';
    return out;
}

namespace detail {
std::string envelope_text(header_block const& h, base::limits const& limits, bool& degraded)
{
    return mime::envelope_text(read_envelope(h, limits, &degraded));
}

std::string parameters_text(std::vector<std::pair<std::string, std::string>> const& parameters, std::vector<bool> const& extended, bool default_charset)
{
    std::string out;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        auto const& [name, value] = parameters[i];
        default_charset = default_charset && name != "charset";
        out += out.empty() ? '(' : ' ';
        // RFC 9051 §7.5.2: continuations joined, charset decoded to UTF-8, and the name keeps one star.
        append_string(out, i < extended.size() && extended[i] ? name + '*' : name);
        out += ' ';
        append_string(out, value);
    }
    if (default_charset) (out += out.empty() ? '(' : ' ') += "\"charset\" \"us-ascii\"";  // RFC 2046 §4.1.2
    if (out.empty()) return "NIL";
    out += ')';
    return out;
}

namespace {
class body_writer {
public:
    body_writer(tree const& t, bool extended) : t_(t), extended_(extended) { out_.reserve(t.parts.size() * 160); }
    std::string run()
    {
        std::vector<std::uint32_t> open;
        for (std::uint32_t i = 0; i < t_.parts.size(); ++i) {
            out_ += '(';
            if (t_.parts[i].what != part::kind::leaf) {
                if (t_.parts[i].what == part::kind::message) begin_message(i);
                open.push_back(i);
                continue;
            }
            leaf(i);
            while (!open.empty() && i + 1 == open.back() + t_.parts[open.back()].subtree) {
                close(open.back());
                open.pop_back();
            }
        }
        return std::move(out_);
    }

private:
    void leaf(std::uint32_t i)
    {
        auto const& p = t_.parts[i];
        // The grammar wants an envelope in every message/rfc822 and parts in every multipart. One that was not opened (encoded, or beyond the
        // limits) is sent as what it then is for the reader: octets to be saved.
        bool const opaque = p.type == "multipart" || is_message_type(p);
        basic(i, opaque ? "application" : p.type, opaque ? "octet-stream" : p.subtype);
        if (p.type == "text") {
            out_ += ' ';
            append_number(out_, p.lines);
        }
        single_extension(i);
    }
    void begin_message(std::uint32_t i)
    {
        auto const& p = t_.parts[i];
        basic(i, p.type, p.subtype);
        (out_ += ' ') += t_.wire[i].envelope;
        out_ += ' ';
    }
    void close(std::uint32_t i)
    {
        auto const& p = t_.parts[i];
        out_ += ' ';
        if (p.what == part::kind::message) {
            append_number(out_, p.lines);
            single_extension(i);
            return;
        }
        append_string(out_, base::to_upper_ascii(p.subtype));
        if (extended_) {
            (out_ += ' ') += t_.wire[i].parameters;
            common_extension(i);
        }
        out_ += ')';
    }
    /// media-type SP media-subtype SP body-fields: param, id, desc, enc, octets
    void basic(std::uint32_t i, std::string_view type, std::string_view subtype)
    {
        auto const& p = t_.parts[i];
        append_string(out_, base::to_upper_ascii(type));
        out_ += ' ';
        append_string(out_, base::to_upper_ascii(subtype));
        ((out_ += ' ') += t_.wire[i].parameters) += ' ';
        append_nstring(out_, p.id);
        out_ += ' ';
        append_nstring(out_, p.description);
        out_ += ' ';
        append_string(out_, base::to_upper_ascii(p.encoding));
        out_ += ' ';
        append_number(out_, p.end_offset - p.body_offset);
    }
    void single_extension(std::uint32_t i)  // md5, disposition, language, location
    {
        if (extended_) {
            out_ += ' ';
            append_nstring(out_, t_.parts[i].md5);
            common_extension(i);
        }
        out_ += ')';
    }
    void common_extension(std::uint32_t i)
    {
        auto const& p = t_.parts[i];
        ((out_ += ' ') += t_.wire[i].disposition) += ' ';
        if (p.languages.empty())
            out_ += "NIL";
        else {
            char before = '(';
            for (auto const& l : p.languages) {
                out_ += std::exchange(before, ' ');
                append_string(out_, l);
            }
            out_ += ')';
        }
        out_ += ' ';
        append_nstring(out_, p.location);
    }

    tree const& t_;
    bool extended_;
    std::string out_;
};
}  // namespace

std::string body_text(tree const& t, bool extended) { return body_writer{t, extended}.run(); }
}  // namespace detail

}  // namespace mansio::mime
