#include "accept/srs.hpp"

#include "base/bytes.hpp"

namespace mansio::accept {
namespace {
constexpr std::size_t hash_length = 8;  // base32: 40 bits, checked online only
constexpr int day_cycle = 1024;         // two letters of base32

int day_of(base::wall_time now) { return static_cast<int>((std::chrono::floor<std::chrono::days>(now).time_since_epoch().count()) % day_cycle); }

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
std::string write_day(int day) { return {letters[static_cast<std::size_t>(day / 32)], letters[static_cast<std::size_t>(day % 32)]}; }
std::optional<int> read_day(std::string_view text)
{
    if (text.size() != 2) return std::nullopt;
    auto const lower = base::to_lower_ascii(text);
    auto const high = letters.find(lower[0]), low = letters.find(lower[1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    return static_cast<int>(high * 32 + low);
}

/// Cuts off what stands before the first '='.
std::optional<std::string_view> next_part(std::string_view& rest)
{
    auto const end = rest.find('=');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    auto const part = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return part;
}

std::optional<mime::mailbox_address> checked(std::string local, std::string_view domain)
{
    auto const good = mime::parse_mailbox("x@" + std::string{domain}, true);
    if (!good || local.empty()) return std::nullopt;
    return mime::mailbox_address{std::move(local), good->domain};
}
}  // namespace

srs::srs(std::string key) : key_(std::move(key)) { MANSIO_ASSERT(key_.size() >= 16); }

bool srs::looks_like(std::string_view local) noexcept
{
    return base::starts_with_ignoring_case(local, "SRS0=") || base::starts_with_ignoring_case(local, "SRS1=");
}

std::string srs::hash(std::string_view scheme, std::string_view rest) const
{
    auto const mac = base::hmac_sha256(key_, std::string{scheme} + base::to_lower_ascii(rest));
    return base::to_base32(std::string_view{reinterpret_cast<char const*>(mac.data()), 5});
}

mime::mailbox_address srs::forward(mime::mailbox_address const& sender, std::string const& our_domain, base::wall_time now) const
{
    std::string_view const local = sender.local;
    std::string rest;
    // Of another forwarder's making: keep its part whole and remember only where it was made first.
    if (base::starts_with_ignoring_case(local, "SRS0=") && local.size() > 5) {
        rest = sender.domain + "==" + std::string{local.substr(5)};
        return {"SRS1=" + hash("SRS1", rest) + "=" + rest, our_domain};
    }
    if (base::starts_with_ignoring_case(local, "SRS1=")) {
        auto inner = local.substr(5);
        if (next_part(inner) && inner.find("==") != std::string_view::npos) {
            rest = inner;
            return {"SRS1=" + hash("SRS1", rest) + "=" + rest, our_domain};
        }
    }
    rest = write_day(day_of(now)) + "=" + sender.domain + "=" + sender.local;
    return {"SRS0=" + hash("SRS0", rest) + "=" + rest, our_domain};
}

std::optional<mime::mailbox_address> srs::reverse(mime::mailbox_address const& recipient, base::wall_time now) const
{
    if (!looks_like(recipient.local)) return std::nullopt;
    auto const scheme = base::to_upper_ascii(std::string_view{recipient.local}.substr(0, 4));
    auto rest = std::string_view{recipient.local}.substr(5);
    auto const mac = next_part(rest);
    if (!mac || mac->size() != hash_length || !base::equal_constant_time(base::to_lower_ascii(*mac), hash(scheme, rest))) return std::nullopt;
    if (scheme == "SRS1") {
        auto const at = rest.find("==");
        if (at == std::string_view::npos) return std::nullopt;
        return checked("SRS0=" + std::string{rest.substr(at + 2)}, rest.substr(0, at));
    }
    auto const stamp = next_part(rest);
    auto const day = stamp ? read_day(*stamp) : std::nullopt;
    if (!day) return std::nullopt;
    if ((day_of(now) - *day + day_cycle) % day_cycle > days_valid) return std::nullopt;
    auto const domain = next_part(rest);
    if (!domain) return std::nullopt;
    return checked(std::string{rest}, *domain);
}

}  // namespace mansio::accept
