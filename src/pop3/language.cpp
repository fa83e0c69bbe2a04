#include "pop3/language.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"

namespace mansio::pop3 {
namespace {
constexpr std::array all{language_row{language::english, "en", "English"}, language_row{language::german, "de", "Deutsch"}};

using sentence = std::pair<std::string_view, std::string_view>;
constexpr std::array german{
    sentence{"# POP# server ready", "# POP#-Server bereit"},
    sentence{"# messages", "# Nachrichten"},
    sentence{"# octets", "# Oktette"},
    sentence{"TLS is on already", "TLS ist schon eingeschaltet"},
    sentence{"TOP needs a message number and a number of lines", "TOP braucht eine Nachrichtennummer und eine Zeilenzahl"},
    sentence{"USER first", "zuerst USER"},
    sentence{"USER needs a name", "USER braucht einen Namen"},
    sentence{"UTF# is on: TLS comes before it", "UTF# ist eingeschaltet: TLS kommt davor"},
    sentence{"UTF# on", "UTF# eingeschaltet"},
    sentence{"already signed in", "schon angemeldet"},
    sentence{"another session has this maildrop", "eine andere Sitzung hat dieses Postfach"},
    sentence{"authentication failed", "Anmeldung fehlgeschlagen"},
    sentence{"begin TLS", "TLS beginnt"},
    sentence{"cancelled", "abgebrochen"},
    sentence{"capabilities", "Fähigkeiten"},
    sentence{"done", "erledigt"},
    sentence{"go on", "weiter"},
    sentence{"goodbye", "auf Wiedersehen"},
    sentence{"language changed", "Sprache gewechselt"},
    sentence{"languages", "Sprachen"},
    sentence{"line too long", "Zeile zu lang"},
    sentence{"malformed response", "fehlerhafte Antwort"},
    sentence{"mechanisms", "Verfahren"},
    sentence{"message # marked", "Nachricht # vorgemerkt"},
    sentence{"no TLS here", "hier gibt es kein TLS"},
    sentence{"no such command", "diesen Befehl gibt es nicht"},
    sentence{"no such language", "diese Sprache gibt es nicht"},
    sentence{"no such mechanism", "dieses Verfahren gibt es nicht"},
    sentence{"no such message", "diese Nachricht gibt es nicht"},
    sentence{"not a message number", "keine Nachrichtennummer"},
    sentence{"not base#", "kein Base#"},
    sentence{"response too long", "Antwort zu lang"},
    sentence{"sign in first", "zuerst anmelden"},
    sentence{"some messages were not removed", "einige Nachrichten wurden nicht entfernt"},
    sentence{"the last sign-in was less than # seconds ago", "die letzte Anmeldung ist weniger als # Sekunden her"},
    sentence{"the maildrop cannot be opened", "das Postfach kann nicht geöffnet werden"},
    sentence{"the maildrop cannot be opened now", "das Postfach kann jetzt nicht geöffnet werden"},
    sentence{"the message cannot be read", "die Nachricht kann nicht gelesen werden"},
    sentence{"the message cannot be read now", "die Nachricht kann jetzt nicht gelesen werden"},
    sentence{"the message is gone", "die Nachricht ist fort"},
    sentence{"this message has addresses that only UTF# can show", "diese Nachricht hat Adressen, die nur UTF# zeigen kann"},
    sentence{"this sign-in may only read", "diese Anmeldung darf nur lesen"},
    sentence{"too many bad commands", "zu viele falsche Befehle"},
    sentence{"top of message", "Anfang der Nachricht"},
    sentence{"try again later", "später noch einmal"},
    sentence{"use TLS first: STLS, or port #", "zuerst TLS: STLS oder Port #"},
};
static_assert(std::ranges::is_sorted(german, {}, &sentence::first), "in_language() is a binary search");

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
}  // namespace

std::span<language_row const> languages() noexcept { return all; }
std::span<sentence const> german_sentences() noexcept { return german; }

std::optional<language_row> find_language(std::string_view range) noexcept
{
    if (range == "*") return all.front();
    for (auto const& l : all)
        if (base::starts_with_ignoring_case(range, l.tag) && (range.size() == l.tag.size() || range[l.tag.size()] == '-')) return l;
    return std::nullopt;
}

std::string in_language(language l, std::string_view english)
{
    if (l == language::english) return std::string{english};
    std::string_view code;
    if (english.starts_with('[')) code = english.substr(0, std::min(english.find("] "), english.size() - 2) + 2);
    auto const text = english.substr(code.size());
    std::string pattern, number;  // the one number of a sentence; all that have several say the same
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!is_digit(text[i])) {
            pattern += text[i];
            continue;
        }
        auto const from = i;
        while (i + 1 < text.size() && is_digit(text[i + 1])) ++i;
        auto const digits = text.substr(from, i + 1 - from);
        if (!number.empty() && number != digits) return std::string{english};
        number = digits;
        pattern += '#';
    }
    auto const* const at = std::ranges::lower_bound(german, std::string_view{pattern}, {}, &sentence::first);
    if (at == german.end() || at->first != pattern) return std::string{english};
    std::string out{code};
    for (char const c : at->second) {
        if (c == '#')
            out += number;
        else
            out += c;
    }
    return out;
}

}  // namespace mansio::pop3
