#include "smtp/wire/reply.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::smtp::wire {
namespace {
constexpr std::size_t longest_line = 512;

/// What a stranger sent may be quoted in a reply: it must not become a second line of it.
std::string clean(std::string_view text, std::size_t room, bool utf8)
{
    bool const keep_high = utf8 && base::is_utf8(text);
    std::string out{text.substr(0, room)};
    for (char& c : out) {
        auto const u = static_cast<unsigned char>(c);
        if (u < 32 || u == 127 || (u >= 128 && !keep_high)) c = '?';
    }
    // Cut between characters, not inside one.
    if (keep_high && out.size() < text.size())
        while (!out.empty() && !base::is_utf8(out)) out.pop_back();
    return out;
}
}  // namespace

std::string render(reply const& r, bool utf8)
{
    std::string out;
    std::string_view rest = r.text;
    while (true) {
        auto const end = rest.find('\n');
        auto const last = end == std::string_view::npos;
        auto const line_begin = out.size();
        out += std::to_string(r.code);
        out += last ? ' ' : '-';
        if (!r.status.empty()) (out += r.status) += ' ';
        out += clean(rest.substr(0, end), longest_line - 2 - (out.size() - line_begin), utf8);
        out += "\r\n";
        if (last) return out;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace mansio::smtp::wire
