#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/dmarc.hpp"
#include "mailauth/tag_list.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

using mime::dmarc_policy;
using mime::detail::trim_white;

constexpr std::size_t most_tags = 64;
constexpr std::size_t most_reports = 10;

struct tag {
    std::string name;  // lower case
    std::string_view value;
};

/// "a = b" of one piece between semicolons; an empty name: none.
tag read_tag(std::string_view piece)
{
    auto const equals = piece.find('=');
    if (equals == std::string_view::npos) return {};
    return {base::to_lower_ascii(trim_white(piece.substr(0, equals))), trim_white(piece.substr(equals + 1))};
}

/// Takes the first piece off `text`.
std::string_view next_piece(std::string_view& text, char separator)
{
    auto const end = std::min(text.find(separator), text.size());
    auto const piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return piece;
}

std::optional<dmarc_policy> read_policy(std::string_view value)
{
    for (auto const p : {dmarc_policy::none, dmarc_policy::quarantine, dmarc_policy::reject})
        if (base::equal_ignoring_case(value, name_of(p))) return p;
    return std::nullopt;
}

/// dmarc-uri: a scheme, a colon and something, nothing that could not stand in a line of text.
bool is_uri(std::string_view uri)
{
    auto const colon = uri.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == uri.size() || uri.size() > 1000) return false;
    return std::ranges::all_of(uri, [](char c) { return c > ' ' && c < 0x7f; });
}

void read_reports(std::string_view value, std::vector<std::string>& to)
{
    while (!value.empty() && to.size() < most_reports) {
        auto const uri = trim_white(next_piece(value, ','));
        if (is_uri(uri)) to.emplace_back(uri);
    }
}

void take(tag const& t, dmarc_record& r)
{
    if (t.name == "p")
        r.policy = read_policy(t.value);
    else if (t.name == "sp")
        r.subdomain_policy = read_policy(t.value);
    else if (t.name == "np")
        r.absent_policy = read_policy(t.value);
    else if (t.name == "adkim")
        r.strict_dkim = base::equal_ignoring_case(t.value, "s");
    else if (t.name == "aspf")
        r.strict_spf = base::equal_ignoring_case(t.value, "s");
    else if (t.name == "t")
        r.testing = base::equal_ignoring_case(t.value, "y");
    else if (t.name == "psd")
        r.is_suffix = base::equal_ignoring_case(t.value, "y")   ? dmarc_record::suffix::yes
                      : base::equal_ignoring_case(t.value, "n") ? dmarc_record::suffix::no
                                                                : dmarc_record::suffix::unknown;
    else if (t.name == "pct") {
        auto const percent = read_decimal(t.value, 3);
        if (percent && *percent <= 100) r.percent = static_cast<unsigned>(*percent);
    } else if (t.name == "rua")
        read_reports(t.value, r.report_to);
}

}  // namespace

bool is_dmarc_record(std::string_view text) noexcept
{
    auto const first = text.substr(0, text.find(';'));
    auto const equals = first.find('=');
    if (equals == std::string_view::npos) return false;
    return base::equal_ignoring_case(trim_white(first.substr(0, equals)), "v") && trim_white(first.substr(equals + 1)) == "DMARC1";
}

result<dmarc_record> parse_dmarc_record(std::string_view text)
{
    if (!is_dmarc_record(text)) return fail(fault::kind::syntax, "no DMARC record");
    dmarc_record r;
    std::vector<std::string> seen;
    while (!text.empty() && seen.size() < most_tags) {
        auto t = read_tag(next_piece(text, ';'));
        if (t.name.empty() || std::ranges::find(seen, t.name) != seen.end()) continue;  // of a tag that is there twice the first counts
        take(t, r);
        seen.push_back(std::move(t.name));
    }
    // RFC 9989 §4.7: without a policy that can be read, somebody must at least want reports.
    if (r.policy) return r;
    if (r.report_to.empty()) return fail(fault::kind::syntax, "the DMARC record has no p= that can be read");
    r.policy = dmarc_policy::none;
    r.subdomain_policy.reset();
    r.absent_policy.reset();
    return r;
}

}  // namespace mansio::mailauth
