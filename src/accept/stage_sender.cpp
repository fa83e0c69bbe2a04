// sender: room for a message, and the right of a person signed in to that sender address.
#include <algorithm>

#include "accept/stages.hpp"

namespace mansio::accept::stages {
namespace {

std::optional<reply> no_room(workshop const& w, message const& m)
{
    auto const& l = w.with.limits;
    if (m.declared_size > l.message_size)
        return reply{552, "5.3.4", "the message is larger than " + std::to_string(l.message_size) + " octets"};  // RFC 1870 §6.1
    auto const health = w.with.storage.health();
    if (!health.writable) return reply{451, "4.3.0", "the server cannot take mail now, try again later"};
    // Refused while there is still room for what is under way and for deleting (trust.md D8).
    if (health.free_octets < l.message_size + l.message_size / 2) return reply{452, "4.3.1", "no room for mail now, try again later"};
    if (w.with.memory.used() + l.memory_per_message > w.with.memory.total()) return reply{452, "4.3.1", "the server is busy, try again later"};
    return std::nullopt;
}

}  // namespace

task<result<bool>> is_address_of(workshop& w, mime::mailbox_address address, store::account_number account)
{
    auto const meant = co_await w.with.people.resolve(std::move(address));
    if (!meant && meant.error().what == fault::kind::syntax) co_return false;
    if (!meant) co_return fail(meant);
    co_return meant->what == auth::resolution::kind::local&& std::ranges::any_of(meant->recipients, [&](auto const& r) { return r.account == account; });
}

stage_result sender(workshop& w, message& m)
{
    auto const& c = *m.from;
    if (c.through == door::submission && !c.signed_in()) co_return decision::stop({530, "5.7.0", "sign in first"});  // RFC 4954 §6
    if (auto full = no_room(w, m)) co_return decision::stop(std::move(*full));
    // The null sender of a person's program is an MDN (RFC 8098 §3).
    if (!c.signed_in() || !m.sender) co_return decision::pass({250, "2.1.0", "sender ok"});
    auto const theirs = co_await is_address_of(w, *m.sender, c.account);
    if (!theirs) co_return decision::stop(reply_for(theirs.error(), {451, "4.3.0", "try again later"}));
    if (!*theirs) co_return decision::stop({553, "5.7.1", "that sender address is not yours"});
    co_return decision::pass({250, "2.1.0", "sender ok"});
}

}  // namespace mansio::accept::stages
