#include "mime/authentication.hpp"

#include <array>

namespace mansio::mime {

std::string_view name_of(spf_result r) noexcept
{
    constexpr std::array<std::string_view, 7> names{"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};
    return names[static_cast<std::size_t>(r)];
}

std::string_view name_of(dkim_result r) noexcept
{
    constexpr std::array<std::string_view, 7> names{"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"};
    return names[static_cast<std::size_t>(r)];
}

}  // namespace mansio::mime
