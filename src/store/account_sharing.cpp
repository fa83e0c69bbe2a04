// What an account knows of its neighbours: who shares with it, and messages on their way to another account (docs/formats/account.md, "Sharing").
#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"

namespace mansio::store {
namespace {
constexpr std::int64_t fresh_seconds = 3600;         ///< a grant's row that young is not written again
constexpr std::int64_t forgotten_seconds = 24 * 3600;  ///< and one that old may go; no grant takes as long as the difference
}  // namespace

task<result<std::vector<account_number>>> account_core::sharers(principal const& who)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    if (guest(who) || !exists_) co_return no_such_mailbox();
    std::vector<account_number> out;
    out.reserve(sharers_.size());
    for (auto const& [other, since] : sharers_) out.push_back(other);
    co_return out;
}

task<result<void>> account_core::note_sharer(account_number other)
{
    operation op;
    op.note = "note sharer";
    auto const prepare = [](account_core& a, account_batch& b, account_number from) -> task<result<void>> {
        if (!a.exists_) co_return fail(fault::kind::refused, "there is no such account", "no_account");
        auto const known = a.sharers_.find(from);
        if (known != a.sharers_.end() && b.wall < known->second + fresh_seconds && b.wall >= known->second) co_return result<void>{};
        if (known == a.sharers_.end() && a.sharers_.size() >= a.services_.limits.sharers) {
            a.services_.limit_refusals.add();
            co_return fail(fault::kind::over_limit, "too many share with that account already", "sharers");
        }
        b.put(keys::sharer(from), rows::encode_sharer(b.wall));
        b.afterwards([&a, from, wall = b.wall] { a.sharers_[from] = wall; });
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, other); };
    co_return co_await submit(op);
}

task<result<std::int64_t>> account_core::sharer_since(account_number other)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const it = sharers_.find(other);
    co_return it == sharers_.end() ? 0 : it->second;
}

task<result<void>> account_core::drop_sharer(account_number other, std::int64_t since)
{
    operation op;
    op.note = "forget sharer";
    auto const prepare = [](account_core& a, account_batch& b, account_number from, std::int64_t as_of) -> task<result<void>> {
        auto const known = a.sharers_.find(from);
        // Granted again meanwhile, or too lately: the right may be on its way.
        if (known == a.sharers_.end() || known->second != as_of || b.wall - as_of < forgotten_seconds) co_return result<void>{};
        b.erase(keys::sharer(from));
        b.afterwards([&a, from] { a.sharers_.erase(from); });
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, other, since); };
    co_return co_await submit(op);
}

task<result<bool>> account_core::grants_to(account_number guest_number)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    for (auto const& [id, s] : mailboxes_)
        for (auto const& a : s.meta->acl)
            if (a.who == guest_number) co_return true;
    co_return false;
}

task<result<std::uint64_t>> account_core::begin_leaving(principal const& who, mailbox_id m, uid_set which, account_number other, std::string delivery)
{
    auto const number = services_.random.u64();
    rows::intent i;
    i.what = rows::intent::kind::leaving;
    i.mailbox = m;
    i.other = other;
    i.delivery = std::move(delivery);
    i.which = std::move(which);
    operation op;
    op.note = "move between accounts";
    auto const prepare = [](account_core& a, account_batch& b, principal const& asker, std::uint64_t n, rows::intent const& what) -> task<result<void>> {
        auto const allowed = a.admit(asker, b.find(what.mailbox), (right::read | right::delete_message) | right::expunge);
        if (!allowed) co_return fail(allowed);
        b.put_intent(n, what, true);
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, who, number, i); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return number;
}

/// The intent ends; with `gone` the messages that are still there go with it.
task<result<void>> account_core::prepare_left(account_batch& b, std::uint64_t op, mailbox_id m, uid_set const& which, bool gone)
{
    uid_set out;
    std::vector<email_id> emails;
    auto const* const index = gone && b.find(m) != nullptr ? b.look(m) : nullptr;
    if (index != nullptr) {
        for (auto const& range : which) {
            auto const span = index->positions(range);
            for (auto p = span.first; p < span.second; ++p) {
                append_uid(out, index->uid_at(p));
                emails.push_back(index->at(p).email);
            }
        }
    }
    if (intents_.contains(op)) b.end_intent(op);
    if (out.empty()) co_return result<void>{};
    auto const taken = co_await take_out(b, m, out);
    if (!taken) co_return fail(fault::kind::broken, taken.error().say, taken.error().detail);
    co_return co_await release(b, m, std::move(emails));
}

task<result<void>> account_core::end_leaving(std::uint64_t op, mailbox_id m, uid_set which, bool gone)
{
    if (!gone) {
        // Whether the destination has them may be unknown (a lost answer): its rows decide, in the background.
        abandon(op);
        co_return result<void>{};
    }
    operation end;
    end.note = "move between accounts";
    end.needs.push_back(m);
    end.prepare = [&](account_batch& b) { return prepare_left(b, op, m, which, true); };
    auto const done = co_await submit(end);
    abandon(op);
    co_return done;
}

/// After a crash, or when the call that moved them could not end: does the destination have the messages?
task<result<void>> account_core::settle_leaving(std::uint64_t op)
{
    auto const i = intents_.at(op).what;
    partition_id there;
    there.kind = partition_kind::account;
    there.number = i.other;
    auto const row = co_await services_.storage.get(there, keys::delivery(i.delivery));
    if (!row) co_return fail(row);
    if (*row) co_await load_index(i.mailbox);
    auto const* const s = find(i.mailbox);
    // What cannot be read is not removed: then both have the message.
    if (*row && s != nullptr && !s->index) services_.log.error("move_not_ended", {{"account", number_}, {"mailbox", i.mailbox}});
    account_batch b{*this};
    b.note = "move between accounts";
    auto const prepared = co_await prepare_left(b, op, i.mailbox, i.which, row->has_value());
    if (!prepared) co_return fail(prepared);
    co_return co_await commit_alone(b);
}

}  // namespace mansio::store
