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

/// What is left of a subject.
struct stripping {
    std::string_view rest;
    bool reply = false;  ///< a sign of a reply or a forward went
};

void remove_trailers(stripping& t) noexcept  // (2)
{
    auto& s = t.rest;
    for (;;) {
        if (s.ends_with(' ')) {
            s.remove_suffix(1);
        } else if (s.size() >= 5 && base::equal_ignoring_case(s.substr(s.size() - 5), "(fwd)")) {
            s.remove_suffix(5);
            t.reply = true;
        } else {
            return;
        }
    }
}

void remove_leaders(stripping& t) noexcept  // (3) to (5)
{
    auto& s = t.rest;
    std::size_t at = 0;
    std::size_t no_refwd_before = 0;  // blobs up to here are followed by no refwd: looked at once, so that many blobs stay linear
    for (;;) {
        while (at < s.size() && s[at] == ' ') ++at;
        if (at >= no_refwd_before) {
            std::size_t blobs = at;
            for (std::size_t next = skip_blob(s, blobs); next != blobs; next = skip_blob(s, blobs)) blobs = next;
            if (std::size_t const past = skip_refwd(s, blobs); past != blobs) {
                at = past;
                t.reply = true;
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

std::string flatten(std::string_view subject)  // (1)
{
    std::string flat;
    flat.reserve(subject.size());
    for (char const c : subject) {
        bool const blank = detail::is_white(c);
        if (!blank || flat.empty() || flat.back() != ' ') flat += blank ? ' ' : c;
    }
    return flat;
}

stripping strip(std::string_view flat) noexcept
{
    stripping t{flat};
    for (;;) {
        remove_trailers(t);
        remove_leaders(t);
        if (!base::starts_with_ignoring_case(t.rest, "[fwd:") || !t.rest.ends_with(']')) return t;  // (6)
        t.rest.remove_prefix(5);
        t.rest.remove_suffix(1);
        t.reply = true;
    }
}
}  // namespace

std::string base_subject(std::string_view subject_utf8)
{
    auto const flat = flatten(subject_utf8);
    return std::string{strip(flat).rest};  // (7)
}

bool is_reply_or_forward(std::string_view subject_utf8) { return strip(flatten(subject_utf8)).reply; }

}  // namespace mansio::mime
