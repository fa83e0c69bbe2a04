#include "auth/passwords.hpp"

#include <algorithm>
#include <sodium.h>

#include "base/bytes.hpp"
#include "mime/unicode.hpp"

namespace mansio::auth {
namespace {
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

/// Without what people put around a word to satisfy a rule: digits, signs and blanks at both ends.
std::string_view core_of(std::string_view folded)
{
    while (!folded.empty() && !is_letter(folded.front())) folded.remove_prefix(1);
    while (!folded.empty() && !is_letter(folded.back())) folded.remove_suffix(1);
    return folded;
}

bool is_repeated_piece(std::string_view s)
{
    for (std::size_t piece = 1; piece <= 4 && piece * 3 <= s.size(); ++piece) {
        bool same = true;
        for (auto i = piece; i < s.size() && same; ++i) same = s[i] == s[i - piece];
        if (same) return true;
    }
    return false;
}

std::size_t characters(std::string_view utf8)
{
    return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// RFC 8265 §4.2.2: every non-ASCII blank (Unicode category Zs) is mapped to SP.
std::string map_blanks(std::string_view utf8)
{
    constexpr std::string_view blanks[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
                                           "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89",
                                           "\xE2\x80\x8A", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
    std::string out;
    for (std::size_t i = 0; i < utf8.size();) {
        auto const* const blank = std::ranges::find_if(blanks, [&](std::string_view b) { return utf8.substr(i).starts_with(b); });
        if (blank == std::end(blanks)) {
            out.push_back(utf8[i++]);
        } else {
            out.push_back(' ');
            i += blank->size();
        }
    }
    return out;
}
}  // namespace

bool is_common_password(std::string_view password)
{
    auto const wanted = base::to_lower_ascii(password);
    auto const all = common_passwords();
    std::size_t low = 0, high = all.size();  // both at the start of a line
    while (low < high) {
        auto const middle = low + (high - low) / 2;
        auto const before = all.substr(0, middle).rfind('\n');
        auto const start = std::max(low, before == std::string_view::npos ? 0 : before + 1);
        auto const end = all.find('\n', start);
        auto const line = all.substr(start, end - start);
        if (line == wanted) return true;
        if (line < std::string_view{wanted})
            low = end + 1;
        else
            high = start;
    }
    return false;
}

result<std::string> prepare_password(std::string_view typed)
{
    if (typed.empty() || typed.size() > portal_password_octets) return fail(fault::kind::syntax, "a password has 1 to 1,024 octets");
    if (!base::is_utf8(typed)) return fail(fault::kind::syntax, "a password is UTF-8 text");
    auto out = mime::to_nfc(map_blanks(typed));
    for (std::size_t i = 0; i < out.size(); ++i) {
        auto const c = static_cast<unsigned char>(out[i]);
        bool const c1 = c == 0xC2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0;
        if (c < 0x20 || c == 0x7F || c1) return fail(fault::kind::syntax, "a password has no control characters");
    }
    return out;
}

std::optional<std::string> refuse_password(std::string_view prepared, std::string_view address)
{
    if (characters(prepared) < portal_password_characters) return "a password has at least 12 characters";
    auto const folded = mime::fold_case(prepared);
    auto const core = core_of(folded);
    if (is_common_password(folded) || is_common_password(core)) return "this is one of the most common passwords, or one of them with a few signs around it";
    if (core.empty()) return "a password of digits and signs alone is guessed too easily";
    if (is_repeated_piece(folded)) return "a short piece repeated is guessed too easily";
    auto const local = address.substr(0, address.rfind('@'));
    if (folded == address || core == address || (!local.empty() && core == local)) return "the password may not be the address or its first part";
    return std::nullopt;
}

result<std::string> argon2id(std::string_view input, std::string_view salt, std::uint64_t memory_kib, std::uint64_t passes)
{
    MANSIO_ASSERT(salt.size() == crypto_pwhash_argon2id_SALTBYTES);
    std::string out(32, '\0');
    auto const failed =
        crypto_pwhash_argon2id(reinterpret_cast<unsigned char*>(out.data()), out.size(), input.data(), input.size(),
                               reinterpret_cast<unsigned char const*>(salt.data()), passes, memory_kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13);
    if (failed != 0) return fail(fault::kind::try_later, "the server is busy, try again later", "argon2id: no memory");
    return out;
}

}  // namespace mansio::auth
