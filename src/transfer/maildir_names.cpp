#include "transfer/maildir_names.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "imapclient/response.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {
namespace {

struct letter {
    char sign;
    std::string_view flag;
};
// Sorted by letter, as the names ask for. P: "passed": resent, forwarded or bounced.
constexpr std::array letters{letter{'D', "\\Draft"},    letter{'F', "\\Flagged"}, letter{'P', "$Forwarded"},
                             letter{'R', "\\Answered"}, letter{'S', "\\Seen"},    letter{'T', "\\Deleted"}};

template <class T> std::optional<T> number(std::string_view text)
{
    T n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

template <class F> void each_line(std::string_view text, F take)
{
    while (!text.empty()) {
        auto const n = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, n);
        if (line.ends_with('\r')) line.remove_suffix(1);
        take(line);
        text.remove_prefix(std::min(n + 1, text.size()));
    }
}

/// The next word up to a blank.
std::string_view word(std::string_view& line)
{
    auto const n = std::min(line.find(' '), line.size());
    auto const w = line.substr(0, n);
    line.remove_prefix(std::min(n + 1, line.size()));
    return w;
}

std::string_view without_flags(std::string_view name)
{
    // Some systems cannot have ':' in names and use ';' or '!' instead.
    for (auto const mark : {std::string_view{":2,"}, std::string_view{";2,"}, std::string_view{"!2,"}})
        if (auto const at = name.rfind(mark); at != std::string_view::npos) return name.substr(0, at);
    return name.substr(0, name.find(':'));
}
std::string_view without_sizes(std::string_view base) { return base.substr(0, base.find(',')); }

std::string levels(std::string_view name, char separator)
{
    std::string out;
    while (true) {
        auto const n = std::min(name.find(separator), name.size());
        out += level_name(imapclient::decode_mailbox(name.substr(0, n)));
        if (n == name.size()) break;
        out += '/';
        name.remove_prefix(n + 1);
    }
    return out;
}

}  // namespace

std::string level_name(std::string_view level)
{
    std::string out{level};
    std::replace(out.begin(), out.end(), '/', '_');
    return out;
}

maildir_file parse_maildir_file(std::string_view name)
{
    maildir_file f;
    auto const base = without_flags(name);
    f.base = base;
    f.unique = without_sizes(base);
    f.delivered = number<std::int64_t>(base.substr(0, base.find('.')));
    if (name.size() < base.size() + 3 || name.substr(base.size() + 1, 2) != "2,") return f;  // ":1," is somebody's experiment
    for (char const c : name.substr(base.size() + 3)) {
        auto const known = std::find_if(letters.begin(), letters.end(), [c](letter const& l) { return l.sign == c; });
        if (known != letters.end())
            f.flags.emplace_back(known->flag);
        else if (c >= 'a' && c <= 'z')
            f.keyword_letters += c;
    }
    return f;
}

std::string maildir_letters(std::vector<std::string> const& flags, std::map<std::string, char> const& keywords)
{
    std::string out;
    for (auto const& f : flags) {
        auto const known = std::find_if(letters.begin(), letters.end(), [&f](letter const& l) { return base::equal_ignoring_case(l.flag, f); });
        if (known != letters.end())
            out += known->sign;
        else if (auto const k = keywords.find(f); k != keywords.end())
            out += k->second;
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::map<char, std::string> parse_dovecot_keywords(std::string_view text)
{
    std::map<char, std::string> out;
    each_line(text, [&out](std::string_view line) {
        auto const n = number<unsigned>(word(line));
        if (n && *n < 26 && !line.empty()) out[static_cast<char>('a' + *n)] = line;
    });
    return out;
}

uid_list parse_uid_list(std::string_view text)
{
    uid_list out;
    bool first = true;
    unsigned version = 0;
    each_line(text, [&](std::string_view line) {
        if (first) {
            first = false;
            version = number<unsigned>(word(line)).value_or(0);
            if (version == 1) {
                out.uid_validity = number<std::uint32_t>(word(line)).value_or(0);
                out.uid_next = number<std::uint32_t>(word(line)).value_or(0);
            }
            while (version == 3 && !line.empty()) {
                auto const field = word(line);
                if (field.starts_with('V')) out.uid_validity = number<std::uint32_t>(field.substr(1)).value_or(0);
                if (field.starts_with('N')) out.uid_next = number<std::uint32_t>(field.substr(1)).value_or(0);
            }
            return;
        }
        auto const uid = number<std::uint32_t>(word(line));
        if (!uid || *uid == 0 || (version != 1 && version != 3)) return;
        // Version 3 has fields ("W1234") before ":name".
        std::string_view name = line;
        if (version == 3) {
            auto const colon = line.starts_with(':') ? 0 : line.find(" :");
            if (colon == std::string_view::npos) return;
            name = line.substr(line.starts_with(':') ? 1 : colon + 2);
        }
        out.uids.insert_or_assign(std::string{without_sizes(without_flags(name))}, *uid);
        // Dovecot adds lines without writing the head again; those of messages that are gone count too.
        if (*uid != ~std::uint32_t{0}) out.uid_next = std::max(out.uid_next, *uid + 1);
    });
    return out;
}

std::vector<std::string> parse_subscriptions(std::string_view text)
{
    std::vector<std::string> out;
    bool first = true;
    char separator = '.';
    each_line(text, [&](std::string_view line) {
        if (std::exchange(first, false) && line == "V\t2") {
            separator = '\t';
            return;
        }
        if (!line.empty()) out.push_back(levels(line, separator));
    });
    return out;
}

std::string maildir_folder_name(std::string_view directory)
{
    if (directory.starts_with('.')) directory.remove_prefix(1);
    auto name = levels(directory, '.');
    // Dovecot keeps names below INBOX as ".INBOX.x" too.
    if (base::starts_with_ignoring_case(name, "INBOX/")) name.replace(0, 5, "INBOX");
    return name;
}

std::string maildir_directory(std::string_view mailbox)
{
    std::string out;
    while (true) {
        auto const n = std::min(mailbox.find('/'), mailbox.size());
        std::string level{mailbox.substr(0, n)};
        std::replace(level.begin(), level.end(), '.', '_');  // '.' parts levels there
        out += '.' + imapclient::encode_mailbox(level);
        if (n == mailbox.size()) return out;
        mailbox.remove_prefix(n + 1);
    }
}

}  // namespace mansio::transfer
