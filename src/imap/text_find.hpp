// Finds a string in text without regard to case (i;unicode-casemap, RFC 5051), quickly where the text is ASCII.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace mansio::imap {

/// Whether ASCII `text` holds `upper`, which is ASCII in capitals, in any letter case. Linear for text as it is; |text| · |upper| at worst.
class ascii_finder {
public:
    explicit ascii_finder(std::string_view upper);
    [[nodiscard]] bool found_in(std::string_view text) const noexcept;

private:
    [[nodiscard]] bool matches(char const* at) const noexcept;
    std::string lower_, mask_;           // mask: 0x20 where a letter stands
    std::size_t first_ = 0, second_ = 0; // places of its rarest octets
};

/// A string to be found.
class text_needle {
public:
    /// `key`: mime::casemap() of what the client wrote.
    explicit text_needle(std::string key);
    [[nodiscard]] std::string const& key() const noexcept { return key_; }
    /// `text`: UTF-8.
    [[nodiscard]] bool found_in(std::string_view text) const;
    /// False: it cannot be in any text that these ASCII octets stand for when no encoding hides it: hides_nothing().
    [[nodiscard]] bool may_be_in(std::string_view octets) const noexcept { return ascii_ && word_.found_in(octets); }

private:
    std::string key_;
    bool ascii_;
    ascii_finder whole_, word_;  // word: the longest piece without blanks, which folding leaves alone
};

/// Whether the octets of a whole message say themselves what its text says: ASCII, no encoded words, no transfer encoding, no charset that writes letters
/// with the octets of others. Only blanks and line ends may differ. False is always right.
[[nodiscard]] bool hides_nothing(std::string_view octets) noexcept;
/// The same for the text of one part without transfer encoding.
[[nodiscard]] bool is_plain_ascii(std::string_view text) noexcept;

}  // namespace mansio::imap
