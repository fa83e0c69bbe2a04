#include "mime/decode.hpp"

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "mime/header.hpp"
#include "mime/lexer.hpp"
#include "mime/message.hpp"

namespace mansio::mime {
namespace detail {
namespace {
constexpr auto base64_values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return table;
}();
}  // namespace

void finish_base64(std::uint32_t& group, unsigned& have, std::string& out)
{
    // Two letters carry one octet, three carry two; one carries none.
    if (have == 2) out += static_cast<char>(group >> 4U);
    if (have == 3) (out += static_cast<char>(group >> 10U)) += static_cast<char>(group >> 2U);
    group = have = 0;
}

void decode_base64_some(std::string_view text, std::uint32_t& group, unsigned& have, std::string& out)
{
    out.reserve(out.size() + text.size() / 4 * 3 + 3);
    for (unsigned char const c : text) {
        auto const v = base64_values[c];
        if (v < 0) {
            if (c == '=') finish_base64(group, have, out);
            continue;
        }
        group = group << 6U | static_cast<std::uint32_t>(v);
        if (++have < 4) continue;
        out += static_cast<char>(group >> 16U);
        out += static_cast<char>(group >> 8U);
        out += static_cast<char>(group);
        group = have = 0;
    }
}

std::string decode_base64(std::string_view text)
{
    std::string out;
    std::uint32_t group = 0;
    unsigned have = 0;
    decode_base64_some(text, group, have, out);
    finish_base64(group, have, out);
    return out;
}

std::string decode_quoted_printable(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto const lf = text.find('\n');
        auto line = text.substr(0, lf);
        bool const crlf = lf != std::string_view::npos && line.ends_with('\r');
        if (crlf) line.remove_suffix(1);
        text.remove_prefix(lf == std::string_view::npos ? text.size() : lf + 1);
        while (!line.empty() && is_blank(line.back()) && lf != std::string_view::npos) line.remove_suffix(1);  // rule (3): added in transport
        bool const soft = line.ends_with('=');
        if (soft) line.remove_suffix(1);
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '=' && i + 2 < line.size() && hex_value(line[i + 1]) >= 0 && hex_value(line[i + 2]) >= 0) {
                out += static_cast<char>(hex_value(line[i + 1]) * 16 + hex_value(line[i + 2]));
                i += 2;
            } else
                out += line[i];
        }
        if (!soft && lf != std::string_view::npos) out += crlf ? "\r\n" : "\n";
    }
    return out;
}
}  // namespace detail

std::string decode_body(std::string_view body, std::string_view encoding, std::string_view charset)
{
    std::string decoded;
    if (base::equal_ignoring_case(encoding, "base64"))
        body = decoded = detail::decode_base64(body);
    else if (base::equal_ignoring_case(encoding, "quoted-printable"))
        body = decoded = detail::decode_quoted_printable(body);
    if (charset.empty()) return decoded.empty() ? std::string{body} : decoded;
    return to_utf8(body, charset);
}

std::string normalize_line_ends(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + text.size() / 32);
    while (!text.empty()) {
        auto const lf = text.find('\n');
        auto line = text.substr(0, lf);
        text.remove_prefix(lf == std::string_view::npos ? text.size() : lf + 1);
        if (lf != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
        for (auto cr = line.find('\r'); cr != std::string_view::npos; cr = line.find('\r')) {
            (out += line.substr(0, cr)) += "\r\n";
            line.remove_prefix(cr + 1);
        }
        out += line;
        if (lf != std::string_view::npos) out += "\r\n";
    }
    return out;
}

}  // namespace mansio::mime
