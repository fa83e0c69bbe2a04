// links: smtp
// The DATA and BDAT decoder against a plain reading of RFC 5321 §4.5.2, cut in two places. First octet: mode; second and third: cuts.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/wire/data_decoder.hpp"

using mansio::smtp::wire::data_decoder;

namespace {

struct collector final : mansio::smtp::wire::octet_sink {
    std::string text;
    void put(std::string_view octets) override { text += octets; }
};

struct decoded {
    std::string text;
    std::size_t taken = 0;
    bool done = false, cr = false, lf = false, nul = false;
    bool operator==(decoded const&) const = default;
};

decoded decode(std::string_view octets, std::size_t one, std::size_t two, data_decoder::line_ends ends, data_decoder::framing how)
{
    data_decoder d{ends, how};
    collector out;
    decoded r;
    std::size_t const stops[] = {one, two, octets.size()};
    std::size_t from = 0;
    for (auto const to : stops) {
        if (d.done()) break;
        r.taken = from + d.feed(octets.substr(from, to - from), out);
        from = to;
    }
    r.done = d.done();
    if (how == data_decoder::framing::counted) d.finish(out);
    r.text = out.text;
    r.cr = d.bare_cr();
    r.lf = d.bare_lf();
    r.nul = d.nul();
    return r;
}

/// Octet by octet, as the RFC tells it.
decoded plainly(std::string_view s, data_decoder::line_ends ends, bool dots)
{
    decoded r;
    r.taken = s.size();
    bool const mend = ends == data_decoder::line_ends::normalise;
    bool start = true;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (start && dots && s[i] == '.') {
            if (s.substr(i + 1, 2) == "\r\n") {
                r.done = true;
                r.taken = i + 3;
                break;
            }
            start = false;
            if (i + 1 == s.size() || (s[i + 1] == '\r' && i + 2 == s.size())) break;  // undecided: held back
            continue;
        }
        start = false;
        if (s[i] == '\r') {
            if (i + 1 == s.size() && dots) break;  // undecided
            if (i + 1 < s.size() && s[i + 1] == '\n') {
                r.text += "\r\n";
                ++i;
                start = true;
                continue;
            }
            r.cr = true;
            r.text += mend ? "\r\n" : "\r";
        } else if (s[i] == '\n') {
            r.lf = true;
            r.text += mend ? "\r\n" : "\n";
        } else
            r.text += s[i];
    }
    r.nul = s.substr(0, r.taken).find('\0') != std::string_view::npos;
    return r;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 3) return 0;
    std::string_view const octets{reinterpret_cast<char const*>(data) + 3, size - 3};
    auto const ends = (data[0] & 1U) != 0 ? data_decoder::line_ends::normalise : data_decoder::line_ends::keep;
    bool const dots = (data[0] & 2U) == 0;
    auto const one = data[1] % (octets.size() + 1);
    auto const two = one + data[2] % (octets.size() - one + 1);
    auto const want = plainly(octets, ends, dots);
    auto const how = dots ? data_decoder::framing::dots : data_decoder::framing::counted;
    if (decode(octets, octets.size(), octets.size(), ends, how) != want) std::abort();
    if (decode(octets, one, two, ends, how) != want) std::abort();
    // Mended text has no bare CR or LF, whatever came.
    if (ends == data_decoder::line_ends::normalise)
        for (std::size_t i = 0; i < want.text.size(); ++i)
            if ((want.text[i] == '\n' && (i == 0 || want.text[i - 1] != '\r')) ||
                (want.text[i] == '\r' && (i + 1 == want.text.size() || want.text[i + 1] != '\n')))
                std::abort();
    return 0;
}
