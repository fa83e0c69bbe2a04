#include "smtp/client/reply.hpp"

#include <charconv>

#include "base/bytes.hpp"

namespace mansio::smtp::client {
namespace {
bool digit(char c) { return c >= '0' && c <= '9'; }

/// "5.1.1" at the start of a text line (RFC 3463 §2), empty when there is none.
std::string_view enhanced_code(std::string_view text)
{
    auto const end = text.find(' ');
    auto const word = text.substr(0, end);
    if (word.size() < 5 || word.size() > 9 || word[1] != '.' || (word[0] != '2' && word[0] != '4' && word[0] != '5')) return {};
    auto const second = word.find('.', 2);
    if (second == std::string_view::npos || second == 2 || second + 1 == word.size()) return {};
    for (std::size_t i = 2; i < word.size(); ++i)
        if (i != second && !digit(word[i])) return {};
    return word;
}
/// At most nine digits, all of it; else 0: what is not understood is not obeyed.
std::uint32_t small_number(std::string_view s)
{
    std::uint32_t n = 0;
    auto const parsed = std::from_chars(s.data(), s.data() + s.size(), n);
    return parsed.ec == std::errc{} && parsed.ptr == s.data() + s.size() && s.size() <= 9 ? n : 0;
}
}  // namespace

std::string server_reply::text() const
{
    std::string out = std::to_string(code);
    for (auto const& l : lines) out += " " + l;
    return out;
}

result<std::optional<server_reply>> reply_parser::feed(std::string_view line)
{
    if (line.size() + 2 > left_) return fail(fault::kind::over_limit, "the other server's reply is too long");
    left_ -= line.size() + 2;
    // Reply-line = code [ SP textstring ] / code "-" [ textstring ]; a code alone is taken though RFC 5321 §4.2 wants the space.
    bool const coded = line.size() >= 3 && digit(line[0]) && digit(line[1]) && digit(line[2]) && line[0] >= '2' && line[0] <= '5';
    if (!coded || (line.size() > 3 && line[3] != ' ' && line[3] != '-'))
        return fail(fault::kind::syntax, "the other server does not speak SMTP", base::printable(line, 120));
    unsigned const code = static_cast<unsigned>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
    if (!reply_.lines.empty() && code != reply_.code) return fail(fault::kind::syntax, "the other server's reply changes its code", base::printable(line, 120));
    reply_.code = code;
    auto const text = line.size() > 4 ? line.substr(4) : std::string_view{};
    if (reply_.status.empty()) reply_.status = enhanced_code(text);
    reply_.lines.emplace_back(text);
    if (line.size() > 3 && line[3] == '-') return std::optional<server_reply>{};
    return std::optional{std::move(reply_)};
}

extensions read_extensions(server_reply const& ehlo)
{
    extensions e;
    for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
        std::string_view const line = ehlo.lines[i];
        auto const word = line.substr(0, line.find(' '));
        if (base::equal_ignoring_case(word, "PIPELINING")) e.pipelining = true;
        if (base::equal_ignoring_case(word, "8BITMIME")) e.eight_bit = true;
        if (base::equal_ignoring_case(word, "SMTPUTF8")) e.smtputf8 = true;
        if (base::equal_ignoring_case(word, "STARTTLS")) e.starttls = true;
        if (base::equal_ignoring_case(word, "REQUIRETLS")) e.require_tls = true;
        if (base::equal_ignoring_case(word, "CHUNKING")) e.chunking = true;
        if (base::equal_ignoring_case(word, "SIZE")) e.size_known = true;
        if (base::equal_ignoring_case(word, "DSN")) e.dsn = true;
        if (base::equal_ignoring_case(word, "BINARYMIME")) e.binary = true;
        if (base::equal_ignoring_case(word, "MT-PRIORITY")) e.priority = true;
        if (base::equal_ignoring_case(word, "REQUIRETLS")) e.require_tls = true;
        if (base::equal_ignoring_case(word, "DELIVERBY")) {
            e.deliver_by = true;
            e.by_minimum = std::chrono::seconds{small_number(base::trim_blanks(line.substr(word.size())))};
        }
        if (base::equal_ignoring_case(word, "SIZE") && line.size() > 5) {
            std::uint64_t n = 0;
            auto const parsed = std::from_chars(line.data() + 5, line.data() + line.size(), n);
            if (parsed.ec == std::errc{} && n != 0) e.size = n;
        }
    }
    return e;
}

}  // namespace mansio::smtp::client
