// Addresses of the envelope (RFC 5321 §4.1.2, strict) and their canonical form.
#include "mime/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"
#include "mime/unicode.hpp"

namespace mansio::mime {
namespace {
bool is_high(char c) noexcept { return static_cast<unsigned char>(c) >= 0x80; }

/// Dot-string = Atom *("." Atom)
bool is_dot_string(std::string_view s) noexcept
{
    if (s.empty() || s.front() == '.' || s.back() == '.' || s.find("..") != std::string_view::npos) return false;
    return std::ranges::all_of(s, [](char c) { return c == '.' || is_high(c) || detail::is_atext(c); });
}

std::unexpected<fault> bad(char const* why) { return fail(fault::kind::syntax, why); }

/// Quoted-string = DQUOTE *QcontentSMTP DQUOTE. Past it, or npos.
std::size_t read_quoted_local(std::string_view s, std::string& out)
{
    for (std::size_t at = 1; at < s.size(); ++at) {
        char c = s[at];
        if (c == '"') return at + 1;
        if (c == '\\') {
            if (++at >= s.size()) break;
            c = s[at];
            if (c < 32 || c > 126) break;  // quoted-pairSMTP = %d92 %d32-126
        }
        if (!is_high(c) && (c < 32 || c > 126)) break;
        out += c;
    }
    return std::string_view::npos;
}

/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]" (RFC 5321 §4.1.3)
bool is_address_literal(std::string_view domain)
{
    std::string const inner{domain.substr(1, domain.size() - 2)};
    if (inner.find('\0') != std::string::npos) return false;
    in_addr v4{};
    in6_addr v6{};
    if (::inet_pton(AF_INET, inner.c_str(), &v4) == 1) return true;
    if (base::starts_with_ignoring_case(inner, "IPv6:")) return ::inet_pton(AF_INET6, inner.c_str() + 5, &v6) == 1;
    auto const colon = inner.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == inner.size() || inner[colon - 1] == '-') return false;
    auto const tag = std::string_view{inner}.substr(0, colon);
    auto const content = std::string_view{inner}.substr(colon + 1);
    return std::ranges::all_of(tag, [](char c) { return detail::is_alpha(c) || detail::is_digit(c) || c == '-'; }) &&
           std::ranges::all_of(content, [](char c) { return c >= 33 && c <= 126 && c != '[' && c != ']' && c != '\\'; });
}

/// Domain = sub-domain *("." sub-domain), sub-domain = Let-dig [Ldh-str]; with RFC 6531 §3.3 also U-labels.
bool is_domain(std::string_view domain)
{
    if (domain.empty() || domain.size() > 255) return false;
    if (domain.front() == '[') return domain.size() > 2 && domain.back() == ']' && is_address_literal(domain);
    for (;;) {
        auto const dot = domain.find('.');
        auto const label = domain.substr(0, dot);
        bool const high = std::ranges::any_of(label, is_high);
        if (label.empty() || (!high && label.size() > 63) || label.front() == '-' || label.back() == '-') return false;
        if (!std::ranges::all_of(label, [](char c) { return is_high(c) || detail::is_alpha(c) || detail::is_digit(c) || c == '-'; })) return false;
        if (dot == std::string_view::npos) return true;
        domain.remove_prefix(dot + 1);
    }
}
}  // namespace

std::string mailbox_address::text() const
{
    std::string out;
    out.reserve(local.size() + domain.size() + 3);
    if (is_dot_string(local))
        out = local;
    else {
        out += '"';
        for (char const c : local) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    if (!domain.empty()) (out += '@') += domain;
    return out;
}

result<mailbox_address> parse_mailbox(std::string_view text, bool smtputf8)
{
    mailbox_address out;
    if (!detail::is_ascii(text) && (!smtputf8 || !base::is_utf8(text))) return bad("the address has octets that are not allowed");
    std::size_t at = 0;
    if (text.starts_with('"')) {
        at = read_quoted_local(text, out.local);
        if (at == std::string_view::npos) return bad("the quoted local part is malformed");
        if (out.local.empty()) return bad("the local part is empty");
    } else {
        at = std::min(text.find('@'), text.size());
        out.local = text.substr(0, at);
        if (!is_dot_string(out.local)) return bad("the local part is malformed");
    }
    if (at > 64) return bad("the local part is longer than 64 octets");  // RFC 5321 §4.5.3.1.1, as written
    if (at >= text.size() || text[at] != '@') return bad("the address has no domain");
    out.domain = text.substr(at + 1);
    if (out.domain.size() > 255) return bad("the domain is longer than 255 octets");  // §4.5.3.1.2
    if (!is_domain(out.domain)) return bad("the domain is malformed");
    return out;
}

result<std::string> canonical_domain(std::string_view domain)
{
    if (domain.starts_with('[')) {
        if (!is_domain(domain)) return bad("the address literal is malformed");
        return base::to_lower_ascii(domain);
    }
    if (domain.find('\0') != std::string_view::npos || !base::is_utf8(domain)) return bad("the domain is malformed");
    std::string out = base::to_lower_ascii(domain);
    if (!detail::is_ascii(out) || out.find("xn--") != std::string::npos) {
        // UTS 46, non-transitional: "straße" and "strasse" are two domains (RFC 5891, IDNA 2008).
        char* ascii = nullptr;
        int const rc = idn2_to_ascii_8z(out.c_str(), &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
        if (rc != IDN2_OK) return fail(fault::kind::syntax, "the domain is not a valid international name", idn2_strerror(rc));
        out = base::to_lower_ascii(ascii);
        idn2_free(ascii);
    }
    if (out.size() > 253 || !is_domain(out) || out.front() == '[') return bad("the domain is malformed");
    return out;
}

result<mailbox_address> canonical(mailbox_address const& a)
{
    mailbox_address out;
    auto domain = canonical_domain(a.domain);
    if (!domain) return fail(domain);
    out.domain = std::move(*domain);
    if (a.local.empty()) return bad("the local part is empty");
    out.local = fold_case(a.local);
    return out;
}

}  // namespace mansio::mime
