#include "imap/names.hpp"

#include <vector>

#include "base/bytes.hpp"
#include "imap/wire/utf7.hpp"
#include "imap/wire/writer.hpp"
#include "store/account.hpp"

namespace mansio::imap {

result<std::string> mailbox_from_wire(std::string_view name, name_form form, name_use use, base::limits const& l)
{
    std::string utf8{name};
    if (form == name_form::utf7) {
        auto decoded = wire::from_utf7(name);
        if (!decoded) return fail(fault::kind::refused, "[CANNOT] the mailbox name is not valid modified UTF-7");
        utf8 = std::move(*decoded);
    }
    auto canonical = store::canonical_mailbox_name(utf8, l);
    if (!canonical) return canonical;
    if (use == name_use::existing) return canonical;
    if (base::starts_with_ignoring_case(utf8, "INBOX") && (utf8.size() == 5 || utf8[5] == '/')) utf8.replace(0, 5, "INBOX");
    if (*canonical != utf8) return fail(fault::kind::refused, "[CANNOT] the mailbox name is not in Unicode normalization form C");
    return canonical;
}

void append_mailbox(std::string& out, std::string_view name, name_form form)
{
    if (form == name_form::utf8)
        wire::append_astring(out, name, true);
    else
        wire::append_astring(out, wire::to_utf7(name));
}

bool matches(std::string_view pattern, std::string_view name)
{
    // INBOX in any case, here where it is the first level of both.
    auto const inbox = name == "INBOX" || name.starts_with("INBOX/");
    auto const same = [&](std::size_t p, std::size_t n) {
        if (pattern[p] == name[n]) return true;
        return inbox && n < 5 && (pattern[p] & ~0x20) == name[n];
    };
    // All positions of the pattern we may be at, kept in one row: no backtracking to be abused.
    std::vector<char> at(pattern.size() + 1, 0);
    at[0] = 1;
    auto const skip_wildcards = [&] {  // a wildcard may stand for nothing
        for (std::size_t p = 0; p < pattern.size(); ++p)
            if (at[p] && (pattern[p] == '*' || pattern[p] == '%')) at[p + 1] = 1;
    };
    skip_wildcards();
    for (std::size_t n = 0; n < name.size(); ++n) {
        bool any = false;
        for (std::size_t p = pattern.size() + 1; p-- > 0;) {
            if (!at[p]) continue;
            auto const here = p < pattern.size() ? pattern[p] : '\0';
            bool const stays = here == '*' || (here == '%' && name[n] != '/');
            at[p] = stays;
            if (p < pattern.size() && here != '*' && here != '%' && same(p, n)) at[p + 1] = 1;
            any = any || stays || (p < pattern.size() && at[p + 1]);
        }
        if (!any) return false;
        skip_wildcards();
    }
    return at[pattern.size()] != 0;
}

}  // namespace mansio::imap
