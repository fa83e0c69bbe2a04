// tag=value lists, the form of DKIM signatures and keys, DMARC policies and ARC (RFC 6376 §3.2).
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::mailauth {

/// One list, read once. Views point into the text.
class tag_list {
public:
    struct tag {
        std::string_view name;
        std::string_view value;       ///< without white space around it
        std::string_view whole_value; ///< with it: what is treated as empty of a signature's own b=
    };
    /// nullopt: not a list, or a name twice. Octets ≥ 0x80 are let through in values (§3.2, for UTF-8).
    [[nodiscard]] static std::optional<tag_list> parse(std::string_view text);
    [[nodiscard]] std::vector<tag> const& tags() const noexcept { return tags_; }
    /// Names are case-sensitive.
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
    [[nodiscard]] tag const* find(std::string_view name) const noexcept;

private:
    std::vector<tag> tags_;
};

/// "a : b:c" → {"a", "b", "c"}: white space around colons goes.
[[nodiscard]] std::vector<std::string_view> split_colons(std::string_view value);
/// Without any white space: of base64 and of quoted-printable values.
[[nodiscard]] std::string without_white(std::string_view value);
/// Decimal digits alone, at most `most_digits` of them.
[[nodiscard]] std::optional<std::uint64_t> read_decimal(std::string_view value, std::size_t most_digits);

}  // namespace mansio::mailauth
