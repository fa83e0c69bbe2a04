// What one part's header says of its body: type, encoding, disposition.
#include <algorithm>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"
#include "mime/parameters.hpp"
#include "mime/tree.hpp"

namespace mansio::mime::detail {
namespace {
bool all_token(std::string_view s) noexcept { return !s.empty() && std::ranges::all_of(s, is_token); }

std::string text_of(std::string_view body)
{
    body = trim_white(body);
    return body.find('\n') == std::string_view::npos ? std::string{body} : unfold(body);
}

/// The first token of a field, lower case: comments and what follows do not count.
std::string token_of(std::string_view body)
{
    std::size_t const from = skip_cfws(body, 0);
    std::size_t to = from;
    while (to < body.size() && is_token(body[to])) ++to;
    return base::to_lower_ascii(body.substr(from, to - from));
}

std::vector<std::string> languages_of(std::string_view body)  // RFC 3282 §2
{
    std::vector<std::string> out;
    for (std::size_t at = 0; at < body.size() && out.size() < 32;) {
        at = skip_cfws(body, at);
        std::size_t const from = at;
        while (at < body.size() && !is_white(body[at]) && body[at] != ',' && body[at] != '(') ++at;
        if (at != from) out.emplace_back(body.substr(from, at - from));
        if (at < body.size() && body[at] == ',') ++at;
    }
    return out;
}

std::string read_type(std::string_view body, part& p, part_wire* w, base::limits const& limits, bool& degraded)
{
    auto read = read_parameters(body, limits);
    degraded = degraded || read.over_limit;
    auto const slash = read.text.value.find('/');
    auto const type = std::string_view{read.text.value}.substr(0, slash);
    auto const subtype = slash == std::string::npos ? std::string_view{} : std::string_view{read.text.value}.substr(slash + 1);
    // RFC 2045 §5.2: a Content-Type that is malformed means text/plain.
    bool const good = all_token(type) && all_token(subtype);
    p.type = good ? type : std::string_view{"text"};
    p.subtype = good ? subtype : std::string_view{"plain"};
    p.parameters = std::move(read.text.parameters);
    std::string boundary;
    if (p.type == "multipart") {
        boundary = std::move(read.boundary);
        while (!boundary.empty() && is_white(boundary.back())) boundary.pop_back();  // RFC 2046 §5.1.1: it does not end with a blank
        if (boundary.empty()) {
            // The parameter is required (§5.1.1), so this is malformed too: shown as text, as it stands.
            p.type = "text";
            p.subtype = "plain";
        }
        degraded = degraded || boundary.size() > limits.mime_boundary;
        boundary.resize(std::min<std::size_t>(boundary.size(), 256));
    }
    if (w != nullptr) w->parameters = parameters_text(p.parameters, read.extended, p.type == "text" && p.subtype == "plain");
    return boundary;
}

void read_disposition(std::string_view body, part& p, part_wire* w, base::limits const& limits, bool& degraded)
{
    auto read = read_parameters(body, limits);
    degraded = degraded || read.over_limit;
    if (!all_token(read.text.value)) return;
    p.disposition = std::move(read.text.value);
    p.disposition_parameters = std::move(read.text.parameters);
    if (w == nullptr) return;
    w->disposition = '(' + imap_string(base::to_upper_ascii(p.disposition)) + ' ' + parameters_text(p.disposition_parameters, read.extended, false) + ')';
}
}  // namespace

bool is_message_type(part const& p) noexcept { return p.type == "message" && (p.subtype == "rfc822" || p.subtype == "global"); }

std::string read_entity(header_block const& h, part& p, part_wire* w, base::limits const& limits, bool& degraded)
{
    std::string boundary;
    bool typed = false;
    for (auto const& f : h.fields) {
        if (f.name.size() < 10 || !base::starts_with_ignoring_case(f.name, "content-")) continue;
        auto const name = base::to_lower_ascii(f.name.substr(8));
        // RFC 5322 §3.6 allows one of each. Of several the first counts, here and in everything that asks us.
        if (name == "type" && !typed) {
            boundary = read_type(f.body, p, w, limits, degraded);
            typed = true;
        } else if (name == "transfer-encoding" && p.encoding.empty())
            p.encoding = token_of(f.body);
        else if (name == "disposition" && p.disposition.empty())
            read_disposition(f.body, p, w, limits, degraded);
        else if (name == "id" && p.id.empty())
            p.id = text_of(f.body);
        else if (name == "description" && p.description.empty())
            p.description = text_of(f.body);
        else if (name == "md5" && p.md5.empty())
            p.md5 = text_of(f.body);
        else if (name == "location" && p.location.empty()) {
            p.location = text_of(f.body);
            std::erase_if(p.location, is_white);  // RFC 2557 §4.4.2: folded URIs
        } else if (name == "language" && p.languages.empty())
            p.languages = languages_of(f.body);
    }
    if (!typed && w != nullptr) w->parameters = parameters_text({}, {}, p.type == "text");
    if (p.encoding.empty()) p.encoding = "7bit";  // RFC 2045 §6.1
    return boundary;
}

}  // namespace mansio::mime::detail
