#include "base/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace mansio::base {

fault::fault(kind what_, std::string say_, std::string detail_) : what(what_), say(std::move(say_)), detail(std::move(detail_)) {}

std::unexpected<fault> fail(fault::kind what, std::string say, std::string detail) { return std::unexpected(fault{what, std::move(say), std::move(detail)}); }

char const* name_of(fault::kind k) noexcept
{
    switch (k) {
    case fault::kind::syntax: return "syntax";
    case fault::kind::refused: return "refused";
    case fault::kind::try_later: return "try_later";
    case fault::kind::broken: return "broken";
    case fault::kind::not_found: return "not_found";
    case fault::kind::conflict: return "conflict";
    case fault::kind::over_limit: return "over_limit";
    case fault::kind::timeout: return "timeout";
    case fault::kind::closed: return "closed";
    }
    return "unknown";
}

std::string describe(fault const& f)
{
    std::string text = name_of(f.what);
    text += ": ";
    text += f.say;
    if (!f.detail.empty()) text += " (" + f.detail + ")";
    return text;
}

void assertion_failed(char const* condition, char const* file, int line)
{
    std::fprintf(stderr, "mansio: assertion failed: %s (%s:%d). This is a bug in Mansio.\n", condition, file, line);
    std::abort();
}

}  // namespace mansio::base
