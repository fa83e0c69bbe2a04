// POP3's grammar, without I/O: commands in, multi-line replies out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mansio::pop3 {

/// A command line. `verb` in upper case; `rest`: everything after the first space, as it came (a password may hold spaces).
struct command_line {
    std::string verb;
    std::string_view rest;  ///< of the line given
    bool operator==(command_line const&) const = default;
};
/// command = keyword [SP arguments], keyword of three or four letters (RFC 1939 §3). nullopt: none, or control octets.
[[nodiscard]] std::optional<command_line> parse_command(std::string_view line);
/// The first line of another protocol: a browser made to speak to us, a scanner, a mail client at the wrong door (trust.md W7, T2).
[[nodiscard]] bool is_foreign(std::string_view line) noexcept;
/// A decimal number without sign, blanks around it forgiven. nullopt: none, or over 4,294,967,295.
[[nodiscard]] std::optional<std::uint32_t> parse_number(std::string_view text) noexcept;

/// Writes a message as a multi-line reply: dots at line starts doubled, a bare CR or LF becomes CRLF so that no reader can see the end where it is not,
/// the last line ended, then "." (RFC 1939 §3). Feed it pieces cut anywhere. Appends to `out`.
class dot_writer {
public:
    void text(std::string_view piece, std::string& out);
    void end(std::string& out);

private:
    static constexpr std::size_t block_octets = 1024;
    void lines(std::string_view piece, std::string& out);
    void emit(std::string_view segment, std::string& out);
    bool at_start_ = true, after_cr_ = false;
};

/// TOP's part of a message: header, the blank line, `lines` lines of the body (RFC 1939 §7).
class top_limit {
public:
    explicit top_limit(std::uint32_t lines) noexcept : lines_(lines) {}
    /// How many of the next octets belong to it; less than all of them: it is complete.
    [[nodiscard]] std::size_t take(std::string_view piece) noexcept;
    [[nodiscard]] bool complete() const noexcept { return complete_; }

private:
    std::uint32_t lines_;
    std::size_t line_octets_ = 0;  // of the current line, CR not counted
    bool in_body_ = false, complete_ = false;
};

}  // namespace mansio::pop3
