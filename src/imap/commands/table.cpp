#include "imap/commands/table.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::array table{
    //      name            legal when        message numbers      handler
    command{"APPEND", when::signed_in, numbers::may_shift, &append},
    command{"AUTHENTICATE", when::greeted, numbers::untouched, &authenticate},
    command{"CANCELUPDATE", when::selected, numbers::may_shift, &cancel_update, extension::context_search},
    command{"CAPABILITY", when::any, numbers::may_shift, &capability},
    command{"CHECK", when::selected, numbers::may_shift, &check},
    command{"CLOSE", when::selected, numbers::untouched, &close},
    command{"COMPRESS", when::signed_in, numbers::untouched, &compress, extension::compress_deflate},
    command{"COPY", when::selected, numbers::may_shift, &copy},
    command{"CREATE", when::signed_in, numbers::may_shift, &create},
    command{"DELETE", when::signed_in, numbers::may_shift, &delete_mailbox},
    command{"DELETEACL", when::signed_in, numbers::may_shift, &deleteacl, extension::acl},
    command{"ENABLE", when::signed_in, numbers::untouched, &enable, extension::enable},
    command{"ESEARCH", when::signed_in, numbers::may_shift, &esearch, extension::multisearch},
    command{"EXAMINE", when::signed_in, numbers::untouched, &examine},
    command{"EXPUNGE", when::selected, numbers::may_shift, &expunge},
    command{"FETCH", when::selected, numbers::used, &fetch},
    command{"GETACL", when::signed_in, numbers::may_shift, &getacl, extension::acl},
    command{"GETQUOTA", when::signed_in, numbers::may_shift, &getquota, extension::quota},
    command{"GETQUOTAROOT", when::signed_in, numbers::may_shift, &getquotaroot, extension::quota},
    command{"ID", when::any, numbers::may_shift, &id, extension::id},
    command{"IDLE", when::signed_in, numbers::may_shift, &idle, extension::idle},
    command{"LIST", when::signed_in, numbers::may_shift, &list},
    command{"LISTRIGHTS", when::signed_in, numbers::may_shift, &listrights, extension::acl},
    command{"LOGIN", when::greeted, numbers::untouched, &login},
    command{"LOGOUT", when::any, numbers::untouched, &logout},
    command{"LSUB", when::signed_in, numbers::may_shift, &lsub},
    command{"MOVE", when::selected, numbers::may_shift, &move, extension::move},
    command{"MYRIGHTS", when::signed_in, numbers::may_shift, &myrights, extension::acl},
    command{"NAMESPACE", when::signed_in, numbers::may_shift, &name_space, extension::name_space},
    command{"NOOP", when::any, numbers::may_shift, &noop},
    command{"NOTIFY", when::signed_in, numbers::may_shift, &notify, extension::notify},
    command{"RENAME", when::signed_in, numbers::may_shift, &rename},
    command{"REPLACE", when::selected, numbers::may_shift, &replace, extension::replace},
    command{"SEARCH", when::selected, numbers::used, &search},
    command{"SELECT", when::signed_in, numbers::untouched, &select},
    command{"SETACL", when::signed_in, numbers::may_shift, &setacl, extension::acl},
    command{"SETQUOTA", when::signed_in, numbers::may_shift, &setquota, extension::quota},
    command{"SORT", when::selected, numbers::used, &sort, extension::sort},
    command{"STARTTLS", when::greeted, numbers::untouched, &starttls},
    command{"STATUS", when::signed_in, numbers::may_shift, &status},
    command{"STORE", when::selected, numbers::used, &store},
    command{"SUBSCRIBE", when::signed_in, numbers::may_shift, &subscribe},
    command{"THREAD", when::selected, numbers::used, &thread},
    command{"UID COPY", when::selected, numbers::may_shift, &copy},
    command{"UID EXPUNGE", when::selected, numbers::may_shift, &uid_expunge, extension::uidplus},
    command{"UID FETCH", when::selected, numbers::may_shift, &fetch},
    command{"UID MOVE", when::selected, numbers::may_shift, &move, extension::move},
    command{"UID REPLACE", when::selected, numbers::may_shift, &replace, extension::replace},
    command{"UID SEARCH", when::selected, numbers::may_shift, &search},
    command{"UID SORT", when::selected, numbers::may_shift, &sort, extension::sort},
    command{"UID STORE", when::selected, numbers::may_shift, &store},
    command{"UID THREAD", when::selected, numbers::may_shift, &thread},
    command{"UNAUTHENTICATE", when::signed_in, numbers::untouched, &unauthenticate, extension::unauthenticate},
    command{"UNSELECT", when::selected, numbers::untouched, &unselect, extension::unselect},
    command{"UNSUBSCRIBE", when::signed_in, numbers::may_shift, &unsubscribe},
};
static_assert(std::ranges::is_sorted(table, {}, &command::name), "find() is a binary search");

}  // namespace

std::span<command const> all() noexcept { return table; }

command const* find(std::string_view name) noexcept
{
    char upper[16];
    if (name.size() > sizeof upper) return nullptr;
    std::ranges::transform(name, upper, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    auto const it = std::ranges::lower_bound(table, std::string_view{upper, name.size()}, {}, &command::name);
    return it != table.end() && it->name == std::string_view{upper, name.size()} ? &*it : nullptr;
}

}  // namespace mansio::imap::commands
