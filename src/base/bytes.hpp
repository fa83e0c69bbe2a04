// Octets: encodings, checksums and the little codec our stored rows are written with.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace mansio::base {

[[nodiscard]] std::string to_hex(std::string_view octets);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);
/// RFC 4648 §4, with padding, no line breaks.
[[nodiscard]] std::string to_base64(std::string_view octets);
/// Strict RFC 4648 §4: canonical padding, no blanks, no trailing bits set.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
/// RFC 4648 §6 alphabet in lower case (a-z2-7), without padding: atoms in every protocol.
[[nodiscard]] std::string to_base32(std::string_view octets);
[[nodiscard]] std::optional<std::string> from_base32(std::string_view text);

/// CRC-32C (Castagnoli), as every stored row, page and frame carries. `seed`: the result so far, to go on.
[[nodiscard]] std::uint32_t crc32c(std::string_view octets, std::uint32_t seed = 0) noexcept;
/// SipHash-2-4: short and quick, for tables; without the key nobody finds two texts of one hash.
using short_hash_key = std::array<unsigned char, 16>;
[[nodiscard]] std::uint64_t short_hash(short_hash_key const& key, std::string_view octets) noexcept;
using sha256_digest = std::array<unsigned char, 32>;
[[nodiscard]] sha256_digest sha256(std::string_view octets);
[[nodiscard]] sha256_digest hmac_sha256(std::string_view key, std::string_view octets);
/// In time that depends on the lengths alone.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

/// SHA-256 over pieces.
class sha256_stream {
public:
    sha256_stream();
    ~sha256_stream();
    sha256_stream(sha256_stream&&) noexcept;
    sha256_stream& operator=(sha256_stream&&) noexcept;
    void feed(std::string_view octets);
    [[nodiscard]] sha256_digest finish();

private:
    void* context_;
};

/// ASCII only: octets ≥ 0x80 are left alone, whatever the locale.
[[nodiscard]] std::string to_lower_ascii(std::string_view s);
[[nodiscard]] std::string to_upper_ascii(std::string_view s);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool starts_with_ignoring_case(std::string_view s, std::string_view prefix) noexcept;
/// Words between any of `separators`; no empty ones.
[[nodiscard]] std::vector<std::string> words_of(std::string_view s, std::string_view separators = " ");
[[nodiscard]] std::string joined(std::vector<std::string> const& words, std::string_view between);
[[nodiscard]] std::string_view trim_blanks(std::string_view s) noexcept;  ///< SP and HTAB at both ends
/// Valid UTF-8 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view s) noexcept;
/// Printable for logs and terminals: control octets, DEL and invalid UTF-8 become \xNN, `\` becomes `\\`; cut at `max_octets`.
[[nodiscard]] std::string printable(std::string_view s, std::size_t max_octets = 512);

/// Writes the fields of a stored row, in order. Integers are LEB128 varints unless said; keys want the fixed big-endian forms.
class row_writer {
public:
    row_writer& u8(std::uint8_t v);
    row_writer& varint(std::uint64_t v);
    row_writer& signed_varint(std::int64_t v);  ///< zigzag
    row_writer& be32(std::uint32_t v);
    row_writer& be64(std::uint64_t v);
    row_writer& octets(std::string_view v);  ///< varint length, then the octets
    row_writer& raw(std::string_view v);     ///< the octets alone
    [[nodiscard]] std::string const& str() const noexcept { return out_; }
    [[nodiscard]] std::string take() noexcept { return std::move(out_); }
    /// The octets followed by their CRC-32C: what a checksummed row is stored as.
    [[nodiscard]] std::string take_sealed();

private:
    std::string out_;
};

/// Reads them back. Never throws and never reads past the end: after the first failure ok() is false and every
/// value is zero or empty, so a decoder checks once, at its end.
class row_reader {
public:
    explicit row_reader(std::string_view row) noexcept : rest_(row) {}
    [[nodiscard]] std::uint8_t u8() noexcept;
    [[nodiscard]] std::uint64_t varint() noexcept;
    [[nodiscard]] std::int64_t signed_varint() noexcept;
    [[nodiscard]] std::uint32_t be32() noexcept;
    [[nodiscard]] std::uint64_t be64() noexcept;
    [[nodiscard]] std::string_view octets() noexcept;
    [[nodiscard]] std::string_view raw(std::size_t n) noexcept;
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    void spoil() noexcept;  ///< the decoder found a value that cannot be

private:
    std::string_view rest_;
    bool ok_ = true;
};

/// Checks and removes the CRC of take_sealed(). nullopt: the row is damaged.
[[nodiscard]] std::optional<std::string_view> unseal(std::string_view row) noexcept;

}  // namespace mansio::base
