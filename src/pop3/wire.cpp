#include "pop3/wire.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::pop3 {

std::optional<command_line> parse_command(std::string_view line)
{
    if (std::ranges::any_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) return std::nullopt;
    auto const space = line.find(' ');
    auto const verb = line.substr(0, space);
    auto const letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    if (verb.size() < 3 || verb.size() > 4 || !std::ranges::all_of(verb, letter)) return std::nullopt;
    command_line out;
    out.verb = base::to_upper_ascii(verb);
    if (space != std::string_view::npos) out.rest = line.substr(space + 1);
    return out;
}

bool is_foreign(std::string_view line) noexcept
{
    for (std::string_view const verb :
         {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI ", "SSH-", "EHLO ", "HELO ", "LHLO "})
        if (base::starts_with_ignoring_case(line, verb)) return true;
    return false;
}

std::optional<std::uint32_t> parse_number(std::string_view text) noexcept
{
    text = base::trim_blanks(text);
    if (text.empty() || text.size() > 10) return std::nullopt;
    std::uint64_t n = 0;
    for (auto const c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        n = n * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (n > 0xFFFFFFFFU) return std::nullopt;
    return static_cast<std::uint32_t>(n);
}

void dot_writer::emit(std::string_view segment, std::string& out)
{
    if (segment.empty()) return;
    if (at_start_ && segment.front() == '.') out.push_back('.');
    out += segment;
    at_start_ = false;
}

void dot_writer::text(std::string_view piece, std::string& out)
{
    while (!piece.empty()) {
        if (after_cr_) {  // CRLF, or a bare CR
            after_cr_ = false;
            out += "\r\n";
            at_start_ = true;
            if (piece.front() == '\n') piece.remove_prefix(1);
            continue;
        }
        auto const lf = piece.find('\n');
        auto segment = piece.substr(0, lf);
        if (auto const cr = segment.find('\r'); cr != std::string_view::npos) {
            emit(segment.substr(0, cr), out);
            after_cr_ = true;
            piece.remove_prefix(cr + 1);
            continue;
        }
        emit(segment, out);
        piece.remove_prefix(segment.size());
        if (lf == std::string_view::npos) continue;
        out += "\r\n";  // a bare LF
        at_start_ = true;
        piece.remove_prefix(1);
    }
}

void dot_writer::end(std::string& out)
{
    if (after_cr_ || !at_start_) out += "\r\n";
    after_cr_ = false;
    at_start_ = true;
    out += ".\r\n";
}

std::size_t top_limit::take(std::string_view piece) noexcept
{
    std::size_t taken = 0;
    while (taken < piece.size() && !complete_) {
        auto const rest = piece.substr(taken);
        auto const lf = rest.find('\n');
        auto const here = rest.substr(0, lf);
        line_octets_ += here.size();
        if (here.ends_with('\r')) --line_octets_;  // an approximation that matters for blank lines alone
        if (lf == std::string_view::npos) return piece.size();
        taken += lf + 1;
        bool const blank = line_octets_ == 0;
        line_octets_ = 0;
        if (in_body_)
            --lines_;
        else
            in_body_ = blank;
        complete_ = in_body_ && lines_ == 0;
    }
    return taken;
}

}  // namespace mansio::pop3
