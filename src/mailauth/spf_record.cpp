#include "mailauth/spf_record.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/spf_macro.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

using mime::spf_result;
using mime::detail::is_alpha;
using mime::detail::is_digit;
constexpr std::string_view version = "v=spf1";

/// "/24" at the end of `text`, taken off. nullopt: there is none. Numbers out of range or with leading zeros are none, and then no domain-spec either.
std::optional<unsigned> take_length(std::string_view& text, std::string_view slash, unsigned most)
{
    auto at = text.size();
    while (at > 0 && is_digit(text[at - 1])) --at;
    auto const digits = text.substr(at);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0') || !text.substr(0, at).ends_with(slash)) return std::nullopt;
    unsigned value = 0;
    for (char const c : digits) value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > most) return std::nullopt;
    text = text.substr(0, at - slash.size());
    return value;
}

/// [ ":" domain-spec ] [ dual-cidr-length ]
bool read_target_and_lengths(std::string_view rest, spf_directive& d)
{
    if (auto const v6 = take_length(rest, "//", 128)) d.v6_bits = *v6;
    if (auto const v4 = take_length(rest, "/", 32)) d.v4_bits = *v4;
    if (rest.empty()) return true;
    if (rest[0] != ':') return false;
    d.target = rest.substr(1);
    return is_spf_domain_spec(d.target);
}

/// ":" domain-spec
bool read_target(std::string_view rest, spf_directive& d)
{
    if (!rest.starts_with(':')) return false;
    d.target = rest.substr(1);
    return is_spf_domain_spec(d.target);
}

bool read_network(std::string_view rest, spf_directive& d)
{
    if (!rest.starts_with(':')) return false;
    rest.remove_prefix(1);
    bool const v4 = d.what == spf_directive::kind::ip4;
    auto const bits = take_length(rest, "/", v4 ? 32 : 128);
    auto const address = net::ip_address::parse(rest);
    // An IPv4-mapped address is an IPv4 address to us, and those are listed with ip4 alone (§5): such an ip6 matches nobody.
    if (!address || (rest.find(':') == std::string_view::npos) != v4) return false;
    d.network.network = *address;
    d.network.bits = bits.value_or(v4 ? 32 : 128);
    return true;
}

bool read_arguments(std::string_view rest, spf_directive& d)
{
    using enum spf_directive::kind;
    switch (d.what) {
    case all: return rest.empty();
    case ptr: return rest.empty() || read_target(rest, d);
    case include:
    case exists: return read_target(rest, d);
    case a:
    case mx: return read_target_and_lengths(rest, d);
    case ip4:
    case ip6: return read_network(rest, d);
    }
    return false;
}

bool read_directive(std::string_view term, spf_directive& d)
{
    d.text = term;
    switch (term[0]) {
    case '-': d.when_matched = spf_result::fail; break;
    case '~': d.when_matched = spf_result::softfail; break;
    case '?': d.when_matched = spf_result::neutral; break;
    default: d.when_matched = spf_result::pass;
    }
    if (std::string_view{"+-~?"}.find(term[0]) != std::string_view::npos) term.remove_prefix(1);
    auto const name = term.substr(0, term.find_first_of(":/"));
    constexpr std::array<std::string_view, 8> names{"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"};
    auto const at = std::ranges::find_if(names, [name](auto known) { return base::equal_ignoring_case(name, known); });
    if (at == names.end()) return false;
    d.what = static_cast<spf_directive::kind>(at - names.begin());
    return read_arguments(term.substr(name.size()), d);
}

/// The name of a modifier (name "=" …), or nothing.
std::string_view modifier_name(std::string_view term)
{
    if (!is_alpha(term[0])) return {};
    auto const end = std::ranges::find_if_not(term, [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
    return end != term.end() && *end == '=' ? std::string_view{term.begin(), end} : std::string_view{};
}

bool read_modifier(std::string_view name, std::string_view value, spf_record& r)
{
    auto* const known = base::equal_ignoring_case(name, "redirect") ? &r.redirect : base::equal_ignoring_case(name, "exp") ? &r.explanation : nullptr;
    if (known == nullptr) return is_spf_macro_string(value, spf_text::explanation);  // all letters, by the grammar; blanks cannot be in a term
    if (*known || !is_spf_domain_spec(value)) return false;
    *known = value;
    return true;
}

}  // namespace

bool is_spf_record(std::string_view text) noexcept
{
    return base::starts_with_ignoring_case(text, version) && (text.size() == version.size() || text[version.size()] == ' ');
}

result<spf_record> parse_spf_record(std::string_view text)
{
    spf_record r;
    if (!is_spf_record(text)) return fail(fault::kind::syntax, "does not begin with v=spf1");
    for (auto rest = text.substr(version.size()); !rest.empty();) {
        auto const begin = rest.find_first_not_of(' ');
        if (begin == std::string_view::npos) break;
        auto const term = rest.substr(begin, rest.find(' ', begin) - begin);
        rest.remove_prefix(begin + term.size());
        auto const name = modifier_name(term);
        bool good = false;
        if (!name.empty()) {
            good = read_modifier(name, term.substr(name.size() + 1), r);
        } else {
            spf_directive d;
            good = read_directive(term, d);
            r.directives.push_back(std::move(d));
        }
        if (!good) return fail(fault::kind::syntax, "the term \"" + base::printable(term, 100) + "\" is not valid");
    }
    return r;
}

}  // namespace mansio::mailauth
