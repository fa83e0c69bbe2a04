// links: mime
// A whole message: whatever the octets, the tree is one, offsets nest and stay inside, sections lie inside the message, the row reads back,
// wire text holds no NUL and no bare line end outside its literals, and text is UTF-8.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "mime/message.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
void require(bool holds)
{
    if (!holds) std::abort();
}

/// Quoted strings and literals are as they say; outside them only what IMAP's lists are made of.
void require_wire(std::string_view text)
{
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (c == '(')
            ++depth;
        else if (c == ')') {
            require(depth-- != 0);
            require(depth != 0 || i + 1 == text.size());
        } else if (c == '"') {
            for (++i; i < text.size() && text[i] != '"'; ++i) {
                if (text[i] == '\\') ++i;
                require(i < text.size() && text[i] != '\r' && text[i] != '\n' && text[i] != '\0' && static_cast<unsigned char>(text[i]) < 128);
            }
            require(i < text.size());
        } else if (c == '{') {
            std::size_t n = 0;
            for (++i; i < text.size() && text[i] != '}'; ++i) n = n * 10 + static_cast<std::size_t>(text[i] - '0');
            require(text.substr(i).starts_with("}\r\n") && text.size() - i - 3 >= n && text.substr(i + 3, n).find('\0') == std::string_view::npos);
            i += 2 + n;
        } else
            require(c == ' ' || c == 'N' || c == 'I' || c == 'L' || (c >= '0' && c <= '9'));
    }
    require(depth == 0 && !text.empty());
}

void require_tree(std::vector<part> const& parts, std::uint64_t size, base::limits const& limits)
{
    require(!parts.empty() && parts.size() <= std::max<std::uint64_t>(limits.mime_parts, 1) && parts[0].subtree == parts.size());
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
        auto const& p = parts[i];
        auto const& outer = parts[p.parent];
        require(p.header_offset <= p.body_offset && p.body_offset <= p.end_offset && p.end_offset <= size && p.depth <= limits.mime_depth);
        require((p.what == part::kind::leaf) == (p.subtree == 1));
        if (i == 0) continue;
        require(p.parent < i && p.depth == outer.depth + 1 && i + p.subtree <= p.parent + outer.subtree);
        require(outer.what != part::kind::leaf && p.header_offset >= outer.body_offset && p.end_offset <= outer.end_offset);
        if (parts[i - 1].what == part::kind::leaf) require(p.header_offset >= parts[i - 1].end_offset);
    }
}

void require_sections(summary const& s)
{
    for (std::vector<std::uint32_t> const& path : {std::vector<std::uint32_t>{}, {1}, {2}, {1, 1}, {2, 1}, {1, 1, 1}})
        for (auto const which : {section_kind::body, section_kind::header, section_kind::text, section_kind::mime})
            if (auto const r = locate(s, path, which)) require(r->offset <= s.size && r->length <= s.size - r->offset);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string const text{reinterpret_cast<char const*>(data), size};
    octets const message{text};
    base::limits limits;
    if (size % 2 == 1) {  // small budgets are reached by small inputs
        limits.mime_depth = 3;
        limits.mime_parts = 8;
        limits.header_fields = 16;
        limits.header_field_size = 128;
        limits.header_size = 1024;
        limits.addresses_per_field = 4;
        limits.mime_parameters = 4;
    }
    auto const s = summarize(message, limits);
    auto const full = parse_parts(message, limits);
    require_tree(full, size, limits);
    require(full.size() == s.parts.size());
    auto const row = encode(s);
    auto const back = decode_summary(row);
    require(back.has_value() && *back == s && encode(*back) == row);
    for (auto const* wire : {&s.envelope_text, &s.body_text, &s.bodystructure_text}) require_wire(*wire);
    for (auto const* shown : {&s.subject, &s.from_display, &s.message_id, &s.in_reply_to, &s.preview, &s.base_subject}) require(base::is_utf8(*shown));
    require_sections(s);
    for (auto const& p : full) {
        if (p.type != "text" || p.what != part::kind::leaf) continue;
        std::string charset = "utf-8";
        for (auto const& [name, value] : p.parameters)
            if (name == "charset" && !value.empty()) charset = value;
        require(base::is_utf8(decode_body(std::string_view{text}.substr(p.body_offset, p.end_offset - p.body_offset), p.encoding, charset)));
    }
    auto const once = normalize_line_ends(text);
    require(normalize_line_ends(once) == once);
    (void)decode_summary(text);  // a damaged row is an error, never a crash
    return 0;
}
