// COPY and MOVE within an account: an email gets another membership, its record and blob stay. RFC 9051 §6.4.7, §6.4.8, RFC 6851.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {
std::unexpected<fault> lost_intent() { return fail(fault::kind::try_later, "the server cannot do that now, try again later", "a copy's intent is gone"); }
}  // namespace

/// One COPY or MOVE from its question to its answer.
struct account_core::transfer_work {
    mailbox_id from = 0, to = 0;
    uid_set which;
    bool moving = false;
    copied out;
    std::vector<message_entry> chosen;     ///< as they are in the source
    std::uint64_t op = 0;                  ///< the intent of a large one
    std::size_t done = 0, next = 0;        ///< how many of the chosen have their new membership
};

/// Rights, and the messages that are there.
result<void> account_core::choose(account_batch& b, principal const& who, transfer_work& w)
{
    w.out = {};
    w.chosen.clear();
    auto const* const from = b.find(w.from);
    auto const* const to = b.find(w.to);
    auto source_rights = only(right::read);
    // RFC 6851 §4.2: the rights of UID STORE (\Deleted), UID COPY and UID EXPUNGE.
    if (w.moving) source_rights = source_rights | right::delete_message | right::expunge;
    if (auto const ok = admit(who, from, source_rights); !ok) return ok;
    if (auto const ok = admit(who, to, only(right::insert)); !ok) return ok;
    auto const* const index = b.look(w.from);
    if (index == nullptr) return rows::damaged(from->index_damage);
    for (auto const& range : w.which) {
        auto const span = index->positions(range);
        for (auto p = span.first; p < span.second; ++p) w.chosen.push_back(index->at(p));
    }
    return {};
}

task<result<void>> account_core::add_member(account_batch& b, email_id e, mailbox_id from, mailbox_id to, bool moving)
{
    auto const row = co_await b.get(keys::members(e));
    if (!row) co_return fail(row);
    std::vector<rows::membership> members;
    if (*row) {
        auto known = rows::decode_members(**row);
        if (!known) co_return fail(known);
        members = std::move(*known);
    } else {
        // No row: it is in one mailbox only, and that is the one it is copied from.
        members.push_back(rows::membership{.mailbox = from, .times = 1});
    }
    auto const place = [&](mailbox_id m) { return std::find_if(members.begin(), members.end(), [m](auto const& x) { return x.mailbox == m; }); };
    if (moving) {
        auto const old = place(from);
        if (old != members.end() && --old->times == 0) members.erase(old);
    }
    if (auto const it = place(to); it != members.end()) {
        ++it->times;
    } else {
        members.push_back(rows::membership{.mailbox = to, .times = 1});
    }
    b.put(keys::members(e), rows::encode_members(members));
    co_return result<void>{};
}

task<result<void>> account_core::mark_guest(account_batch& b, principal const& who, mailbox_id m, std::vector<store::uid> const& uids)
{
    if (uids.empty()) co_return result<void>{};
    auto const& people = b.find(m)->people;
    auto const it = people.find(who.who());
    auto marks = it == people.end() ? std::make_shared<rows::seen_marks>() : std::make_shared<rows::seen_marks>(*it->second);
    mark_seen(*marks, uids, true, b.when);
    co_return co_await b.put_people(m, who.who(), std::move(marks));
}

/// The chosen, as they will stand in the destination: new UIDs, its own keywords, what the asker may set.
struct arrivals {
    std::vector<message_entry> entries;
    std::vector<store::uid> seen_by_guest;
};

