#include "mailauth/canonical.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::size_t enough = 16384;  // octets gathered before they are handed on
using mime::detail::is_blank;

std::string_view without_line_end(std::string_view field) noexcept
{
    if (field.ends_with('\n')) field.remove_suffix(1);
    if (field.ends_with('\r')) field.remove_suffix(1);
    return field;
}

}  // namespace

std::string canonical_field(std::string_view field, canonicalization how)
{
    field = without_line_end(field);
    std::string out;
    out.reserve(field.size() + 2);
    if (how == canonicalization::simple) {
        for (char const c : field) {
            if (c == '\n' && !out.ends_with('\r')) out += '\r';
            out += c;
        }
        return out + "\r\n";
    }
    auto const colon = std::min(field.find(':'), field.size());
    auto name = field.substr(0, colon);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
    out = base::to_lower_ascii(name) + ":";
    bool white = false, begun = false;
    for (auto const& c : field.substr(std::min(colon + 1, field.size()))) {
        if (c == '\r' || c == '\n') continue;
        if (is_blank(c)) {
            white = true;
            continue;
        }
        if (white && begun) out += ' ';
        white = false;
        begun = true;
        out += c;
    }
    return out + "\r\n";
}

canonical_body::canonical_body(canonicalization how, sink to) : how_(how), to_(std::move(to)) {}

void canonical_body::put(std::string_view octets)
{
    size_ += octets.size();
    out_ += octets;
    if (out_.size() < enough) return;
    to_(out_);
    out_.clear();
}

/// What comes now is no line end: blank lines before it were inside the body.
void canonical_body::start_text()
{
    for (; blank_lines_ != 0; --blank_lines_) put("\r\n");
    if (white_) put(" ");
    white_ = false;
    in_line_ = true;
}

void canonical_body::end_line()
{
    white_ = false;  // blanks at the end of a line go
    if (in_line_)
        put("\r\n");
    else
        ++blank_lines_;
    in_line_ = false;
}

void canonical_body::feed(std::string_view octets)
{
    while (!octets.empty()) {
        if (cr_) {
            cr_ = false;
            if (octets[0] == '\n') {
                end_line();
                octets.remove_prefix(1);
                continue;
            }
            start_text();
            put("\r");  // a bare CR is an octet like others
            continue;
        }
        char const c = octets[0];
        if (c == '\r' || c == '\n') {
            cr_ = c == '\r';
            if (c == '\n') end_line();
            octets.remove_prefix(1);
            continue;
        }
        if (how_ == canonicalization::relaxed && is_blank(c)) {
            white_ = true;
            octets.remove_prefix(1);
            continue;
        }
        auto const end = octets.find_first_of(how_ == canonicalization::relaxed ? std::string_view{"\r\n \t"} : std::string_view{"\r\n"});
        auto const text = octets.substr(0, end);
        start_text();
        put(text);
        octets.remove_prefix(text.size());
    }
}

void canonical_body::finish()
{
    if (cr_) {
        start_text();
        put("\r");
        cr_ = false;
    }
    if (in_line_) end_line();
    if (how_ == canonicalization::simple && size_ == 0) put("\r\n");  // §3.4.3: an empty body is one CRLF
    if (!out_.empty()) to_(out_);
    out_.clear();
}

}  // namespace mansio::mailauth
