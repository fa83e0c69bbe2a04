#include "base/bytes.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nmmintrin.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium/crypto_shorthash.h>

namespace mansio::base {
namespace {
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base32_alphabet = "abcdefghijklmnopqrstuvwxyz234567";

constexpr auto inverse(std::string_view alphabet)
{
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return table;
}
constexpr auto base64_values = inverse(base64_alphabet);
constexpr auto base32_values = inverse(base32_alphabet);

constexpr auto crc32c_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int k = 0; k < 8; ++k) c = (c & 1U) != 0 ? (c >> 1U) ^ 0x82F63B78U : c >> 1U;
        table[i] = c;
    }
    return table;
}();

std::uint32_t crc_by_table(std::string_view octets, std::uint32_t crc) noexcept
{
    for (unsigned char const c : octets) crc = crc32c_table[(crc ^ c) & 0xFFU] ^ (crc >> 8U);
    return crc;
}

// The processor begins a CRC of eight octets each cycle but needs three to end it: three lanes are worked on at a time. Lanes join because a CRC is
// linear: going on over a lane is going on over as many zeros, which is one table look-up for each octet of the CRC, and the lane's own CRC on top.
constexpr std::size_t lane = 128;

constexpr auto over_a_lane = [] {
    std::array<std::array<std::uint32_t, 256>, 4> table{};
    for (std::size_t octet = 0; octet < 4; ++octet) {
        for (std::size_t bit = 0; bit < 8; ++bit) {
            auto crc = std::uint32_t{1} << (8 * octet + bit);
            for (std::size_t i = 0; i < lane; ++i) crc = crc32c_table[crc & 0xFFU] ^ (crc >> 8U);
            table[octet][std::size_t{1} << bit] = crc;
        }
        for (std::size_t v = 1; v < 256; ++v) table[octet][v] = table[octet][v & (v - 1)] ^ table[octet][v & (~v + 1)];
    }
    return table;
}();

std::uint64_t skip_lane(std::uint64_t crc) noexcept
{
    return over_a_lane[0][crc & 0xFFU] ^ over_a_lane[1][crc >> 8U & 0xFFU] ^ over_a_lane[2][crc >> 16U & 0xFFU] ^ over_a_lane[3][crc >> 24U & 0xFFU];
}

std::uint64_t word_at(std::string_view octets, std::size_t at) noexcept
{
    std::uint64_t word = 0;
    std::memcpy(&word, octets.data() + at, 8);
    return word;
}

__attribute__((target("sse4.2"))) std::uint32_t crc_by_hardware(std::string_view octets, std::uint32_t crc) noexcept
{
    std::uint64_t wide = crc;
    for (; octets.size() >= 3 * lane; octets.remove_prefix(3 * lane)) {
        std::uint64_t second = 0, third = 0;
        for (std::size_t at = 0; at < lane; at += 8) {
            wide = _mm_crc32_u64(wide, word_at(octets, at));
            second = _mm_crc32_u64(second, word_at(octets, lane + at));
            third = _mm_crc32_u64(third, word_at(octets, 2 * lane + at));
        }
        wide = skip_lane(skip_lane(wide) ^ second) ^ third;
    }
    for (; octets.size() >= 8; octets.remove_prefix(8)) wide = _mm_crc32_u64(wide, word_at(octets, 0));
    auto narrow = static_cast<std::uint32_t>(wide);
    for (unsigned char const c : octets) narrow = _mm_crc32_u8(narrow, c);
    return narrow;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

/// Length of the valid UTF-8 sequence at the start of `s`, 0 when it is not one (RFC 3629 §4).
std::size_t utf8_length(std::string_view s) noexcept
{
    auto const at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
    auto const tail = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U && i < s.size(); };
    unsigned const c = at(0);
    if (c < 0x80) return 1;
    if (c >= 0xC2 && c <= 0xDF) return tail(1) ? 2 : 0;
    if (c >= 0xE0 && c <= 0xEF) {
        if (!tail(1) || !tail(2)) return 0;
        if (c == 0xE0 && at(1) < 0xA0) return 0;
        if (c == 0xED && at(1) > 0x9F) return 0;
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3)) return 0;
        if (c == 0xF0 && at(1) < 0x90) return 0;
        if (c == 0xF4 && at(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}
}  // namespace

std::string to_hex(std::string_view octets)
{
    std::string out;
    out.reserve(octets.size() * 2);
    for (unsigned char const c : octets) {
        out += hex_digits[c >> 4U];
        out += hex_digits[c & 15U];
    }
    return out;
}

std::optional<std::string> from_hex(std::string_view text)
{
    if (text.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        auto const hi = hex_digits.find(lower(text[i]));
        auto const lo = hex_digits.find(lower(text[i + 1]));
        if (hi == std::string_view::npos || lo == std::string_view::npos) return std::nullopt;
        out += static_cast<char>(hi << 4U | lo);
    }
    return out;
}

