#include "auth/app_password.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace mansio::auth {
namespace {
constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view mark = "mn_";
constexpr std::size_t checksum_at = 3 + 26;

std::array<char, 4> checksum_of(std::string_view head) noexcept
{
    auto const sum = base::crc32c(head) >> 12U;  // the upper 20 bits
    std::array<char, 4> out{};
    for (unsigned i = 0; i < 4; ++i) out[i] = alphabet[(sum >> (15U - 5U * i)) & 31U];
    return out;
}

std::string characters(base::random& r, std::size_t n)
{
    auto out = r.octets(n);
    for (auto& c : out) c = alphabet[static_cast<unsigned char>(c) & 31U];  // 32 divides 256: no bias
    return out;
}

std::string_view view(base::sha256_digest const& d) { return {reinterpret_cast<char const*>(d.data()), d.size()}; }
}  // namespace

bool is_app_password_shape(std::string_view secret) noexcept
{
    if (secret.size() != app_password_octets || !secret.starts_with(mark)) return false;
    auto const body = secret.substr(mark.size());
    if (!std::ranges::all_of(body, [](char c) { return alphabet.find(c) != std::string_view::npos; })) return false;
    auto const sum = checksum_of(secret.substr(0, checksum_at));
    return secret.substr(checksum_at) == std::string_view{sum.data(), sum.size()};
}

std::string make_app_password(base::random& r)
{
    auto secret = std::string{mark} + characters(r, 26);
    auto const sum = checksum_of(secret);
    secret.append(sum.data(), sum.size());
    return secret;
}

std::string make_app_password_id(base::random& r) { return characters(r, 8); }

std::string app_password_hmac(std::string_view key, account_number n, std::string_view secret)
{
    base::row_writer w;
    w.be64(n).raw(secret);
    return std::string{view(base::hmac_sha256(key, w.str()))};
}

std::string derive_key(std::string_view pepper, std::string_view use) { return std::string{view(base::hmac_sha256(pepper, use))}; }

}  // namespace mansio::auth
