// links: transfer
// Names and lines of Maildirs and mboxes that a stranger may have written: what is parsed can be written and parsed again to the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/bytes.hpp"
#include "transfer/maildir_names.hpp"
#include "transfer/mbox_text.hpp"

using namespace mansio::transfer;

namespace {
void check(bool condition)
{
    if (!condition) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    auto const file = parse_maildir_file(text);
    check(file.base.starts_with(file.unique) && text.starts_with(file.base));
    auto const again = parse_maildir_file(file.base + ":2," + maildir_letters(file.flags, {}));
    check(std::is_permutation(again.flags.begin(), again.flags.end(), file.flags.begin(), file.flags.end()));

    for (auto const& [name, uid] : parse_uid_list(text).uids) check(uid != 0 && name.find(',') == std::string::npos);
    for (auto const& [letter, name] : parse_dovecot_keywords(text)) check(letter >= 'a' && letter <= 'z' && !name.empty());
    for (auto const& name : parse_subscriptions(text)) check(!name.empty());
    auto const name = maildir_folder_name(text);
    if (mansio::base::is_utf8(name) && name.find('.') == std::string::npos && !name.starts_with("INBOX"))
        check(maildir_folder_name(maildir_directory(name)) == name);

    constexpr std::int64_t year_1901 = -2'177'452'800, year_9998 = 253'339'228'800;
    auto const line = parse_from_line(text);
    if (line && line->date.unix_seconds > year_1901 && line->date.unix_seconds < year_9998) {
        auto const written = make_from_line("", line->date.unix_seconds);
        auto const read = parse_from_line(std::string_view{written}.substr(0, written.size() - 1));
        check(read && read->date.unix_seconds == line->date.unix_seconds);
    }
    mbox_status status;
    static_cast<void>(take_status(text, status));
    check(wants_quote(unquoted(text)) == wants_quote(text));
    return 0;
}
