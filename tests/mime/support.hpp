// What the mime tests share: messages as text, trees as text, and what must be true of every parse.
#pragma once
#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "mime/message.hpp"

namespace mansio::mime {

/// LF in a test's text stands for CRLF.
inline std::string crlf(std::string_view text) { return normalize_line_ends(text); }

/// One line a part: indentation by depth, kind, type, offsets, lines.
inline std::string show(std::vector<part> const& parts)
{
    std::string out;
    for (auto const& p : parts) {
        out += fmt::format("{:{}}{}{}/{} {} {}-{} {}\n", "", p.depth,
                           p.what == part::kind::multipart ? "*"
                           : p.what == part::kind::message ? "@"
                                                           : "",
                           p.type, p.subtype, p.header_offset, p.body_offset, p.end_offset, p.lines);
    }
    return out;
}

/// IMAP wire text is balanced, its literals are as long as they say, and it holds no NUL. Returns the number of parentheses' pairs, 0: broken.
inline std::size_t check_wire(std::string_view text)
{
    std::size_t depth = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (c == '(')
            ++depth;
        else if (c == ')') {
            if (depth-- == 0) return 0;
            ++pairs;
            if (depth == 0 && i + 1 != text.size()) return 0;
        } else if (c == '"') {
            for (++i; i < text.size() && text[i] != '"'; ++i) {
                if (text[i] == '\\') ++i;
                if (i >= text.size() || text[i] == '\r' || text[i] == '\n' || text[i] == '\0' || static_cast<unsigned char>(text[i]) >= 128) return 0;
            }
            if (i >= text.size()) return 0;
        } else if (c == '{') {
            auto const end = text.find('}', i);
            if (end == std::string_view::npos) return 0;
            std::size_t n = 0;
            for (char const d : text.substr(i + 1, end - i - 1)) n = n * 10 + static_cast<std::size_t>(d - '0');
            if (text.substr(end + 1, 2) != "\r\n" || text.size() - end - 3 < n || text.substr(end + 3, n).find('\0') != std::string_view::npos) return 0;
            i = end + 2 + n;
        } else if (!(c == ' ' || (c >= '0' && c <= '9') || text.substr(i, 3) == "NIL" || text.substr(i - 1, 3) == "NIL" || text.substr(i - 2, 3) == "NIL"))
            return 0;
    }
    return depth == 0 ? pairs : 0;
}

/// What holds of every message, however broken: offsets nest and stay inside, budgets are kept, text is UTF-8, wire text is well formed,
/// the row reads back.
inline summary check_message(std::string const& message, base::limits const& limits = {})
{
    octets const o{message};
    auto const s = summarize(o, limits);
    auto const full = parse_parts(o, limits);
    EXPECT_EQ(s.size, message.size());
    EXPECT_EQ(full.size(), s.parts.size());
    EXPECT_LE(full.size(), std::max<std::uint64_t>(limits.mime_parts, 2));
    for (std::uint32_t i = 0; i < full.size(); ++i) {
        auto const& p = full[i];
        auto const& outer = full[p.parent];
        EXPECT_TRUE(p.header_offset <= p.body_offset && p.body_offset <= p.end_offset && p.end_offset <= message.size());
        EXPECT_LE(p.depth, limits.mime_depth);
        EXPECT_LE(i + p.subtree, full.size());
        EXPECT_LE(p.lines, static_cast<std::uint64_t>(std::count(message.begin() + static_cast<std::ptrdiff_t>(p.body_offset),
                                                                 message.begin() + static_cast<std::ptrdiff_t>(p.end_offset), '\n')));
        EXPECT_GE(p.lines, static_cast<std::uint64_t>(std::count(message.begin() + static_cast<std::ptrdiff_t>(p.body_offset),
                                                                 message.begin() + static_cast<std::ptrdiff_t>(p.end_offset), '\n')));
        EXPECT_EQ(p.what == part::kind::leaf, p.subtree == 1);
        if (i != 0) {
            EXPECT_LT(p.parent, i);
            EXPECT_EQ(p.depth, outer.depth + 1);
            EXPECT_TRUE(outer.body_offset <= p.header_offset && p.end_offset <= outer.end_offset);
            EXPECT_LE(i + p.subtree, p.parent + outer.subtree);
            if (auto const& before = full[i - 1]; before.what == part::kind::leaf) EXPECT_GE(p.header_offset, before.end_offset);
        }
        EXPECT_EQ(s.parts[i].body_offset, p.body_offset);
        if (p.what != part::kind::leaf || p.type != "text") continue;
        std::string charset = "us-ascii";
        for (auto const& [n, v] : p.parameters)
            if (n == "charset") charset = v;
        EXPECT_TRUE(base::is_utf8(decode_body(std::string_view{message}.substr(p.body_offset, p.end_offset - p.body_offset), p.encoding, charset)));
    }
    for (auto const* text : {&s.subject, &s.from_display, &s.message_id, &s.in_reply_to, &s.preview, &s.base_subject})
        EXPECT_TRUE(base::is_utf8(*text)) << *text;
    EXPECT_GE(check_wire(s.envelope_text), 1U) << s.envelope_text;
    EXPECT_GE(check_wire(s.body_text), 1U) << s.body_text;
    EXPECT_GE(check_wire(s.bodystructure_text), 1U) << s.bodystructure_text;
    auto const back = decode_summary(encode(s));
    EXPECT_TRUE(back.has_value());
    if (back) EXPECT_EQ(*back, s);
    return s;
}

}  // namespace mansio::mime
