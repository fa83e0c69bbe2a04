#include "mime/build.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {

result<std::string> make_field(std::string_view name, std::string_view body)
{
    bool const good_name = !name.empty() && std::ranges::all_of(name, [](char c) { return c > 32 && c < 127 && c != ':'; });
    if (!good_name) return fail(fault::kind::syntax, "not a header field name");
    if (body.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos)
        return fail(fault::kind::syntax, "a header field cannot hold line ends or NUL");
    std::string out{name};
    out += ": ";
    std::size_t column = out.size();
    constexpr std::size_t wanted = 78;  // RFC 5322 §2.1.1
    body = base::trim_blanks(body);
    while (!body.empty()) {
        // A word with the blanks before it; folding goes before blanks, so that unfolding gives the body back exactly.
        std::size_t const word = std::min(body.find_first_not_of(" \t"), body.size());
        std::size_t const end = std::min(body.find_first_of(" \t", word), body.size());
        if (word != 0 && column + end > wanted && column > name.size() + 2) {
            out += "\r\n";
            column = 0;
        }
        out += body.substr(0, end);
        column += end;
        body.remove_prefix(end);
    }
    out += "\r\n";
    return out;
}

std::string format_address(std::string_view name_utf8, std::string_view address)
{
    std::string where;
    for (char const c : address)
        if (static_cast<unsigned char>(c) >= 32 && c != 127) where += c;
    auto const name = base::trim_blanks(name_utf8);
    if (name.empty()) return where;
    std::string out;
    bool const atoms = std::ranges::all_of(name, [](char c) { return detail::is_atext(c) || c == ' '; }) && name.find("=?") == std::string_view::npos;
    if (atoms)
        out = name;
    else if (!detail::is_ascii(name) || name.find("=?") != std::string_view::npos) {
        // In a phrase an encoded word stands for a word; what is left plain must be atoms, so specials are encoded along (RFC 2047 §5 (3)).
        bool const plain_rest = std::ranges::all_of(name, [](char c) { return detail::is_atext(c) || c == ' ' || static_cast<unsigned char>(c) >= 0x80; });
        out = plain_rest ? encode_words(name) : encode_phrase(name);
    } else {
        out += '"';
        for (char const c : name) {
            if (c == '"' || c == '\\') out += '\\';
            out += static_cast<unsigned char>(c) < 32 || c == 127 ? ' ' : c;
        }
        out += '"';
    }
    return out + " <" + where + ">";
}

}  // namespace mansio::mime
