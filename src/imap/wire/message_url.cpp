#include "imap/wire/message_url.hpp"

#include <charconv>

#include "base/bytes.hpp"

namespace mansio::imap::wire {
namespace {

std::unexpected<fault> bad() { return fail(fault::kind::syntax, "not a URL of a message here"); }

int hex(char c) noexcept
{
    if (c >= '0' && c <= '9') return c - '0';
    auto const lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// "%41" undone; octets a URL may not hold are errors.
result<std::string> unescape(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] <= ' ' || text[i] > '~') return bad();
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return bad();
        out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
        i += 2;
    }
    if (out.contains('\0') || !base::is_utf8(out)) return bad();
    return out;
}

template <class T> std::optional<T> number(std::string_view text) noexcept
{
    T value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Takes `name` and what follows up to the next "/;" off `rest`; nullopt: something else is next.
std::optional<std::string_view> take(std::string_view& rest, std::string_view name) noexcept
{
    if (!base::starts_with_ignoring_case(rest, name)) return std::nullopt;
    auto const end = rest.find("/;", name.size());
    auto const value = rest.substr(name.size(), end == std::string_view::npos ? end : end - name.size());
    rest.remove_prefix(name.size() + value.size());
    return value;
}

// partial-range = number ["." nz-number]
std::optional<message_url::range> parse_range(std::string_view text) noexcept
{
    auto const dot = text.find('.');
    auto const offset = number<std::uint64_t>(text.substr(0, dot));
    if (!offset) return std::nullopt;
    message_url::range r{*offset, std::nullopt};
    if (dot == std::string_view::npos) return r;
    r.octets = number<std::uint64_t>(text.substr(dot + 1));
    if (!r.octets || *r.octets == 0) return std::nullopt;
    return r;
}

}  // namespace

// imessagepart = imailbox-ref iuid [isection] [ipartial]; imailbox-ref = enc-mailbox [";UIDVALIDITY=" nz-number]   (RFC 5092 §11)
result<message_url> parse_message_url(std::string_view url)
{
    if (url.size() < 2 || url[0] != '/' || url[1] == '/') return bad();
    auto rest = url.substr(1);
    message_url out;
    auto const semicolon = rest.find(';');
    if (semicolon == std::string_view::npos) return bad();
    auto name = rest.substr(0, semicolon);
    rest.remove_prefix(semicolon);
    if (auto const validity = take(rest, ";UIDVALIDITY=")) {
        out.uid_validity = number<std::uint32_t>(*validity);
        if (!out.uid_validity) return bad();
    } else if (name.ends_with('/')) {
        name.remove_suffix(1);
        rest = url.substr(url.size() - rest.size() - 1);  // its slash belongs to what follows
    }
    auto mailbox = unescape(name);
    if (!mailbox || mailbox->empty()) return bad();
    out.mailbox = std::move(*mailbox);
    auto const uid = take(rest, "/;UID=");
    if (!uid) return bad();
    out.uid = number<std::uint32_t>(*uid).value_or(0);
    if (out.uid == 0) return bad();
    if (auto const section = take(rest, "/;SECTION=")) {
        auto text = unescape(*section);
        if (!text || text->empty()) return bad();
        out.section = std::move(*text);
    }
    if (auto const partial = take(rest, "/;PARTIAL=")) {
        out.partial = parse_range(*partial);
        if (!out.partial) return bad();
    }
    if (!rest.empty()) return bad();
    return out;
}

}  // namespace mansio::imap::wire
