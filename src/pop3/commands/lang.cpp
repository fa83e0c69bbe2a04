// LANG lists the languages of our replies, or chooses one. RFC 6856 §3.
#include "base/bytes.hpp"
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> lang(session& s, std::string_view rest)
{
    rest = base::trim_blanks(rest);
    if (rest.empty()) {
        auto out = s.ok_line("languages");
        for (auto const& l : languages()) out.append(l.tag).append(" ").append(l.name).append("\r\n");
        out += ".\r\n";
        auto const sent = co_await s.send(out);
        static_cast<void>(sent);
        co_return reply{};
    }
    auto const found = find_language(rest);
    if (!found) co_return reply::refused("no such language");
    s.speak(found->which);
    // "the exact language tag selected, and another space" (§3.2); the answer is in that language already.
    co_return reply::ok(std::string{found->tag} + " " + in_language(found->which, "language changed"));
}

}  // namespace mansio::pop3::commands
