#include "mime/authentication.hpp"

#include <array>

namespace mansio::mime {
namespace {

template <class Enum, std::size_t count> std::string_view word(Enum e, std::array<std::string_view, count> const& names) noexcept
{
    return names[static_cast<std::size_t>(e)];
}

}  // namespace

std::string_view name_of(spf_result r) noexcept { return word<spf_result, 7>(r, {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}); }

std::string_view name_of(dkim_result r) noexcept { return word<dkim_result, 7>(r, {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"}); }

std::string_view name_of(dmarc_result r) noexcept { return word<dmarc_result, 5>(r, {"none", "pass", "fail", "temperror", "permerror"}); }
std::string_view name_of(dmarc_policy p) noexcept { return word<dmarc_policy, 3>(p, {"none", "quarantine", "reject"}); }
std::string_view name_of(arc_result r) noexcept { return word<arc_result, 3>(r, {"none", "pass", "fail"}); }
std::string_view name_of(iprev_result r) noexcept { return word<iprev_result, 4>(r, {"pass", "fail", "temperror", "permerror"}); }

}  // namespace mansio::mime
