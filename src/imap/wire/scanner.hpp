// Reads the octets of one command, value by value (RFC 9051 §9).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "mime/date.hpp"

namespace mansio::imap::wire {

/// "{12}" at the end of a line: so many octets follow (RFC 9051 §4.3, RFC 7888).
struct literal_head {
    std::uint64_t octets = 0;      ///< UINT64_MAX when the number does not fit
    bool synchronizing = true;     ///< the client waits for "+"
    bool binary = false;           ///< literal8, "~{12}" (RFC 3516)
    std::size_t length = 0;        ///< of the announcement itself
};
/// The announcement a line ends in. nullopt: it ends in none.
[[nodiscard]] std::optional<literal_head> literal_at_end(std::string_view line) noexcept;

/// ATOM-CHAR of RFC 9051; octets ≥ 0x80 are none.
[[nodiscard]] bool is_atom_char(char c) noexcept;
/// astring without quotes: ATOM-CHAR and "]".
[[nodiscard]] bool is_astring_char(char c) noexcept;

/// Walks over one whole command, literals in place ("{3}\r\nabc"), from left to right; a step that fails leaves it where it was or past the mistake:
/// the command is then answered with BAD and dropped. Views point into the command. Bounds: the reader bounds the command's octets, each list here its depth.
/// Errors of all: syntax, with words for the client; over_limit for lists nested too deep.  Threads: none.
class scanner {
public:
    explicit scanner(std::string_view command, unsigned max_depth = 16) noexcept : rest_(command), depth_left_(max_depth) {}

    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    /// Eats `c` when it is next.
    [[nodiscard]] bool take(char c) noexcept;
    /// Eats `word` (ASCII case ignored) when it is next and ends there: no astring character follows.
    [[nodiscard]] bool take_word(std::string_view word) noexcept;
    /// The same, whatever follows.
    [[nodiscard]] bool take_text(std::string_view text) noexcept;
    [[nodiscard]] result<void> expect(char c);
    [[nodiscard]] result<void> space() { return expect(' '); }
    /// The command ends here.
    [[nodiscard]] result<void> end();

    [[nodiscard]] result<std::string_view> tag();   ///< 1*<ASTRING-CHAR but "+">
    [[nodiscard]] result<std::string_view> atom();
    [[nodiscard]] result<std::string> string();     ///< quoted or literal
    [[nodiscard]] result<std::string> astring();
    [[nodiscard]] result<std::optional<std::string>> nstring();
    [[nodiscard]] result<std::optional<std::string>> nstring8();  ///< nstring or literal8, which alone may hold NUL
    [[nodiscard]] result<std::string> list_pattern();  ///< list-mailbox: an astring with % and *
    [[nodiscard]] result<std::uint32_t> number();
    [[nodiscard]] result<std::uint32_t> nz_number();
    [[nodiscard]] result<std::uint64_t> number64();    ///< 63 bits
    /// "\Seen" in its usual letters, or a keyword as written; "\Recent" and unknown ones with a backslash are errors.
    [[nodiscard]] result<std::string> flag();
    [[nodiscard]] result<std::vector<std::string>> flag_list();
    [[nodiscard]] result<mime::date_time> date_time();
    [[nodiscard]] result<std::int32_t> date();      ///< days since 1970-01-01

    /// "(": false when another octet is next. Errors: over_limit (too deep).
    [[nodiscard]] result<bool> enter();
    /// ")": false when another octet is next.
    [[nodiscard]] bool leave() noexcept;

private:
    [[nodiscard]] std::string_view take_while(bool (*belongs)(char) noexcept) noexcept;
    [[nodiscard]] result<std::string> quoted();
    [[nodiscard]] result<std::string> literal(bool binary = false);
    std::string_view rest_;
    unsigned depth_left_;
};

}  // namespace mansio::imap::wire
