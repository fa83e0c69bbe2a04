#include "pop3/commands/table.hpp"

#include <algorithm>
#include <array>

namespace mansio::pop3::commands {
namespace {
// No APOP, no CRAM: they need passwords kept in clear (trust.md I10).
constexpr std::array all{
    //      verb    legal when           handler
    command{"AUTH", when::authorization, &auth}, command{"CAPA", when::any, &capa},         command{"DELE", when::transaction, &dele},
    command{"LANG", when::any, &lang},           command{"LIST", when::transaction, &list}, command{"NOOP", when::transaction, &noop},
    command{"PASS", when::authorization, &pass}, command{"QUIT", when::any, &quit},         command{"RETR", when::transaction, &retr},
    command{"RSET", when::transaction, &rset},   command{"STAT", when::transaction, &stat}, command{"STLS", when::authorization, &stls},
    command{"TOP", when::transaction, &top},     command{"UIDL", when::transaction, &uidl}, command{"USER", when::authorization, &user},
    command{"UTF8", when::authorization, &utf8},
};
static_assert(std::ranges::is_sorted(all, {}, &command::verb), "find() is a binary search");
}  // namespace

command const* find(std::string_view verb) noexcept
{
    auto const* const at = std::ranges::lower_bound(all, verb, {}, &command::verb);
    return at != all.end() && at->verb == verb ? at : nullptr;
}

std::optional<reply> privacy_objection(session const& s)
{
    if (s.may_sign_in()) return std::nullopt;
    return reply::refused("[SYS/PERM] use TLS first: STLS, or port 995");
}

}  // namespace mansio::pop3::commands
