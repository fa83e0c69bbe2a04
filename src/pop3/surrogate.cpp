#include "pop3/surrogate.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/build.hpp"
#include "mime/header.hpp"

namespace mansio::pop3 {
namespace {
constexpr std::array address_fields{"from",
                                    "sender",
                                    "reply-to",
                                    "to",
                                    "cc",
                                    "bcc",
                                    "resent-from",
                                    "resent-sender",
                                    "resent-to",
                                    "resent-cc",
                                    "resent-bcc",
                                    "return-path",
                                    "disposition-notification-to",
                                    "delivered-to"};

std::unexpected<fault> needs_utf8() { return fail(fault::kind::refused, "this message has addresses that only UTF8 can show"); }

/// The next field with its folded lines, line ends included. The blank line is one of its own.
std::string_view take_field(std::string_view& rest)
{
    std::size_t at = 0;
    do {
        auto const lf = rest.find('\n', at);
        at = lf == std::string_view::npos ? rest.size() : lf + 1;
    } while (at < rest.size() && (rest[at] == ' ' || rest[at] == '\t'));
    auto const field = rest.substr(0, at);
    rest.remove_prefix(at);
    return field;
}

std::string unfolded(std::string_view body)
{
    std::string out;
    for (char const c : body)
        if (c != '\r' && c != '\n' && c != '\0') out += c;
    return std::string{base::trim_blanks(out)};
}

result<std::string> ascii_addresses(std::string_view body, base::limits const& l)
{
    base::budget most{l.addresses_per_field};
    std::string out;
    bool first = true;  // of the list, or of a group
    for (auto const& a : mime::parse_address_list(body, most)) {
        if (!is_ascii(a.host) || !is_ascii(a.route) || (a.what == mime::address::kind::mailbox && !is_ascii(a.mailbox))) return needs_utf8();
        if (a.what == mime::address::kind::group_end) {
            out += ';';
            first = false;
            continue;
        }
        if (!first) out += ", ";
        first = a.what == mime::address::kind::group_start;
        if (first) {
            auto const name = mime::decode_encoded_words(a.mailbox);
            out += (is_ascii(name) ? name : mime::encode_phrase(name)) + ": ";
            continue;
        }
        auto const address = a.host.empty() ? a.mailbox : mime::mailbox_address{a.mailbox, a.host}.text();
        out += mime::format_address(mime::decode_encoded_words(a.name), address);
    }
    return out;
}

/// MIME fields: each value that needs it becomes an encoded word where it stands. RFC 2047 §5 knows none there, but every program reads them.
std::string ascii_parameters(std::string_view body)
{
    std::string out;
    auto const ends = [](char c) { return c == '"' || c == ';' || c == '=' || c == ' ' || c == '\t'; };
    bool quoted = false;
    while (!body.empty()) {
        if (ends(body.front()) && !(quoted && body.front() != '"')) {
            quoted = body.front() == '"' ? !quoted : quoted;
            out += body.front();
            body.remove_prefix(1);
            continue;
        }
        auto const stop = std::ranges::find_if(body, [&](char c) { return quoted ? c == '"' : ends(c); });
        std::string_view const value{body.begin(), stop};
        if (is_ascii(value))
            out += value;
        else
            out += quoted ? mime::encode_phrase(value) : '"' + mime::encode_phrase(value) + '"';
        body.remove_prefix(value.size());
    }
    return out;
}

result<std::string> ascii_field(std::string_view field, base::limits const& l)
{
    auto const colon = field.find(':');
    auto const name = colon == std::string_view::npos ? std::string_view{} : base::trim_blanks(field.substr(0, colon));
    // What is no field, or no UTF-8, stays what it was.
    if (name.empty() || !is_ascii(name) || !base::is_utf8(field)) return std::string{field};
    auto const body = unfolded(field.substr(colon + 1));
    auto const lower = base::to_lower_ascii(name);
    result<std::string> text = std::string{};
    if (std::ranges::find(address_fields, std::string_view{lower}) != address_fields.end())
        text = ascii_addresses(body, l);
    else
        text = lower.starts_with("content-") ? ascii_parameters(body) : mime::encode_words(mime::decode_encoded_words(body));
    if (!text) return text;
    auto made = mime::make_field(name, *text);
    // A name of odd characters, a control character in the text: dropped rather than sent as it must not be.
    return made ? *made : std::string{};
}
}  // namespace

bool is_ascii(std::string_view text) noexcept
{
    constexpr std::uint64_t high = 0x8080808080808080U;
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + i, 8);
        if ((eight & high) != 0) return false;
    }
    for (; i < text.size(); ++i)
        if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
    return true;
}

std::size_t header_length(std::string_view message) noexcept
{
    std::size_t line = 0;
    while (line < message.size()) {
        if (message[line] == '\n') return line + 1;
        if (message.substr(line).starts_with("\r\n")) return line + 2;
        auto const lf = message.find('\n', line);
        if (lf == std::string_view::npos) break;
        line = lf + 1;
    }
    return std::string_view::npos;
}

result<std::string> ascii_header(std::string_view header, base::limits const& l)
{
    std::string out;
    while (!header.empty()) {
        auto const field = take_field(header);
        if (is_ascii(field)) {
            out += field;
            continue;
        }
        auto const made = ascii_field(field, l);
        if (!made) return made;
        out += *made;
    }
    return out;
}

}  // namespace mansio::pop3
