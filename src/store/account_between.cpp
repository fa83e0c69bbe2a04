// Calls of account_ref that concern two accounts: sharing, and COPY and MOVE from one into another. Nothing spans two partitions, so each is a few
// commits, in an order in which a crash loses nothing (docs/formats/account.md).
#include "base/bytes.hpp"
#include "store/accounts_impl.hpp"
#include "store/mailbox_uids.hpp"

namespace mansio::store {
namespace {

constexpr std::size_t emails_at_once = 256;

std::shared_ptr<principal const> itself(std::string purpose) { return std::make_shared<principal const>(principal::server(std::move(purpose))); }

task<result<void>> grant(accounts::impl& s, account_number owner, std::shared_ptr<principal const> who, mailbox_id m, account_number guest, rights granted,
                         flag_operation how)
{
    if (granted != 0 && how != flag_operation::remove && guest != owner && guest != 0) {
        // Who may not share this learns here that he may not, before anything is written anywhere.
        auto may = [m](account_core& a, principal const& p) { return a.get_acl(p, m); };
        auto const allowed = co_await on_owner<result<std::vector<acl_entry>>>(s, owner, who, std::move(may));
        if (!allowed) co_return fail(allowed);
        auto note = [owner](account_core& a, principal const&) { return a.note_sharer(owner); };
        auto const noted = co_await on_owner<result<void>>(s, guest, itself("share"), std::move(note));
        if (!noted) co_return fail(noted);
    }
    auto set = [m, guest, granted, how](account_core& a, principal const& p) { return a.set_acl(p, m, guest, granted, how); };
    co_return co_await on_owner<result<void>>(s, owner, std::move(who), std::move(set));
}

task<result<void>> forget(accounts::impl& s, account_number mine, account_number other)
{
    auto ask_since = [other](account_core& a, principal const&) { return a.sharer_since(other); };
    auto const since = co_await on_owner<result<std::int64_t>>(s, mine, itself("share"), std::move(ask_since));
    if (!since) co_return fail(since);
    if (*since == 0) co_return result<void>{};
    auto ask = [mine](account_core& a, principal const&) { return a.grants_to(mine); };
    auto const grants = co_await on_owner<result<bool>>(s, other, itself("share"), std::move(ask));
    if (!grants) co_return fail(grants);
    if (*grants) co_return result<void>{};
    auto drop = [other, as_of = *since](account_core& a, principal const&) { return a.drop_sharer(other, as_of); };
    co_return co_await on_owner<result<void>>(s, mine, itself("share"), std::move(drop));
}

/// Messages as another account can take them: the same blob, prefix and summary.
struct letters {
    std::vector<new_message> messages;
    std::vector<store::uid> uids;
};

task<result<letters>> letters_of(account_ref from, mailbox_id m, uid_set which, std::uint64_t most)
{
    auto const view = co_await from.view(m);
    if (!view) co_return fail(view);
    std::vector<std::uint32_t> chosen;
    for (auto const& range : which) {
        for (auto p = (*view)->lower_bound(range.first); p < (*view)->size() && (*view)->uid_at(p) <= range.second; ++p) {
            if (chosen.size() == most) co_return fail(fault::kind::over_limit, "too many messages at once for another account", "between_accounts");
            chosen.push_back(p);
        }
    }
    letters out;
    for (std::size_t begin = 0; begin < chosen.size(); begin += emails_at_once) {
        auto const end = std::min(begin + emails_at_once, chosen.size());
        std::vector<email_id> ids;
        for (auto k = begin; k < end; ++k) ids.push_back((*view)->at(chosen[k]).email);
        auto const records = co_await from.emails(m, std::move(ids));
        if (!records) co_return fail(records);
        for (auto k = begin; k < end; ++k) {
            auto const& record = (*records)[k - begin];
            if (!record) continue;  // expunged meanwhile
            auto const e = (*view)->at(chosen[k]);
            new_message one;
            one.prefix = record->prefix();
            one.stored = record->blob();
            one.summary = std::shared_ptr<mime::summary const>(record, &record->summary());
            one.flags = (*view)->names(e.flags);
            one.internal_date = e.internal_date;
            out.messages.push_back(std::move(one));
            out.uids.push_back(e.uid);
        }
        co_await base::yield_now{};
    }
    co_return out;
}

struct crossing {
    account_ref from, there;
    mailbox_id source = 0, destination = 0;
    std::shared_ptr<principal const> who;
};

task<result<void>> may_insert(account_ref there, mailbox_id m)
{
    auto const held = co_await there.my_rights(m);
    if (!held) co_return fail(held);
    if (!has(*held, right::insert)) co_return no_right();
    co_return result<void>{};
}

copied paired(letters const& l, appended const& done)
{
    copied out;
    out.uid_validity = done.uid_validity;
    out.from = l.uids;
    out.to = done.uids;
    return out;
}

task<result<copied>> copy_between(accounts::impl& s, crossing x, uid_set which)
{
    auto const allowed = co_await may_insert(x.there, x.destination);
    if (!allowed) co_return fail(allowed);
    auto found = co_await letters_of(x.from, x.source, normalized(std::move(which)), s.services.limits.between_accounts);
    if (!found) co_return fail(found);
    if (found->uids.empty()) co_return copied{};
    auto const done = co_await x.there.append(x.destination, std::move(found->messages));
    if (!done) co_return fail(done);
    co_return paired(*found, *done);
}

task<result<copied>> move_between(accounts::impl& s, crossing x, uid_set which)
{
    auto const allowed = co_await may_insert(x.there, x.destination);
    if (!allowed) co_return fail(allowed);
    auto found = co_await letters_of(x.from, x.source, normalized(std::move(which)), s.services.limits.between_accounts);
    if (!found) co_return fail(found);
    if (found->uids.empty()) co_return copied{};
    uid_set leaving;
    for (auto const u : found->uids) append_uid(leaving, u);
    auto const delivery = "move " + base::to_hex(blob_id::make(s.services.random).view());
    auto start = [m = x.source, leaving, other = x.there.number(), delivery](account_core& a, principal const& p) {
        return a.begin_leaving(p, m, leaving, other, delivery);
    };
    auto const op = co_await on_owner<result<std::uint64_t>>(s, x.from.number(), x.who, std::move(start));
    if (!op) co_return fail(op);
    auto const done = co_await x.there.append(x.destination, std::move(found->messages), delivery);
    // Only what the destination has for certain leaves here.
    auto end = [n = *op, m = x.source, leaving, gone = done.has_value()](account_core& a, principal const&) { return a.end_leaving(n, m, leaving, gone); };
    auto const ended = co_await on_owner<result<void>>(s, x.from.number(), x.who, std::move(end));
    if (!done) co_return fail(done);
    if (!ended) co_return fail(ended);
    co_return paired(*found, *done);
}

}  // namespace

task<result<void>> account_ref::set_acl(mailbox_id m, account_number who, store::rights granted, flag_operation how) const
{
    return grant(*service_->impl_, number_, who_, m, who, granted, how);
}
task<result<std::vector<account_number>>> account_ref::sharers() const
{
    return on_owner<result<std::vector<account_number>>>(*service_->impl_, number_, who_, [](account_core& a, principal const& p) { return a.sharers(p); });
}
task<result<void>> account_ref::forget_sharer(account_number other) const { return forget(*service_->impl_, number_, other); }

task<result<copied>> account_ref::copy_to(mailbox_id from, uid_set which, account_ref there, mailbox_id to) const
{
    return copy_between(*service_->impl_, crossing{*this, std::move(there), from, to, who_}, std::move(which));
}
task<result<copied>> account_ref::move_to(mailbox_id from, uid_set which, account_ref there, mailbox_id to) const
{
    return move_between(*service_->impl_, crossing{*this, std::move(there), from, to, who_}, std::move(which));
}

}  // namespace mansio::store