std::string to_base64(std::string_view octets)
{
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        std::uint32_t v = 0;
        std::size_t const n = std::min<std::size_t>(3, octets.size() - i);
        for (std::size_t k = 0; k < 3; ++k) v = v << 8U | (k < n ? static_cast<unsigned char>(octets[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k) out += k <= n ? base64_alphabet[(v >> (18 - 6 * k)) & 63U] : '=';
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text)
{
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        bool const last = i + 4 == text.size();
        std::size_t const pad = !last ? 0 : text[i + 2] == '=' ? 2 : text[i + 3] == '=' ? 1 : 0;
        if (pad == 2 && text[i + 3] != '=') return std::nullopt;
        std::uint32_t v = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            int const d = k >= 4 - pad ? 0 : base64_values[static_cast<unsigned char>(text[i + k])];
            if (d < 0) return std::nullopt;
            v = v << 6U | static_cast<std::uint32_t>(d);
        }
        if ((pad == 1 && (v & 0xFFU) != 0) || (pad == 2 && (v & 0xFFFFU) != 0)) return std::nullopt;
        for (std::size_t k = 0; k < 3 - pad; ++k) out += static_cast<char>(v >> (16 - 8 * k));
    }
    return out;
}

std::string to_base32(std::string_view octets)
{
    std::string out;
    std::uint64_t held = 0;
    unsigned bits = 0;
    for (unsigned char const c : octets) {
        held = held << 8U | c;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            out += base32_alphabet[(held >> bits) & 31U];
        }
    }
    if (bits != 0) out += base32_alphabet[(held << (5 - bits)) & 31U];
    return out;
}

std::optional<std::string> from_base32(std::string_view text)
{
    std::string out;
    std::uint64_t held = 0;
    unsigned bits = 0;
    for (char const c : text) {
        int const d = base32_values[static_cast<unsigned char>(c)];
        if (d < 0) return std::nullopt;
        held = held << 5U | static_cast<std::uint64_t>(d);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>((held >> bits) & 0xFFU);
        }
    }
    if (bits >= 5 || (held & ((1U << bits) - 1U)) != 0) return std::nullopt;
    return out;
}

std::uint32_t crc32c(std::string_view octets, std::uint32_t seed) noexcept
{
    static bool const have_sse42 = __builtin_cpu_supports("sse4.2") != 0;
    std::uint32_t const start = ~seed;
    return ~(have_sse42 ? crc_by_hardware(octets, start) : crc_by_table(octets, start));
}

namespace {
/// Looked up once: OpenSSL's one-shot calls look it up each time, which costs more than a short message does.
EVP_MD const* sha256_algorithm()
{
    static EVP_MD const* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    MANSIO_ASSERT(found != nullptr);
    return found;
}
struct digest_context {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    digest_context() = default;
    digest_context(digest_context const&) = delete;
    digest_context& operator=(digest_context const&) = delete;
    ~digest_context() { EVP_MD_CTX_free(context); }
};
}  // namespace

std::uint64_t short_hash(short_hash_key const& key, std::string_view octets) noexcept
{
    static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t) && crypto_shorthash_KEYBYTES == std::tuple_size_v<short_hash_key>);
    std::array<unsigned char, crypto_shorthash_BYTES> out{};
    crypto_shorthash(out.data(), reinterpret_cast<unsigned char const*>(octets.data()), octets.size(), key.data());
    return std::bit_cast<std::uint64_t>(out);
}

sha256_digest sha256(std::string_view octets)
{
    thread_local digest_context const here;
    sha256_digest d{};
    MANSIO_ASSERT(here.context != nullptr && EVP_DigestInit_ex2(here.context, sha256_algorithm(), nullptr) == 1 &&
                  EVP_DigestUpdate(here.context, octets.data(), octets.size()) == 1 && EVP_DigestFinal_ex(here.context, d.data(), nullptr) == 1);
    return d;
}

sha256_digest hmac_sha256(std::string_view key, std::string_view octets)
{
    sha256_digest d{};
    unsigned length = 0;
    MANSIO_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(octets.data()), octets.size(), d.data(),
                       &length) != nullptr);
    return d;
}

bool equal_constant_time(std::string_view a, std::string_view b) noexcept { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

sha256_stream::sha256_stream() : context_(EVP_MD_CTX_new())
{
    MANSIO_ASSERT(context_ != nullptr && EVP_DigestInit_ex2(static_cast<EVP_MD_CTX*>(context_), sha256_algorithm(), nullptr) == 1);
}
sha256_stream::~sha256_stream() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
sha256_stream::sha256_stream(sha256_stream&& o) noexcept : context_(std::exchange(o.context_, nullptr)) {}
sha256_stream& sha256_stream::operator=(sha256_stream&& o) noexcept
{
    std::swap(context_, o.context_);
    return *this;
}
void sha256_stream::feed(std::string_view octets) { MANSIO_ASSERT(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), octets.data(), octets.size()) == 1); }
sha256_digest sha256_stream::finish()
{
    sha256_digest d{};
    MANSIO_ASSERT(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), d.data(), nullptr) == 1);
    return d;
}

