#include "queue/requests.hpp"

#include <fmt/format.h>

namespace mansio::queue {
namespace {
int hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
}  // namespace

std::string notify::text() const
{
    if (!said) return {};
    std::string out;
    for (auto const& [on, word] : {std::pair{success, "SUCCESS"}, std::pair{failure, "FAILURE"}, std::pair{delay, "DELAY"}})
        if (on) out += (out.empty() ? "" : ",") + std::string{word};
    return out.empty() ? "NEVER" : out;
}

std::optional<std::string> from_xtext(std::string_view s)
{
    std::string out;
    for (std::size_t at = 0; at < s.size(); ++at) {
        // xchar = any ASCII from "!" to "~" but "+" and "="
        if (s[at] < '!' || s[at] > '~' || s[at] == '=') return std::nullopt;
        if (s[at] != '+') {
            out += s[at];
            continue;
        }
        int const high = at + 1 < s.size() ? hex_digit(s[at + 1]) : -1, low = at + 2 < s.size() ? hex_digit(s[at + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

std::string to_xtext(std::string_view octets)
{
    std::string out;
    for (char const c : octets) {
        if (c < '!' || c > '~' || c == '+' || c == '=')
            out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
        else
            out += c;
    }
    return out;
}

}  // namespace mansio::queue
