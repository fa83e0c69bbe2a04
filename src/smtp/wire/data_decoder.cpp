#include "smtp/wire/data_decoder.hpp"

#include <cstring>

namespace mansio::smtp::wire {
namespace {
std::size_t find_from(std::string_view s, char c, std::size_t at) noexcept
{
    auto const* const p = at < s.size() ? static_cast<char const*>(std::memchr(s.data() + at, c, s.size() - at)) : nullptr;
    return p == nullptr ? s.size() : static_cast<std::size_t>(p - s.data());
}
}  // namespace

void data_decoder::lone_cr(octet_sink& out)
{
    bare_cr_ = true;
    out.put(ends_ == line_ends::normalise ? "\r\n" : "\r");
    // Not a line start: only CRLF is a line end on the wire, so a dot after this is neither stuffing nor the end.
    state_ = state::text;
}

/// From `at` on, within a line. Runs over many lines as long as none begins with a dot; answers where it stopped.
std::size_t data_decoder::take_text(std::string_view octets, std::size_t at, octet_sink& out)
{
    std::size_t run = at;
    std::size_t next_cr = find_from(octets, '\r', at);
    std::size_t next_lf = find_from(octets, '\n', at);
    while (true) {
        if (next_lf < next_cr) {  // LF without CR before it
            bare_lf_ = true;
            if (ends_ == line_ends::normalise) {
                if (next_lf > run) out.put(octets.substr(run, next_lf - run));
                out.put("\r\n");
                run = next_lf + 1;
            }
            next_lf = find_from(octets, '\n', next_lf + 1);
            continue;
        }
        if (next_cr >= octets.size()) break;  // neither: the rest is text
        if (next_cr + 1 == octets.size()) {   // what follows decides
            if (next_cr > run) out.put(octets.substr(run, next_cr - run));
            state_ = state::cr;
            return octets.size();
        }
        if (octets[next_cr + 1] == '\n') {
            auto const after = next_cr + 2;
            if (framing_ == framing::dots && after < octets.size() && octets[after] != '.') {
                next_cr = find_from(octets, '\r', after);
                next_lf = find_from(octets, '\n', after);
                continue;
            }
            if (framing_ == framing::counted && after < octets.size()) {
                next_cr = find_from(octets, '\r', after);
                next_lf = find_from(octets, '\n', after);
                continue;
            }
            out.put(octets.substr(run, after - run));
            state_ = state::line_start;
            return after;
        }
        bare_cr_ = true;
        if (ends_ == line_ends::normalise) {
            if (next_cr > run) out.put(octets.substr(run, next_cr - run));
            out.put("\r\n");
            run = next_cr + 1;
        }
        next_cr = find_from(octets, '\r', next_cr + 1);
    }
    if (octets.size() > run) out.put(octets.substr(run));
    state_ = state::text;
    return octets.size();
}

std::size_t data_decoder::feed(std::string_view octets, octet_sink& out)
{
    std::size_t at = 0;
    while (at < octets.size() && state_ != state::done) {
        char const c = octets[at];
        switch (state_) {
        case state::line_start:
            if (c == '.' && framing_ == framing::dots) {
                state_ = state::dot;
                ++at;
            } else
                at = take_text(octets, at, out);
            break;
        case state::dot:
            if (c == '\r') {
                state_ = state::dot_cr;
                ++at;
            } else
                at = take_text(octets, at, out);  // RFC 5321 §4.5.2: the first dot goes, the line has other characters
            break;
        case state::dot_cr:
            if (c == '\n') {
                state_ = state::done;
                ++at;
            } else
                lone_cr(out);
            break;
        case state::text: at = take_text(octets, at, out); break;
        case state::cr:
            if (c == '\n') {
                out.put("\r\n");
                state_ = state::line_start;
                ++at;
            } else
                lone_cr(out);
            break;
        case state::done: break;
        }
    }
    if (!nul_) nul_ = find_from(octets.substr(0, at), '\0', 0) != at;
    return at;
}

void data_decoder::finish(octet_sink& out)
{
    if (state_ == state::cr) lone_cr(out);
    state_ = state::done;
}

}  // namespace mansio::smtp::wire
