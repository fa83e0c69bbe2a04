// The summary: everything a list of messages needs, read from the message once.
#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/lexer.hpp"
#include "mime/message.hpp"
#include "mime/preview.hpp"
#include "mime/tree.hpp"

namespace mansio::mime {
namespace {
// What Thunderbird, Apple Mail, Outlook, K-9, mutt, Roundcube and imaptest ask for in BODY[HEADER.FIELDS (…)].
constexpr std::array<std::string_view, 42> kept{"auto-submitted",
                                                "bcc",
                                                "cc",
                                                "chat-version",
                                                "content-transfer-encoding",
                                                "content-type",
                                                "date",
                                                "delivered-to",
                                                "disposition-notification-to",
                                                "followup-to",
                                                "from",
                                                "importance",
                                                "in-reply-to",
                                                "list-archive",
                                                "list-help",
                                                "list-id",
                                                "list-owner",
                                                "list-post",
                                                "list-subscribe",
                                                "list-unsubscribe",
                                                "list-unsubscribe-post",
                                                "mail-followup-to",
                                                "mail-reply-to",
                                                "message-id",
                                                "mime-version",
                                                "newsgroups",
                                                "organization",
                                                "precedence",
                                                "priority",
                                                "references",
                                                "reply-to",
                                                "resent-from",
                                                "return-path",
                                                "sender",
                                                "subject",
                                                "to",
                                                "user-agent",
                                                "x-mailer",
                                                "x-msmail-priority",
                                                "x-priority",
                                                "x-uniform-type-identifier",
                                                "x-universally-unique-identifier"};
static_assert(std::ranges::is_sorted(kept), "is_kept() is a binary search");

/// Compares without making a lower-case copy on the heap.
bool is_kept(std::string_view name) noexcept
{
    std::array<char, 32> small{};
    if (name.size() > small.size()) return false;
    std::ranges::transform(name, small.begin(), detail::to_lower);
    return std::ranges::binary_search(kept, std::string_view{small.data(), name.size()});
}

std::string_view body_of(header_block const& h, std::string_view name) noexcept
{
    auto const* const f = find_field(h, name);
    return f == nullptr ? std::string_view{} : f->body;
}

bool is_signature(part const& p) noexcept
{
    return p.type == "application" &&
           (p.subtype == "pgp-signature" || p.subtype == "pkcs7-signature" || p.subtype == "x-pkcs7-signature" || p.subtype == "pgp-encrypted");
}

bool is_attachment(std::vector<part> const& parts, std::size_t i) noexcept
{
    auto const& p = parts[i];
    if (p.what == part::kind::multipart) return false;
    if (p.disposition == "attachment") return !is_signature(p);
    if (p.what == part::kind::message) return i != 0;
    if (is_signature(p) || p.disposition == "inline") return false;
    if (std::ranges::any_of(p.disposition_parameters, [](auto const& n) { return n.first == "filename"; })) return true;
    if (p.type == "text") return p.subtype != "calendar" && std::ranges::any_of(p.parameters, [](auto const& n) { return n.first == "name"; });
    return p.id.empty();  // an image with an id belongs to the HTML beside it
}

std::string display_of(std::string_view from_body)
{
    base::budget one{3};
    for (auto const& a : parse_address_list(from_body, one)) {
        if (a.what != address::kind::mailbox) continue;
        auto name = decode_encoded_words(a.name);
        if (auto const trimmed = detail::trim_white(name); !trimmed.empty()) return std::string{trimmed};
        return to_utf8(a.host.empty() ? a.mailbox : a.mailbox + '@' + a.host, {});
    }
    return {};
}

/// "<id>", or what stands there instead of one.
std::string first_id(std::string_view body)
{
    if (auto const end = body.find('>'); end != std::string_view::npos)
        if (auto ids = message_ids(body.substr(0, end + 1), 1); !ids.empty()) return std::move(ids.front());
    return to_utf8(detail::trim_white(unfold(body)).substr(0, 998), {});
}

void read_fields(header_block const& h, summary& s)
{
    for (auto const& f : h.fields) {
        if (is_kept(f.name))
            s.fields.emplace_back(f.name, unfold(f.body));
        else if (base::equal_ignoring_case(f.name, "received"))
            ++s.received_count;
    }
    if (auto const* const d = find_field(h, "date")) s.date = parse_date(d->body);
    s.subject = detail::trim_white(decode_encoded_words(detail::trim_white(body_of(h, "subject"))));
    s.base_subject = base_subject(s.subject);
    s.from_display = display_of(body_of(h, "from"));
    s.message_id = first_id(body_of(h, "message-id"));
    s.in_reply_to = first_id(body_of(h, "in-reply-to"));
    s.references = message_ids(body_of(h, "references"), 100);
}

/// Of each part only what locating needs stays; the rest is in the wire text.
void strip(part& p)
{
    p.parameters.clear();
    p.parameters.shrink_to_fit();
    p.id.clear();
    p.description.clear();
    p.md5.clear();
    p.disposition.clear();
    p.location.clear();
    p.disposition_parameters.clear();
    p.languages.clear();
}
}  // namespace

std::vector<std::string_view> const& kept_fields()
{
    static std::vector<std::string_view> const all{kept.begin(), kept.end()};
    return all;
}

std::vector<std::string> message_ids(std::string_view body, std::size_t most)
{
    std::vector<std::string_view> found;
    for (std::size_t at = body.find('<'); at != std::string_view::npos;) {
        auto const end = body.find_first_of("<>", at + 1);
        if (end == std::string_view::npos) break;
        if (body[end] == '<') {  // the one before was never closed
            at = end;
            continue;
        }
        found.push_back(body.substr(at + 1, end - at - 1));
        at = body.find('<', end);
    }
    std::vector<std::string> out;
    for (std::size_t i = found.size(); i-- > 0 && out.size() < most;) {
        std::string id{'<'};
        // RFC 5322 §3.6.4, §4.5.4: blanks and folding are no part of an id; nothing longer than a line is one.
        for (char const c : found[i].substr(0, 4096))
            if (static_cast<unsigned char>(c) > 32 && c != 127) id += c;
        if (id.size() == 1 || id.size() > 996 || found[i].size() > 4096) continue;
        id += '>';
        out.push_back(base::is_utf8(id) ? std::move(id) : to_utf8(id, {}));
    }
    std::ranges::reverse(out);
    return out;
}

summary summarize(octets const& message, base::limits const& limits)
{
    auto t = detail::build_tree(message, limits, detail::wire::yes);
    summary s;
    s.size = message.size();
    s.header_size = t.parts.front().body_offset;
    s.envelope_text = envelope_text(read_envelope(t.header, limits, &t.degraded));
    s.body_text = detail::body_text(t, false);
    s.bodystructure_text = detail::body_text(t, true);
    read_fields(t.header, s);
    s.preview = detail::preview(t.parts, message.view());
    for (std::size_t i = 0; i < t.parts.size() && !s.has_attachment; ++i) s.has_attachment = is_attachment(t.parts, i);
    s.degraded = t.degraded;
    s.has_8bit = t.has_8bit;
    s.has_nul = t.has_nul;
    s.parts = std::move(t.parts);
    std::ranges::for_each(s.parts, strip);
    return s;
}

// --- sections, RFC 9051 §6.4.5.1

namespace {
/// The `n`th part inside part `i`, whose numbers begin at 1. A message's parts are those of the multipart inside, or its body as part 1.
std::optional<std::uint32_t> child(std::vector<part> const& parts, std::uint32_t i, std::uint32_t n) noexcept
{
    if (parts[i].what != part::kind::multipart) return std::nullopt;
    std::uint32_t at = i + 1;
    std::uint32_t const end = i + parts[i].subtree;
    while (at < end && --n != 0) at += parts[at].subtree;
    return at < end ? std::optional{at} : std::nullopt;
}
}  // namespace

std::optional<std::uint32_t> find_part(summary const& s, std::vector<std::uint32_t> const& path)
{
    if (s.parts.empty()) return std::nullopt;
    std::uint32_t at = 0;
    bool entered = true;  // `at` is the root of a message: its own body is part 1 when it is no multipart
    for (std::uint32_t const n : path) {
        if (n == 0) return std::nullopt;
        if (!entered && s.parts[at].what == part::kind::message) {
            ++at;
            entered = true;
        }
        if (entered && s.parts[at].what != part::kind::multipart) {
            if (n != 1) return std::nullopt;
            entered = false;
            continue;
        }
        auto const next = child(s.parts, at, n);
        if (!next) return std::nullopt;
        at = *next;
        entered = false;
    }
    return at;
}

std::optional<byte_range> locate(summary const& s, std::vector<std::uint32_t> const& path, section_kind which)
{
    auto const range = [](std::uint64_t from, std::uint64_t to) { return byte_range{from, to - from}; };
    if (path.empty()) {
        switch (which) {
        case section_kind::body: return range(0, s.size);
        case section_kind::header: return range(0, s.header_size);
        case section_kind::text: return range(s.header_size, s.size);
        case section_kind::mime: return std::nullopt;  // MIME must have a part number before it
        }
    }
    auto const at = find_part(s, path);
    if (!at) return std::nullopt;
    auto const& p = s.parts[*at];
    if (which == section_kind::body) return range(p.body_offset, p.end_offset);
    if (which == section_kind::mime) return range(p.header_offset, p.body_offset);
    if (p.what != part::kind::message) return std::nullopt;  // HEADER and TEXT want a MESSAGE/RFC822 before them
    auto const& inner = s.parts[*at + 1];
    return which == section_kind::header ? range(inner.header_offset, inner.body_offset) : range(inner.body_offset, inner.end_offset);
}

}  // namespace mansio::mime
