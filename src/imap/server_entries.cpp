#include "imap/server_entries.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/capability.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/wire/scanner.hpp"
#include "store/account.hpp"

namespace mansio::imap {
namespace {
constexpr std::string_view shared = "/shared", priv = "/private";
std::unexpected<fault> bad_name() { return fail(fault::kind::syntax, "that cannot be the name of an entry"); }
}  // namespace

result<std::string> entry_name(std::string_view name, entry_use use)
{
    auto const allowed = [](char c) { return c >= ' ' && c <= '~' && c != '*' && c != '%'; };
    if (!std::ranges::all_of(name, allowed) || name.contains("//") || name.ends_with('/')) return bad_name();
    auto lower = base::to_lower_ascii(name);
    bool const scoped =
        std::ranges::any_of(std::array{shared, priv}, [&](auto s) { return lower.starts_with(s) && (lower.size() == s.size() || lower[s.size()] == '/'); });
    if (!scoped) return bad_name();
    if (lower.size() > store::longest_annotation_name) return fail(fault::kind::over_limit, "[LIMIT] the name of the entry is too long");
    if (use == entry_use::ask) return lower;
    // Two components at least, and four under "vendor": "/shared/vendor/token/name".
    auto const components = std::ranges::count(lower, '/');
    auto const vendor = lower.substr(lower.find('/', 1) == std::string::npos ? lower.size() : lower.find('/', 1));
    if (components < 2 || ((vendor == "/vendor" || vendor.starts_with("/vendor/")) && components < 4)) return bad_name();
    return lower;
}

std::string_view filter_of_entry(std::string_view entry) noexcept
{
    for (std::string_view const above : {"/private/filters/values/", "/shared/filters/values/"})
        if (entry.starts_with(above)) return entry.substr(above.size());
    return {};
}

bool is_filter_name(std::string_view name) noexcept
{
    return !name.empty() && std::ranges::all_of(name, [](char c) { return wire::is_atom_char(c) && c != '/'; });
}

result<server_entries> parse_server_entries(std::vector<std::string> const& lines)
{
    server_entries out;
    for (auto const& line : lines) {
        auto const blank = std::min(line.find(' '), line.size());
        auto name = entry_name(std::string_view{line}.substr(0, blank), entry_use::set);
        auto const value = base::trim_blanks(std::string_view{line}.substr(blank));
        if (!name || !name->starts_with("/shared/") || value.empty())
            return fail(fault::kind::refused, "'" + base::printable(line) + "' is no entry for all; write \"/shared/admin mailto:postmaster@example.test\"");
        // RFC 5464 §3.2.1.1: a URI
        if (*name == "/shared/admin" && !value.contains(':'))
            return fail(fault::kind::refused, "/shared/admin wants a URI: \"/shared/admin mailto:postmaster@example.test\"");
        if (auto const filter = filter_of_entry(*name); !filter.empty()) {
            base::limits const usual;
            auto const whole = commands::search_program::check(value, usual.imap_search_keys, extension_set::all());
            if (!is_filter_name(filter) || !whole)
                return fail(fault::kind::refused, "'" + base::printable(line) + "' is no filter: a name and what SEARCH takes");
        }
        out.insert_or_assign(std::move(*name), std::string{value});
    }
    return out;
}

}  // namespace mansio::imap
