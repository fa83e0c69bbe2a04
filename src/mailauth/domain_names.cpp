#include "mailauth/domain_names.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {

bool is_dns_name(std::string_view name, std::size_t labels) noexcept
{
    if (name.empty() || name.size() > 253) return false;
    std::size_t count = 0;
    while (true) {
        auto const end = std::min(name.find('.'), name.size());
        auto const label = name.substr(0, end);
        bool const good = !label.empty() && label.size() <= 63 &&
                          std::ranges::all_of(label, [](char c) { return mime::detail::is_alpha(c) || mime::detail::is_digit(c) || c == '-' || c == '_'; });
        if (!good) return false;
        ++count;
        if (end == name.size()) return count >= labels;
        name.remove_prefix(end + 1);
    }
}

bool is_same_or_below(std::string_view name, std::string_view domain) noexcept
{
    if (base::equal_ignoring_case(name, domain)) return true;
    return name.size() > domain.size() && name[name.size() - domain.size() - 1] == '.' &&
           base::equal_ignoring_case(name.substr(name.size() - domain.size()), domain);
}

std::string no_answer_for(std::string_view name, std::string_view why)
{
    return "the DNS did not answer for " + base::printable(name, 253) + ": " + base::printable(why, 200);
}

}  // namespace mansio::mailauth
