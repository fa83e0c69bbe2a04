#include "accept/header_filter.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::accept {
namespace {

/// Past blanks, line ends and comments, which nest; counted, not recursed into.
std::size_t skip_comments(std::string_view s, std::size_t at) noexcept
{
    std::size_t depth = 0;
    for (; at < s.size(); ++at) {
        char const c = s[at];
        if (c == '(')
            ++depth;
        else if (depth != 0 && c == ')')
            --depth;
        else if (depth != 0 && c == '\\')
            ++at;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    return std::min(at, s.size());
}

bool is_ours(mime::field_view const& f, header_rules const& rules)
{
    if (!base::equal_ignoring_case(f.name, "Authentication-Results")) return false;
    auto const id = authserv_id(f.body);
    return std::ranges::find(rules.own_authserv_ids, id) != rules.own_authserv_ids.end();
}

}  // namespace

std::string authserv_id(std::string_view body)
{
    auto at = skip_comments(body, 0);
    std::string id;
    if (at < body.size() && body[at] == '"') {
        for (++at; at < body.size() && body[at] != '"'; ++at) {
            if (body[at] == '\\') ++at;
            if (at >= body.size()) break;
            id += body[at];
        }
    } else {
        // value = token / quoted-string; what ends a token here is what ends it for readers: blank, ";" or a comment.
        while (at < body.size() && std::string_view{" \t\r\n;("}.find(body[at]) == std::string_view::npos) id += body[at++];
    }
    return base::to_lower_ascii(id);
}

filtered_header filter_header(std::string_view header, header_rules const& rules, base::limits const& limits)
{
    filtered_header out;
    auto const block = mime::parse_header(header, limits);
    out.over_limit = block.over_limit;
    bool has_date = false, has_id = false;
    std::vector<mime::field_view const*> gone;
    for (auto const& f : block.fields) {
        using base::equal_ignoring_case;
        switch (f.name.size()) {  // most fields are none of these: their length says so
        case 3:
            if (rules.remove_bcc && equal_ignoring_case(f.name, "Bcc")) gone.push_back(&f);
            break;
        case 4: has_date = has_date || equal_ignoring_case(f.name, "Date"); break;
        case 8: out.received += equal_ignoring_case(f.name, "Received") ? 1 : 0; break;
        case 10:
            if (equal_ignoring_case(f.name, "Message-ID"))
                has_id = true;
            else if (rules.remove_bcc && equal_ignoring_case(f.name, "Resent-Bcc"))
                gone.push_back(&f);
            break;
        case 12:
            if (equal_ignoring_case(f.name, "Delivered-To") && out.delivered_to.size() < limits.received_fields) {
                auto const text = mime::unfold(f.body);
                out.delivered_to.push_back(base::to_lower_ascii(base::trim_blanks(text)));
            } else if (equal_ignoring_case(f.name, "TLS-Required")) {
                auto const text = mime::unfold(f.body);
                out.tls_optional = out.tls_optional || equal_ignoring_case(base::trim_blanks(text), "No");
            }
            break;
        case 22:
            if (!rules.own_authserv_ids.empty() && is_ours(f, rules)) gone.push_back(&f);
            break;
        default: break;
        }
    }
    if (out.over_limit) return out;
    bool const put_date = !has_date && !rules.add_date.empty();
    bool const put_id = !has_id && !rules.add_message_id.empty();
    out.removed = static_cast<std::uint32_t>(gone.size());
    out.changed = put_date || put_id || !gone.empty();
    if (!out.changed) return out;
    out.text.reserve(header.size() + 256);
    if (put_date) out.text += "Date: " + rules.add_date + "\r\n";
    if (put_id) out.text += "Message-ID: " + rules.add_message_id + "\r\n";
    std::size_t kept = 0;
    for (auto const* f : gone) {
        out.text += header.substr(kept, f->offset - kept);
        kept = f->offset + f->length;
    }
    // What was no header at all must not become one by what we put before it.
    if (block.fields.empty() && !block.has_empty_line) out.text += "\r\n";
    out.text += header.substr(kept);
    return out;
}

}  // namespace mansio::accept
