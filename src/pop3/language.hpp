// What we say, in the languages LANG offers (RFC 6856 §3).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mansio::pop3 {

enum class language : std::uint8_t { english, german };
struct language_row {
    language which;
    std::string_view tag;   ///< RFC 5646
    std::string_view name;  ///< in itself, UTF-8
};
[[nodiscard]] std::span<language_row const> languages() noexcept;
/// The best for a basic language range: the longest tag that the range is or begins with (RFC 4647 §3.4); "*" is the server's own, English.
/// nullopt: none.
[[nodiscard]] std::optional<language_row> find_language(std::string_view range) noexcept;
/// A reply's text, its response code kept. What has no translation stays English: what programs read (numbers, ids, challenges) has none.
[[nodiscard]] std::string in_language(language l, std::string_view english);
/// The sentences there are translations of, with '#' for a number: for the test that finds those nobody says any more.
[[nodiscard]] std::span<std::pair<std::string_view, std::string_view> const> german_sentences() noexcept;

}  // namespace mansio::pop3
