#include "imap/commands/mailbox_argument.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {
/// The store's words, so that nobody can tell which of the two found nothing.
std::unexpected<fault> nothing_there() { return fail(fault::kind::not_found, "no such mailbox"); }
}  // namespace

result<std::string> parse_mailbox(session const& s, wire::scanner& in, name_use use)
{
    if (auto sp = in.space(); !sp) return fail(sp);
    auto name = in.astring();
    if (!name) return fail(name);
    // "foo/" announces that names below it will follow; the delimiter is not part of the name (RFC 9051 §6.3.4)
    if (use == name_use::fresh && name->size() > 1 && name->ends_with('/')) name->pop_back();
    return mailbox_from_wire(*name, s.names(), use, s.limits());
}

bool reserved(session const& s, std::string_view name) noexcept { return s.offers(extension::acl) && name == others_root; }

std::optional<store::special_use> settable_use(std::string_view name) noexcept
{
    using enum store::special_use;
    for (auto const u : {archive, drafts, junk, sent, trash})
        if (base::equal_ignoring_case(store::special_use_name(u).substr(1), name)) return u;
    return std::nullopt;
}

task<result<mailbox_place>> place_of_person(session& s, std::string address)
{
    auto const owner = co_await s.srv().people->with_address(std::move(address));
    if (!owner) co_return fail(owner);
    auto const sharers = co_await s.own_account().sharers();
    if (!sharers) co_return fail(sharers);
    // The owner's account is asked only when it may have granted something: whoever has not is as far away as nobody.
    if (!*owner || !std::ranges::binary_search(*sharers, (*owner)->number)) co_return nothing_there();
    mailbox_place p;
    p.account = s.account_of((*owner)->number);
    p.before = std::string{others_prefix} + (*owner)->address + '/';
    co_return p;
}

task<result<mailbox_place>> place_of(session& s, std::string name)
{
    if (!s.offers(extension::acl) || !name.starts_with(others_prefix)) {
        mailbox_place own;
        own.account = s.own_account();
        own.name = std::move(name);
        co_return own;
    }
    // A local part may have a "/", a domain has none.
    auto const rest = std::string_view{name}.substr(others_prefix.size());
    auto const at = rest.find('@');
    auto const slash = at == std::string_view::npos ? at : rest.find('/', at);
    if (slash == std::string_view::npos) co_return nothing_there();
    auto place = co_await place_of_person(s, std::string{rest.substr(0, slash)});
    if (!place) co_return place;
    auto below = store::canonical_mailbox_name(rest.substr(slash + 1), s.limits());
    if (!below) co_return nothing_there();
    place->name = std::move(*below);
    co_return place;
}

task<result<found_mailbox>> find_mailbox(session& s, std::string name)
{
    auto place = co_await place_of(s, std::move(name));
    if (!place) co_return fail(place);
    auto info = co_await place->account.find_mailbox(place->name);
    if (!info) co_return fail(info);
    found_mailbox found;
    found.account = std::move(place->account);
    found.info = std::move(*info);
    found.info.name.insert(0, place->before);
    if (!place->before.empty()) found.info.use = store::special_use::none;  // it is the owner's Sent, not this person's (RFC 6154 §2)
    co_return found;
}

task<result<found_mailbox>> find_destination(session& s, std::string name)
{
    auto found = co_await find_mailbox(s, std::move(name));
    if (!found && found.error().what == fault::kind::not_found) co_return fail(fault::kind::refused, "[TRYCREATE] there is no such mailbox");
    co_return found;
}

}  // namespace mansio::imap::commands
