// What file and folder names of a Maildir say (Maildir++, Dovecot's uidlist, keywords and subscriptions). Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::transfer {

/// A file name in cur/ or new/: "1700000000.M5P7.host,S=120:2,FSa".
struct maildir_file {
    std::string unique;                ///< before ":2," and without ",S=…": what dovecot-uidlist names it by, sizes left out
    std::string base;                  ///< before ":2,", sizes included
    std::vector<std::string> flags;    ///< "\Seen" …, "$Forwarded" for P
    std::string keyword_letters;       ///< a to z
    std::optional<std::int64_t> delivered;  ///< seconds in the name
};
[[nodiscard]] maildir_file parse_maildir_file(std::string_view name);
/// The letters after ":2,", sorted; keywords that have no letter are left out. `keywords`: name → letter.
[[nodiscard]] std::string maildir_letters(std::vector<std::string> const& flags, std::map<std::string, char> const& keywords);

/// dovecot-keywords: "0 $Junk" lines; letter 'a' + number.
[[nodiscard]] std::map<char, std::string> parse_dovecot_keywords(std::string_view text);

/// dovecot-uidlist, version 1 and 3.
struct uid_list {
    std::uint32_t uid_validity = 0, uid_next = 0;
    std::map<std::string, std::uint32_t, std::less<>> uids;   ///< by file name without flags and sizes
};
[[nodiscard]] uid_list parse_uid_list(std::string_view text);

/// The subscriptions file: names of ours.
[[nodiscard]] std::vector<std::string> parse_subscriptions(std::string_view text);

/// ".Sent.&AOQ-b" → "Sent/äb"; and back. INBOX is the directory itself.
[[nodiscard]] std::string maildir_folder_name(std::string_view directory);
[[nodiscard]] std::string maildir_directory(std::string_view mailbox);

}  // namespace mansio::transfer
