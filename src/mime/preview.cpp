// The first words of a message, RFC 8970: what a list shows beside the subject.
#include "mime/preview.hpp"

#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"
#include "mime/unicode.hpp"

namespace mansio::mime {
namespace {
constexpr std::size_t wanted_characters = 200;  // RFC 8970 §3.3

struct entity {
    std::string_view name, text;
};
constexpr std::array<entity, 12> entities{{{"amp", "&"},
                                           {"lt", "<"},
                                           {"gt", ">"},
                                           {"quot", "\""},
                                           {"apos", "'"},
                                           {"nbsp", " "},
                                           {"zwnj", ""},
                                           {"shy", ""},
                                           {"rsquo", "\u2019"},
                                           {"lsquo", "\u2018"},
                                           {"mdash", "\u2014"},
                                           {"ndash", "\u2013"}}};

void append_number(std::string& out, std::uint32_t c)
{
    if (c < 32 || (c >= 0x7F && c < 0xA0) || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF)
        out += ' ';
    else if (c < 0x80)
        out += static_cast<char>(c);
    else if (c < 0x800)
        (out += static_cast<char>(0xC0U | c >> 6U)) += static_cast<char>(0x80U | (c & 0x3FU));
    else {
        if (c < 0x10000)
            out += static_cast<char>(0xE0U | c >> 12U);
        else
            (out += static_cast<char>(0xF0U | c >> 18U)) += static_cast<char>(0x80U | (c >> 12U & 0x3FU));
        (out += static_cast<char>(0x80U | (c >> 6U & 0x3FU))) += static_cast<char>(0x80U | (c & 0x3FU));
    }
}

/// `at` stands on '&': past the entity, or past the '&' alone.
std::size_t read_entity(std::string_view html, std::size_t at, std::string& out)
{
    auto const body = html.substr(at + 1, 10);
    auto const end = body.find(';');
    if (end != std::string_view::npos) {
        auto name = body.substr(0, end);
        for (auto const& e : entities) {
            if (e.name != name) continue;
            out += e.text;
            return at + end + 2;
        }
        if (name.size() > 1 && name[0] == '#') {
            bool const hex = name[1] == 'x' || name[1] == 'X';
            name.remove_prefix(hex ? 2 : 1);
            std::uint32_t c = 0;
            auto const read = std::from_chars(name.data(), name.data() + name.size(), c, hex ? 16 : 10);
            if (!name.empty() && read.ec == std::errc{} && read.ptr == name.data() + name.size()) {
                append_number(out, c);
                return at + end + 2;
            }
        }
    }
    out += '&';
    return at + 1;
}

/// `at` stands on '<': past the tag, and past the contents of elements that hold no text.
std::size_t skip_tag(std::string_view html, std::size_t at, std::string& out)
{
    auto const past = [&](std::string_view what, std::size_t from) {
        auto const found = html.find(what, from);
        return found == std::string_view::npos ? html.size() : found + what.size();
    };
    if (html.substr(at).starts_with("<!--")) return past("-->", at + 4);
    std::size_t end = at + 1;
    while (end < html.size() && (detail::is_alpha(html[end]) || html[end] == '/')) ++end;
    auto const name = base::to_lower_ascii(html.substr(at + 1, std::min<std::size_t>(end - at - 1, 12)));
    std::size_t next = past(">", at);
    for (std::string_view const hidden : {"style", "script", "head", "title"}) {
        if (name != hidden) continue;
        // The closing tag, in any case of letters.
        for (auto close = html.find("</", next); close != std::string_view::npos; close = html.find("</", close + 2))
            if (base::starts_with_ignoring_case(html.substr(close + 2), hidden)) return past(">", close);
        return html.size();
    }
    bool const inside = name == "b" || name == "i" || name == "u" || name == "a" || name == "em" || name == "span" || name == "strong" || name == "font" ||
                        name == "/b" || name == "/i" || name == "/u" || name == "/a" || name == "/em" || name == "/span" || name == "/strong" ||
                        name == "/font";
    if (!inside) out += ' ';
    return next;
}

/// Runs of blanks and controls become one blank; at most wanted_characters.
std::string squeezed(std::string_view utf8)
{
    std::string out;
    out.reserve(wanted_characters + 16);
    std::size_t characters = 0;
    for (char const c : utf8) {
        auto const u = static_cast<unsigned char>(c);
        if (u <= 32 || u == 127) {
            if (!out.empty() && out.back() != ' ') {
                out += ' ';
                ++characters;
            }
        } else {
            if ((u & 0xC0U) != 0x80U) ++characters;
            out += c;
        }
        if (characters > wanted_characters) break;
    }
    auto const cut = base::trim_blanks(first_characters(out, wanted_characters));
    out = cut;
    return out;
}

/// Lines of the writer: those that quote somebody (">") are skipped.
std::string own_lines(std::string_view text)
{
    std::string out;
    while (!text.empty()) {
        auto const lf = text.find('\n');
        auto const line = text.substr(0, lf);
        if (!line.starts_with('>')) (out += line) += ' ';
        text.remove_prefix(lf == std::string_view::npos ? text.size() : lf + 1);
    }
    return out;
}

std::string preview_of(part const& p, std::string_view message)
{
    bool const html = p.subtype == "html";
    std::size_t const most = html ? 32768 : 4096;  // style sheets stand first
    auto const body = message.substr(p.body_offset, std::min<std::size_t>(p.end_offset - p.body_offset, most));
    std::string_view charset = "utf-8";
    for (auto const& [name, value] : p.parameters)
        if (name == "charset") charset = value;
    auto const decoded = decode_body(body, p.encoding);
    auto text = to_utf8(decoded, charset);
    // The cut may stand inside a character.
    while (body.size() == most && text.ends_with("\uFFFD")) text.resize(text.size() - 3);
    if (html) return squeezed(html_to_text(text));
    auto own = squeezed(own_lines(text));
    return own.empty() ? squeezed(text) : own;
}
}  // namespace

std::string html_to_text(std::string_view html)
{
    std::string out;
    out.reserve(html.size() / 2);
    for (std::size_t at = 0; at < html.size();) {
        auto const next = html.find_first_of("<&", at);
        out += html.substr(at, next == std::string_view::npos ? next : next - at);
        if (next == std::string_view::npos) break;
        at = html[next] == '&' ? read_entity(html, next, out) : skip_tag(html, next, out);
    }
    return out;
}

namespace detail {
std::string preview(std::vector<part> const& parts, std::string_view message)
{
    // The first plain text that has words, else the first HTML; what is attached is not the message.
    for (std::string_view const subtype : {"plain", "html"})
        for (auto const& p : parts) {
            if (p.what != part::kind::leaf || p.type != "text" || p.subtype != subtype || p.disposition == "attachment") continue;
            if (auto text = preview_of(p, message); !text.empty()) return text;
            if (subtype == "plain") break;  // an empty alternative: the HTML says it
        }
    return {};
}
}  // namespace detail

}  // namespace mansio::mime