task<result<void>> account_core::show_copies(account_batch& b, principal const& who, transfer_work& w)
{
    auto const* const from = b.find(w.from);
    auto const first = b.reserve(w.to, static_cast<std::uint32_t>(w.chosen.size()));
    if (first == 0) co_return fail(fault::kind::over_limit, "this mailbox can take no more messages", "no UIDs left");
    bool const may_add = has(rights_of(who, *b.find(w.to)), right::write);
    auto const marks = guest(who) ? from->people.find(who.who()) : from->people.end();
    auto const keywords = from->meta;  // kept: resolve() may change the destination, which may be the same mailbox
    std::map<std::uint64_t, flag_set> known;  // few combinations occur
    arrivals in;
    for (auto const& source : w.chosen) {
        auto e = source;
        e.uid = first + static_cast<store::uid>(in.entries.size());
        e.modseq = e.added = b.when;
        e.save_date = b.wall;
        auto const cached = source.flags.high() ? known.end() : known.find(source.flags.low());
        if (cached != known.end()) {
            e.flags = cached->second;
        } else {
            std::vector<std::string> names;
            for (auto const index : source.flags.indexes()) {
                if (index < first_keyword) continue;
                if (index - first_keyword < keywords->keywords.size()) names.push_back(keywords->keywords[index - first_keyword]);
            }
            auto flags = resolve(b, w.to, names, false, may_add);
            if (!flags) co_return fail(flags);
            for (unsigned i = 0; i < first_keyword; ++i)
                if (source.flags.has(i)) flags->set(i);
            e.flags = permitted(who, *b.find(w.to), *flags);
            if (!source.flags.high()) known.emplace(source.flags.low(), e.flags);
        }
        if (guest(who)) {
            e.flags.set(system_flag::seen, false);
            auto const* const run = marks == from->people.end() ? nullptr : find_run(*marks->second, source.uid);
            if (run != nullptr && run->seen && has(rights_of(who, *b.find(w.to)), right::keep_seen)) in.seen_by_guest.push_back(e.uid);
        }
        w.out.from.push_back(source.uid);
        w.out.to.push_back(e.uid);
        in.entries.push_back(std::move(e));
    }
    w.out.uid_validity = b.find(w.to)->meta->uid_validity;
    auto const put = co_await put_entries(b, w.to, std::move(in.entries));
    if (!put) co_return fail(put);
    co_return co_await mark_guest(b, who, w.to, in.seen_by_guest);
}

task<result<void>> account_core::prepare_transfer(account_batch& b, principal const& who, transfer_work& w)
{
    if (auto const ok = choose(b, who, w); !ok) co_return fail(ok);
    w.out.uid_validity = b.find(w.to)->meta->uid_validity;
    if (w.chosen.empty() || w.chosen.size() > services_.options.slice_messages) co_return result<void>{};  // a large one is the caller's
    auto const shown = co_await show_copies(b, who, w);
    if (!shown) co_return fail(shown);
    for (auto const& e : w.chosen) {
        auto const added = co_await add_member(b, e.email, w.from, w.to, w.moving);
        if (!added) co_return fail(fault::kind::broken, added.error().say, added.error().detail);
    }
    if (!w.moving) co_return result<void>{};
    uid_set gone;
    for (auto const& e : w.chosen) append_uid(gone, e.uid);
    co_return co_await take_out(b, w.from, gone);
}

task<result<void>> account_core::prepare_transfer_start(account_batch& b, principal const& who, transfer_work& w)
{
    if (auto const ok = choose(b, who, w); !ok) co_return fail(ok);
    if (w.chosen.empty()) co_return result<void>{};
    w.op = services_.random.u64();
    w.done = w.next = 0;
    rows::intent i;
    i.what = rows::intent::kind::pending;
    i.mailbox = w.to;
    for (auto const& e : w.chosen) i.emails.push_back(e.email);
    co_return co_await put_list(b, w.op, std::move(i), true);
}

task<result<void>> account_core::prepare_transfer_slice(account_batch& b, transfer_work& w)
{
    auto const open = intents_.find(w.op);
    if (open == intents_.end() || open->second.what.done != w.done) co_return lost_intent();
    w.next = w.done;
    auto const* const index = b.look(w.from);
    while (w.next < w.chosen.size() && w.next - w.done < services_.options.slice_messages) {
        auto const& e = w.chosen[w.next++];
        bool const here = index != nullptr && index->lower_bound(e.uid) < index->size() && index->uid_at(index->lower_bound(e.uid)) == e.uid;
        if (!here) {
            // Expunged meanwhile; a copy elsewhere may still keep the email alive, and only then it has a row of members.
            auto const members = co_await b.get(keys::members(e.email));
            if (!members) co_return fail(fault::kind::broken, members.error().say, members.error().detail);
            if (!*members) continue;
        }
        auto const added = co_await add_member(b, e.email, w.from, w.to, false);
        if (!added) co_return fail(fault::kind::broken, added.error().say, added.error().detail);
    }
    auto i = open->second.what;
    i.done = w.next;
    b.put_intent(w.op, std::move(i), true);
    co_return result<void>{};
}

