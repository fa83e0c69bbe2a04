#include "auth/pop3_policy.hpp"

#include <charconv>

namespace mansio::auth {
namespace {
constexpr std::uint32_t most_days = 36'500;

/// "N-day" or "N-days" at the start, then exactly `rest`.
std::optional<std::uint32_t> days_before(std::string_view text, std::string_view rest)
{
    std::uint32_t days = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), days);
    if (read.ec != std::errc{} || days == 0 || days > most_days) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    std::string_view const unit = days == 1 && text.starts_with("-day") && !text.starts_with("-days") ? "-day" : "-days";
    if (!text.starts_with(unit) || text.substr(unit.size()) != rest) return std::nullopt;
    return days;
}
}  // namespace

result<pop3_keep> pop3_keep::parse(std::string_view text)
{
    pop3_keep k;
    if (text == "forever") return k;
    if (text == "until-fetched") {
        k.what = rule::until_fetched;
        return k;
    }
    for (auto const& [rest, what] : {std::pair{std::string_view{"-after-fetch"}, rule::after_fetch}, std::pair{std::string_view{}, rule::in_all}}) {
        auto const days = days_before(text, rest);
        if (!days) continue;
        k.what = what;
        k.days = *days;
        return k;
    }
    return fail(fault::kind::syntax, "how long POP3 keeps mail is one of: forever, until-fetched, 7-days-after-fetch, 30-days (1 to 36500 days)");
}

std::string pop3_keep::text() const
{
    auto const number = std::to_string(days) + (days == 1 ? "-day" : "-days");
    switch (what) {
    case rule::forever: return "forever";
    case rule::until_fetched: return "until-fetched";
    case rule::after_fetch: return number + "-after-fetch";
    case rule::in_all: return number;
    }
    return "forever";
}

std::optional<std::uint32_t> pop3_keep::expire_days() const noexcept
{
    if (what == rule::forever) return std::nullopt;
    return what == rule::until_fetched ? 0 : days;
}

std::string_view origin_name(pop3_policy::origin o) noexcept
{
    if (o == pop3_policy::origin::account) return "account";
    return o == pop3_policy::origin::domain ? "domain" : "server";
}

}  // namespace mansio::auth
