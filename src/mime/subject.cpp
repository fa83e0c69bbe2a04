// The base subject, RFC 5256 §2.1: what is left when replies and forwards are taken off. The steps keep the RFC's numbers.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"
#include "mime/message.hpp"

namespace mansio::mime {
namespace {
/// subj-blob = "[" *BLOBCHAR "]" *WSP. Past it, or `at` when none stands there.
std::size_t skip_blob(std::string_view s, std::size_t at) noexcept
{
    if (at >= s.size() || s[at] != '[') return at;
    auto const end = s.find_first_of("[]", at + 1);
    if (end == std::string_view::npos || s[end] != ']') return at;
    std::size_t past = end + 1;
    while (past < s.size() && s[past] == ' ') ++past;
    return past;
}

/// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
std::size_t skip_refwd(std::string_view s, std::size_t at) noexcept
{
    auto const rest = s.substr(at);
    std::size_t n = 0;
    if (base::starts_with_ignoring_case(rest, "fwd"))
        n = 3;
    else if (base::starts_with_ignoring_case(rest, "re") || base::starts_with_ignoring_case(rest, "fw"))
        n = 2;
    if (n == 0) return at;
    std::size_t past = at + n;
    while (past < s.size() && s[past] == ' ') ++past;
    past = skip_blob(s, past);
    return past < s.size() && s[past] == ':' ? past + 1 : at;
}

void remove_trailers(std::string_view& s) noexcept  // (2)
{
    for (;;) {
        if (s.ends_with(' '))
            s.remove_suffix(1);
        else if (s.size() >= 5 && base::equal_ignoring_case(s.substr(s.size() - 5), "(fwd)"))
            s.remove_suffix(5);
        else
            return;
    }
}

void remove_leaders(std::string_view& s) noexcept  // (3) to (5)
{
    std::size_t at = 0;
    std::size_t no_refwd_before = 0;  // blobs up to here are followed by no refwd: looked at once, so that many blobs stay linear
    for (;;) {
        while (at < s.size() && s[at] == ' ') ++at;
        if (at >= no_refwd_before) {
            std::size_t blobs = at;
            for (std::size_t next = skip_blob(s, blobs); next != blobs; next = skip_blob(s, blobs)) blobs = next;
            if (std::size_t const past = skip_refwd(s, blobs); past != blobs) {
                at = past;
                continue;
            }
            no_refwd_before = blobs;
        }
        std::size_t const past = skip_blob(s, at);
        if (past == at || past >= s.size()) break;  // (4): only when a subj-base is left
        at = past;
    }
    s.remove_prefix(std::min(at, s.size()));
}
}  // namespace

std::string base_subject(std::string_view subject_utf8)
{
    std::string flat;  // (1)
    flat.reserve(subject_utf8.size());
    for (char const c : subject_utf8) {
        bool const blank = detail::is_white(c);
        if (!blank || flat.empty() || flat.back() != ' ') flat += blank ? ' ' : c;
    }
    std::string_view s = flat;
    for (;;) {
        remove_trailers(s);
        remove_leaders(s);
        if (!base::starts_with_ignoring_case(s, "[fwd:") || !s.ends_with(']')) break;  // (6)
        s.remove_prefix(5);
        s.remove_suffix(1);
    }
    return std::string{s};  // (7)
}

}  // namespace mansio::mime
