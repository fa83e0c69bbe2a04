// REPLACE: a message comes and another goes, in one commit (RFC 8508).
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"

namespace mansio::store {

/// One REPLACE from its question to its answer.
struct account_core::replacing {
    mailbox_id from = 0, to = 0;
    store::uid old = 0;
    std::vector<new_message> message;  ///< one
    appended out;
};

/// What the account no longer holds once the message has left its mailbox: all of it, or nothing when a copy stays elsewhere.
task<result<std::uint64_t>> account_core::octets_freed(account_batch& b, message_entry const& e)
{
    auto const row = co_await b.get(keys::members(e.email));
    if (!row) co_return fail(row);
    if (!*row) co_return e.size;
    auto const members = rows::decode_members(**row);
    if (!members) co_return fail(members);
    std::uint64_t times = 0;
    for (auto const& m : *members) times += m.times;
    co_return times > 1 ? 0 : e.size;
}

task<result<void>> account_core::prepare_replace(account_batch& b, principal const& who, replacing& r)
{
    // RFC 8508 §4.1: the rights of UID STORE (\Deleted) and UID EXPUNGE here, of APPEND there.
    auto const* const s = b.find(r.from);
    auto const allowed = admit(who, s, right::expunge | right::delete_message);
    if (!allowed) co_return fail(allowed);
    auto const* const index = b.look(r.from);
    if (index == nullptr) co_return rows::damaged(s->index_damage);
    auto const span = index->positions({r.old, r.old});
    if (span.first == span.second) co_return fail(fault::kind::not_found, "that message no longer exists");
    auto const entry = index->at(span.first);
    auto const freed = co_await octets_freed(b, entry);
    if (!freed) co_return fail(freed);
    auto const added = co_await prepare_append(b, who, r.to, r.message, {}, r.out, *freed);
    if (!added) co_return fail(added);
    auto const taken = co_await take_out(b, r.from, {{r.old, r.old}});
    if (!taken) co_return fail(fault::kind::broken, taken.error().say, taken.error().detail);
    std::vector<email_id> gone{entry.email};
    auto const released = co_await release(b, r.from, std::move(gone));
    if (!released) co_return fail(fault::kind::broken, released.error().say, released.error().detail);
    co_return result<void>{};
}

task<result<appended>> account_core::replace(principal const& who, mailbox_id from, store::uid old, mailbox_id to, new_message message)
{
    replacing r{.from = from, .to = to, .old = old, .message = {}, .out = {}};
    r.message.push_back(std::move(message));
    operation op;
    op.note = "replace";
    op.needs.push_back(from);
    op.prepare = [&](account_batch& b) { return prepare_replace(b, who, r); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return std::move(r.out);
}

}  // namespace mansio::store