task<result<void>> account_core::prepare_transfer_end(account_batch& b, principal const& who, transfer_work& w)
{
    if (!intents_.contains(w.op)) co_return lost_intent();
    if (auto const ok = choose(b, who, w); !ok) co_return fail(ok);
    // What has gone from the source meanwhile is not shown; its new membership ends with the intent.
    std::vector<email_id> surplus;
    auto const listed = co_await list_of(intents_.at(w.op).what);
    if (!listed) co_return fail(listed);
    std::multiset<email_id> shown;
    for (auto const& e : w.chosen) shown.insert(e.email);
    for (auto const e : *listed) {
        if (auto const it = shown.find(e); it != shown.end()) {
            shown.erase(it);
        } else {
            surplus.push_back(e);
        }
    }
    // What has come into the source's range meanwhile has no membership yet: it stays where it is.
    for (auto const e : std::set<email_id>{shown.begin(), shown.end()}) std::erase_if(w.chosen, [e](auto const& c) { return c.email == e; });
    end_list(b, w.op);
    if (!w.chosen.empty()) {
        auto const copied = co_await show_copies(b, who, w);
        if (!copied) co_return fail(copied);
    }
    if (!surplus.empty()) {
        auto const freed = co_await release(b, w.to, std::move(surplus));
        if (!freed) co_return fail(freed);
    }
    if (!w.moving || w.chosen.empty()) co_return result<void>{};
    uid_set gone;
    std::vector<email_id> emails;
    for (auto const& e : w.chosen) {
        append_uid(gone, e.uid);
        emails.push_back(e.email);
    }
    auto const taken = co_await take_out(b, w.from, gone);
    if (!taken) co_return fail(taken);
    co_return co_await release(b, w.from, std::move(emails));
}

task<result<void>> account_core::transfer_large(principal const& who, transfer_work& w)
{
    operation start;
    start.needs.push_back(w.from);
    start.prepare = [&](account_batch& b) { return prepare_transfer_start(b, who, w); };
    auto done = co_await submit(start);
    if (!done) co_return fail(done);
    // From here on the range is what was chosen: messages that come later are not part of it.
    auto const all = w.chosen;
    w.which.clear();
    for (auto const& e : all) append_uid(w.which, e.uid);
    while (done && w.done < all.size()) {
        operation slice;
        slice.needs.push_back(w.from);
        slice.prepare = [&](account_batch& b) { return prepare_transfer_slice(b, w); };
        done = co_await submit(slice);
        w.done = w.next;
    }
    if (done) {
        operation end;
        end.needs.push_back(w.from);
        end.prepare = [&](account_batch& b) { return prepare_transfer_end(b, who, w); };
        done = co_await submit(end);
    }
    abandon(w.op);
    co_return done;
}

task<result<copied>> account_core::transfer(principal const& who, mailbox_id from, uid_set which, mailbox_id to, bool moving)
{
    transfer_work w;
    w.from = from;
    w.to = to;
    w.which = normalized(std::move(which));
    w.moving = moving;
    operation op;
    op.note = moving ? "move" : "copy";
    op.needs.push_back(from);
    op.prepare = [&](account_batch& b) { return prepare_transfer(b, who, w); };
    auto done = co_await submit(op);
    if (!done) co_return fail(done);
    if (w.chosen.size() > services_.options.slice_messages) {
        done = co_await transfer_large(who, w);
        if (!done) co_return fail(done);
    }
    co_return std::move(w.out);
}

}  // namespace mansio::store