std::string to_lower_ascii(std::string_view s)
{
    std::string out{s};
    for (char& c : out) c = lower(c);
    return out;
}
std::string to_upper_ascii(std::string_view s)
{
    std::string out{s};
    for (char& c : out) c = upper(c);
    return out;
}
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept
{
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}
bool starts_with_ignoring_case(std::string_view s, std::string_view prefix) noexcept
{
    return s.size() >= prefix.size() && equal_ignoring_case(s.substr(0, prefix.size()), prefix);
}
std::vector<std::string> words_of(std::string_view s, std::string_view separators)
{
    std::vector<std::string> out;
    while (!s.empty()) {
        auto const end = std::min(s.find_first_of(separators), s.size());
        if (end != 0) out.emplace_back(s.substr(0, end));
        s.remove_prefix(std::min(end + 1, s.size()));
    }
    return out;
}

std::string joined(std::vector<std::string> const& words, std::string_view between)
{
    std::string out;
    for (auto const& w : words) {
        if (!out.empty()) out += between;
        out += w;
    }
    return out;
}

std::string_view trim_blanks(std::string_view s) noexcept
{
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

bool is_utf8(std::string_view s) noexcept
{
    while (!s.empty()) {
        auto const n = utf8_length(s);
        if (n == 0) return false;
        s.remove_prefix(n);
    }
    return true;
}

std::string printable(std::string_view s, std::size_t max_octets)
{
    std::string out;
    while (!s.empty() && out.size() < max_octets) {
        auto const n = utf8_length(s);
        auto const c = static_cast<unsigned char>(s.front());
        // C1 controls (U+0080..U+009F) steer terminals as ESC does.
        bool const c1 = n == 2 && c == 0xC2 && static_cast<unsigned char>(s[1]) < 0xA0;
        if (n == 0 || c < 0x20 || c == 0x7F || c1) {
            out += "\\x";
            out += hex_digits[c >> 4U];
            out += hex_digits[c & 15U];
            s.remove_prefix(1);
        } else if (c == '\\') {
            out += "\\\\";
            s.remove_prefix(1);
        } else {
            out.append(s.substr(0, n));
            s.remove_prefix(n);
        }
    }
    if (!s.empty()) out += "...";
    return out;
}

row_writer& row_writer::u8(std::uint8_t v)
{
    out_ += static_cast<char>(v);
    return *this;
}
row_writer& row_writer::varint(std::uint64_t v)
{
    while (v >= 0x80) {
        out_ += static_cast<char>((v & 0x7FU) | 0x80U);
        v >>= 7U;
    }
    out_ += static_cast<char>(v);
    return *this;
}
row_writer& row_writer::signed_varint(std::int64_t v) { return varint((static_cast<std::uint64_t>(v) << 1U) ^ static_cast<std::uint64_t>(v >> 63)); }
row_writer& row_writer::be32(std::uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8) out_ += static_cast<char>(v >> static_cast<unsigned>(shift));
    return *this;
}
row_writer& row_writer::be64(std::uint64_t v) { return be32(static_cast<std::uint32_t>(v >> 32U)).be32(static_cast<std::uint32_t>(v)); }
row_writer& row_writer::octets(std::string_view v)
{
    varint(v.size());
    out_.append(v);
    return *this;
}
row_writer& row_writer::raw(std::string_view v)
{
    out_.append(v);
    return *this;
}
std::string row_writer::take_sealed()
{
    be32(crc32c(out_));
    return take();
}

void row_reader::spoil() noexcept
{
    ok_ = false;
    rest_ = {};
}
std::string_view row_reader::raw(std::size_t n) noexcept
{
    if (rest_.size() < n) {
        spoil();
        return {};
    }
    auto const v = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return v;
}
std::uint8_t row_reader::u8() noexcept
{
    auto const v = raw(1);
    return v.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(v[0]);
}
std::uint64_t row_reader::varint() noexcept
{
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        std::uint8_t const c = u8();
        if (!ok_) return 0;
        if (shift == 63 && c > 1) break;
        v |= static_cast<std::uint64_t>(c & 0x7FU) << shift;
        if ((c & 0x80U) == 0) return v;
    }
    spoil();
    return 0;
}
std::int64_t row_reader::signed_varint() noexcept
{
    auto const v = varint();
    return static_cast<std::int64_t>((v >> 1U) ^ (~(v & 1U) + 1U));
}
std::uint32_t row_reader::be32() noexcept
{
    std::uint32_t v = 0;
    for (unsigned char const c : raw(4)) v = v << 8U | c;
    return v;
}
std::uint64_t row_reader::be64() noexcept
{
    std::uint64_t const hi = be32();
    return hi << 32U | be32();
}
std::string_view row_reader::octets() noexcept
{
    auto const n = varint();
    if (n > rest_.size()) {
        spoil();
        return {};
    }
    return raw(static_cast<std::size_t>(n));
}

std::optional<std::string_view> unseal(std::string_view row) noexcept
{
    if (row.size() < 4) return std::nullopt;
    auto const body = row.substr(0, row.size() - 4);
    row_reader crc{row.substr(body.size())};
    if (crc.be32() != crc32c(body)) return std::nullopt;
    return body;
}

}  // namespace mansio::base
