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
    if (verb.size() < 3 || verb.size() > 4 || !std::ranges::all_of(verb.substr(0, 3), letter)) return std::nullopt;
    if (!letter(verb.back()) && !(verb.back() >= '0' && verb.back() <= '9')) return std::nullopt;  // UTF8
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

namespace {
/// Nothing to change inside: every LF follows a CR, every CR precedes an LF, no line begins with a dot. Branchless, so that compilers make it wide.
/// `before` is the octet ahead of the first.
bool is_clean(char before, std::string_view block) noexcept
{
    auto const* const p = block.data();
    unsigned odd = static_cast<unsigned>((p[0] == '\n') != (before == '\r')) | static_cast<unsigned>(p[0] == '.' && before == '\n');
    for (std::size_t i = 1; i < block.size(); ++i) {
        auto const line_end = static_cast<unsigned>(p[i - 1] == '\r');
        auto const line_start = static_cast<unsigned>(p[i - 1] == '\n');
        odd |= (static_cast<unsigned>(p[i] == '\n') ^ line_end) | (static_cast<unsigned>(p[i] == '.') & line_start);
    }
    return odd == 0;
}
}  // namespace

void dot_writer::text(std::string_view piece, std::string& out)
{
    // Most of most messages needs no change: whole blocks are looked at and copied, and only those that need it go line by line.
    while (!piece.empty()) {
        auto const block = piece.substr(0, block_octets);
        piece.remove_prefix(block.size());
        char const before = after_cr_ ? '\r' : at_start_ ? '\n' : 'x';
        if (!is_clean(before, block)) {
            lines(block, out);
            continue;
        }
        // A CR at the end belongs to a line end only if LF follows: it waits for the next block, as in lines(). One that waited is due now.
        if (after_cr_) out += '\r';
        after_cr_ = block.back() == '\r';
        at_start_ = block.back() == '\n';
        out += block.substr(0, block.size() - (after_cr_ ? 1 : 0));
    }
}

void dot_writer::lines(std::string_view piece, std::string& out)
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
