#include "mime/author.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {

using namespace detail;

std::unexpected<fault> unclear(std::string why) { return fail(fault::kind::refused, std::move(why)); }

/// Everything that follows an "@" outside of quotes and comments, as a lenient reader would take it.
std::vector<std::string> domains_in(std::string_view body)
{
    std::vector<std::string> out;
    std::string ignored;
    for (std::size_t at = 0; at < body.size();) {
        if (body[at] == '(') {
            at = skip_comment(body, at);
        } else if (body[at] == '"') {
            at = read_quoted(body, at, ignored);
        } else if (body[at] == '@') {
            auto const from = skip_cfws(body, ++at);
            for (at = from; at < body.size() && !is_white(body[at]) && std::string_view{"<>,;:()\"@"}.find(body[at]) == std::string_view::npos;) ++at;
            out.emplace_back(body.substr(from, at - from));
        } else {
            ++at;
        }
    }
    return out;
}

field_view const* only_from(header_block const& header, bool& twice)
{
    field_view const* found = nullptr;
    for (auto const& f : header.fields) {
        if (!base::equal_ignoring_case(f.name, "From")) continue;
        twice = found != nullptr;
        if (twice) break;
        found = &f;
    }
    return found;
}

}  // namespace

result<author> read_author(header_block const& header, base::limits const& limits)
{
    bool twice = false;
    auto const* const from = only_from(header, twice);
    if (twice) return unclear("the message has more than one From field");
    if (from == nullptr) return fail(fault::kind::not_found, "the message has no From field");
    if (std::ranges::any_of(from->body, [](char c) { return (c >= 0 && c < ' ' && !is_white(c)) || c == 0x7f; }))
        return unclear("the From field holds control characters");
    base::budget most{limits.addresses_per_field};
    auto all = parse_address_list(from->body, most);
    std::erase_if(all, [](address const& a) { return a.what != address::kind::mailbox || a.host.empty(); });
    if (all.empty()) return unclear("the From field holds no address");
    if (!all.front().route.empty()) return unclear("the From field holds a source route");
    author out;
    out.first = all.front();
    out.all = all;
    auto domain = canonical_domain(out.first.host);
    if (!domain || domain->starts_with('[')) return unclear("the From field's domain is none");
    out.domain = std::move(*domain);
    auto domains = domains_in(from->body);
    for (auto const& a : all) domains.push_back(a.host);
    for (auto const& d : domains) {
        auto const same = canonical_domain(d);
        if (!same || *same != out.domain) return unclear("the From field names more than one domain");
    }
    return out;
}

}  // namespace mansio::mime
